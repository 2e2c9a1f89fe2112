"""
What Twisted brings along for a reverse proxy: ``twisted.web.proxy.ReverseProxyResource``, with TLS by its own endpoint.

Usage: ``python -m benchmarks.peers.twisted_proxy PORT ORIGIN [CERTIFICATE KEY]``, ports on loopback.
"""

from __future__ import annotations

import sys

from twisted.internet.endpoints import serverFromString
from twisted.web.proxy import ReverseProxyResource
from twisted.web.server import Site

from benchmarks.workshop import LOOPBACK


def main() -> None:
    """Serve until killed."""
    from twisted.internet import reactor

    port, origin, *tls = sys.argv[1:]
    kind = f"ssl:{port}:certKey={tls[0]}:privateKey={tls[1]}" if tls else f"tcp:{port}"
    endpoint = serverFromString(reactor, f"{kind}:interface={LOOPBACK}")
    endpoint.listen(Site(ReverseProxyResource(LOOPBACK, int(origin), b"")))
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
