"""
The half of `twisted.web.iweb.IRequest` that stock resources use: built when asked for, so that a request which is only
passed on does not pay for it.

Two differences from `twisted.web.server.Request`: ``requestHeaders`` is a view (modules change the request with
`StockRequest.set_request_header`), and ``content`` is empty unless the body was collected first
(`ngrok_twisted.collect`).
"""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes

from twisted.internet.defer import Deferred
from twisted.python.urlpath import URLPath
from twisted.web.error import UnsupportedMethod
from twisted.web.http import CACHED, NOT_MODIFIED, RESPONSES, datetimeToString, stringToDatetime
from twisted.web.http_headers import Headers
from twisted.web.resource import getChildForRequest

from ngrok_twisted.edge.cookies import cookie_line, parse_authorization, parse_cookies
from ngrok_twisted.edge.fields import RequestFields
from ngrok_twisted.edge.pull import PullPump
from ngrok_twisted.wrapper import ResponseHead

# Form fields and query arguments in one request; more is a way to burn processor time.
MAX_ARGUMENTS = 1000

_FRAMING = frozenset([b"content-length", b"transfer-encoding", b"connection"])

_CONTENT_TYPE = b"text/html; charset=utf-8"


class _Stock:
    """What stock resources read and write, made on first use."""

    __slots__ = (
        "request_headers",
        "response_headers",
        "code",
        "message",
        "cookies",
        "path",
        "prepath",
        "postpath",
        "args",
    )

    def __init__(self, uri: bytes) -> None:
        self.request_headers: Headers | None = None
        self.response_headers = Headers()
        self.code = 200
        self.message = b"OK"
        self.cookies: list[bytes] = []
        self.path = uri.partition(b"?")[0]
        self.prepath: list[bytes] = []
        self.postpath = [unquote_to_bytes(segment) for segment in self.path[1:].split(b"/")]
        self.args: dict[bytes, list[bytes]] | None = None


def _delegated(name: str) -> property:
    return property(
        lambda self: getattr(self._stock_state(), name),
        lambda self, value: setattr(self._stock_state(), name, value),
    )


class StockRequest(RequestFields):
    """
    See the module. The rest is in `ngrok_twisted.edge.request.EdgeRequest`.

    :ivar path: the target without its query, undecoded.
    :ivar prepath: decoded segments that were used to find the resource.
    :ivar postpath: decoded segments that are left.
    :ivar responseHeaders: a `Headers` for the response.
    :ivar code: the status to answer with.
    :ivar code_message: its reason phrase.
    :ivar cookies: ``Set-Cookie`` values to send.
    """

    __slots__ = ("_stock", "_notifications")

    channel: Any
    flow: Any
    method: bytes
    uri: bytes
    started: bool
    gone: bool
    finished: int
    stored_body: Any
    _notifications: list[Any] | None

    defaultContentType = _CONTENT_TYPE

    path = _delegated("path")
    prepath = _delegated("prepath")
    postpath = _delegated("postpath")
    responseHeaders = _delegated("response_headers")
    code = _delegated("code")
    code_message = _delegated("message")
    cookies = _delegated("cookies")

    def _changed(self) -> None:
        self._stock_state().request_headers = None

    def _stock_state(self) -> _Stock:
        try:
            return self._stock
        except AttributeError:
            self._stock: _Stock = _Stock(self.uri)
            return self._stock

    # -- finding and asking the resource

    def rendered(self, resource: Any) -> Any:
        """
        Ask a resource for its answer.

        :param resource: an `IResource`.
        :return: what its ``render`` returned.
        """
        if not getattr(resource, "isLeaf", True):
            resource = getChildForRequest(resource, self)
        try:
            return resource.render(self)
        except UnsupportedMethod as error:
            self.setResponseCode(405)
            self.setHeader(b"allow", b", ".join(error.allowedMethods))
            return b""

    # -- the request

    @property
    def requestHeaders(self) -> Headers:
        """IRequest. A view: changes to it do not reach the upstream."""
        state = self._stock_state()
        if state.request_headers is None:
            made = state.request_headers = Headers()
            for name, value in self.fields:
                made.addRawHeader(name, value)
        return state.request_headers

    @property
    def args(self) -> dict[bytes, list[bytes]]:
        """IRequest. Arguments of the query and, if the body was collected, of a form."""
        state = self._stock_state()
        if state.args is None:
            state.args = _arguments(self.uri.partition(b"?")[2])
            if self.stored_body and (self.getHeader(b"content-type") or b"").lower().startswith(
                b"application/x-www-form-urlencoded"
            ):
                for name, values in _arguments(self.stored_body).items():
                    state.args.setdefault(name, []).extend(values)
        return state.args

    @property
    def content(self) -> BytesIO:
        """IRequest. The collected body, from its start."""
        return BytesIO(self.stored_body or b"")

    def getAllHeaders(self) -> dict[bytes, bytes]:
        """IRequest."""
        return {name.lower(): value for name, value in self.fields}

    @property
    def received_cookies(self) -> dict[bytes, bytes]:
        """The visitor's cookies; of several with one name, the first."""
        return parse_cookies(self.header_values(b"cookie"))

    def getCookie(self, key: bytes) -> bytes | None:
        """IRequest."""
        return self.received_cookies.get(key)

    def getRequestHostname(self) -> bytes:
        """IRequest."""
        return self.flow.host.encode("ascii")

    def getHost(self) -> Any:
        """IRequest."""
        return self.channel.get_host()

    def getClientAddress(self) -> Any:
        """IRequest."""
        return self.channel.get_peer()

    def getClientIP(self) -> str:
        """IRequest."""
        return self.flow.peer_host

    def isSecure(self) -> bool:
        """IRequest."""
        return self.channel.is_secure()

    def getUser(self) -> bytes:
        """IRequest."""
        return parse_authorization(self.getHeader(b"authorization"))[0]

    def getPassword(self) -> bytes:
        """IRequest."""
        return parse_authorization(self.getHeader(b"authorization"))[1]

    def getSession(self, sessionInterface: Any = None) -> Any:
        """
        IRequest.

        :raises RuntimeError: always. The edge keeps no state of visitors between requests.
        """
        raise RuntimeError("the edge keeps no sessions")

    def setHost(self, host: bytes, port: int, ssl: bool = False) -> None:
        """IRequest. How the visitor speaks cannot be changed, so ``ssl`` is ignored."""
        default = 443 if self.isSecure() else 80
        self.authority = host if port == default else host + b":%d" % port
        self.set_request_header(b"Host", self.authority)

    def prePathURL(self) -> bytes:
        """IRequest."""
        scheme = b"https" if self.isSecure() else b"http"
        return scheme + b"://" + self.authority + b"/" + b"/".join(self.prepath)

    def URLPath(self) -> Any:
        """IRequest."""
        return URLPath.fromBytes(self.prePathURL())

    def rememberRootURL(self) -> None:
        """IRequest. The root is always the host's."""

    def getRootURL(self) -> bytes:
        """IRequest."""
        scheme = b"https" if self.isSecure() else b"http"
        return scheme + b"://" + self.authority

    # -- the response

    @property
    def startedWriting(self) -> int:
        """Whether the head was sent, as `twisted.web.http.Request` has it."""
        return int(self.started)

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        """IRequest."""
        state = self._stock_state()
        state.code = code
        state.message = RESPONSES.get(code, b"Unknown Status") if message is None else message

    def setHeader(self, k: Any, v: Any) -> None:
        """IRequest."""
        self.responseHeaders.setRawHeaders(k, [v])

    def redirect(self, url: bytes) -> None:
        """IRequest."""
        self.setResponseCode(302)
        self.setHeader(b"location", url)

    def addCookie(
        self,
        k: Any,
        v: Any,
        expires: Any = None,
        domain: Any = None,
        path: Any = None,
        max_age: Any = None,
        comment: Any = None,
        secure: Any = None,
        httpOnly: bool = False,
        sameSite: Any = None,
    ) -> None:
        """IRequest."""
        self.cookies.append(cookie_line(k, v, expires, domain, path, max_age, comment, secure, httpOnly, sameSite))

    def setLastModified(self, when: float) -> Any:
        """IRequest."""
        self.setHeader(b"last-modified", datetimeToString(when))
        since = self.getHeader(b"if-modified-since")
        if since is None or self.getHeader(b"if-none-match") is not None:
            return None
        try:
            unchanged = stringToDatetime(since.split(b";", 1)[0]) >= int(when)
        except ValueError:
            return None
        return self._not_modified() if unchanged else None

    def setETag(self, etag: bytes) -> Any:
        """IRequest."""
        self.setHeader(b"etag", etag)
        wanted = self.getHeader(b"if-none-match")
        if wanted is None or (etag not in wanted.split() and wanted != b"*"):
            return None
        return self._not_modified()

    def _not_modified(self) -> Any:
        self.setResponseCode(NOT_MODIFIED if self.method in (b"GET", b"HEAD") else 412)
        return CACHED

    def notifyFinish(self) -> Deferred[None]:
        """
        :return: a Deferred that fires with ``None`` when the response is complete, or fails with the reason why the
            visitor went away before.
        """
        waiting: Deferred[None] = Deferred()
        if self._notifications is None:
            self._notifications = []
        self._notifications.append(waiting)
        return waiting

    def pushing(self, producer: Any) -> PullPump:
        """An `IPullProducer` made into a push producer, started."""
        return PullPump(self.channel.clock(), producer)

    def _stock_length(self) -> int | None:
        state = getattr(self, "_stock", None)
        value = state and state.response_headers.getRawHeaders(b"content-length")
        return int(value[-1]) if value else None

    def stock_head(self, length: int | None) -> ResponseHead:
        """
        The head that was put together with ``setResponseCode`` and ``responseHeaders``.

        :param length: of the body, used unless a ``content-length`` was set.
        """
        state = self._stock_state()
        fields = [
            (name, value)
            for name, values in state.response_headers.getAllRawHeaders()
            if name.lower() not in _FRAMING
            for value in values
        ]
        if not state.response_headers.hasHeader(b"content-type") and length != 0 and state.code not in (204, 304):
            fields.append((b"Content-Type", self.defaultContentType))
        fields.extend((b"Set-Cookie", line) for line in state.cookies)
        set_length = self._stock_length()
        return ResponseHead(state.code, state.message, fields, length if set_length is None else set_length)


def _arguments(encoded: bytes) -> dict[bytes, list[bytes]]:
    try:
        return parse_qs(encoded, keep_blank_values=True, max_num_fields=MAX_ARGUMENTS)
    except ValueError:
        return {}
