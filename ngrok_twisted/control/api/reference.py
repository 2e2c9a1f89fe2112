"""
Writes ``docs/api.md`` from the methods that answer the API: ``python -m ngrok_twisted.control.api.reference docs/api.md``.

What stands above the mark in the page is written by hand and kept.
"""

from __future__ import annotations

import json
import re
import sys
from itertools import groupby
from pathlib import Path
from typing import Any, Collection, Iterable, Iterator

from ngrok_twisted.control.api.bodies import accepted
from ngrok_twisted.control.api.method import Method
from ngrok_twisted.control.api.routes import named_methods, resources
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate
from ngrok_twisted.control.examples import EXAMPLES
from ngrok_twisted.describe import describe, field_docs

#: Everything behind this line is made.
MARK = "<!-- Made by ngrok_twisted.control.api.reference; what follows is not to be edited. -->"

_INTRODUCTION = """
## Resources

What many of them have is told once:

| In | Field | Type | Meaning |
| --- | --- | --- | --- |
"""

_WORDS = """
- A *reference* is an object with the `id` of something and its `uri`.
- In a body of `POST`, null and empty are as good as absent. In one of `PATCH` so are null and absent: they change nothing.
- Answers have every field. `POST` is answered 201, `DELETE` 204 without a body, everything else 200.
- A list is `{"uri": …, "next_page_uri": …}` with the items under the key that is named below.
"""

_MODULES = """\
`PUT`, `GET` and `DELETE` are the methods of each of these, at the end of the path of an edge or a route. Every body may have
`enabled`; with `false` traffic passes it by, and its settings stay. Answers have `enabled` and the fields of the body, with an
empty text for every secret; where the body has ids, they have references.
"""

#: What is told of bodies and answers once, with the fields and their meanings.
_USUAL = (("`POST`", "POST", Texts), ("`PATCH`", "PATCH", TextsUpdate), ("answers", "", Seen))

_TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean", "null": "null"}


def page(before: str) -> str:
    """
    :param before: the page as it is; what stands above `MARK` is kept.
    """
    by_hand = before.partition(MARK)[0]
    return by_hand + MARK + "\n" + "".join(_lines())


def _lines() -> Iterator[str]:
    groups = {
        name: [method for _, method in pairs] for name, pairs in groupby(named_methods(), key=lambda pair: pair[0])
    }
    current = [name for name, methods in groups.items() if not _is_deprecated(methods)]
    deprecated = [name for name in groups if name not in current]
    labels = _labels(groups)
    yield _INTRODUCTION
    yield from _usual_rows()
    yield _WORDS
    for title, names in (("Current", current), ("Deprecated by ngrok", deprecated)):
        yield f"\n**{title}**\n\n| Resource | What it is | In `config.yaml` |\n| --- | --- | --- |\n"
        yield from (_contents(name) for name in names)
    for title, names in (("Current resources", current), ("Resources that ngrok calls deprecated", deprecated)):
        yield f"\n## {title}\n"
        for name in names:
            yield from _resource(name, groups[name], labels)


def _is_deprecated(methods: Iterable[Method]) -> bool:
    return all(method.deprecated for method in methods)


def _usual_rows() -> Iterator[str]:
    for where, verb, cls in _USUAL:
        shape = accepted(cls, verb) if verb else describe(cls)
        for name, inner in shape["properties"].items():
            yield f"| {where} | `{name}` | {_type(inner)} | {_cell(inner['description'])} |\n"


def _contents(name: str) -> str:
    return f"| [{name}](#{name}) | {_cell(_about(name)[0])} | {_place(name)} |\n"


def _place(name: str) -> str:
    """The list in a config, as a link."""
    place = getattr(resources()[name], "declared_at", "")
    return f"[`{place}`](configuration.md#{place.replace('.', '')})" if place else ""


def _about(name: str) -> list[str]:
    """
    What a resource is, in paragraphs: from the docstring of its module, which begins with its path; of a resource that
    shares its module, what its list in a config is for.
    """
    resource: Any = resources()[name]
    place = getattr(resource, "declared_at", "")
    head, *more = (sys.modules[type(resource).__module__].__doc__ or "").strip().split("\n\n")
    if "…" in head and place in EXAMPLES:
        return [EXAMPLES[place][0]]
    texts = [re.sub(r"^``/[^`]*``: ", "", head), *more]
    return [text[:1].upper() + text[1:] for text in (" ".join(text.split()) for text in texts)]


# -- one resource ------------------------------------------------------------------------------------------------------


def _resource(name: str, methods: list[Method], labels: dict[str, str]) -> Iterator[str]:
    resource: Any = resources()[name]
    yield f"\n### {name}\n\n"
    yield from (f"{_plain(paragraph)}\n\n" for paragraph in _about(name))
    if _place(name):
        yield f"In `config.yaml`: {_place(name)}.\n\n"
    parts = _parts(methods)
    if len(parts) > 1:
        yield from _modules(parts, labels)
        return
    width = max(len(method.path) for method in methods)
    yield "```\n"
    yield from (f"{method.verb:<7}{method.path:<{width}}  {method.summary}".rstrip() + "\n" for method in methods)
    yield "```\n"
    keys = dict.fromkeys(method.list_key for method in methods if method.list_key)
    if keys:
        filterable = _names(getattr(resource, "filterable", ()))
        yield f"\nThe items of a list are under {' or '.join(f'`{key}`' for key in keys)}."
        yield f" Filters may ask for {filterable}.\n" if filterable else "\n"
    elsewhere = {key: link for key, link in labels.items() if f"[{name}]" not in link}
    yield from _Tables(elsewhere).of(methods)


def _parts(methods: list[Method]) -> dict[str, list[Method]]:
    """The methods by the last step of their paths, where each has a body of its own that is replaced whole."""
    replacing = {method.path for method in methods if method.verb == "PUT"}
    found: dict[str, list[Method]] = {}
    for method in methods:
        found.setdefault(_last(method) if method.path in replacing else "", []).append(method)
    return found


def _last(method: Method) -> str:
    return method.path.rpartition("/")[2]


def _modules(parts: dict[str, list[Method]], labels: dict[str, str]) -> Iterator[str]:
    """Things at many places that have the same three methods."""
    yield _MODULES
    absent = [name for name, methods in parts.items() if not any(method.body for method in methods)]
    if absent:
        yield f"\nNot built into this version: {_names(absent)}. `PUT` is refused (7021), and there is nothing to `GET` (404).\n"
    for name, methods in parts.items():
        shapes: dict[str, list[Method]] = {}
        for method in methods:
            if method.body is not None:
                shapes.setdefault(_key(accepted(method.body, method.verb)), []).append(method)
        if shapes:
            yield f"\n#### {name}\n"
        for same in shapes.values():
            yield f"\nAt {_names(method.path.rpartition('/')[0] for method in same)}:\n"
            yield from _Tables(labels).of_module(same[0])


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _labels(groups: dict[str, list[Method]]) -> dict[str, str]:
    """Where shapes are told that stand inside of others: those of modules, and the answers of resources."""
    found: dict[str, str] = {}
    for resource, methods in groups.items():
        for name, same in _parts(methods).items():
            link = f"[{name or resource}](#{name or resource})"
            for method in same:
                if method.body is not None and name:
                    found.setdefault(_key(accepted(method.body, method.verb)), link)
                if method.answer is not None:
                    found.setdefault(_key(describe(method.answer, nulls=True)), link)
    return found


# -- the tables of fields ----------------------------------------------------------------------------------------------


class _Tables:
    """
    The tables of one resource. A shape that stands somewhere already is not told again.
    """

    def __init__(self, labels: dict[str, str]) -> None:
        """
        :param labels: where shapes are told, by their keys.
        """
        self._labels = dict(labels)

    def of(self, methods: list[Method]) -> Iterator[str]:
        """Bodies, then answers; each class once."""
        seen: set[type] = set()
        for method in methods:
            if method.body is not None and method.body not in seen and not method.body_ignored:
                seen.add(method.body)
                title = f"Body of `{method.verb}`"
                yield from self._shape(title, accepted(method.body, method.verb), method.verb)
        for method in methods:
            if method.answer is not None and method.answer not in seen:
                seen.add(method.answer)
                first = not any(other.answer not in (None, method.answer) for other in methods)
                title = "Answer" if first else f"Answer of `{method.verb} {method.path}`"
                yield from self._shape(title, describe(method.answer, nulls=True), "")

    def of_module(self, method: Method) -> Iterator[str]:
        """What is written, and what answers have that is not written."""
        assert method.body is not None and method.answer is not None
        body, answer = accepted(method.body, method.verb), describe(method.answer, nulls=True)
        yield from self._table("", body, True, {"enabled"})
        yield from self._table("In answers", answer, False, set(body["properties"]))

    def _shape(self, title: str, shape: dict[str, Any], verb: str) -> Iterator[str]:
        """
        :param verb: of the method that takes the shape; empty for an answer.
        """
        link = self._labels.get(_key(shape), "")
        if link:
            yield f"\n{title}: as in {link}.\n"
            return
        properties = shape.get("properties", {})
        told = [name for name, inner in properties.items() if inner.get("description", "") in _usual(verb, name)]
        unbuilt = [name for name, inner in properties.items() if inner.get("type") == "null"]
        rows = list(self._table(title, shape, bool(verb), {*told, *unbuilt}))
        yield from rows
        if told:
            yield f"\nAlso, as usual: {_names(told)}.\n" if rows else f"\n{title}: {_names(told)}, as usual.\n"
        if unbuilt:
            yield f"\nNull, since they are not built into this version: {_names(unbuilt)}.\n"

    def _table(self, title: str, shape: dict[str, Any], is_body: bool, without: Collection[str]) -> Iterator[str]:
        rows = list(self._rows("", shape, is_body, without))
        if rows:
            yield f"\n{title}:\n" if title else ""
            yield "\n| Field | Type | Meaning |\n| --- | --- | --- |\n"
            yield from rows

    def _rows(self, path: str, shape: dict[str, Any], is_body: bool, without: Collection[str] = ()) -> Iterator[str]:
        """A row for each field, and below it one for each field of an object in it."""
        required = set(shape.get("required", ()))
        for name, inner in shape["properties"].items():
            if name in without or path and inner.get("type") == "null":
                continue
            held = _object(inner)
            label = "" if held is None else self._labels.get(_key(held), "")
            words = _around(inner, label) if label else _type(inner)
            if not is_body:
                words += " or null" if _is_nullable(inner) else ""
            else:
                words += ", required" if name in required else _default(inner)
            yield f"| `{path}{name}` | {words} | {_cell(inner.get('description', ''))} |\n"
            if held is not None and not label and not _is_reference(held):
                self._labels[_key(held)] = f"as `{path}{name}`"
                many = "[]" if _plain_shape(inner).get("type") == "array" else ""
                yield from self._rows(f"{path}{name}{many}.", held, is_body)


def _usual(verb: str, name: str) -> set[str]:
    """What is told once of a field of this name, in bodies or in answers."""
    return {field_docs(cls)[name] for _, known, cls in _USUAL if bool(known) == bool(verb) and name in field_docs(cls)}


def _plain_shape(shape: dict[str, Any]) -> dict[str, Any]:
    """Without the possibility of null, and without what is said about it."""
    if "anyOf" in shape:
        options = [option for option in shape["anyOf"] if option.get("type") != "null"]
        return _plain_shape(options[0]) if len(options) == 1 else {"anyOf": options}
    kind = shape.get("type")
    if isinstance(kind, list):
        kind = next(name for name in kind if name != "null")
    made = {key: value for key, value in shape.items() if key not in ("description", "default", "minLength")}
    return {**made, "type": kind} if kind else made


def _object(shape: dict[str, Any]) -> dict[str, Any] | None:
    """The object that a field holds: itself, or as an item of its list."""
    plain = _plain_shape(shape)
    plain = _plain_shape(plain["items"]) if plain.get("type") == "array" else plain
    return plain if plain.get("properties") else None


def _is_reference(shape: dict[str, Any]) -> bool:
    return set(shape["properties"]) == {"id", "uri"}


def _key(shape: dict[str, Any]) -> str:
    return json.dumps(_plain_shape(shape), sort_keys=True)


def _around(shape: dict[str, Any], label: str) -> str:
    return f"list of {label}" if _plain_shape(shape).get("type") == "array" else label


def _type(shape: dict[str, Any]) -> str:
    """A shape in a few words. Bodies may have null anywhere; that is told once."""
    plain = _plain_shape(shape)
    if "enum" in plain:
        return " or ".join(f"`{value}`" for value in plain["enum"] if value not in (None, ""))
    if "anyOf" in plain:
        return " or ".join(_type(option) for option in plain["anyOf"])
    if plain.get("type") == "array":
        return f"list of {_many(_type(plain['items']))}"
    if plain.get("type") == "object" and isinstance(plain.get("additionalProperties"), dict):
        return f"map of texts to {_many(_type(plain['additionalProperties']))}"
    if plain.get("type") == "object" and plain.get("properties"):
        return "reference" if _is_reference(plain) else "object"
    return _TYPES.get(str(plain.get("type")), "anything")


def _many(word: str) -> str:
    return word if "`" in word or " " in word or word == "anything" else word + "s"


def _is_nullable(shape: dict[str, Any]) -> bool:
    kinds = [shape, *shape.get("anyOf", ())]
    return any(kind.get("type") == "null" or "null" in (kind.get("type") or ()) for kind in kinds)


def _default(shape: dict[str, Any]) -> str:
    default = shape.get("default")
    text = default if isinstance(default, str) else json.dumps(default)
    return "" if default in (None, "", [], {}) else f", default `{text}`"


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|").replace("\n", " ")


def _plain(text: str) -> str:
    """Markdown of what a docstring says: one kind of quote for code, and null as JSON writes it."""
    return re.sub(r"``([^`]+)``", r"`\1`", text).replace("`None`", "null")


if __name__ == "__main__":  # pragma: no cover
    file = Path(sys.argv[1])
    file.write_text(page(file.read_text()))
