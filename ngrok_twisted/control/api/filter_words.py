"""
The words of a filter: names, numbers, texts and signs, each with its place. See `ngrok_twisted.control.api.filters`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Iterator

#: Signs, longer ones first. Others of CEL are not in the subset.
SIGNS = ("&&", "||", "<=", ">=", "==", "!=", "<", ">", "!", "(", ")", "[", "]", ",", ".", "-")

#: Characters of a number: more digits than any field holds.
NUMBER_MAX = 32

# No alternative can begin where another one does, so that reading takes one step a character.
_WORD = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"""|(?P<text>"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')"""
    r"|(?P<sign>" + "|".join(re.escape(sign) for sign in SIGNS) + ")"
)

# The escapes of CEL's strings (its language definition, "String and Bytes Values").
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[0-3][0-7]{2}|.)")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ITSELF = "\\\"'`?"


class BadFilter(Exception):
    """
    A filter that cannot be used.

    :ivar place: characters before the place, so that the first is 0.
    :ivar message: what is wrong there.
    """

    def __init__(self, place: int, message: str) -> None:
        self.place = place
        self.message = message
        super().__init__(place, message)


@dataclass(frozen=True, slots=True)
class Word:
    """
    :ivar kind: ``name``, ``number``, ``text``, ``sign`` or ``end``.
    :ivar value: the name or the sign; the value of a number or text.
    :ivar place: characters before it.
    """

    kind: str
    value: Any
    place: int


def words(text: str) -> Iterator[Word]:
    """
    :param text: a filter.
    :return: its words, and one of the kind ``end``.
    :raises BadFilter: something in it is no word.
    """
    place = 0
    while place < len(text):
        match = _WORD.match(text, place)
        if match is None:
            raise BadFilter(place, _unknown(text[place]))
        kind = str(match.lastgroup)
        if kind != "space":
            yield Word(kind, _VALUES[kind](match[0], place), place)
        place = match.end()
    yield Word("end", "", len(text))


def _unknown(letter: str) -> str:
    if letter in "\"'":
        return "a text begins here that does not end"
    return f"{ascii(letter)} has no meaning in a filter"


def _number(text: str, place: int) -> int | float:
    value = float(text) if len(text) <= NUMBER_MAX else float("inf")
    if value == float("inf"):
        raise BadFilter(place, "this number is too long or too large")
    return int(text) if text.isdigit() else value


def _text(text: str, place: int) -> str:
    def escaped(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in _ITSELF:
            return code
        if len(code) == 1 and code in _ESCAPED:
            return _ESCAPED[code]
        number = int(code[1:], 16) if code[0] in "xuU" and len(code) > 1 else int(code, 8) if len(code) == 3 else -1
        if not 0 <= number <= 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise BadFilter(place + 1 + match.start(), "this backslash stands before nothing that it could mean")
        return chr(number)

    return _ESCAPE.sub(escaped, text[1:-1])


def _same(text: str, place: int) -> str:
    return text


_VALUES = {"name": _same, "sign": _same, "number": _number, "text": _text}
