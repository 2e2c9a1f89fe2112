"""
From the bytes of a request to what a `Call` needs: path, query, body and base URL. Free of I/O.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Iterable, NoReturn
from urllib.parse import unquote_to_bytes

from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.method import PAGE_MAX, Method, Query

#: The version of the API that this server speaks, as in the header ``ngrok-version``.
VERSION = "2"

#: ngrok's codes, in the order of the specification's table.
BAD_CONTENT_TYPE, BAD_JSON, NO_CONTENT_TYPE, BAD_VERSION, NO_VERSION = 210, 213, 216, 217, 218
BAD_REFERENCE, BAD_QUERY, UNKNOWN_PARAMETER, PARAMETER_TWICE = 223, 230, 231, 232
LIMIT_RANGE, LIMIT_NO_NUMBER = 233, 244

#: Bytes of one body. The largest that a client has reason to send is a traffic policy or a chain of certificates.
BODY_MAX = 1024 * 1024

#: Levels of nesting in a body; the deepest of ngrok's own has six.
DEPTH_MAX = 40

#: Values in a body, those in lists and objects included. The largest lists that can be made have a thousand; each value
#: costs time in which nobody else is served.
VALUES_MAX = 10_000

#: Digits of one number in a body: more than any field holds.
DIGITS_MAX = 40

#: Parameters in one query; filters of endpoints by id are the only ones that repeat.
PARAMETERS_MAX = 200

#: Spellings of parameters that one official client uses.
ALIASES = {"beforeId": "before_id"}

#: Parameters that may be given more than once.
_REPEATABLE = frozenset({"id", "url"})

_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ID = re.compile(r"[a-z0-9_]+_[0-9A-Za-z]{27}\Z")
_LIMIT = re.compile(r"[0-9]{1,9}\Z")
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))(?::[0-9]{1,5})?\Z")


def check_version(value: str | None) -> None:
    """
    :param value: of the header ``ngrok-version``.
    :raises APIError: 217, 218.
    """
    if value is None:
        raise APIError(NO_VERSION, f"The header ngrok-version is missing. Send 'ngrok-version: {VERSION}'.")
    if value.strip() != VERSION:
        raise APIError(BAD_VERSION, f"This version of the API is not known here. Send 'ngrok-version: {VERSION}'.")


def read_path(raw: bytes) -> str | None:
    """
    :param raw: as it was sent, without the query.
    :return: decoded; ``None`` for what no path of the API can look like.
    """
    if _BAD_PERCENT.search(raw) or b"%2f" in raw.lower():
        return None
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return None


# -- the query ---------------------------------------------------------------------------------------------------------


def read_query(raw: bytes, method: Method) -> Query:
    """
    :param raw: what stands behind the ``?``.
    :raises APIError: 223, 230 to 233, 244.
    """
    given: dict[str, list[str]] = {}
    for name, value in _parameters(raw):
        given.setdefault(ALIASES.get(name, name), []).append(value)
    unknown = sorted(given.keys() - set(method.query))
    if unknown:
        known = f"it takes {', '.join(method.query)}" if method.query else "it takes none"
        names = ", ".join(name[:60] for name in unknown)
        raise APIError(UNKNOWN_PARAMETER, f"This method does not know these query parameters: {names}; {known}.")
    for name, values in given.items():
        if len(values) > 1 and name not in _REPEATABLE:
            raise APIError(PARAMETER_TWICE, f"The query parameter {name} was given more than once.")
    return Query(
        before_id=_before(given.get("before_id", [""])[0]),
        limit=_limit(given.get("limit", [""])[0]),
        filter=given.get("filter", [""])[0],
        id=tuple(given.get("id", ())),
        url=tuple(given.get("url", ())),
    )


def _parameters(raw: bytes) -> Iterable[tuple[str, str]]:
    pieces = [piece for piece in raw.split(b"&") if piece] if raw else []
    if len(pieces) > PARAMETERS_MAX:
        raise APIError(BAD_QUERY, f"The query has more than {PARAMETERS_MAX} parameters.")
    for piece in pieces:
        name, _, value = piece.partition(b"=")
        yield _decoded(name), _decoded(value)


def _decoded(raw: bytes) -> str:
    if _BAD_PERCENT.search(raw):
        raise APIError(BAD_QUERY, "The query has a '%' that two hexadecimal digits do not follow.")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise APIError(BAD_QUERY, "The query is not UTF-8.") from None


def _before(text: str) -> str:
    if text and not _ID.match(text):
        raise APIError(BAD_REFERENCE, "before_id is not an id.")
    return text


def _limit(text: str) -> int:
    if not text:
        return PAGE_MAX
    number = text[1:] if text[0] in "+-" else text
    if not _LIMIT.match(number):
        raise APIError(LIMIT_NO_NUMBER, f"limit must be a number from 1 to {PAGE_MAX}.")
    if not 1 <= int(text) <= PAGE_MAX:
        raise APIError(LIMIT_RANGE, f"limit must be from 1 to {PAGE_MAX}.")
    return int(text)


# -- the body ----------------------------------------------------------------------------------------------------------


def read_body(raw: bytes, types: list[bytes], encodings: list[bytes]) -> Any:
    """
    :param raw: the whole body.
    :param types: the values of ``Content-Type``.
    :param encodings: the values of ``Content-Encoding``.
    :return: JSON-shaped data; an empty mapping for no body at all.
    :raises APIError: 210, 213, 216.
    """
    if not raw:
        return {}
    if not types:
        raise APIError(NO_CONTENT_TYPE, "The request has a body but no Content-Type. Send application/json.")
    if len(types) > 1 or not _is_json(types[0].decode("latin-1")) or encodings:
        raise APIError(
            BAD_CONTENT_TYPE, "The body must be sent as Content-Type: application/json, not encoded further."
        )
    return parse_json(raw)


def _is_json(value: str) -> bool:
    """RFC 8259 section 11: there is no charset parameter, but many send one; only UTF-8 is JSON."""
    media, *parameters = (part.strip().lower() for part in value.split(";"))
    charsets = [part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")]
    return media == "application/json" and all(charset in ("utf-8", "utf8") for charset in charsets)


def parse_json(raw: bytes) -> Any:
    """
    JSON that has exactly one meaning (RFC 8259, RFC 7493): UTF-8, no key twice, no number that would change, no text that
    is not Unicode; and neither more levels than `DEPTH_MAX` nor more values than `VALUES_MAX`.

    :raises APIError: 213.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise APIError(BAD_JSON, "The body is not UTF-8.") from None
    if _beginnings(text) > VALUES_MAX and _beginnings(_QUOTED.sub("", text)) > VALUES_MAX:
        raise APIError(BAD_JSON, f"The body has more than {VALUES_MAX} values.")
    try:
        data = json.loads(
            text, object_pairs_hook=_mapping, parse_constant=_constant, parse_int=_integer, parse_float=_float
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise APIError(BAD_JSON, f"The body is not valid JSON: {error.msg} ({place}).") from None
    except ValueError as error:
        raise APIError(BAD_JSON, f"The body cannot be used: {error}.") from None
    except RecursionError:
        raise _too_deep() from None
    if text.count("[") + text.count("{") > DEPTH_MAX and _is_deep(text):
        raise _too_deep()
    if "\\u" in text and not _is_unicode(data):
        raise APIError(BAD_JSON, "The body cannot be used: it has half of a surrogate pair.")
    return data


def _too_deep() -> APIError:
    return APIError(BAD_JSON, f"The body is nested more than {DEPTH_MAX} levels deep.")


# A text in quotes. The last quote may be missing, so that each beginning is a match and none is looked at twice.
_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)


def _beginnings(text: str) -> int:
    """How many values JSON without texts in quotes has: each one follows a bracket or a comma."""
    return text.count(",") + text.count("[") + text.count("{")


# Everything but the brackets outside of quotes.
_FLAT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[^\[\]{}"]+')


def _is_deep(text: str) -> bool:
    """
    Whether more than `DEPTH_MAX` levels are inside one another: then brackets are left when the innermost are taken away so
    often.

    :param text: valid JSON.
    """
    left = _FLAT.sub("", text)
    for _ in range(DEPTH_MAX):
        left = left.replace("[]", "").replace("{}", "")
    return bool(left)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("it has a key twice in one object")
    return made


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise ValueError("it has a number that is too long")
    return int(text)


def _float(text: str) -> float:
    number = float(text) if len(text) <= DIGITS_MAX else math.inf
    if not math.isfinite(number):
        raise ValueError("it has a number that is too large or too long")
    return number


def _is_unicode(data: Any) -> bool:
    try:
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


# -- where the caller is -----------------------------------------------------------------------------------------------


def base_url(authority: bytes, secure: bool, public_url: str, here: str) -> str:
    """
    What URLs in answers start with: clients send their key to whatever host stands there.

    :param authority: the ``Host`` of the request; on https it is known to be the API's.
    :param public_url: what stands for https, with its port.
    :param here: the ``host:port`` that was connected to, where there is no ``Host``.
    """
    if secure:
        return public_url
    return "http://" + (authority.decode("ascii") if _HOST.match(authority) else here)
