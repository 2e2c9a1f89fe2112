"""
The texts in an action's configuration: what in them would be worked out at run time, and headers.
"""

from __future__ import annotations

import re
from typing import Iterator, Mapping

from ngrok_twisted.records.base import Problem

#: ngrok's limit for the headers of one action.
HEADERS_MAX = 10

#: Bytes of a name and of a value; ngrok publishes none.
NAME_MAX, VALUE_MAX = 256, 4096

BAD_TEMPLATE = 2224
LONG_NAME, LONG_VALUE, BAD_NAME, BAD_VALUE, TOO_MANY = 2208, 2209, 2210, 2211, 2212

# RFC 9110 section 5.6.2: token. Section 5.5: a value holds no control characters but tabs, and no space around it.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?")

# RFC 9110 section 7.6.1, and the length: how a message is put on a connection is for the edge to say. The error code says
# that the edge itself has failed.
_OWN = frozenset(
    (
        "connection",
        "content-length",
        "keep-alive",
        "ngrok-error-code",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


def template_problems(path: str, text: str) -> Iterator[Problem]:
    """What of a text this version cannot work out: nothing is passed on that its author did not mean."""
    if "${" in text.replace("$${", ""):
        message = "holds a template: ${…} is worked out by CEL, which is not built into this version; write it out"
        yield Problem(path, f"{message}, or write $${{ for the characters themselves", code=BAD_TEMPLATE)


def literal(text: str) -> str:
    """The text that a checked template stands for."""
    return text.replace("$${", "${")


def header_problems(headers: Mapping[str, str]) -> Iterator[Problem]:
    """Everything that is wrong with the ``headers`` of an action."""
    if len(headers) > HEADERS_MAX:
        yield Problem("headers", f"holds more than {HEADERS_MAX}", code=TOO_MANY)
    for name, value in headers.items():
        path = f"headers.{name[:60]}"
        if len(name) > NAME_MAX:
            yield Problem(path, f"is longer than {NAME_MAX} characters", code=LONG_NAME)
        elif not _NAME.fullmatch(name):
            yield Problem("headers", f"{name[:60]!r} is not the name of a header", code=BAD_NAME)
        elif name.lower() in _OWN:
            yield Problem(path, "is set by the server; take it out", code=BAD_NAME)
        if len(value.encode("utf-8", "surrogatepass")) > VALUE_MAX:
            yield Problem(path, f"is longer than {VALUE_MAX} bytes", code=LONG_VALUE)
        elif not _VALUE.fullmatch(value):
            yield Problem(path, "must be one line of text without spaces around it", code=BAD_VALUE)
        yield from template_problems(path, value)


def header_fields(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Checked headers as they are sent: names in lower case."""
    return [
        (name.lower().encode("ascii"), literal(value).encode("utf-8", "replace")) for name, value in headers.items()
    ]
