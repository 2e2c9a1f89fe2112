"""
The least that a program in Python can do, see `benchmarks.tls_floor`: no competitor, but what to measure the edge by.
"""

from __future__ import annotations

from benchmarks.arm import Address, Arm
from benchmarks.certificate import HOST, OPENSSL, make_certificate
from benchmarks.workshop import free_port, listening, python_module


class FloorArm(Arm):
    """A loop around `ssl`: one thread, the same Python, the edge's own TLS context."""

    label = "floor"
    role = "a loop in Python that answers with fixed bytes: the edge without all that it does"
    carries = frozenset({"handshake"})
    needs = OPENSSL

    def start_direct(self, way: str, origin: int) -> Address:
        """`Arm`."""
        port = free_port()
        files = map(str, make_certificate(self.workshop.folder(self.label)))
        command = python_module("benchmarks.tls_floor", "serve", str(port), *files)
        self.roots.append(self.workshop.start(self.label, *command, ready=lambda: listening(port)).pid)
        return Address(host=HOST, port=port)
