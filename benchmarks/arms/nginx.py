"""
nginx with one worker in front of sshd's ``-R``: what people build by hand when they want an edge of their own.
"""

from __future__ import annotations

from typing import ClassVar

from benchmarks import nginx
from benchmarks.arm import Address
from benchmarks.arms.sshd import SSHDArm
from benchmarks.workshop import free_port


class NginxArm(SSHDArm):
    """nginx, one worker, TLS with an ECDSA P-256 certificate; behind it ``sshd`` with default ciphers."""

    label: ClassVar[str] = "nginx+sshd"
    role: ClassVar[str] = "nginx (1 worker) in front of sshd -R, default ciphers"
    carries = frozenset({"https", "h2"})
    needs = SSHDArm.needs | nginx.NEEDS

    def start_https(self, origin: int) -> Address:
        """`Arm`."""
        upstream = free_port()
        self.start_forward(self.start_ssh(), upstream, origin)
        process, address = nginx.start(self.workshop, self.label, upstream)
        self.roots.append(process.pid)
        return address
