"""
The product, whose visitors speak HTTP/1.1: what HTTP/2 is compared with.
"""

from __future__ import annotations

from benchmarks.arms.edge import EdgeArm


class EdgeHTTP1Arm(EdgeArm):
    """``twistd -n ngrok``, one process, visited over HTTP/1.1 where others are over HTTP/2."""

    label = "edge-http1"
    role = "twistd ngrok, one process, visitors speak HTTP/1.1"
    carries = frozenset({"h2"})
    http2 = False
