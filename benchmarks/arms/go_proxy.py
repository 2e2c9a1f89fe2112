"""
The reverse proxy of Go's standard library, in front of a service that it reaches by itself.
"""

from __future__ import annotations

from benchmarks.arm import Address, Arm, which
from benchmarks.certificate import HOST, OPENSSL, make_certificate
from benchmarks.workshop import LOOPBACK, free_port, listening


class GoProxyArm(Arm):
    """``httputil.ReverseProxy`` under ``net/http``: what sish and frp put between visitors and tunnels."""

    label = "go-proxy"
    role = "Go's httputil.ReverseProxy, as sish and frp use it"
    carries = frozenset({"plain-http", "plain-https"})
    needs = OPENSSL | {"go_proxy": "scripts/install-bench-peers"}

    def start_direct(self, way: str, origin: int) -> Address:
        """`Arm`."""
        port = free_port()
        arguments = [f"{LOOPBACK}:{port}", f"{LOOPBACK}:{origin}"]
        if way == "plain-https":
            arguments += map(str, make_certificate(self.workshop.folder(self.label)))
        proxy = self.workshop.start(self.label, which("go_proxy") or "", *arguments, ready=lambda: listening(port))
        self.roots.append(proxy.pid)
        return Address(host=HOST, port=port)
