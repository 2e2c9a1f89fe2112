"""
`Reply`: what goes back over HTTP, made from an `Answer` or from an error. Free of I/O.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from twisted.web.http import datetimeToString

from ngrok_twisted import schema
from ngrok_twisted.control.api.errors import APIError, NoSuchMethod
from ngrok_twisted.control.api.method import Answer
from ngrok_twisted.wrapper import ResponseHead

#: The header that names the call, on every answer.
OPERATION_ID = b"ngrok-operation-id"

#: Clients that parse the body of every answer and fail on an empty one (specification of the API, section 7).
NEEDS_BODY = (b"ngrok-api-python/", b"ngrok-api-typescript/")

Fields = tuple[tuple[bytes, bytes], ...]

# Answers hold secrets: nobody in between keeps them, and no browser takes them for something else.
_ALWAYS: Fields = ((b"Cache-Control", b"no-store"), (b"X-Content-Type-Options", b"nosniff"))
_JSON: Fields = ((b"Content-Type", b"application/json"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """
    :ivar status: the HTTP status.
    :ivar body: the body's bytes; ``None`` for none.
    :ivar fields: of the head, beside those that every reply has.
    """

    status: int
    body: bytes | None = field(default=None, repr=False)
    fields: Fields = ()

    def head(self, operation_id: str, now: float, more: Fields) -> ResponseHead:
        """
        The head of the response.

        :param now: seconds since the epoch.
        :param more: fields that depend on who asks.
        """
        typed = _JSON if self.body is not None else ()
        named = ((OPERATION_ID, operation_id.encode("ascii")), (b"Date", datetimeToString(now)))
        reason = HTTPStatus(self.status).phrase.encode("ascii")
        return ResponseHead(self.status, reason, [*typed, *named, *_ALWAYS, *more, *self.fields], len(self.body or b""))


def answer_reply(answer: Answer, user_agent: bytes) -> Reply:
    """
    :param user_agent: of the caller: some get a body where there is nothing to say.
    """
    if isinstance(answer.body, bytes):
        return Reply(status=answer.status, body=answer.body)
    if answer.body is not None:
        return Reply(status=answer.status, body=_encoded(schema.dump(answer.body)))
    if answer.status == 204 and user_agent.startswith(NEEDS_BODY):
        return Reply(status=200, body=b"{}")
    return Reply(status=answer.status)


def error_reply(error: APIError, operation_id: str) -> Reply:
    """
    An error in the one shape that every official client reads: ``status_code`` repeats the status, ``details`` is a flat
    mapping of texts (specification of the API, section 4).
    """
    details = (
        {"path": error.path} if isinstance(error, NoSuchMethod) else {**error.details, "operation_id": operation_id}
    )
    body: dict[str, Any] = {} if error.code is None else {"error_code": f"ERR_NGROK_{error.code}"}
    body |= {"status_code": error.status, "msg": error.message, "details": details}
    fields: Fields = () if error.retry_after is None else ((b"Retry-After", b"%d" % error.retry_after),)
    return Reply(status=error.status, body=_encoded(body), fields=fields)


def _encoded(data: Any) -> bytes:
    # Texts are written with escapes, so that whatever a record holds can be sent.
    return json.dumps(data, separators=(",", ":"), allow_nan=False).encode("ascii")
