"""
The product before a service that is spoken to in HTTP/2, so that many requests share one connection on both sides.
"""

from __future__ import annotations

from benchmarks import nginx
from benchmarks.arm import Address
from benchmarks.arms.edge import EdgeArm
from benchmarks.load.http_origin import LARGE, SMALL
from benchmarks.workshop import LOOPBACK, free_port

FILES = """\
  open_file_cache max=10;
  http2_max_concurrent_streams 1000;
  server {{
    listen {loopback}:{port} http2;
    root {folder};
    location / {{ default_type application/octet-stream; }}
  }}
"""
"""The service of the suite knows HTTP/1.1 only; this one answers the same paths with as many bytes. Neither is billed."""


class EdgeH2ServiceArm(EdgeArm):
    """``twistd -n ngrok``, one process; behind the tunnel nginx with two files, in cleartext HTTP/2."""

    label = "edge-h2-service"
    role = "twistd ngrok, one process, HTTP/2 to the service, too"
    carries = frozenset({"h2"})
    needs = EdgeArm.needs | nginx.NEEDS
    https_command = "http --upstream-protocol http2"

    def start_https(self, origin: int) -> Address:
        """`Arm`."""
        port, name = free_port(), f"{self.label}-service"
        folder = self.workshop.folder(name)
        (folder / "small").write_bytes(b"x" * SMALL)
        (folder / "large").write_bytes(b"x" * LARGE)
        nginx.serve(self.workshop, name, port, FILES.format(loopback=LOOPBACK, port=port, folder=folder))
        return super().start_https(port)
