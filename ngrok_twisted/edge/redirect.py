"""
`ToHTTPS`: sends a visitor of an http name to the same place on https.
"""

from __future__ import annotations

from typing import Any

from twisted.web.resource import IResource
from zope.interface import implementer

from ngrok_twisted.wrapper import Answer

# 307 keeps the method and the body (RFC 9110 section 15.4.8), so that a redirected POST stays a POST.
_STATUS = 307

_HTTPS_PORT = 443


@implementer(IResource)
class ToHTTPS:
    """
    Answers 307 with the https form of whatever was asked for.
    """

    isLeaf = True

    def __init__(self, public_port: int) -> None:
        """
        :param public_port: the https port that visitors can reach.
        """
        self._suffix = "" if public_port == _HTTPS_PORT else f":{public_port}"

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        """Never called: the resource is a leaf."""
        raise RuntimeError("ToHTTPS is a leaf")

    def putChild(self, path: bytes, child: Any) -> None:
        """Never called: the resource is a leaf."""
        raise RuntimeError("ToHTTPS is a leaf")

    def render(self, request: Any) -> Any:
        """IResource."""
        flow = request.flow
        path = flow.target if flow.target.startswith(b"/") else b"/"
        location = f"https://{flow.host}{self._suffix}".encode("ascii") + path
        headers = [(b"location", location), (b"cache-control", b"no-store")]
        return Answer(_STATUS, headers).render(request)
