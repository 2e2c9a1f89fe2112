"""
From the JSON of a body to a dataclass, with the tolerance that ngrok's clients need.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, Iterable, Mapping, TypeVar

from ngrok_twisted import schema
from ngrok_twisted.control.api.errors import BAD_VALUE, APIError
from ngrok_twisted.control.api.shapes import EMPTY_KEEPS
from ngrok_twisted.describe import describe
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.marks import REST, ByName, specs

T = TypeVar("T")

#: Where a module's view shows how it does, for those whose config has a class ``State`` of that. Clients send back what
#: they read, so that bodies may have it, too; it is ignored there.
STATE = "state"


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
    own = {spec.name: spec.hint for spec in specs(dataclass) if REST not in spec.marks}
    kept = {key: value for key, value in given.items() if key not in own or not _is_empty(value, own[key])}
    return _parsed(cls, kept, codes)


def read_update(cls: type[T], data: Any, params: Iterable[str], codes: Mapping[str, int]) -> T:
    """
    The body of a PATCH. Absent and null leave a field as it is.

    :raises APIError: with every problem.
    """
    given = _mapping(data, cls, params)
    dataclass: type = cls
    keeps = {spec.name: spec.hint for spec in specs(dataclass) if EMPTY_KEEPS in spec.marks}
    left = {key: value for key, value in given.items() if not (key in keeps and _is_empty(value, keeps[key]))}
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


def _is_empty(value: Any, hint: Any) -> bool:
    """Whether a value says nothing. What has another type than the field says something wrong."""
    return value is None or value is not False and not value and schema.fits(hint, value)


def _mapping(data: Any, cls: type, params: Iterable[str]) -> dict[str, Any]:
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise APIError(BAD_VALUE, "The body must be a JSON object.")
    known = {spec.name for spec in specs(cls)}
    repeated = {name for name in params if name not in known}
    return _stateless(cls, {key: value for key, value in data.items() if key not in repeated})


def state_type(config: type) -> type | None:
    """The class of what the API shows beside the settings of a module; ``None`` for most."""
    found: type | None = getattr(config, "State", None)
    return found


def _stateless(cls: type, data: dict[str, Any]) -> dict[str, Any]:
    """The body without the states of modules."""
    for spec in specs(cls):
        if REST in spec.marks and is_dataclass(spec.hint) and state_type(spec.hint) is not None:  # type: ignore[arg-type]
            data = {key: value for key, value in data.items() if key != STATE}
        by_name = spec.mark(ByName)
        for name, module in by_name.types().items() if by_name is not None and REST in spec.marks else ():
            if isinstance(data.get(name), dict):
                data = {**data, name: _stateless(module, data[name])}
    return data


def _parsed(cls: type[T], data: dict[str, Any], codes: Mapping[str, int]) -> T:
    try:
        return schema.parse(cls, data)
    except InvalidConfig as error:
        raise APIError.problems(error.problems, codes) from None


def accepted(cls: type, verb: str) -> dict[str, Any]:
    """
    What `read_create`, `read_update` or `read_replace` take, as JSON Schema: null is as good as nothing, and so are empty
    values of a POST, so that a required text is not empty.

    :param verb: ``POST``, ``PATCH`` or ``PUT``.
    """
    return _taken(describe(cls, nulls=True), verb == "POST")


def _taken(shape: dict[str, Any], empties: bool = False) -> dict[str, Any]:
    made = {key: value for key, value in shape.items() if key != "external"}
    required = set(made.get("required", ()))
    if "properties" in made:
        made["properties"] = {
            name: _due(_taken(item), empties) if name in required else _nullable(_taken(item), empties)
            for name, item in made["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = _taken(made[key])
    if "anyOf" in made:
        made["anyOf"] = [_taken(option) for option in made["anyOf"]]
    return made


def _due(shape: dict[str, Any], empties: bool) -> dict[str, Any]:
    return {"minLength": 1, **shape} if empties and shape.get("type") == "string" else shape


def _nullable(shape: dict[str, Any], empties: bool) -> dict[str, Any]:
    if "enum" in shape:
        more = [value for value in ("", None) if value not in shape["enum"] and (value is None or empties)]
        return {**shape, "enum": [*shape["enum"], *more]}
    if "anyOf" in shape:
        return {**shape, "anyOf": [*shape["anyOf"], *([] if _NULL in shape["anyOf"] else [_NULL])]}
    if shape.get("type") == "object":
        told = {key: value for key, value in shape.items() if key in ("description", "default")}
        return {"anyOf": [{key: value for key, value in shape.items() if key not in told}, _NULL], **told}
    return {**shape, "type": [shape["type"], "null"]} if shape.get("type") not in (None, "null") else shape


_NULL = {"type": "null"}
