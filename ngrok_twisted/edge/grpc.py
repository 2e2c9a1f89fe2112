"""
The edge's own errors for gRPC: a client that is sent a page would only learn that its call failed in some way.

A call ends with a status of its own, behind the body (gRPC over HTTP/2, "Responses"); an answer without a body has it in its only
header. gRPC-Web, for clients that see no trailers, has it in the body's last message (PROTOCOL-WEB.md of the gRPC repository).
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Sequence
from urllib.parse import quote_from_bytes

from zope.interface import implementer

from ngrok_twisted.errors import EdgeError, EndpointOffline
from ngrok_twisted.interfaces import IResponseFilter
from ngrok_twisted.upstream import http2_frames as h2
from ngrok_twisted.upstream.syntax import Fields

Trailers = Sequence[tuple[bytes, bytes]]

# Status codes of gRPC.
DEADLINE_EXCEEDED, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 4, 7, 8
UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 12, 13, 14, 16
CANCELLED, UNKNOWN = 1, 2

# What an error says by its HTTP status. Where "HTTP to gRPC Status Code Mapping" of the gRPC repository has something for it,
# it is that, but for what the edge knows better: that somebody was too slow, or that something was too much.
_STATUSES = {
    400: INTERNAL,
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    404: UNIMPLEMENTED,
    405: UNIMPLEMENTED,
    408: DEADLINE_EXCEEDED,
    413: RESOURCE_EXHAUSTED,
    421: UNAVAILABLE,
    429: RESOURCE_EXHAUSTED,
    431: RESOURCE_EXHAUSTED,
    500: INTERNAL,
    501: UNIMPLEMENTED,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: DEADLINE_EXCEEDED,
}

# The same for a service that has broken a call off itself ("Errors" in the same place).
_RESETS: dict[int | None, int] = {
    h2.INTERNAL_ERROR: INTERNAL,
    h2.CANCEL: CANCELLED,
    h2.ENHANCE_YOUR_CALM: RESOURCE_EXHAUSTED,
}

_GRPC, _WEB, _WEB_TEXT = b"application/grpc", b"application/grpc-web", b"application/grpc-web-text"

# "Status-Message" may hold these as they are.
_SAFE_MESSAGE = bytes(range(0x20, 0x7F)).replace(b"%", b"")

# The flag of a message that holds trailers, and no data.
_TRAILERS = b"\x80"

# What tells about the body that the error would have had.
_OF_BODIES = frozenset([b"content-type", b"content-length", b"content-encoding", b"content-language", b"vary"])


def status_of(error: EdgeError) -> int:
    """
    :return: the status of gRPC that says most of what the error says.
    """
    if isinstance(error, EndpointOffline):
        return UNAVAILABLE  # it may be back soon; "unimplemented" would never be tried again
    if error.reset_code in _RESETS:
        return _RESETS[error.reset_code]
    return _STATUSES.get(error.status, UNKNOWN)


def dialect_of(content_type: bytes) -> bytes:
    """
    :param content_type: of a request.
    :return: the media type without what is said of its messages, if it is one of gRPC; else empty.
    """
    media = content_type.partition(b";")[0].strip(b" \t").lower().partition(b"+")[0]
    return media if media in (_GRPC, _WEB, _WEB_TEXT) else b""


def spoken(content_type: bytes, error: EdgeError) -> StatusFilter | None:
    """
    What turns the response to an error into what the visitor understands.

    :param content_type: of the request; empty if it had none.
    :return: the filter that has to be the outermost; ``None`` for those who read pages.
    """
    dialect = dialect_of(content_type)
    return StatusFilter(dialect, content_type, error) if dialect else None


def last_words(request: Any, error: EdgeError) -> Trailers:
    """
    What stands behind a response that has begun and cannot go on, so that the caller learns what became of its call.

    :param request: an `ngrok_twisted.edge.request.EdgeRequest`.
    :return: the trailers; none for those who could take what they have for the whole, and where the service has said itself
        how the stream is to be broken off.
    """
    if error.reset_code is not None or request.flow.status != 200 or request.clientproto != b"HTTP/2.0":
        return ()
    return _status_fields(error) if dialect_of(request.getHeader(b"content-type") or b"") == _GRPC else ()


def _status_fields(error: EdgeError) -> Fields:
    message = quote_from_bytes(f"{error.sentence} ({error.name})".encode(), safe=_SAFE_MESSAGE)
    return [(b"grpc-status", b"%d" % status_of(error)), (b"grpc-message", message.encode("ascii"))]


@implementer(IResponseFilter)
class StatusFilter:
    """Puts the status of a call in the place of a page."""

    def __init__(self, dialect: bytes, content_type: bytes, error: EdgeError) -> None:
        """
        :param dialect: what `dialect_of` said.
        :param content_type: of the request; the answer gets the same.
        """
        self._fields = _status_fields(error)
        self._content_type = content_type
        self._body = b"" if dialect == _GRPC else _web_message(self._fields)
        if dialect == _WEB_TEXT:
            self._body = b64encode(self._body)

    def begin(self, head: Any) -> None:
        """IResponseFilter."""
        head.status, head.reason = 200, b"OK"
        head.headers = [field for field in head.headers if field[0].lower() not in _OF_BODIES]
        head.headers.insert(0, (b"Content-Type", self._content_type))
        if not self._body:
            head.headers += self._fields
        head.length = len(self._body)

    def feed(self, data: bytes) -> bytes:
        """IResponseFilter."""
        return b""

    def finish(self) -> bytes:
        """IResponseFilter."""
        return self._body


def _web_message(fields: Fields) -> bytes:
    """The last message of a body in gRPC-Web."""
    lines = b"".join([name + b":" + value + b"\r\n" for name, value in fields])
    return _TRAILERS + len(lines).to_bytes(4, "big") + lines
