"""
`APIResource`: the management API as a web resource: a request comes in, a method of a resource performs it, a reply goes
out.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ngrok_twisted.collect import BodyTooLarge, collect
from ngrok_twisted.control.api.access import Access
from ngrok_twisted.control.api.call import Call, Parts
from ngrok_twisted.control.api.cors import origin_fields, preflight
from ngrok_twisted.control.api.errors import APIError, NoSuchMethod
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.replies import Reply, answer_reply, error_reply
from ngrok_twisted.control.api.requests import (
    BODY_MAX,
    base_url,
    check_version,
    read_body,
    read_path,
    read_query,
)
from ngrok_twisted.control.api.routes import Routes
from ngrok_twisted.errors import Conflict, EdgeError, InvalidConfig, Refused, StoreUnusable
from ngrok_twisted.iam.principal import Principal

#: Who a public method acts for.
NOBODY = Principal(account_id="", account_name="", credential_id="")

#: Characters of an unknown path that the answer repeats.
_SHOWN_PATH = 500

#: Characters of a verb that is looked at: more than the longest one has.
_VERB_MAX = 20

#: Verbs whose body means nothing (RFC 9110 sections 9.3.1 and 9.3.5); one client sends them with a Content-Type.
_BODILESS = frozenset({"GET", "DELETE"})

_HTTP_PORT = 80

SECONDS = 1.0

#: How long a body may take as a whole: a megabyte over a poor mobile line. It holds one of the account's places meanwhile,
#: and a caller that sends a byte now and then would hold it for ever.
BODY_TIMEOUT = 60 * SECONDS


class _Left(Exception):
    """The caller went away before its request was complete."""


@dataclass(slots=True)
class _Operation:
    """
    What is logged of one request.

    :ivar path: the template of the path, never the path itself.
    """

    id: str
    verb: str
    started: float
    path: str = "-"
    principal: Principal = NOBODY


class APIResource(Resource):
    """
    Every path of the API. It needs a request of the edge's own HTTP server, which streams bodies.
    """

    _log = Logger()

    isLeaf = True

    def __init__(self, parts: Parts, routes: Routes, access: Access, public_url: str, clock: Any) -> None:
        """
        :param public_url: what URLs in answers start with on https, such as ``https://api.example.com``.
        :param clock: an ``IReactorTime``.
        """
        super().__init__()
        self._parts = parts
        self._routes = routes
        self._access = access
        self._public_url = public_url
        self._clock = clock

    def render(self, request: Any) -> Any:
        """IResource."""
        verb = request.method[:_VERB_MAX].decode("ascii", "replace")
        operation = _Operation(self._parts.new_id("op"), verb, self._parts.now())
        Deferred.fromCoroutine(self._serve(request, operation)).addErrback(request.fail)
        return NOT_DONE_YET

    async def _serve(self, request: Any, operation: _Operation) -> None:
        try:
            reply = await self._reply(request, operation)
        except _Left:
            self._log.debug("{operation}: the caller left in mid-request", operation=operation.id)
            return
        except Exception as error:
            reply = error_reply(self._explained(error, operation), operation.id)
        self._note(operation, reply.status)
        if request.started:
            return  # the rest of a body that nobody needed took too long, and the edge has answered that
        head = reply.head(operation.id, self._parts.now(), origin_fields(request.getHeader(b"origin")))
        request.respond(head, [reply.body] if reply.body else [], last=True)

    async def _reply(self, request: Any, operation: _Operation) -> Reply:
        """
        :raises APIError: the request is refused. So do `Refused` and `InvalidConfig`.
        """
        raw, _, query = request.uri.partition(b"?")
        path = read_path(raw)
        if path is None:
            raise NoSuchMethod(raw.decode("latin-1")[:_SHOWN_PATH])
        if operation.verb == "OPTIONS" and request.getHeader(b"access-control-request-method") is not None:
            verbs = self._routes.verbs(path)
            if verbs:
                return preflight(verbs, request.getHeader(b"access-control-request-headers"))
        found = self._routes.find("GET" if operation.verb == "HEAD" else operation.verb, path)
        if found is None:
            raise NoSuchMethod(path[:_SHOWN_PATH])
        method, params = found
        operation.path = method.path
        if method.public:
            self._access.enter_public(request.flow.peer_host)
        else:
            self._enter(request, operation)
        with self._access.working(operation.principal.account_id):
            call = await self._call(request, operation, method, params, query)
            return answer_reply(await _performed(method, call), request.getHeader(b"user-agent") or b"")

    def _enter(self, request: Any, operation: _Operation) -> None:
        """
        :raises APIError: the caller may not.
        """
        peer_host = request.flow.peer_host
        operation.principal = self._access.enter(request.header_values(b"authorization"), peer_host)
        check_version(request.getHeader("ngrok-version"))

    async def _call(
        self, request: Any, operation: _Operation, method: Method, params: dict[str, str], query: bytes
    ) -> Call:
        return Call(
            parts=self._parts,
            principal=operation.principal,
            base_url=base_url(request.authority, request.isSecure(), self._public_url, _here(request.getHost())),
            params=params,
            query=read_query(query, method),
            data=await self._data(request, method),
            operation_id=operation.id,
            peer_host=request.flow.peer_host,
        )

    async def _data(self, request: Any, method: Method) -> Any:
        """
        :raises APIError: the body cannot be used.
        :raises _Left: the caller left before its end.
        """
        if method.verb in _BODILESS or method.body_ignored:
            return {}
        try:
            raw = await collect(request, BODY_MAX).addTimeout(BODY_TIMEOUT, self._clock)
        except BodyTooLarge:
            raise APIError(None, f"The body is larger than {BODY_MAX // 1024} KiB.", status=413) from None
        except TimeoutError:
            raise APIError(None, f"The body took longer than {BODY_TIMEOUT:.0f} seconds.", status=408) from None
        except EdgeError as error:
            raise APIError(None, error.sentence, status=error.status) from None
        except Exception:
            raise _Left() from None
        if not method.public:
            self._access.confirm(request.header_values(b"authorization"))
        try:
            return read_body(raw, request.header_values(b"content-type"), request.header_values(b"content-encoding"))
        except APIError:
            if method.body_lenient:
                return {}
            raise

    def _explained(self, error: Exception, operation: _Operation) -> APIError:
        """What the caller is told of an error. What is not meant for callers is in the log only."""
        if isinstance(error, APIError):
            return error
        if isinstance(error, Refused):
            return APIError.refused(error)
        if isinstance(error, InvalidConfig):
            return APIError.problems(error.problems, {})
        self._log.failure(
            "{operation} {verb} {path} failed", operation=operation.id, verb=operation.verb, path=operation.path
        )
        if isinstance(error, (Conflict, StoreUnusable)):
            return APIError(None, "The records cannot be changed right now. Try again soon.", status=503, retry_after=1)
        return APIError(None, "Something is wrong with this server. Its log names this operation.", status=500)

    def _note(self, operation: _Operation, status: int) -> None:
        self._log.info(
            "{operation} {verb} {path} {status} key={key} account={account} {milliseconds} ms",
            operation=operation.id,
            verb=operation.verb,
            path=operation.path,
            status=status,
            key=operation.principal.credential_id or "-",
            account=operation.principal.account_id or "-",
            milliseconds=round((self._parts.now() - operation.started) * 1000),
        )


def _here(address: Any) -> str:
    """Where a connection arrived, as it would stand in a URL."""
    host, port = getattr(address, "host", "localhost"), getattr(address, "port", _HTTP_PORT)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _performed(method: Method, call: Call) -> Answer:
    result = method.perform(call)
    answer: Answer = await result if inspect.isawaitable(result) else result
    return answer
