"""
An `EdgeError` becomes a response: here, and nowhere else.

The page is HTML for those who prefer it, JSON for those who ask for that, plain text for everybody else, always with the
header ``ngrok-error-code``. Calls of gRPC get a status of their own: see `ngrok_twisted.edge.grpc`.
"""

from __future__ import annotations

import json
import re
from html import escape
from http import HTTPStatus
from time import time
from typing import Any

from twisted.web.http import datetimeToString

from ngrok_twisted.edge.grpc import spoken
from ngrok_twisted.errors import EdgeError
from ngrok_twisted.wrapper import ResponseHead

# Twisted's own table ends before RFC 6585.
_REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{status} {reason}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 38rem; margin: 15vh auto 0; padding: 0 1.5rem }}
h1 {{ font-size: 1.6rem; line-height: 1.3; margin: 0 0 1rem }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin-top: 2rem; font-size: .9rem }}
dt {{ opacity: .75 }}
dd {{ margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere }}
</style>
</head>
<body>
<main>
<h1>{sentence}</h1>
<p>{status} {reason}</p>
<dl>
<dt>Error code</dt><dd>{code}</dd>
<dt>Time</dt><dd>{when}</dd>
<dt>Request number</dt><dd>{number}</dd>
</dl>
</main>
</body>
</html>
"""

# One element of an Accept header: a media range, and its weight if it has one (RFC 9110 section 12.5.1).
_RANGE = re.compile(
    rb"[ \t]*([a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+)[ \t]*(?:;[^,]*?\bq=([01](?:\.[0-9]{0,3})?))?[^,]*", re.I
)

# Nobody writes a longer one, and reading it must stay cheap.
_MAX_ACCEPT = 2048

_HTML, _JSON, _TEXT = b"text/html", b"application/json", b"text/plain"


def preferred_type(accept: bytes) -> bytes:
    """
    Which of HTML, JSON and plain text an ``Accept`` header names and prefers.

    Wildcards prefer nothing: ``curl``, which sends ``*/*``, gets plain text.

    :return: a media type.
    """
    best, best_weight = _TEXT, 0.0
    for element in accept[:_MAX_ACCEPT].split(b","):
        match = _RANGE.fullmatch(element)
        if match is None:
            continue
        media = match[1].lower()
        weight = float(match[2]) if match[2] else 1.0
        if media in (_HTML, _JSON, _TEXT) and weight > best_weight:
            best, best_weight = media, weight
    return best


def error_response(error: EdgeError, accept: bytes, number: int, when: float) -> tuple[ResponseHead, bytes]:
    """
    :param error: what happened.
    :param accept: the visitor's ``Accept``, or empty.
    :param number: the flow's number, for whoever asks the operator.
    :param when: seconds since the epoch.
    :return: the head, and the body.
    """
    media = preferred_type(accept)
    reason = _REASONS.get(error.status, b"Error")
    if media == _JSON:
        text = json.dumps({"error_code": error.name, "status_code": error.status, "msg": error.sentence}) + "\n"
    elif media == _HTML:
        text = _page(error, reason.decode("ascii"), number, when)
    else:
        text = f"{error.sentence}\n\n{error.name}\n"
    body = text.encode()
    fields = [
        (b"Content-Type", media + (b"" if media == _JSON else b"; charset=utf-8")),
        (b"Cache-Control", b"no-store"),
        (b"ngrok-error-code", error.name.encode("ascii")),
        (b"Date", datetimeToString(when)),
        *error.fields,
    ]
    if error.status == 405:
        fields.append((b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"))
    return ResponseHead(error.status, reason, fields, len(body)), body


def _page(error: EdgeError, reason: str, number: int, when: float) -> str:
    return _PAGE.format(
        status=error.status,
        reason=escape(reason),
        sentence=escape(error.sentence),
        code=escape(error.name),
        when=escape(datetimeToString(when).decode("ascii")),
        number=number,
    )


def respond_with_error(request: Any, error: EdgeError) -> None:
    """
    Answer a request whose response has not started.

    :param request: an `ngrok_twisted.edge.request.EdgeRequest`.
    """
    head, body = error_response(error, request.getHeader(b"accept") or b"", request.flow.number, time())
    translated = spoken(request.getHeader(b"content-type") or b"", error)
    if translated is not None:
        request.add_filter(translated, outermost=True)
    request.respond(head, [body], last=True)


def raw_response(error: EdgeError) -> bytes:
    """
    The answer to bytes that did not make a request: plain text, and the connection closes after it.
    """
    head, body = error_response(error, b"", 0, time())
    lines = [b"HTTP/1.1 %d %s" % (head.status, head.reason)]
    lines += [name + b": " + value for name, value in head.headers]
    lines += [b"Content-Length: %d" % len(body), b"Connection: close", b"", body]
    return b"\r\n".join(lines)
