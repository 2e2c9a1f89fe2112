"""
``/openapi.json``: the API, described by itself.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.openapi import document
from ngrok_twisted.control.api.routes import named_methods
from ngrok_twisted.interfaces import IAPIResource

#: Stands in the text for where the API is, which depends on who asks.
_HERE = b'"https://here.invalid"'


@implementer(IAPIResource)
class OpenAPI:
    """The document, for everyone."""

    name = "openapi"

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        yield Method(
            verb="GET",
            path="/openapi.json",
            action="get",
            perform=self._get,
            summary="Describe the API, as OpenAPI 3.1.",
            public=True,
        )

    async def _get(self, call: Call) -> Answer:
        in_thread = call.parts.more.get("in_thread")
        text: bytes = _text() if in_thread is None else await in_thread(_text)
        return Answer(200, text.replace(_HERE, json.dumps(call.base_url).encode("ascii")))


@lru_cache(maxsize=1)
def _text() -> bytes:
    """
    The document as JSON. It is half a megabyte and anybody may ask for it, so that it is made once; that takes a while, which
    is spent in a thread.
    """
    return json.dumps(document(named_methods(), json.loads(_HERE)), separators=(",", ":")).encode("ascii")


openapi = OpenAPI()
