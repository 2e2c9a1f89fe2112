"""
What the edge answers by itself to a provider that makes sure whose URL it is.
"""

from __future__ import annotations

import json
from typing import Any

from ngrok_twisted.wrapper import Answer


def text(body: bytes) -> Answer:
    """A page of plain text, which no browser takes for anything else, since part of it is what the sender chose."""
    headers = [(b"Content-Type", b"text/plain; charset=utf-8"), (b"X-Content-Type-Options", b"nosniff")]
    return Answer(200, headers, body)


def json_text(value: Any) -> Answer:
    """JSON."""
    return Answer(200, [(b"Content-Type", b"application/json")], json.dumps(value).encode("ascii"))


def empty(status: int) -> Answer:
    """Nothing but a status."""
    return Answer(status, [])
