"""
`RequestFields`: the header fields of a request, for those who only look and for those who change them.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence, TypeVar

from ngrok_twisted.upstream.headers import Told

T = TypeVar("T")


class RequestFields:
    """
    A part of `ngrok_twisted.edge.request.EdgeRequest`.

    :ivar told: the fields as they came, with all that is known of them; ``None`` where nothing is.
    """

    __slots__ = ("told", "_headers", "authority")

    told: Told | None
    _headers: list[tuple[bytes, bytes]] | None
    authority: bytes
    flow: Any
    method: bytes
    uri: bytes
    upgrade_to: bytes
    expects_continue: bool

    def _changed(self) -> None:
        """What was made of the fields is made anew."""
        raise NotImplementedError

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """
        The fields, a list of the request's own that may be changed: the upstream gets them as they are then. Whoever only looks
        takes `fields`, so that a request which nobody changes passes without being put together again.
        """
        if self._headers is None:
            self._headers = [] if self.told is None else list(self.told.fields)
        return self._headers

    @headers.setter
    def headers(self, fields: list[tuple[bytes, bytes]]) -> None:
        self._headers = fields

    @property
    def fields(self) -> Sequence[tuple[bytes, bytes]]:
        """The same, not to be changed."""
        if self._headers is None:
            return () if self.told is None else self.told.fields
        return self._headers

    def work_out(self, function: Callable[[Sequence[tuple[bytes, bytes]]], T]) -> T:
        """
        What a pure function makes of ``fields``: for visitors who come again and again it is asked once.

        :param function: of a module, so that there are few of them. What it makes is small and shared, and must not be changed.
        """
        if self._headers is None and self.told is not None:
            return self.told.work_out(function)
        return function(self.fields)

    def getHeader(self, key: Any) -> Any:
        """IRequest. The last value, or ``None``; ``str`` for a ``str``."""
        if isinstance(key, str):
            found = self.getHeader(key.encode("ascii"))
            return None if found is None else found.decode("utf-8", "replace")
        wanted = key.lower()
        if self._headers is None:
            return None if self.told is None else self.told.last(wanted)
        found = None
        for name, value in self._headers:
            if name.lower() == wanted:
                found = value
        return found

    def header_values(self, key: bytes) -> list[bytes]:
        """Every value of a field, in order."""
        wanted = key.lower()
        return [value for name, value in self.fields if name.lower() == wanted]

    def set_request_header(self, key: bytes, value: bytes | None) -> None:
        """
        Change what the upstream gets.

        :param value: replaces every value of the field; ``None`` removes it.
        """
        wanted = key.lower()
        self.headers = [field for field in self.headers if field[0].lower() != wanted]
        if value is not None:
            self.headers.append((key, value))
        self._changed()

    def add_request_header(self, key: bytes, value: bytes) -> None:
        """Add one more value for the upstream."""
        self.headers.append((key, value))
        self._changed()

    def as_told(self) -> Told | None:
        """
        What the visitor sent, if nobody has changed any of its head (but for `edits`) and nothing in the fields is about this
        request alone; or ``None``.
        """
        told = self.told
        if told is None or self._headers is not None or self.upgrade_to or self.expects_continue:
            return None
        flow = self.flow
        if self.uri is flow.target and self.method is flow.method and self.authority is told.authority:
            return told
        return None
