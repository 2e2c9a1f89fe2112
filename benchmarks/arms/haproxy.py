"""
HAProxy with one thread in front of sshd's ``-R``.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from benchmarks.arm import Address, which
from benchmarks.arms.sshd import SSHDArm
from benchmarks.certificate import HOST, OPENSSL, make_certificate
from benchmarks.workshop import LOOPBACK, free_port, listening

CONFIG = """\
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 75s
  http-reuse always
frontend edge
  bind {loopback}:{port} ssl crt {pem} ssl-min-ver TLSv1.2 alpn http/1.1
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  default_backend tunnel
backend tunnel
  server tunnel {loopback}:{upstream} maxconn 1024
"""
"""No log, upstream connections kept and shared: as quick as it goes without larger buffers than the default."""


class HAProxyArm(SSHDArm):
    """HAProxy, one thread, TLS with an ECDSA P-256 certificate; behind it ``sshd`` with default ciphers."""

    label: ClassVar[str] = "haproxy+sshd"
    role: ClassVar[str] = "HAProxy (1 thread) in front of sshd -R, default ciphers"
    carries = frozenset({"https"})
    needs = SSHDArm.needs | OPENSSL | {"haproxy": "apt-get install haproxy"}

    def start_https(self, origin: int) -> Address:
        """`Arm`."""
        upstream = free_port()
        self.start_forward(self.start_ssh(), upstream, origin)
        port = free_port()
        config = self._write_config(port, upstream)
        haproxy = self.workshop.start(
            f"{self.label}-haproxy",
            *(which("haproxy") or "haproxy", "-db", "-f", str(config)),
            ready=lambda: listening(port),
        )
        self.roots.append(haproxy.pid)
        return Address(host=HOST, port=port)

    def _write_config(self, port: int, upstream: int) -> Path:
        """HAProxy wants certificate and key in one file."""
        folder = self.workshop.folder(self.label)
        pem = folder / "both.pem"
        pem.write_text("".join(path.read_text(encoding="ascii") for path in make_certificate(folder)), encoding="ascii")
        path = folder / "haproxy.cfg"
        path.write_text(
            CONFIG.format(loopback=LOOPBACK, port=port, upstream=upstream, pem=pem),
            encoding="utf-8",
        )
        return path
