"""
Cookies and basic credentials, as stock resources ask for them: pure functions.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from typing import Any, Iterable


def parse_cookies(values: Iterable[bytes]) -> dict[bytes, bytes]:
    """
    :param values: of the ``Cookie`` fields.
    :return: names and values; of several with one name, the first (RFC 6265 section 5.4 sends the most specific first).
    """
    found: dict[bytes, bytes] = {}
    for value in values:
        for pair in value.split(b";"):
            name, separator, content = pair.strip().partition(b"=")
            if separator:
                found.setdefault(name, content)
    return found


def cookie_line(
    name: Any,
    value: Any,
    expires: Any = None,
    domain: Any = None,
    path: Any = None,
    max_age: Any = None,
    comment: Any = None,
    secure: Any = None,
    httpOnly: bool = False,
    sameSite: Any = None,
) -> bytes:
    """
    The value of a ``Set-Cookie`` field (RFC 6265 section 4.1).

    :raises ValueError: a part would break out of it.
    """
    line = _clean(name) + b"=" + _clean(value)
    for label, part in (
        (b"Expires", expires),
        (b"Domain", domain),
        (b"Path", path),
        (b"Max-Age", max_age),
        (b"Comment", comment),
        (b"SameSite", sameSite),
    ):
        if part is not None:
            line += b"; " + label + b"=" + _clean(part)
    if secure:
        line += b"; Secure"
    if httpOnly:
        line += b"; HttpOnly"
    return line


def _clean(part: Any) -> bytes:
    text = part if isinstance(part, bytes) else str(part).encode()
    if b";" in text or b"\r" in text or b"\n" in text:
        raise ValueError("a cookie holds a separator")
    return text


def parse_authorization(value: bytes | None) -> tuple[bytes, bytes]:
    """
    :param value: of ``Authorization``, or ``None``.
    :return: user and password of the Basic scheme (RFC 7617); both empty without.
    """
    scheme, _, encoded = (value or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return b"", b""
    try:
        user, separator, password = b64decode(encoded.strip(), validate=True).partition(b":")
    except Error:
        return b"", b""
    return (user, password) if separator else (b"", b"")
