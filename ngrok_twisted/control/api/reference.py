"""
Writes ``docs/api.md`` from the methods that answer the API: ``python -m ngrok_twisted.control.api.reference docs/api.md``.

What stands above the mark in the page is written by hand and kept.
"""

from __future__ import annotations

import re
import sys
from inspect import getdoc
from itertools import groupby
from pathlib import Path
from typing import Any, Iterator

from ngrok_twisted.control.api.bodies import accepted
from ngrok_twisted.control.api.collection import Collection
from ngrok_twisted.control.api.method import Method
from ngrok_twisted.control.api.routes import named_methods, resources
from ngrok_twisted.describe import describe

#: Everything behind this line is made.
MARK = "<!-- Made by ngrok_twisted.control.api.reference; what follows is not to be edited. -->"


def page(before: str) -> str:
    """
    :param before: the page as it is; what stands above `MARK` is kept.
    """
    by_hand = before.partition(MARK)[0]
    return by_hand + MARK + "\n" + "".join(_lines())


def _lines() -> Iterator[str]:
    for name, group in groupby(named_methods(), key=lambda pair: pair[0]):
        methods = [method for _, method in group]
        yield f"\n## {name}\n\n"
        yield from _about(resources()[name])
        yield "| | | |\n| --- | --- | --- |\n"
        for method in methods:
            yield f"| `{method.verb}` | `{method.path}` | {_cell(method.summary)} |\n"
        yield from _shapes(methods)


def _about(resource: Any) -> Iterator[str]:
    said = (getdoc(type(resource)) or "").partition("\n\n")[0].replace("\n", " ")
    if said and getdoc(type(resource)) != getdoc(Collection):
        yield f"{_plain(said)}\n\n"
    if isinstance(resource, Collection):
        if resource.declared_at:
            yield f"In `config.yaml`: `{resource.declared_at}`.\n\n"
        if resource.filterable:
            yield f"Filters may ask for {', '.join(f'`{path}`' for path in resource.filterable)}.\n\n"


def _shapes(methods: list[Method]) -> Iterator[str]:
    seen: set[type] = set()
    for method in methods:
        if method.body is not None and method.body not in seen and not method.body_ignored:
            seen.add(method.body)
            shape = accepted(method.body, method.verb)
            yield from _table(f"Body of `{method.verb}`", shape, set(shape.get("required", ())))
    for method in methods:
        if method.answer is not None and method.answer not in seen:
            seen.add(method.answer)
            yield from _table("Answer", describe(method.answer, nulls=True), set())


def _table(title: str, shape: dict[str, Any], required: set[str]) -> Iterator[str]:
    if shape.get("properties"):
        yield f"\n{title}:\n\n| Field | Type | Meaning |\n| --- | --- | --- |\n"
        for name, inner in shape["properties"].items():
            mark = ", required" if name in required else ""
            yield f"| `{name}` | {_type(inner)}{mark} | {_cell(inner.get('description', ''))} |\n"


def _type(shape: dict[str, Any]) -> str:
    """A shape in a few words; whether it may be null is of no interest to readers of bodies."""
    kind = shape.get("type")
    if isinstance(kind, list):
        kind = next(name for name in kind if name != "null")
    if "enum" in shape:
        return " or ".join(f"`{value}`" for value in shape["enum"] if value is not None)
    if "anyOf" in shape:
        options = [option for option in shape["anyOf"] if option.get("type") != "null"]
        return " or ".join(_type(option) for option in options) + (" or null" if len(options) == 1 else "")
    if kind == "array":
        return f"list of {_type(shape['items'])}"
    if kind == "object" and "properties" in shape:
        return "object: " + ", ".join(f"`{name}`" for name in shape["properties"])
    if kind == "object" and isinstance(shape.get("additionalProperties"), dict):
        return f"map to {_type(shape['additionalProperties'])}"
    words = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
    return words.get(str(kind), "anything")


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|").replace("\n", " ")


def _plain(text: str) -> str:
    """Markdown of what a docstring says: one kind of quote for code."""
    return re.sub(r"``([^`]+)``", r"`\1`", text)


if __name__ == "__main__":  # pragma: no cover
    file = Path(sys.argv[1])
    file.write_text(page(file.read_text()))
