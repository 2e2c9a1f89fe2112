"""
From the JSON of a body to a dataclass, with the tolerance that ngrok's clients need.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Iterable, Mapping, TypeVar

from ngrok_twisted import schema
from ngrok_twisted.control.api.errors import BAD_VALUE, APIError
from ngrok_twisted.control.api.shapes import EMPTY_KEEPS
from ngrok_twisted.describe import describe
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.marks import REST, specs

T = TypeVar("T")


def read_create(cls: type[T], data: Any, params: Iterable[str], codes: Mapping[str, int]) -> T:
    """
    The body of a POST. Of optional fields absent, null and empty mean the same; but a module is there, though it says
    nothing.

    :param params: the names in the path, which may be repeated in the body.
    :param codes: as for `APIError.problems`.
    :raises APIError: with every problem.
    """
    given = _mapping(data, cls, params)
    dataclass: type = cls
    rests = any(REST in spec.marks for spec in specs(dataclass))
    own = {spec.name for spec in specs(dataclass)} if rests else given.keys()
    kept = {
        key: value for key, value in given.items() if value is not None and (key not in own or not _is_empty(value))
    }
    return _parsed(cls, kept, codes)


def read_update(cls: type[T], data: Any, params: Iterable[str], codes: Mapping[str, int]) -> T:
    """
    The body of a PATCH. Absent and null leave a field as it is.

    :raises APIError: with every problem.
    """
    given = _mapping(data, cls, params)
    dataclass: type = cls
    keeps = {spec.name for spec in specs(dataclass) if EMPTY_KEEPS in spec.marks}
    left = {key: value for key, value in given.items() if not (key in keeps and _is_empty(value))}
    return _parsed(cls, left, codes)


def read_replace(cls: type[T], data: Any, params: Iterable[str], codes: Mapping[str, int]) -> T:
    """
    The body of a PUT: the whole module, which one client wraps as ``{"id": …, "module": {…}}``.

    :raises APIError: with every problem.
    """
    given = _mapping(data, cls, params)
    if "module" in given and "module" not in {item.name for item in fields(cls)}:  # type: ignore[arg-type]
        given = _mapping(given["module"], cls, ())
    return _parsed(cls, given, codes)


def is_blank(data: Any) -> bool:
    """Whether a PATCH says nothing at all: no body, ``{}``, or nothing but nulls."""
    return not isinstance(data, dict) or all(value is None for value in data.values())


def given_values(body: Any) -> dict[str, Any]:
    """The fields of a PATCH body that change something, by name."""
    values = {item.name: getattr(body, item.name) for item in fields(body)}
    return {name: value for name, value in values.items() if value is not None}


def _is_empty(value: Any) -> bool:
    return value is None or value is not False and not value


def _mapping(data: Any, cls: type, params: Iterable[str]) -> dict[str, Any]:
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise APIError(BAD_VALUE, "The body must be a JSON object.")
    known = {spec.name for spec in specs(cls)}
    repeated = {name for name in params if name not in known}
    return {key: value for key, value in data.items() if key not in repeated}


def _parsed(cls: type[T], data: dict[str, Any], codes: Mapping[str, int]) -> T:
    try:
        return schema.parse(cls, data)
    except InvalidConfig as error:
        raise APIError.problems(error.problems, codes) from None


def accepted(cls: type, verb: str) -> dict[str, Any]:
    """
    What `read_create`, `read_update` or `read_replace` take, as JSON Schema: null is as good as nothing, and a required
    text is not empty.

    :param verb: ``POST``, ``PATCH`` or ``PUT``.
    """
    shape = describe(cls, nulls=True)
    required = set(shape.get("required", ()))
    properties = {
        name: _taken({key: value for key, value in item.items() if key != "external"}, name in required, verb)
        for name, item in shape["properties"].items()
    }
    return {**shape, "properties": properties}


def _taken(shape: dict[str, Any], required: bool, verb: str) -> dict[str, Any]:
    if required:
        return {**shape, "minLength": 1} if shape.get("type") == "string" and verb == "POST" else shape
    if isinstance(shape.get("type"), str):
        return {**shape, "type": [shape["type"], "null"]}
    if "enum" in shape:
        return {**shape, "enum": [*shape["enum"], *(() if None in shape["enum"] else (None,))]}
    if "anyOf" in shape and {"type": "null"} not in shape["anyOf"]:
        return {**shape, "anyOf": [*shape["anyOf"], {"type": "null"}]}
    return shape
