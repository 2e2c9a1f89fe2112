"""
Twisted's own reverse proxy, in front of a service that it reaches by itself.
"""

from __future__ import annotations

from benchmarks.arm import Address, Arm
from benchmarks.certificate import HOST, OPENSSL, make_certificate
from benchmarks.workshop import free_port, listening, python_module


class TwistedWebArm(Arm):
    """``ReverseProxyResource`` in a ``Site``; TLS with an ECDSA P-256 certificate by ``pyOpenSSL``."""

    label = "twisted.web"
    role = "twisted.web's ReverseProxyResource"
    carries = frozenset({"plain-http", "plain-https"})
    needs = OPENSSL

    def start_direct(self, way: str, origin: int) -> Address:
        """`Arm`."""
        port = free_port()
        arguments = [str(port), str(origin)]
        if way == "plain-https":
            arguments += map(str, make_certificate(self.workshop.folder(self.label)))
        command = python_module("benchmarks.peers.twisted_proxy", *arguments)
        proxy = self.workshop.start(self.label, *command, ready=lambda: listening(port))
        self.roots.append(proxy.pid)
        return Address(host=HOST, port=port)
