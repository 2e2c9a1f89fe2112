"""
How long an edge's event loop was away at its longest, as its metrics say.
"""

from __future__ import annotations

import http.client

from benchmarks.workshop import LOOPBACK

METRIC = "ngrok_loop_stall_seconds"
"""The longest turn since the metrics were last read; 0 if none was long."""
TIMEOUT = 5.0
"""Seconds."""


def longest_turn(port: int) -> float | None:
    """
    :param port: the loopback port of the listener for metrics.
    :return: seconds; ``None`` if the edge does not tell.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/metrics")
        return parse(connection.getresponse().read().decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def parse(text: str) -> float | None:
    """
    :param text: metrics in Prometheus's text format.
    :return: the value of `METRIC`, the highest if several processes have one.
    """
    values = [float(line.split()[-1]) for line in text.splitlines() if line.startswith(METRIC)]
    return max(values, default=None)
