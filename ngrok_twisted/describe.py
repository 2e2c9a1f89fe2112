"""
`describe`: what a dataclass expects, in the shape of JSON Schema (https://json-schema.org/draft/2020-12), for the reference
page, the API and editors. The words come from the ``:ivar`` lines of the docstrings.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping as AbstractMapping
from dataclasses import MISSING, fields, is_dataclass
from inspect import cleandoc
from typing import Any, Literal, Mapping, Union, get_args, get_origin

from ngrok_twisted import schema
from ngrok_twisted.marks import EXTERNAL, ONE_OR_MANY, READ_ONLY, REST, ByName, FieldSpec, specs, unwrap

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_IVAR = re.compile(r"^:ivar (\w+):\s*", re.MULTILINE)


def describe(hint: Any, *, nulls: bool = False) -> dict[str, Any]:
    """
    :param hint: a dataclass, or any type that `ngrok_twisted.schema.parse` understands.
    :param nulls: whether null is told of, where a value may be null. People who write a config have no use for it.
    :return: JSON-shaped data.
    """
    return _described(hint, (), nulls)


def field_docs(cls: type) -> Mapping[str, str]:
    """The ``:ivar`` texts of a dataclass and its bases, each in one line."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        parts = _IVAR.split(cleandoc(base.__doc__ or ""))
        for name, text in zip(parts[1::2], parts[2::2]):
            docs[name] = " ".join(re.split(r"^:\w+|^\s*$", text, maxsplit=1, flags=re.MULTILINE)[0].split())
    return docs


def _described(hint: Any, marks: tuple[Any, ...], nulls: bool) -> dict[str, Any]:
    hint, more = unwrap(hint)
    marks = marks + more
    origin = get_origin(hint)
    if hint in _SCALARS:
        return {"type": _SCALARS[hint], **({"external": True} if EXTERNAL in marks else {})}
    if origin is Literal:
        return {"enum": list(get_args(hint))}
    if origin is Union or origin is types.UnionType:
        options = [_described(option, marks, nulls) for option in get_args(hint) if nulls or option is not type(None)]
        return options[0] if len(options) == 1 else {"anyOf": options}
    if origin is tuple:
        made = {"type": "array", "items": _described(get_args(hint)[0], (), nulls)}
        return {"anyOf": [made["items"], made]} if ONE_OR_MANY in marks else made
    if origin in (AbstractMapping, dict):
        return _mapping(hint, marks, nulls)
    if hasattr(hint, "from_text"):
        return {"type": "string"}
    return _object(hint, nulls) if is_dataclass(hint) else {}


def _mapping(hint: Any, marks: tuple[Any, ...], nulls: bool) -> dict[str, Any]:
    by_name = next((mark for mark in marks if isinstance(mark, ByName)), None)
    if by_name is None:
        return {"type": "object", "additionalProperties": _described(get_args(hint)[1], (), nulls)}
    properties = {name: _described(item, (), nulls) for name, item in by_name.types().items()}
    if nulls:
        planned = {"type": "null", "description": f"This {by_name.word} is not built into this version."}
        properties |= dict.fromkeys(sorted(by_name.planned - properties.keys()), planned)
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _object(cls: Any, nulls: bool) -> dict[str, Any]:
    docs, properties, required = field_docs(cls), {}, []
    defaults = {item.name: item for item in fields(cls)}
    for spec in specs(cls):
        if READ_ONLY in spec.marks:
            continue
        if REST in spec.marks:
            rest = _described(spec.hint, spec.marks, nulls)
            properties.update(rest.get("properties", {}))
            required += rest.get("required", [])
            continue
        properties[spec.name] = _property(spec, defaults[spec.name], docs.get(spec.name, ""), nulls)
        if spec.required:
            required.append(spec.name)
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": required} if required else made


def _property(spec: FieldSpec, item: Any, doc: str, nulls: bool) -> dict[str, Any]:
    made = {**_described(spec.hint, spec.marks, nulls), **({"description": doc} if doc else {})}
    default = item.default_factory() if item.default_factory is not MISSING else item.default
    if default is not MISSING and not is_dataclass(default) or hasattr(default, "from_text"):
        made["default"] = schema.dump(default)
    return made
