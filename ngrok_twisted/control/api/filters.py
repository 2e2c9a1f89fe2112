"""
Filters of lists: a subset of CEL over one variable, ``obj``.
"""

from __future__ import annotations

from typing import Any, Callable

from ngrok_twisted.control.api.errors import APIError


def compile_filter(text: str, fields: tuple[str, ...], now: float) -> Callable[[dict[str, Any]], bool]:
    """
    :param text: the expression.
    :param fields: the paths that it may ask for.
    :param now: seconds since the epoch.
    :raises APIError: 250, it cannot be used.
    """
    raise APIError(250, "Filters are not built yet.")
