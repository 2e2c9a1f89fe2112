"""
nginx with one worker, in front of a service that it reaches by itself.
"""

from __future__ import annotations

from typing import ClassVar, Mapping

from benchmarks import nginx
from benchmarks.arm import Address, Arm
from benchmarks.load.http_origin import SMALL

ROUTE = nginx.PASS + """\
      allow 127.0.0.0/8;
      deny 192.0.2.0/24;
      deny all;
      proxy_set_header X-Visitor $remote_addr;
      proxy_set_header X-Request "$request_method $uri";
      proxy_hide_header Server;
      add_header X-Frame-Options DENY always;
      add_header X-Served "$request_method $status" always;
      gzip on;
      gzip_proxied any;
      gzip_types application/json text/plain text/css application/javascript;
      proxy_next_upstream error timeout http_500 http_502 http_503 http_504;
"""
"""The same job as that of ``benchmarks.edge_config``; what is nearest to a circuit breaker is ``max_fails``."""

ANSWER = f'      return 200 "{"x" * SMALL}";'

LOCATIONS: Mapping[str, str] = {
    "plain-http": nginx.PASS,
    "plain-https": nginx.PASS,
    "route": ROUTE,
    "handshake": ANSWER,
}


class NginxDirectArm(Arm):
    """nginx, one worker, without an access log; TLS with an ECDSA P-256 certificate."""

    label: ClassVar[str] = "nginx"
    role: ClassVar[str] = "nginx (1 worker)"
    carries = frozenset(LOCATIONS)
    needs = nginx.NEEDS

    def start_direct(self, way: str, origin: int) -> Address:
        """`Arm`."""
        process, address = nginx.start(self.workshop, self.label, origin, LOCATIONS[way], tls=way != "plain-http")
        self.roots.append(process.pid)
        return address
