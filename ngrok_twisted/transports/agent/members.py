"""
`Members`: the object that a request carries, read member by member.

Agents spell names in different ways (``Authtoken`` of the Go family is ``AuthToken`` of the Rust SDKs), so names are
looked up whatever their case. ``null`` is the same as leaving a member out; what nobody asks for is passed over.

Source: specification of the agent protocol, section 4.1.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Mapping

from ngrok_twisted.errors import Refused

_KINDS = {
    str: "text",
    bool: "a truth value",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "a list",
}


class Members:
    """
    One object.

    :ivar path: what it is called in messages, such as ``Opts.BasicAuth``; empty for the request itself.
    """

    __slots__ = ("path", "_code", "_found")

    def __init__(self, data: Any, code: int, path: str = "") -> None:
        """
        :param data: what was read from JSON.
        :param code: the number to refuse with.
        :raises Refused: it is no object.
        """
        self.path = path
        self._code = code
        if not isinstance(data, dict):
            raise self._refused(path or "The request", "an object")
        self._found: Mapping[str, Any] = {name.lower(): value for name, value in data.items() if value is not None}

    def __contains__(self, name: str) -> bool:
        """Whether there is such a member, and it is not ``null``."""
        return name.lower() in self._found

    def says(self, name: str) -> bool:
        """Whether there is such a member, and it is not empty text: some agents send all that they know."""
        return self._found.get(name.lower(), "") != ""

    def text(self, name: str, most: int | None = None) -> str:
        """
        :param most: characters; what is beyond them is cut off, for text that is only shown.
        :return: the member, empty where there is none.
        :raises Refused: it is no text.
        """
        found = self._get(name, str, "")
        if not found.isascii() and not _is_unicode(found):
            raise self._refused(self._path(name), "Unicode text")
        return str(found) if most is None else str(found[:most])

    def optional_text(self, name: str) -> str | None:
        """
        :return: the member, ``None`` where there is none.
        :raises Refused: it is no text.
        """
        return self.text(name) if name in self else None

    def flag(self, name: str) -> bool:
        """
        :return: the member, false where there is none.
        :raises Refused: it is neither true nor false.
        """
        return bool(self._get(name, bool, False))

    def whole(self, name: str) -> int:
        """
        :return: the member, 0 where there is none.
        :raises Refused: it is no whole number.
        """
        return int(self._get(name, int, 0))

    def number(self, name: str) -> float:
        """
        :return: the member, 0.0 where there is none. It may be infinite or no number at all, as Python's JSON goes.
        :raises Refused: it is no number.
        """
        try:
            return float(self._get(name, (float, int), 0.0))
        except OverflowError:
            raise self._refused(self._path(name), _KINDS[float]) from None

    def texts(self, name: str) -> tuple[str, ...]:
        """
        :return: the texts of a list, none where there is no list.
        :raises Refused: it is no list of texts.
        """
        found = self._get(name, list, ())
        if not all(isinstance(item, str) and _is_unicode(item) for item in found):
            raise self._refused(self._path(name), "a list of texts")
        return tuple(found)

    def pairs(self, name: str) -> dict[str, str]:
        """
        :return: an object whose names are the user's own, case and all; empty where there is none.
        :raises Refused: not all of its members are texts.
        """
        found = self._get(name, dict, {})
        for key, value in found.items():
            if not isinstance(value, str) or not _is_unicode(key + value):
                raise self._refused(self._path(name), "an object of texts")
        return dict(found)

    def mapping(self, name: str) -> dict[str, Any]:
        """
        :return: the member as it came, empty where there is none.
        :raises Refused: it is no object.
        """
        return dict(self._get(name, dict, {}))

    def inner(self, name: str) -> Members:
        """
        :return: the member to be read on; an empty object where there is none.
        :raises Refused: it is no object.
        """
        return Members(self.mapping(name), self._code, self._path(name))

    def inners(self, name: str) -> tuple[Members, ...]:
        """
        :return: the objects of a list, none where there is no list.
        :raises Refused: it is no list of objects.
        """
        found = self._get(name, list, ())
        path = self._path(name)
        return tuple(Members(item, self._code, f"{path}[{number}]") for number, item in enumerate(found))

    def base64(self, name: str) -> bytes:
        """
        :return: what a text in Base64 stands for; nothing where there is none.
        :raises Refused: it is no Base64. The message does not repeat it.
        """
        text = self.text(name)
        try:
            return b64decode(text, validate=True)
        except ValueError:
            raise self._refused(self._path(name), "text in Base64") from None

    def refused(self, name: str, message: str) -> Refused:
        """
        :param message: what is wrong with a member, to be read behind its name.
        """
        return Refused(self._code, f"{self._path(name)} {message}.")

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _get(self, name: str, kind: Any, absent: Any) -> Any:
        found = self._found.get(name.lower(), absent)
        if found is absent:
            return absent
        first, *_ = kind if isinstance(kind, tuple) else (kind,)
        # To Python a truth value is a whole number.
        if not isinstance(found, kind) or isinstance(found, bool) and first is not bool:
            raise self._refused(self._path(name), _KINDS[first])
        return found

    def _refused(self, what: str, wanted: str) -> Refused:
        return Refused(self._code, f"{what} must be {wanted}.")


def _is_unicode(text: str) -> bool:
    """JSON can hold halves of characters, which nothing else can."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
