"""
`Facts`: what templates may speak of, and how it is read out of a request and its response. Pure functions of both; whatever a
visitor sent is taken as it is, without believing it.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Iterable
from urllib.parse import parse_qs, unquote_to_bytes

from ngrok_twisted.paths import normalised

#: Paths with something encoded in them that are known by heart, since visitors ask for the same again and again; and bytes of
#: the longest of them.
PATHS_KEPT, PATH_KEPT_BYTES = 256, 1024

#: Arguments of one query; with more there are none at all.
ARGUMENTS_MAX = 1000

# A parameter of a media type (RFC 9110 section 5.6.6).
_PARAMETER = re.compile(r";[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:\"((?:[^\"\\]|\\.)*)\"|([^;\"\s]*))")

Fields = Iterable[tuple[bytes, bytes]]


class Facts:
    """
    :ivar request: an `ngrok_twisted.edge.request.EdgeRequest`.
    :ivar response: the `ngrok_twisted.wrapper.ResponseHead`, or ``None`` on the way to the upstream.
    """

    __slots__ = ("request", "response")

    def __init__(self, request: Any, response: Any = None) -> None:
        self.request = request
        self.response = response

    @property
    def flow(self) -> Any:
        """The request's `ngrok_twisted.flow.Flow`."""
        return self.request.flow

    def noted(self, name: str) -> Any:
        """What a module noted with `ngrok_twisted.flow.Flow.remember`."""
        variables = self.request.flow.variables
        return None if variables is None else variables.get(name)


def decoded(data: bytes) -> str:
    """Bytes of a message as text: UTF-8, and what is not becomes the same bytes again when it is encoded."""
    return data.decode("utf-8", "surrogateescape")


def first(fields: Fields, wanted: bytes) -> str | None:
    """The first value of a field, or ``None``."""
    for name, value in fields:
        if name.lower() == wanted:
            return decoded(value)
    return None


def multimap(fields: Fields) -> dict[str, list[str]]:
    """Fields by their lower-case names."""
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(decoded(name).lower(), []).append(decoded(value))
    return found


def media_type(fields: Fields) -> str:
    """The type of a message's body in lower case, without parameters; empty where it says none."""
    return (first(fields, b"content-type") or "").partition(";")[0].strip().lower()


def media_parameters(fields: Fields) -> dict[str, str]:
    """The parameters of a message's type, such as ``charset``."""
    value = first(fields, b"content-type") or ""
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(value):
        quoted, plain = match[2], match[3]
        found.setdefault(match[1].lower(), plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
    return found


def length(fields: Fields) -> int | None:
    """The ``Content-Length``, or ``None``."""
    value = first(fields, b"content-length") or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else None


# -- URLs --------------------------------------------------------------------------------------------------------------


def raw_path(request: Any) -> str:
    """The path as it was sent."""
    return decoded(request.uri.partition(b"?")[0])


def path(request: Any) -> str:
    """The path, normalised and percent-decoded."""
    sent = request.uri.partition(b"?")[0]
    if b"%" not in sent:
        return decoded(normalised(sent))
    return _known_path(sent) if len(sent) <= PATH_KEPT_BYTES else _path(sent)


def _path(sent: bytes) -> str:
    return decoded(unquote_to_bytes(normalised(sent)))


_known_path = lru_cache(maxsize=PATHS_KEPT)(_path)


def query(request: Any) -> str:
    """The query as it was sent, without its question mark."""
    return decoded(request.uri.partition(b"?")[2])


def arguments(request: Any) -> dict[str, list[str]]:
    """The arguments of the query."""
    try:
        return parse_qs(query(request), keep_blank_values=True, errors="surrogateescape", max_num_fields=ARGUMENTS_MAX)
    except ValueError:
        return {}


def port(request: Any) -> int | None:
    """The port in ``Host``, if there is one."""
    digits = re.search(rb":([0-9]{1,5})$", request.authority)
    return int(digits[1]) if digits else None


def url(request: Any) -> str:
    """The whole URL, normalised: a lower-case host, no default port, a normalised path."""
    proto, number = request.flow.proto, port(request)
    shown = "" if number in (None, 443 if proto == "https" else 80) else f":{number}"
    bare, mark, rest = request.uri.partition(b"?")
    where = normalised(bare) if bare.startswith(b"/") else b""
    return f"{proto}://{request.flow.host}{shown}{decoded(where)}{decoded(mark)}{decoded(rest)}"


def raw_url(request: Any) -> str:
    """The whole URL with its parts as they were sent."""
    target = decoded(request.uri) if request.uri.startswith(b"/") else ""
    return f"{request.flow.proto}://{decoded(request.authority)}{target}"


# -- cookies -----------------------------------------------------------------------------------------------------------


def cookies(fields: Fields) -> dict[str, list[dict[str, Any]]]:
    """The cookies of a request by name (RFC 6265 section 4.2), in their order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for field, value in fields:
        if field.lower() == b"cookie":
            for pair in decoded(value).split(";"):
                name, equals, content = pair.strip().partition("=")
                if equals:
                    found.setdefault(name, []).append({"name": name, "value": content})
    return found


def set_cookies(fields: Fields) -> dict[str, list[dict[str, Any]]]:
    """The cookies that a response sets, by name; of several with one name the one with the longest path first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for field, value in fields:
        if field.lower() == b"set-cookie":
            made = _set_cookie(decoded(value))
            found.setdefault(made["name"], []).append(made)
    for several in found.values():
        several.sort(key=lambda cookie: -len(cookie["path"]))
    return found


def _set_cookie(line: str) -> dict[str, Any]:
    pair, *attributes = line.split(";")
    name, _, content = pair.strip().partition("=")
    said = {}
    for attribute in attributes:
        key, _, what = attribute.strip().partition("=")
        said[key.lower()] = what
    age = said.pop("max-age", "")
    return {
        "name": name,
        "value": content,
        "path": said.pop("path", ""),
        "domain": said.pop("domain", ""),
        "expires": _date(said.pop("expires", "")),
        "max_age": timedelta(seconds=int(age)) if re.fullmatch("-?[0-9]{1,9}", age, re.ASCII) else None,
        "http_only": said.pop("httponly", None) is not None,
        "secure": said.pop("secure", None) is not None,
        "same_site": said.pop("samesite", ""),
        "unparsed_attributes": said,
    }


def _date(text: str) -> datetime | None:
    try:
        made = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return made if made.tzinfo else made.replace(tzinfo=timezone.utc)


# -- times -------------------------------------------------------------------------------------------------------------


def moment(seconds: float) -> datetime:
    """
    :param seconds: since the epoch.
    """
    return datetime.fromtimestamp(seconds, timezone.utc)
