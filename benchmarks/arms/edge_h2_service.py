"""
The product before a service that is spoken to in HTTP/2, so that many requests share one connection on both sides.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.arm import Address, which
from benchmarks.arms.edge import EdgeArm
from benchmarks.load.http_origin import LARGE, SMALL
from benchmarks.workshop import LOOPBACK, free_port, listening

CONFIG = """\
{user}worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  open_file_cache max=10;
  http2_max_concurrent_streams 1000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen {loopback}:{port} http2;
    root {folder};
    location / {{ default_type application/octet-stream; }}
  }}
}}
"""
"""The service of the suite knows HTTP/1.1 only; this one answers the same paths with as many bytes. Neither is billed."""


class EdgeH2ServiceArm(EdgeArm):
    """``twistd -n ngrok``, one process; behind the tunnel nginx with two files, in cleartext HTTP/2."""

    label = "edge-h2-service"
    role = "twistd ngrok, one process, HTTP/2 to the service, too"
    carries = frozenset({"h2"})
    needs = EdgeArm.needs | {"nginx": "apt-get install nginx-light"}
    https_command = "http --upstream-protocol http2"

    def start_https(self, origin: int) -> Address:
        """`Arm`."""
        port = free_port()
        config = self._write_service_config(port)
        self.workshop.start(
            f"{self.label}-service",
            *(which("nginx") or "nginx", "-c", str(config), "-p", str(config.parent), "-e", "stderr"),
            ready=lambda: listening(port),
        )
        return super().start_https(port)

    def _write_service_config(self, port: int) -> Path:
        folder = self.workshop.folder(f"{self.label}-service")
        (folder / "small").write_bytes(b"x" * SMALL)
        (folder / "large").write_bytes(b"x" * LARGE)
        path = folder / "nginx.conf"
        user = "user root;\n" if os.geteuid() == 0 else ""
        path.write_text(CONFIG.format(user=user, folder=folder, loopback=LOOPBACK, port=port), encoding="utf-8")
        return path
