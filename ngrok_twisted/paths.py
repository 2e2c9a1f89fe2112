"""
Paths of requests: how they are normalised, and what else an upstream may take them for.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def normalised(path: bytes) -> bytes:
    """
    Percent-encoded unreserved characters decoded, once (RFC 3986 section 6.2.2.2), and then ``.`` and ``..`` segments
    resolved (section 5.2.4). Nothing else: slashes are not merged, and ``%2F`` stays.

    :param path: without its query.
    """
    if path.startswith(b"/") and b"%" not in path and b"/." not in path:
        return path  # as nearly all are
    return _without_dots(_ENCODED.sub(_decode_unreserved, path))


def _decode_unreserved(match: re.Match[bytes]) -> bytes:
    character = int(match[1], 16)
    return bytes((character,)) if character in _UNRESERVED else match[0].upper()


def _without_dots(path: bytes) -> bytes:
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments and segments[-1] in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def readings(path: bytes) -> tuple[bytes, ...]:
    """
    The other paths that an upstream may take this one for.

    :param path: without its query.
    :return: normalised paths, without duplicates, our own reading first.
    """
    ours = normalised(path)
    decoded = unquote_to_bytes(path)
    twice = unquote_to_bytes(decoded)
    others = [ours]
    for spelling in (decoded, twice):
        straight = spelling.replace(b"\\", b"/").split(b"\0", 1)[0]
        without_parameters = re.sub(rb";[^/]*", b"", straight)
        for reading in (straight, without_parameters):
            others.append(_without_dots(reading))
            others.append(_without_dots(re.sub(rb"//+", b"/", reading)))
    return tuple(dict.fromkeys(others))
