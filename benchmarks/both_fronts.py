"""
``twistd``, with an edge that serves its configured https names on the http listener, too.

ngrok has configured edges for https only (on the http listener their names are redirected), so that nothing in a configuration
file says "plain HTTP to a plain upstream". What that costs is worth knowing: this program puts the same resource, with all that
stands before it, behind both fronts. Everything else is the product.

Usage: that of ``twistd``.
"""

from __future__ import annotations

from typing import Any

from twisted.scripts.twistd import run

from ngrok_twisted.edge import compile
from ngrok_twisted.edge.https import HTTPEdge, HTTPSEdge
from ngrok_twisted.edge.router import Router


def with_both(secure: dict[str, Any], plain: dict[str, Any], *others: Any) -> Router:
    """As `Router`, with the https edges among the http ones."""
    edges = {host: edge for host, edge in secure.items() if isinstance(edge, HTTPSEdge)}
    also = {host: HTTPEdge(edge.name, edge.resource, edge.account_id) for host, edge in edges.items()}
    return Router(secure, also | plain, *others)


def main() -> None:
    """Run ``twistd``."""
    setattr(compile, "Router", with_both)
    run()


if __name__ == "__main__":
    main()
