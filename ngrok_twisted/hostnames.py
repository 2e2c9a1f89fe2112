"""
Host names as people, agents and visitors write them, and the one form in which they are compared inside: lower-case
A-labels without a trailing dot.

Pure functions, because every part of the house asks them: claims, reservations, routes, certificates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import idna

from ngrok_twisted.errors import Refused

#: Characters of a whole name in A-label form, without the trailing dot (RFC 1035 section 2.3.4: 255 octets on the wire).
NAME_MAX = 253

#: Characters of one label (RFC 1035 section 2.3.4).
LABEL_MAX = 63

#: The highest TCP port.
PORT_MAX = 65535

_LABEL_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_ALPHANUMERIC = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_DIGITS = frozenset("0123456789")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntaxCodes:
    """
    The ``ERR_NGROK_…`` numbers for what can be wrong with a name; endpoints and reservations use different ones.
    """

    character: int
    underscore: int
    empty_label: int
    label_start: int
    label_end: int
    double_hyphen: int
    punycode: int
    label_length: int
    name_length: int
    top_level: int
    wildcard: int
    partial_wildcard: int


#: Codes for the name of an endpoint.
ENDPOINT_CODES = SyntaxCodes(
    character=326,
    underscore=355,
    empty_label=327,
    label_start=328,
    label_end=329,
    double_hyphen=330,
    punycode=347,
    label_length=396,
    name_length=397,
    top_level=331,
    wildcard=326,
    partial_wildcard=326,
)

#: Codes for a name that is to be reserved.
RESERVATION_CODES = SyntaxCodes(
    character=406,
    underscore=438,
    empty_label=409,
    label_start=407,
    label_end=408,
    double_hyphen=410,
    punycode=429,
    label_length=513,
    name_length=423,
    top_level=411,
    wildcard=402,
    partial_wildcard=403,
)


def normalise(name: str, codes: SyntaxCodes = ENDPOINT_CODES) -> str:
    """
    Bring a name into the form in which names are compared.

    :param name: a DNS name in any case, possibly with one trailing dot, with non-ASCII labels (they become A-labels by
        IDNA 2008 after the mapping of UTS #46), or with ``*`` as its whole first label.
    :param codes: the numbers to refuse with.
    :raises Refused: it is not such a name; the message says why. IP addresses are not names.
    """
    if len(name) > NAME_MAX + 1:
        raise Refused(codes.name_length, f"The name is longer than {NAME_MAX} characters.")
    text = _without_trailing_dot(name.lower() if name.isascii() else _to_ascii(name, codes))
    if len(text) > NAME_MAX:
        raise Refused(codes.name_length, f"The name is longer than {NAME_MAX} characters.")
    labels = text.split(".")
    exact = labels[1:] if labels[0] == "*" and len(labels) > 1 else labels
    for label in exact:
        _check_label(label, name, codes)
    if _DIGITS.issuperset(exact[-1]):
        raise Refused(codes.top_level, f"'{_shown(name)}' is not a name: its last part is a number.")
    return text


def is_wildcard(name: str) -> bool:
    """Whether this normalised name is a wildcard, ``*.…``."""
    return name.startswith("*.")


def covers(pattern: str, name: str) -> bool:
    """
    Whether a name or wildcard stands for this name.

    :param pattern: an exact name, which covers only itself; or ``*.example.com``, which covers every name at any depth
        below ``example.com``, wildcards (itself included) too, but not ``example.com``.
    :param name: a normalised name or wildcard.
    """
    if is_wildcard(pattern):
        return name.endswith(pattern[1:]) and len(name) > len(pattern) - 1
    return pattern == name


def parents(name: str) -> Iterator[str]:
    """
    The names above a name, nearest first: ``b.c`` and ``c`` for ``a.b.c``, and for ``*.b.c`` too.
    """
    dot = name.find(".")
    while dot >= 0:
        name = name[dot + 1 :]
        yield name
        dot = name.find(".")


def wildcards(name: str) -> Iterator[str]:
    """
    The wildcards that cover a name, most specific first, beginning with the name itself where it is one.
    """
    return (f"*.{parent}" for parent in parents(name))


def is_below(name: str, parent: str) -> bool:
    """Whether a name is strictly below another."""
    return name.endswith("." + parent) and len(name) > len(parent) + 1


def split_hostport(text: str, default_port: int | None = None, codes: SyntaxCodes = ENDPOINT_CODES) -> tuple[str, int]:
    """
    Take ``host:port`` apart.

    :param text: a name, a colon and a port from 1 to 65535 in plain decimal digits.
    :param default_port: the port where none is written; without it one must be written.
    :return: the normalised name, and the port.
    :raises Refused: 18003 without a port, 9033 if it is no number, 9030 if it is out of range, or as `normalise` does.
    """
    host, colon, port = text.partition(":")
    if colon:
        return normalise(host, codes), _port(port)
    if default_port is None:
        raise Refused(18003, f"'{_shown(text)}' has no port: write it as host:port.")
    return normalise(host, codes), default_port


def _without_trailing_dot(text: str) -> str:
    return text[:-1] if text.endswith(".") else text


def _to_ascii(name: str, codes: SyntaxCodes) -> str:
    star, rest = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    try:
        return star + idna.encode(rest, uts46=True).decode("ascii").lower()
    except (UnicodeError, ValueError):
        raise Refused(codes.punycode, f"'{_shown(name)}' is not a valid internationalised name.") from None


def _check_label(label: str, name: str, codes: SyntaxCodes) -> None:
    """Refuse a label that is not letters, digits and inner hyphens, or not valid IDNA (RFC 5891 section 4.2.3)."""
    if not label:
        raise Refused(codes.empty_label, f"'{_shown(name)}' has an empty part.")
    if "_" in label:
        raise Refused(codes.underscore, f"'{_shown(name)}' has an underscore.")
    if "*" in label:
        code = codes.partial_wildcard if "*" in name.partition(".")[0] else codes.wildcard
        raise Refused(code, f"'{_shown(name)}': a star may only be the whole first part of a longer name.")
    if not _LABEL_CHARACTERS.issuperset(label):
        raise Refused(codes.character, f"'{_shown(name)}' has a character that names do not have.")
    if label[0] not in _ALPHANUMERIC:
        raise Refused(codes.label_start, f"'{_shown(name)}': each part starts with a letter or a digit.")
    if label[-1] not in _ALPHANUMERIC:
        raise Refused(codes.label_end, f"'{_shown(name)}': each part ends with a letter or a digit.")
    if len(label) > LABEL_MAX:
        raise Refused(codes.label_length, f"'{_shown(name)}' has a part longer than {LABEL_MAX} characters.")
    if label[2:4] == "--":
        _check_punycode(label, name, codes)


def _check_punycode(label: str, name: str, codes: SyntaxCodes) -> None:
    if not label.startswith("xn--"):
        raise Refused(codes.double_hyphen, f"'{_shown(name)}' has hyphens as third and fourth character of a part.")
    try:
        valid = idna.alabel(idna.ulabel(label)).decode("ascii") == label
    except (UnicodeError, ValueError):
        valid = False
    if not valid:
        raise Refused(codes.punycode, f"'{_shown(name)}' has a part that is not valid Punycode.")


def _port(text: str) -> int:
    if not text or not _DIGITS.issuperset(text):
        raise Refused(9033, f"'{_shown(text)}' is not a port number.")
    if len(text) > 5 or not 1 <= int(text) <= PORT_MAX:
        raise Refused(9030, f"{_shown(text)} is not a port from 1 to {PORT_MAX}.")
    return int(text)


def _shown(text: str) -> str:
    """What a message may quote: short, and without control characters that would confuse a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text[:80])
