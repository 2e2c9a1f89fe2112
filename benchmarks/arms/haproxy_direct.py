"""
HAProxy with one thread, in front of a service that it reaches by itself.
"""

from __future__ import annotations

from typing import ClassVar, Mapping

from benchmarks.arm import Address, Arm, which
from benchmarks.certificate import HOST, OPENSSL, make_certificate
from benchmarks.load.http_origin import SMALL
from benchmarks.workshop import LOOPBACK, free_port, listening

CONFIG = """\
global
  nbthread 1
  maxconn 4096
defaults
  timeout connect 5s
  timeout client 75s
  timeout server 75s
"""
"""No log."""

REQUESTS = """\
  mode http
  http-reuse always
frontend edge
  bind {loopback}:{port}{tls}
  option forwardfor
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  default_backend service
backend service
  server service {loopback}:{origin} maxconn 4096
"""
"""Upstream connections are kept and shared: as quick as it goes."""

ANSWERS = """\
  mode http
frontend edge
  bind {loopback}:{port}{tls}
  http-request return status 200 content-type text/plain string {body}
"""

BYTES = """\
  mode tcp
  option splice-auto
frontend edge
  bind {loopback}:{port}
{rules}  default_backend service
backend service
  server service {loopback}:{origin}
"""
"""Its manual recommends ``splice-auto`` for bytes: it may then leave them in the kernel."""

HELLO = """\
  tcp-request inspect-delay 5s
  tcp-request content reject if !{{ req.ssl_sni -i {host} }}
  tcp-request content accept if {{ req.ssl_hello_type 1 }}
"""
"""By the name in the ClientHello, as the edge finds it."""

SECTIONS: Mapping[str, str] = {
    "plain-http": REQUESTS,
    "plain-https": REQUESTS,
    "handshake": ANSWERS,
    "relay-tcp": BYTES,
    "relay-tls": BYTES,
}


class HAProxyDirectArm(Arm):
    """HAProxy, one thread, without a log; TLS with an ECDSA P-256 certificate."""

    label: ClassVar[str] = "haproxy"
    role: ClassVar[str] = "HAProxy (1 thread)"
    carries = frozenset(SECTIONS)
    needs = OPENSSL | {"haproxy": "apt-get install haproxy"}

    def start_direct(self, way: str, origin: int) -> Address:
        """`Arm`."""
        folder = self.workshop.folder(self.label)
        pem = folder / "both.pem"
        pem.write_text("".join(path.read_text(encoding="ascii") for path in make_certificate(folder)), encoding="ascii")
        port = free_port()
        text = SECTIONS[way].format(
            loopback=LOOPBACK,
            port=port,
            origin=origin,
            tls="" if way == "plain-http" else f" ssl crt {pem} ssl-min-ver TLSv1.2 alpn http/1.1",
            body="x" * SMALL,
            rules=HELLO.format(host=HOST) if way == "relay-tls" else "",
        )
        config = folder / "haproxy.cfg"
        config.write_text(CONFIG + text, encoding="utf-8")
        command = (which("haproxy") or "haproxy", "-db", "-f", str(config))
        haproxy = self.workshop.start(f"{self.label}-haproxy", *command, ready=lambda: listening(port))
        self.roots.append(haproxy.pid)
        return Address(host=HOST, port=port)
