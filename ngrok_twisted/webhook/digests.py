"""
Comparing digests with what a delivery says they are, and turning configured secrets into keys.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import Error, a2b_base64
from hmac import compare_digest
from typing import Iterable

from ngrok_twisted.errors import Refused

#: ngrok's number for a value that cannot be used.
BAD_SECRET = 215

#: What Standard Webhooks secrets begin with.
_STANDARD_PREFIX = "whsec_"

_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")


class Hexadecimal:
    """Upper or lower case."""

    def encode(self, digest: bytes) -> bytes:
        """The one text that `normal` makes of every right spelling of a digest."""
        return digest.hex().encode("ascii")

    def normal(self, text: bytes) -> bytes:
        """The spelling that is compared."""
        return text.lower()


class Base64:
    """With padding or without."""

    def encode(self, digest: bytes) -> bytes:
        """The one text that `normal` makes of every right spelling of a digest."""
        return b64encode(digest).rstrip(b"=")

    def normal(self, text: bytes) -> bytes:
        """The spelling that is compared."""
        return text.rstrip(b"=")


HEX, BASE64 = Hexadecimal(), Base64()


def matches(encoding: Hexadecimal | Base64, digest: bytes, candidates: Iterable[bytes]) -> bool:
    """
    Whether one of the candidates is the digest; how long it takes tells nothing of the digest.

    :param candidates: as sent.
    """
    expected, found = encoding.encode(digest), False
    for candidate in candidates:
        found |= compare_digest(expected, encoding.normal(candidate))
    return found


def decoded(text: bytes) -> bytes | None:
    """What base64 text says, or ``None`` if it is not exactly that; padding may be left out."""
    bare = text.rstrip(b"=")
    if _BASE64.fullmatch(text) is None or len(bare) % 4 == 1:
        return None
    try:
        data = a2b_base64(bare + b"=" * (-len(bare) % 4))
    except Error:  # pragma: no cover - the pattern leaves nothing that it would refuse
        return None
    return data if b64encode(data).rstrip(b"=") == bare else None


# -- keys --------------------------------------------------------------------------------------------------------------


def text_key(secret: str) -> bytes:
    """The secret itself."""
    return secret.encode("utf-8")


def base64_key(secret: str) -> bytes:
    """
    What a base64 secret stands for.

    :raises Refused: it is not base64.
    """
    key = decoded(secret.strip().encode("utf-8"))
    if not key:
        raise Refused(BAD_SECRET, "must be base64, as the provider shows it")
    return key


def is_standard_secret(secret: str) -> bool:
    """Whether it is a secret of Standard Webhooks, with its prefix."""
    return secret.startswith(_STANDARD_PREFIX)


def standard_key(secret: str) -> bytes:
    """
    What a secret of Standard Webhooks stands for: ``whsec_`` and base64; the prefix may be left out.

    :raises Refused: it is not that.
    """
    key = decoded(secret.strip().removeprefix(_STANDARD_PREFIX).encode("utf-8"))
    if not key:
        raise Refused(BAD_SECRET, "must be whsec_ and base64, as the provider shows it")
    return key
