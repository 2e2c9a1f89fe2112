"""
`ResponseWriter`: how a response becomes bytes of HTTP/1.1 (RFC 9112 sections 4 and 6).
"""

from __future__ import annotations

from typing import Any, Sequence

from ngrok_twisted.upstream.chunked import encode_trailers
from ngrok_twisted.upstream.headers import FIELD_LINES, joined, lines_of_edit
from ngrok_twisted.upstream.response import Said
from ngrok_twisted.upstream.syntax import KILOBYTE, MalformedMessage

# Below this, copying buffers together is cheaper than handing the kernel several.
JOINED_BYTES = 16 * KILOBYTE

# How the body of the current response ends.
COUNTED, CHUNKED, CLOSED, BODILESS = range(4)


class ResponseWriter:
    """
    The writing half of an HTTP/1.1 server connection.

    :ivar transport: the visitor's.
    :ivar persistent: the connection stays open after the current response. This and the version of HTTP are set by who reads
        the request.
    :ivar _watch: ends a connection that rests; it has to know of each write.
    """

    __slots__ = ("transport", "persistent", "_batch", "_framing", "_owed", "_minor", "_watch")

    transport: Any
    persistent: bool
    _batch: bool
    _framing: int
    _owed: int
    _minor: int
    _watch: Any

    def body_unread(self) -> bool:
        """Whether the connection cannot go on because of the request's body."""
        raise NotImplementedError

    def write_head(self, request: Any, head: Any, buffers: Sequence[Any], last: bool, trailers: Any) -> None:
        """IRequestChannel."""
        size = 0
        for buffer in buffers:
            size += len(buffer)
        if last and head.length is None and not head.bodiless and not trailers:
            head.length = size
        told = head.as_told()
        if told is not None and self._goes_as_told(head, told):
            self._framing = COUNTED
            self._owed = head.length - size
            self._send((told.counted, *buffers), size)
        else:
            parts: list[Any] = [self._text(head, told)]
            if size:
                self._add_body(parts, buffers, size)
            if last and self._framing == CHUNKED:
                parts.append(encode_trailers(trailers))
            self._send(parts, size)
        if last:
            self._check_complete()

    def write_as_told(self, request: Any, told: Said, body: bytes) -> bool:
        """IRequestChannel."""
        if not (self.persistent and self._minor) or self.body_unread():
            return False
        self._framing = COUNTED
        self._owed = 0
        self._watch.touch()
        if self._batch and len(body) > JOINED_BYTES:
            self.transport.writeBatch((told.counted, body))
        else:
            self.transport.write(told.counted + body)
        return True

    def _goes_as_told(self, head: Any, told: Any) -> bool:
        """Whether the bytes that are kept for all such responses are what this visitor gets: so it is with most of them."""
        if not (told.counted and self.persistent and self._minor) or head.bodiless or head.length != told.length:
            return False
        return not self.body_unread()

    def _text(self, head: Any, told: Any) -> bytes:
        """
        The head as it is sent. How the body ends is chosen by this.

        :param told: what its ``as_told`` says.
        :raises MalformedMessage: a part of it would be read as something else.
        """
        if told is not None:
            return b"%b%b\r\n\r\n" % (told.line_and_fields, self._frame(head))
        amended = head.as_amended()
        if amended is not None:
            said, edit = amended
            return b"".join((said.lines_without(edit.removed), lines_of_edit(edit), self._frame(head), b"\r\n\r\n"))
        reason = head.reason
        if b"\n" in reason or b"\r" in reason:
            raise MalformedMessage("line end in a reason phrase")
        fields = FIELD_LINES[tuple(head.fields)]
        return b"HTTP/1.1 %d %b%b%b\r\n\r\n" % (head.status, reason, fields, self._frame(head))

    def _frame(self, head: Any) -> bytes:
        """Choose how the body ends. :return: the lines that say so, each with a line end before it."""
        if head.status == 101:
            self._framing = BODILESS
            return b"\r\nConnection: Upgrade"
        if self.persistent and self.body_unread():
            self.persistent = False
        lines = b""
        if head.bodiless:
            self._framing = BODILESS
            if head.length is not None and head.status != 204:
                lines = b"\r\nContent-Length: %d" % head.length
        elif head.length is not None:
            self._framing = COUNTED
            self._owed = head.length
            lines = b"\r\nContent-Length: %d" % head.length
        elif self._minor:
            self._framing = CHUNKED
            lines = b"\r\nTransfer-Encoding: chunked"
        else:
            self._framing = CLOSED
            self.persistent = False
        if not self.persistent:
            lines += b"\r\nConnection: close"
        elif not self._minor:
            lines += b"\r\nConnection: keep-alive"
        return lines

    def _add_body(self, parts: list[Any], buffers: Sequence[Any], size: int) -> None:
        if self._framing == CHUNKED:
            parts.append(b"%x\r\n" % size)
            parts.extend(buffers)
            parts.append(b"\r\n")
        else:
            parts.extend(buffers)
            if self._framing == COUNTED:
                self._owed -= size

    def _send(self, parts: Sequence[Any], size: int) -> None:
        self._watch.touch()
        if self._batch and size > JOINED_BYTES:
            self.transport.writeBatch(parts)
        else:
            self.transport.write(b"".join(parts) if len(parts) > 1 else bytes(parts[0]))

    def write_body(self, request: Any, buffers: Sequence[Any]) -> None:
        """IRequestChannel."""
        size = sum(map(len, buffers))
        if not size:
            return
        parts: list[Any] = []
        self._add_body(parts, buffers, size)
        if self._framing == COUNTED and self._owed < 0:
            self.break_off(request)
            return
        self._send(parts, size)

    def end(self, request: Any, trailers: Any) -> None:
        """IRequestChannel."""
        if self._framing == CHUNKED:
            self._watch.touch()
            self.transport.write(encode_trailers(trailers))
        self._check_complete()

    def _check_complete(self) -> None:
        """A response that is shorter than it said cannot be followed by another."""
        if self._framing == COUNTED and self._owed:
            self.persistent = False
            self.break_off(None)

    def break_off(self, request: Any) -> None:
        """IRequestChannel."""
        raise NotImplementedError

    def inform(self, request: Any, status: int, reason: bytes, fields: list[tuple[bytes, bytes]]) -> None:
        """IRequestChannel. HTTP/1.0 has no informational responses (RFC 9110 section 15.2)."""
        if self._minor:
            lines = [b"HTTP/1.1 %d %s" % (status, reason)]
            lines += [name + b": " + value for name, value in fields]
            self.transport.write(joined(lines))
