"""
The API as an OpenAPI document (https://spec.openapis.org/oas/v3.1.1), made from the methods that answer it.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Iterable, Iterator

from ngrok_twisted import __version__
from ngrok_twisted.control.api.bodies import accepted
from ngrok_twisted.control.api.method import PAGE_MAX, Method
from ngrok_twisted.describe import describe

_PARAMETER = re.compile(r"\{(\w+)\}")

#: Statuses that any method may answer with, and what they mean.
_REFUSALS = {
    "400": "Something in the request will not do; ``msg`` says what, ``details`` names the fields.",
    "403": "The API key is missing, unknown, or may not do this.",
    "404": "There is nothing of this id.",
    "408": "The body took too long.",
    "413": "The body is too large.",
    "429": "Too many requests; try again later.",
    "500": "The server failed; its log says why.",
    "502": "An agent did not do what it was asked to.",
    "503": "The records cannot be changed right now; try again soon.",
}

#: Names in paths that are no ids.
_NO_IDS = frozenset({"type"})

# As the collections check them.
_ID = "[a-z0-9]+_[0-9A-Za-z]{27}"

_QUERY: dict[str, dict[str, Any]] = {
    "before_id": {
        "schema": {"type": "string", "pattern": f"^({_ID})?$"},
        "description": "Only items older than this one.",
    },
    "limit": {
        "schema": {
            "anyOf": [{"type": "integer", "minimum": 1, "maximum": PAGE_MAX}, {"const": ""}],
            "default": PAGE_MAX,
        },
        "description": "Items on the page.",
    },
    "filter": {"schema": {"type": "string"}, "description": "An expression over ``obj``, in a subset of CEL."},
    "id": {"schema": {"type": "array", "items": {"type": "string"}}, "description": "Only these ids."},
    "url": {"schema": {"type": "array", "items": {"type": "string"}}, "description": "Only these URLs."},
}

_ERROR = {
    "type": "object",
    "properties": {
        "error_code": {"type": "string", "description": "ngrok's number, such as ERR_NGROK_215."},
        "status_code": {"type": "integer", "description": "The HTTP status again."},
        "msg": {"type": "string", "description": "What is wrong, and what to do."},
        "details": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "The operation's id, and what is wrong with which field.",
        },
    },
    "required": ["status_code", "msg", "details"],
}


def document(methods: Iterable[tuple[str, Method]], base_url: str) -> dict[str, Any]:
    """
    :param methods: every method, with the name of its resource.
    :param base_url: where the API is.
    :return: JSON-shaped data.
    """
    schemas: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, Any] = {}
    known = list(methods)
    counts = Counter((resource, method.action) for resource, method in known)
    for resource, method in known:
        # Where a resource has the same action at many paths, only the path tells them apart.
        name = resource if counts[resource, method.action] == 1 else _words(method.path)
        operation = {"operationId": f"{name}_{method.action}", **_operation(resource, method, schemas)}
        paths.setdefault(method.path, {})[method.verb.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ngrok_twisted",
            "version": __version__,
            "description": "The management API of this server. It speaks ngrok's own API, version 2.",
        },
        "servers": [{"url": base_url}],
        "security": [{"api_key": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _words(path: str) -> str:
    """The fixed segments of a path: ``edges_https_routes_backend``."""
    return "_".join(segment for segment in path.split("/") if segment and not segment.startswith("{"))


def _operation(resource: str, method: Method, schemas: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "tags": [resource],
        "summary": method.summary,
        "parameters": list(_parameters(method)),
        "responses": {str(method.status): _success(method, schemas), **_refusals(method)},
    }
    if method.body is not None and not method.body_ignored:
        shape = _named(method.body, schemas, accepted(method.body, method.verb))
        required = bool(schemas[method.body.__name__].get("required"))
        # One client sends null where it has nothing to say.
        body = shape if required else {"anyOf": [shape, {"type": "null"}]}
        made["requestBody"] = {"required": required, "content": {"application/json": {"schema": body}}}
    if method.deprecated:
        made["deprecated"] = True
    if method.public:
        made["security"] = []
    return made


def _parameters(method: Method) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(method.path):
        form = {} if name in _NO_IDS else {"pattern": f"^{_ID}$"}
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", **form}}
    for name in method.query:
        yield {"name": name, "in": "query", **_QUERY[name]}
    if not method.public:
        yield {"name": "ngrok-version", "in": "header", "required": True, "schema": {"enum": ["2"]}}


def _success(method: Method, schemas: dict[str, Any]) -> dict[str, Any]:
    if method.answer is None:
        return {"description": "Done."}
    shape = _named(method.answer, schemas, _shown(describe(method.answer, nulls=True)))
    if method.list_key:
        shape = _page(method, shape)
    return {"description": "The answer.", "content": {"application/json": {"schema": shape}}}


def _page(method: Method, item: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        method.list_key: {"type": "array", "items": item, "description": "The newest first."},
        "uri": {"type": "string"},
    }
    if method.query:
        properties["next_page_uri"] = {"type": ["string", "null"], "description": "Null on the last page."}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _refusals(method: Method) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": meaning, "content": content} for status, meaning in _REFUSALS.items()}


def _named(cls: type, schemas: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    """A reference to a shape that stands among the components."""
    known = schemas.setdefault(cls.__name__, shape)
    if known != shape:
        raise ValueError(f"two classes of the API are called {cls.__name__}")
    return {"$ref": f"#/components/schemas/{cls.__name__}"}


def _shown(shape: Any) -> Any:
    """What is answered has every field, and no defaults."""
    if isinstance(shape, list):
        return [_shown(item) for item in shape]
    if not isinstance(shape, dict):
        return shape
    made = {key: _shown(item) for key, item in shape.items() if key not in ("default", "external")}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made["properties"] = {name: _shown(item) for name, item in shape["properties"].items()}
        made["required"] = list(made["properties"])
    return made
