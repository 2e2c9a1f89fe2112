"""
The vocabulary of what can go wrong: a class, a stable code, an HTTP status and a sentence for the person who meets it.

An `EdgeError` becomes a page (or an abort) in one place, `ngrok_twisted.edge.respond`. A `Refused` is an answer to an
agent or an API client. Codes are ngrok's public ``ERR_NGROK_…`` numbers; see the error index of its documentation.
"""

from __future__ import annotations

from typing import Any, Iterable


class EdgeError(Exception):
    """
    A flow cannot be served.

    :ivar code: the number in ``ERR_NGROK_<number>``.
    :ivar status: the HTTP status of the answer, for flows that speak HTTP.
    :ivar sentence: what a visitor may read. It never holds a secret or a traceback.
    :ivar fields: ``(name, value)`` byte pairs that the head of the answer has beside the usual ones.
    :ivar reset_code: the HTTP/2 error code (RFC 9113 section 7) that a visitor's stream is broken with, if its answer has begun;
        ``None`` for the usual one.
    """

    code = 3004
    status = 502
    sentence = "The gateway could not answer this request."
    fields: tuple[tuple[bytes, bytes], ...] = ()
    reset_code: int | None = None

    def __init__(self, sentence: str | None = None, *, status: int | None = None, code: int | None = None) -> None:
        if sentence is not None:
            self.sentence = sentence
        if status is not None:
            self.status = status
        if code is not None:
            self.code = code
        super().__init__(self.sentence)

    @property
    def name(self) -> str:
        """``ERR_NGROK_<number>``."""
        return f"ERR_NGROK_{self.code}"

    def __reduce__(self) -> Any:
        """Between processes an error of any class is what it was, whatever its class is made with."""
        return _made_again, (type(self), self.args, self.__dict__)


def _made_again(cls: type[EdgeError], args: tuple[Any, ...], state: dict[str, Any]) -> EdgeError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class EndpointOffline(EdgeError):
    """No endpoint is online under this name."""

    code = 3200
    status = 404
    sentence = "The endpoint is offline."

    @classmethod
    def named(cls, host: str) -> EndpointOffline:
        """
        :param host: the name that was asked for, a visitor's own words; empty where none is known.
        """
        return cls(f"The endpoint {host} is offline." if host else None)


class NoBackend(EdgeError):
    """A route or an edge says nobody who answers."""

    code = 724
    status = 502
    sentence = "Nothing is configured to answer here."


class NobodyServes(EdgeError):
    """The traffic reached a configured edge, but none of its backends has anybody who is online."""

    code = 6515
    status = 502
    sentence = "No tunnel is online behind this endpoint."


class BadRequest(EdgeError):
    """The visitor's message is not HTTP, or is ambiguous (RFC 9112)."""

    code = 3001
    status = 400
    sentence = "The request is not valid HTTP."


class HeaderTooLarge(BadRequest):
    """The head of the request is over the limit (RFC 6585 section 5)."""

    status = 431
    sentence = "The request's header is too large."


class RequestTimeout(BadRequest):
    """The visitor did not finish its request in time (RFC 9110 section 15.5.9)."""

    status = 408
    sentence = "The request did not arrive in time."


class VersionNotSupported(BadRequest):
    """An HTTP version we do not speak (RFC 9110 section 15.6.6)."""

    status = 505
    sentence = "This version of HTTP is not supported."


class Misdirected(EdgeError):
    """The request's host does not belong to this connection (RFC 9110 section 15.5.20)."""

    code = 3201
    status = 421
    sentence = "This connection does not serve the requested host."


class TunnelLost(EdgeError):
    """The agent went away between the look-up and the dial, or in mid-answer."""

    code = 3209
    status = 502
    sentence = "The agent behind this endpoint has just gone offline."


class UpstreamUnreachable(EdgeError):
    """The agent could not reach the local service."""

    code = 8012
    status = 502
    sentence = "The agent could not connect to the local service."


class UpstreamTimeout(EdgeError):
    """The agent or the local service did not answer in time."""

    code = 8012
    status = 504
    sentence = "The local service did not answer in time."


class UpstreamInvalid(EdgeError):
    """The local service's answer is not HTTP, or is ambiguous."""

    code = 3004
    status = 502
    sentence = "The local service gave an answer that is not valid HTTP."


class Overloaded(EdgeError):
    """A limit of the operator is reached; trying again later may help."""

    code = 3005
    status = 503
    sentence = "The gateway is busy. Please try again in a moment."


class Refused(Exception):
    """
    An agent's wish or an API client's change is refused.

    :ivar code: ngrok's error number, or ``None`` where ngrok has none.
    :ivar message: what the user reads; it names the cause and the remedy.
    """

    def __init__(self, code: int | None, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(code, message)

    @property
    def name(self) -> str:
        """``ERR_NGROK_<number>``, or an empty string without a number."""
        return "" if self.code is None else f"ERR_NGROK_{self.code}"

    def __str__(self) -> str:
        return f"{self.message}\n{self.name}" if self.name else self.message


class InvalidConfig(Exception):
    """
    Outside data that cannot be used, with every problem found.

    :ivar problems: a tuple of `ngrok_twisted.records.base.Problem`.
    """

    def __init__(self, problems: Iterable[Any]) -> None:
        self.problems: tuple[Any, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Conflict(Exception):
    """The store has moved on since the caller read it."""


class StoreUnusable(Exception):
    """The store cannot be opened: the message says why, and what to do."""
