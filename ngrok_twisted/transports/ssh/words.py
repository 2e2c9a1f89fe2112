"""
The words of a command string: the POSIX shell's quoting, and nothing else of a shell.

An SSH client joins its arguments with single spaces after the local shell has taken the quotes away, so what arrives is
rarely what was typed. Two repairs happen here and in `ngrok_twisted.transports.ssh.command`: a word that begins a JSON
object keeps its quotes and spaces, and words without a place are given back to the flag before them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from unicodedata import category

from ngrok_twisted.errors import Refused

#: Bytes in a command; OpenSSH itself passes on whatever the local kernel allowed (a specification's decision).
MAX_COMMAND = 64 * 1024

#: Parse error, ngrok's number.
PARSE_ERROR = 1110

_SPACES = " \t\r\n"
#: What a backslash may quote between double quotes (POSIX.1-2017, Shell Command Language, section 2.2.3).
_ESCAPABLE = '$`"\\\n'


@dataclass(frozen=True, slots=True)
class Word:
    """
    :ivar text: the word without its quotes.
    :ivar position: where it starts in the command, in characters from 1.
    :ivar bare: nothing in it was quoted.
    """

    text: str
    position: int
    bare: bool = True


def decode(command: bytes) -> str:
    """
    :param command: the bytes of an ``exec`` request.
    :raises Refused: 1110: it is too long, is not UTF-8, or holds control characters.
    """
    if len(command) > MAX_COMMAND:
        raise Refused(PARSE_ERROR, f"The command is longer than {MAX_COMMAND} bytes.")
    try:
        text = command.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(PARSE_ERROR, f"The command is not UTF-8 at byte {error.start + 1}.") from None
    for position, character in enumerate(text, 1):
        if category(character) == "Cc" and character not in _SPACES:
            raise Refused(PARSE_ERROR, f"The command holds a control character at position {position}.")
    return text


def split(text: str) -> list[Word]:
    """
    Split a command into words: spaces separate; ``'…'``, ``"…"`` and a backslash quote.

    :raises Refused: 1110 with the position: a quote without its other half, or a backslash at the end.
    """
    return _Splitter(text).words()


class _Splitter:
    """One pass over a command."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._json = json.JSONDecoder()
        self._try_json = True

    def words(self) -> list[Word]:
        found: list[Word] = []
        while True:
            self._skip_spaces()
            if self._at >= len(self._text):
                return found
            found.append(self._word())

    def _skip_spaces(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in _SPACES:
            self._at += 1

    def _word(self) -> Word:
        start, bare = self._at, True
        parts: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character in _SPACES:
                break
            if character in "'\"\\":
                bare = False
                parts.append({"'": self._single, '"': self._double, "\\": self._escape}[character]())
            else:
                parts.append(self._json_object(parts) or character)
                self._at += len(parts[-1])
        return Word("".join(parts), start + 1, bare)

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise _unbalanced("'", self._at)
        part = self._text[self._at + 1 : end]
        self._at = end + 1
        return part

    def _double(self) -> str:
        start = self._at
        parts: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            character = self._text[self._at]
            following = self._text[self._at + 1 : self._at + 2]
            if character == '"':
                self._at += 1
                return "".join(parts)
            if character == "\\" and following and following in _ESCAPABLE:
                parts.append("" if following == "\n" else following)
                self._at += 2
            else:
                parts.append(character)
                self._at += 1
        raise _unbalanced('"', start)

    def _escape(self) -> str:
        following = self._text[self._at + 1 : self._at + 2]
        if not following:
            raise Refused(PARSE_ERROR, f"The command ends with a backslash at position {self._at + 1}.")
        self._at += 2
        return "" if following == "\n" else following

    def _json_object(self, before: list[str]) -> str:
        """The JSON object that starts a value here, as it stands; or nothing. Only one failure is tried a command."""
        if self._text[self._at] != "{" or not self._try_json or (before and before[-1] != "="):
            return ""
        if not self._text[self._at + 1 :].lstrip(_SPACES).startswith('"'):
            return ""
        try:
            _, end = self._json.raw_decode(self._text, self._at)
        except (ValueError, RecursionError):
            self._try_json = False
            return ""
        return self._text[self._at : end]


def _unbalanced(quote: str, at: int) -> Refused:
    return Refused(
        PARSE_ERROR,
        f"The quote {quote} at position {at + 1} is never closed. Put a backslash before it to mean the quote itself.",
    )
