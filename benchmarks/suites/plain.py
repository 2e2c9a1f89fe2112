"""
Requests to a service that the edge reaches by itself, without a tunnel: the cost of HTTP alone, over TLS and in the clear.
"""

from __future__ import annotations

from typing import ClassVar

from benchmarks.arm import Address, Arm
from benchmarks.suites.https import VISITORS, HTTPSSuite, Visits


class PlainHTTPSSuite(HTTPSSuite):
    """Over TLS."""

    name = "plain"
    title: ClassVar[str] = f"Requests over HTTPS to a plain upstream, {VISITORS} keep-alive visitors"
    carries: ClassVar[str] = "plain-https"
    visits = {"https, small answers (121 B)": Visits(path="/small")}
    cells = tuple(visits)

    def start(self, arm: Arm) -> Address:
        """`Suite`."""
        return arm.start_direct(self.carries, self._origin)


class PlainHTTPSuite(PlainHTTPSSuite):
    """In the clear."""

    title = f"Requests over HTTP to a plain upstream, {VISITORS} keep-alive visitors"
    carries = "plain-http"
    scheme = "http"
    visits = {"http, small answers (121 B)": Visits(path="/small")}
    cells = tuple(visits)


class RouteSuite(PlainHTTPSSuite):
    """With the work of a realistic route; the compressed answer is one that every arm can make, gzip."""

    name = "route"
    title = (
        f"Requests over HTTPS with IP restriction, header templates, compression, circuit breaker; {VISITORS} visitors"
    )
    carries = "route"
    visits = {
        "small answers (121 B), not compressible": Visits(path="/small"),
        "JSON of 4 KB, compressed with gzip": Visits(path="/json", codings="gzip"),
    }
    cells = tuple(visits)
