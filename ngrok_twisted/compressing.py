"""
`Compressing`: the response filter that has what is worth it compressed, for visitors who can read it.

Nothing is ever held back: whatever came from the service is compressed and flushed at once, so that events arrive when they
are sent, and who is slow slows down the service as without compression.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Iterable

from zope.interface import implementer

from ngrok_twisted.content_codings import FRUGAL, PREFERENCE, Encoder, encoder, wanted
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IResponseFilter
from ngrok_twisted.wrapper import HeadEdit, ResponseHead

KIB = 1024

#: Bytes: smaller bodies are sent as they are; with its own head a coding saves nothing on them.
SMALLEST = 256

#: Bytes: for smaller bodies it does not pay to prepare much.
MEDIUM = 32 * KIB

# A longer media type means nothing to us.
_MEDIA_MAX = 128

#: Where a flow's variables tell what was done, and for how many bytes less in the end.
ALGORITHM, SAVED = "compression.algorithm", "compression.bytes_saved"

# Bodies that are a part of something (RFC 9110 section 15.3.7), or none at all.
_UNTOUCHED = frozenset({204, 205, 206, 304})

# Media types that are text, or as wasteful as text. What packs its contents itself (pictures, films, archives, most fonts)
# is left out, and so is whatever is not known.
_COMPRESSIBLE = re.compile(
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
_EVENTS = b"text/event-stream"

# What is done with a field of a response, by its lower-case name.
_TYPE, _VARY, _TAG, _CODING, _CONTROL, _TRAILER, _WHOLE = range(1, 8)
_FIELDS = {
    b"content-type": _TYPE,
    b"vary": _VARY,
    b"etag": _TAG,
    b"content-encoding": _CODING,
    b"cache-control": _CONTROL,
    # A part of something, or a digest of the body as the service encoded it (RFC 9530, RFC 1864).
    b"content-range": _WHOLE,
    b"content-digest": _WHOLE,
    b"content-md5": _WHOLE,
    b"digest": _WHOLE,
    b"repr-digest": _WHOLE,
    # Such a digest may come behind the body, too (RFC 9530 sections 2 and 3).
    b"trailer": _TRAILER,
}

# What is taken away: what is true of the uncompressed body alone.
_OF_THE_WHOLE, _TAGS = frozenset((b"accept-ranges", b"content-encoding")), frozenset((b"etag",))

_VARIES = HeadEdit(added=((b"Vary", b"Accept-Encoding"),), lasting=True)

# What is said of a body that has been coded.
_CODED = {
    coding: HeadEdit(_OF_THE_WHOLE, ((b"Content-Encoding", coding.encode("ascii")),), lasting=True)
    for coding in PREFERENCE
}


class _Seen:
    """
    What a response's head says that matters here.

    :ivar media: the media type, in lower case.
    :ivar vary: every ``Vary``, in lower case.
    :ivar etag: the tag, or empty.
    :ivar free: nothing forbids to compress the body, and it is worth it.
    """

    __slots__ = ("media", "vary", "etag", "free")

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self.media = self.vary = self.etag = b""
        self.free = True
        kind_of = _FIELDS.get
        for name, value in fields:
            kind = kind_of(name.lower())
            if kind is None:
                continue
            if kind == _TYPE:
                self.media = value.partition(b";")[0].strip().lower()
            elif kind == _VARY:
                self.vary += b"," + value.lower()
            elif kind == _TAG:
                self.etag = value
            elif kind == _WHOLE or _forbids(kind, value):
                self.free = False
        self.free = self.free and len(self.media) <= _MEDIA_MAX and _worth(self.media)


def _forbids(kind: int, value: bytes) -> bool:
    value = value.strip().lower()
    if kind == _CODING:
        return value not in (b"", b"identity")
    if kind == _TRAILER:
        return b"digest" in value or b"content-md5" in value
    return b"no-transform" in value


@lru_cache(maxsize=256)
def _worth(media: bytes) -> bool:
    return _COMPRESSIBLE.fullmatch(media.decode("latin-1")) is not None


class _Wishes:
    """
    What a request's head says that matters here.

    :ivar small: what the visitor accepts, for small bodies and for what lasts; ``large`` for others.
    :ivar as_it_is: it wants the body as the service made it (RFC 9111 section 5.2.1.6).
    """

    __slots__ = ("small", "large", "as_it_is")

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        accept, self.as_it_is = [], False
        for name, value in fields:
            name = name.lower()
            if name == b"accept-encoding":
                accept.append(value)
            elif name == b"cache-control" and b"no-transform" in value.lower():
                self.as_it_is = True
        joined = b",".join(accept)
        self.small, self.large = wanted(joined, FRUGAL), wanted(joined, PREFERENCE)


@implementer(IResponseFilter)
class Compressing:
    """
    Decides what is compressed, and leaves that to an `_Encoding`; one serves all requests.
    """

    __slots__ = ()

    passive = True

    def begin(self, head: ResponseHead) -> IResponseFilter | None:
        """IResponseFilter."""
        status, length = head.status, head.length
        if status < 200 or status in _UNTOUCHED and status != 304:
            return None
        seen = head.work_out(_Seen)
        if status == 304:
            _not_modified(head, seen)
            return None
        if not seen.free:
            return None
        wishes = head.request.work_out(_Wishes)
        lasting = seen.media == _EVENTS
        choice = wishes.small if lasting or (length is not None and length < MEDIUM) else wishes.large
        if wishes.as_it_is or (length is not None and length < (SMALLEST if choice.plain else 1)):
            return None
        _vary(head, seen.vary)
        if head.bodiless:
            return None
        flow = head.request.flow
        flow.remember(ALGORITHM, choice.coding or "none")
        if not choice.coding:
            return None
        head.length = None
        head.amend(_CODED[choice.coding])
        if seen.etag.startswith(b'"'):
            head.amend(HeadEdit(_TAGS, ((b"ETag", _weak(seen.etag)),)))
        return _Encoding(flow, encoder(choice.coding, lasting, length), length)

    def feed(self, data: bytes) -> bytes:
        """IResponseFilter: a passive filter is not asked."""
        return data

    def finish(self) -> bytes:
        """IResponseFilter: a passive filter is not asked."""
        return b""


@implementer(IResponseFilter)
class _Encoding:
    """One body that is compressed."""

    __slots__ = ("_flow", "_encoder", "_left", "_saved")

    def __init__(self, flow: Flow, chosen: Encoder, length: int | None) -> None:
        self._flow = flow
        self._encoder = chosen
        self._left = -1 if length is None else length
        self._saved = 0

    def begin(self, head: ResponseHead) -> None:
        """IResponseFilter: it has begun."""

    def feed(self, data: bytes) -> bytes:
        """IResponseFilter."""
        size = len(data)
        self._left -= size
        made = self._encoder.feed(data, self._left != 0)  # what comes last is completed by `finish` right after
        self._saved += size - len(made)
        return made

    def finish(self) -> bytes:
        """IResponseFilter."""
        made = self._encoder.finish()
        self._flow.remember(SAVED, self._saved - len(made))
        return made


def _not_modified(head: ResponseHead, seen: _Seen) -> None:
    """
    Confirm the copy that the visitor has: if it is one that was compressed here, its tag is a weak one (RFC 9111
    section 4.3.4: a strong one would not be of that copy).
    """
    known = b",".join(head.request.header_values(b"if-none-match"))
    if seen.etag.startswith(b'"') and b"W/" + seen.etag in known:
        head.headers = [(name, _weak(value) if name.lower() == b"etag" else value) for name, value in head.headers]
        _vary(head, seen.vary)


def _weak(etag: bytes) -> bytes:
    """The tag of something that means the same, but is not the same bytes (RFC 9110 section 8.8.1)."""
    return b"W/" + etag if etag.startswith(b'"') else etag


def _vary(head: ResponseHead, vary: bytes) -> None:
    """
    Tell caches that the response depends on ``Accept-Encoding`` (RFC 9110 section 12.5.5).

    :param vary: what the head says already.
    """
    if not vary:
        head.amend(_VARIES)
    elif b"accept-encoding" not in vary and b"*" not in vary:
        number, (name, value) = next(
            (number, field) for number, field in enumerate(head.headers) if field[0].lower() == b"vary"
        )
        head.headers[number] = (name, value + b", Accept-Encoding" if value else b"Accept-Encoding")
