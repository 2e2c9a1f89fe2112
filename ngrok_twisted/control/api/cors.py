"""
Cross-origin use of the API from browsers (https://fetch.spec.whatwg.org/#http-cors-protocol).

Every origin may ask, as with ngrok's own API. That lends no power: what counts is the key in ``Authorization``, which a
page must know, since no browser adds one by itself.
"""

from __future__ import annotations

import re
from typing import Iterable

from ngrok_twisted.control.api.replies import OPERATION_ID, Fields, Reply

#: Seconds for which a browser may remember what a preflight said.
MAX_AGE = 600

# RFC 6454 section 7: null, or scheme, host and port. Nothing else is echoed.
_ORIGIN = re.compile(rb"null|[a-z][a-z0-9+.-]{0,20}://[A-Za-z0-9._:\[\]-]{1,270}")

# RFC 9110 section 5.6.2: names of header fields, separated by commas.
_NAMES = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z, \t-]{1,2000}")


def origin_fields(origin: bytes | None) -> Fields:
    """
    What any answer says to a page.

    :param origin: the value of ``Origin``, if there is one.
    """
    if origin is None or _ORIGIN.fullmatch(origin) is None:
        return ()
    return (
        (b"Access-Control-Allow-Origin", origin),
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Access-Control-Expose-Headers", OPERATION_ID),
        (b"Vary", b"Origin"),
    )


def preflight(verbs: Iterable[str], headers: bytes | None) -> Reply:
    """
    The answer to the question that a browser asks before the request itself.

    :param verbs: those of the path.
    :param headers: the value of ``Access-Control-Request-Headers``, if there is one.
    """
    fields: list[tuple[bytes, bytes]] = [
        (b"Access-Control-Allow-Methods", ", ".join(verbs).encode("ascii")),
        (b"Access-Control-Max-Age", b"%d" % MAX_AGE),
    ]
    if headers is not None and _NAMES.fullmatch(headers):
        fields.append((b"Access-Control-Allow-Headers", headers))
    return Reply(status=204, fields=tuple(fields))
