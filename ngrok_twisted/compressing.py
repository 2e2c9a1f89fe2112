"""
`Compressing`: the response filter that compresses what is worth it, for visitors who can read it.

Nothing is ever held back: whatever came from the service is compressed and flushed at once, so that events arrive when they
are sent, and who is slow slows down the service as without compression.
"""

from __future__ import annotations

import re
from typing import Any

from zope.interface import implementer

from ngrok_twisted.content_codings import LASTING_PREFERENCE, PREFERENCE, Encoder, Wanted, encoder, wanted
from ngrok_twisted.interfaces import IResponseFilter
from ngrok_twisted.wrapper import ResponseHead

#: Bytes: smaller bodies are sent as they are; with its own head a coding saves nothing on them.
SMALLEST = 256

#: Where a flow's variables tell what was done, and for how many bytes less in the end.
ALGORITHM, SAVED = "compression.algorithm", "compression.bytes_saved"

# Bodies that are a part of something (RFC 9110 section 15.3.7), or none at all.
_UNTOUCHED = frozenset({204, 205, 206, 304})

# Media types that are text, or as wasteful as text. What packs its contents itself (pictures, films, archives, most fonts)
# is left out, and so is whatever is not known.
_WORTH = re.compile(
    r"""text/.+
    | (?!application/grpc).+\+(?:json|xml|yaml|text)
    | application/(?:
        (?:x-)?(?:javascript|ecmascript|ndjson|yaml|toml|sql|rtf|sh|tar|font-(?:ttf|otf|opentype|truetype))
        | json(?:5|l|lines|-seq)? | xml(?:-dtd)? | graphql | wasm | postscript | x-www-form-urlencoded | csp-report
        | (?:vnd\.apple\.|x-)mpegurl | vnd\.ms-fontobject | x-latex | x-tex | x-perl | x-httpd-php )
    | font/(?:ttf|otf|sfnt|collection)
    | image/(?:bmp|x-bmp|x-ms-bmp|x-icon|vnd\.microsoft\.icon|x-portable-.+|vnd\.dxf)
    | message/.+ | model/(?:obj|mtl|step|stl|vrml)""",
    re.VERBOSE,
)
_EVENTS = "text/event-stream"

# A digest of the body as it was encoded by the service (RFC 9530, RFC 1864) would be wrong after us.
_DIGESTS = frozenset({b"content-digest", b"content-md5", b"digest"})


class _Seen:
    """What a response's head says that matters here."""

    __slots__ = ("media", "varies", "etag", "free")

    def __init__(self, head: ResponseHead) -> None:
        self.media = ""
        self.varies = b""
        self.etag = b""
        self.free = head.status >= 200 and head.status not in _UNTOUCHED
        for name, value in head.headers:
            name = name.lower()
            if name == b"content-type":
                self.media = value.partition(b";")[0].strip().lower().decode("latin-1")
            elif name == b"vary":
                self.varies += b"," + value.lower()
            elif name == b"etag":
                self.etag = value
            elif name == b"content-encoding":
                self.free = self.free and value.strip().lower() in (b"", b"identity")
            elif name == b"cache-control":
                self.free = self.free and b"no-transform" not in value.lower()
            elif name == b"content-range" or name in _DIGESTS:
                self.free = False


@implementer(IResponseFilter)
class Compressing:
    """
    :ivar passive: the body is left as it is.
    """

    __slots__ = ("passive", "_request", "_encoder", "_left", "_saved")

    def __init__(self, request: Any) -> None:
        """
        :param request: an `ngrok_twisted.edge.request.EdgeRequest`; its ``Accept-Encoding`` decides.
        """
        self.passive = True
        self._request = request
        self._encoder: Encoder | None = None
        self._left = -1
        self._saved = 0

    def begin(self, head: ResponseHead) -> None:
        """IResponseFilter."""
        seen = _Seen(head)
        request = self._request
        if head.status == 304:
            self._not_modified(head, seen)
            return
        if not seen.free or _WORTH.fullmatch(seen.media) is None or _refuses_changes(request):
            return
        lasting = seen.media == _EVENTS
        accept = b",".join(request.header_values(b"accept-encoding"))
        choice = wanted(accept, LASTING_PREFERENCE if lasting else PREFERENCE)
        if head.length is not None and head.length < (SMALLEST if choice.plain else 1):
            return
        _vary(head, seen.varies)
        if head.bodiless:
            return
        request.flow.remember(ALGORITHM, choice.coding or "none")
        if choice.coding:
            self._compress(head, choice, lasting)

    def _compress(self, head: ResponseHead, choice: Wanted, lasting: bool) -> None:
        self.passive = False
        self._encoder = encoder(choice.coding, lasting)
        if head.length is not None:
            self._left = head.length
        head.length = None
        head.headers = [
            (name, _weak(value) if name.lower() == b"etag" else value)
            for name, value in head.headers
            if name.lower() not in (b"accept-ranges", b"content-encoding")
        ]
        head.headers.append((b"Content-Encoding", choice.coding.encode("ascii")))

    def _not_modified(self, head: ResponseHead, seen: _Seen) -> None:
        """
        Confirm the copy that the visitor has: if it is one that was compressed here, its tag is a weak one (RFC 9111
        section 4.3.4: a strong one would not be of that copy).
        """
        known = b",".join(self._request.header_values(b"if-none-match"))
        if seen.etag.startswith(b'"') and b"W/" + seen.etag in known:
            head.headers = [
                (name, _weak(value) if name.lower() == b"etag" else value) for name, value in head.headers
            ]
            _vary(head, seen.varies)

    def feed(self, data: bytes) -> bytes:
        """IResponseFilter."""
        assert self._encoder is not None
        size = len(data)
        self._left -= size
        made = self._encoder.feed(data, self._left != 0)  # what comes last is completed by `finish` right after
        self._saved += size - len(made)
        return made

    def finish(self) -> bytes:
        """IResponseFilter."""
        assert self._encoder is not None
        made = self._encoder.finish()
        self._request.flow.remember(SAVED, self._saved - len(made))
        return made


def _refuses_changes(request: Any) -> bool:
    """Whether the visitor wants the body as the service made it (RFC 9111 section 5.2.1.6)."""
    return any(b"no-transform" in value.lower() for value in request.header_values(b"cache-control"))


def _weak(etag: bytes) -> bytes:
    """The tag of something that means the same, but is not the same bytes (RFC 9110 section 8.8.1)."""
    return b"W/" + etag if etag.startswith(b'"') else etag


def _vary(head: ResponseHead, varies: bytes) -> None:
    """Tell caches that the response depends on ``Accept-Encoding`` (RFC 9110 section 12.5.5)."""
    if b"accept-encoding" in varies or b"*" in varies:
        return
    for number, (name, value) in enumerate(head.headers):
        if name.lower() == b"vary" and value:
            head.headers[number] = (name, value + b", Accept-Encoding")
            return
    head.headers.append((b"Vary", b"Accept-Encoding"))
