"""
YAML as it is written by people: the data, and the line of every part of it.

Built on the events of PyYAML's parser, so that every bound holds while the text is read, not after. The values are those
of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema): ``off`` and ``yes`` are text and ``22:22`` is no
number, unlike in YAML 1.1. Only text, numbers, true, false and null exist; a duplicate key is an error.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Iterator

import yaml

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.records.base import Problem

#: Bytes of one file. A config with a thousand edges is about 1 MiB.
MAX_SIZE = 4 * 1024 * 1024
#: Levels of nesting; the deepest path of a real config has about ten.
MAX_DEPTH = 40
#: Values after aliases are expanded: the bound that a "billion laughs" document meets.
MAX_VALUES = 500_000

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STRING_TAG = "tag:yaml.org,2002:str"
_MERGE = "<<"
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS.update({"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False})  # type: ignore
#: Eighteen digits: more than any number of this product, and no time is lost on absurd ones.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(
    r"[-+]?([0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})([eE][-+]?[0-9]{1,3})?\Z|[-+]?[0-9]{1,18}[eE][-+]?[0-9]{1,3}\Z"
)


def join(path: str, step: str | int) -> str:
    """
    The path one step further in: ``edges`` and ``https`` give ``edges.https``, ``routes`` and ``2`` give ``routes[2]``.
    """
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


class Positions:
    """
    Where each part of a document stands.

    :ivar file: the file's name, for messages.
    """

    def __init__(self, file: str = "") -> None:
        self.file = file
        self._lines: dict[str, int] = {}

    def note(self, path: str, line: int) -> None:
        """Remember that the value at ``path`` is on ``line``, counted from 1."""
        self._lines.setdefault(path, line)

    def line(self, path: str) -> int:
        """The line of the value at this path, or of the nearest one around it; 0 where there is none."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self._lines.get("", 0)

    def locate(self, problem: Problem) -> Problem:
        """The same problem with its file and line."""
        return replace(problem, line=problem.line or self.line(problem.path), file=self.file)


def load_yaml(text: str | bytes, file: str = "", most: int | None = None) -> tuple[Any, Positions]:
    """
    Read one YAML document.

    :param text: the document, UTF-8 where it is bytes.
    :param file: its name, for messages.
    :param most: values after aliases are expanded; `MAX_VALUES` unless told otherwise.
    :return: the data (``None`` for an empty document), and the line of each part.
    :raises InvalidConfig: with the line of the first thing that cannot be read.
    """
    positions = Positions(file)
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > MAX_SIZE:
        raise _invalid(positions, f"is larger than {MAX_SIZE // 1024 // 1024} MiB", 0)
    try:
        decoded = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(positions, "is not UTF-8 text", raw.count(b"\n", 0, error.start) + 1) from None
    try:
        return _Builder(decoded, positions, MAX_VALUES if most is None else most).document(), positions
    except yaml.YAMLError as error:
        raise _invalid(positions, *_said(error)) from None


def _invalid(positions: Positions, message: str, line: int, path: str = "") -> InvalidConfig:
    return InvalidConfig([Problem(path, message, line, positions.file)])


def _said(error: yaml.YAMLError) -> tuple[str, int]:
    """The parser's own words without the quoted lines, which may hold a secret, and the line."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    where = getattr(error, "context", None)
    remedy = "; put a text that starts with '*' in quotes" if where and "alias" in where else ""
    return f"is not valid YAML: {where + ': ' if where else ''}{what}{remedy}", mark.line + 1 if mark else 0


class _Builder:
    """Turns the parser's events into data, one document deep."""

    def __init__(self, text: str, positions: Positions, most: int) -> None:
        self._most = most
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=_PARSER))
        self._positions = positions
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0

    def document(self) -> Any:
        data, seen = None, False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    raise self._refuse("holds a second document; one file holds one", event)
                seen = True
            elif not isinstance(event, (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentEndEvent)):
                data = self._value(event, "", 0)
        return data

    def _refuse(self, message: str, event: Any, path: str = "") -> InvalidConfig:
        return _invalid(self._positions, message, event.start_mark.line + 1, path)

    def _value(self, event: Any, path: str, depth: int) -> Any:
        before = self._count
        self._counted(1, event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        self._positions.note(path, event.start_mark.line + 1)
        if depth > MAX_DEPTH:
            raise self._refuse(f"is nested more than {MAX_DEPTH} levels deep", event)
        if event.tag is not None and event.tag not in (_STRING_TAG, "!"):
            raise self._refuse(f"tags such as {event.tag[:60]!r} are not supported; write plain values", event, path)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        if isinstance(event, yaml.ScalarEvent):
            data: Any = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            data = self._sequence(path, depth)
        else:
            data = self._mapping(path, depth)
        if event.anchor:
            self._anchors[event.anchor] = (data, self._count - before)
        return data

    def _counted(self, more: int, event: Any) -> None:
        self._count += more
        if self._count > self._most:
            raise self._refuse(f"holds more than {self._most} values once its aliases are expanded", event)

    def _alias(self, event: Any, path: str) -> Any:
        if event.anchor not in self._anchors:
            raise self._refuse(f"there is no finished anchor &{event.anchor[:60]} above this alias", event, path)
        data, size = self._anchors[event.anchor]
        self._counted(size, event)
        self._positions.note(path, event.start_mark.line + 1)
        return data

    def _sequence(self, path: str, depth: int) -> list[Any]:
        items: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, join(path, len(items)), depth + 1))
        return items

    def _mapping(self, path: str, depth: int) -> dict[str, Any]:
        items: dict[str, Any] = {}
        merged: list[Any] = []
        lines: dict[str, int] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refuse("a key must be plain text", event, path)
            key, line = event.value, event.start_mark.line + 1
            inner = join(path, key)
            if key in lines:
                raise self._refuse(f"this key is there already, on line {lines[key]}", event, inner)
            lines[key] = line
            self._positions.note(inner, line)
            value = self._value(next(self._events), inner, depth + 1)
            if key == _MERGE and event.implicit[0]:
                merged += self._merges(value, event, path)
            else:
                items[key] = value
        for base in merged:
            items = {**items, **{key: value for key, value in base.items() if key not in items}}
        return items

    def _merges(self, value: Any, event: Any, path: str) -> list[Any]:
        """What ``<<`` brings in: a mapping or a list of them, the first one winning."""
        bases = value if isinstance(value, list) else [value]
        if not all(isinstance(base, dict) for base in bases):
            raise self._refuse("<< takes a mapping, or a list of mappings", event, path)
        return bases


def _scalar(event: Any) -> Any:
    text = event.value
    if event.tag is not None or not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _FLOAT.match(text) else text
