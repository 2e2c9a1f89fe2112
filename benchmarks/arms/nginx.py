"""
nginx with one worker in front of sshd's ``-R``: what people build by hand when they want an edge of their own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from benchmarks.arm import Address, which
from benchmarks.arms.sshd import SSHDArm
from benchmarks.certificate import HOST, OPENSSL, make_certificate
from benchmarks.workshop import LOOPBACK, free_port, listening

CONFIG = """\
{user}worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  server_tokens off;
  keepalive_requests 1000000000;
  keepalive_timeout 75s;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream tunnel {{
    server {loopback}:{upstream};
    keepalive 128;
    keepalive_requests 1000000000;
  }}
  server {{
    listen {loopback}:{port} ssl http2 backlog=4096;
    server_name {host};
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{
      proxy_pass http://tunnel;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Host $host;
      proxy_buffers 16 16k;
      proxy_busy_buffers_size 64k;
    }}
  }}
}}
"""
"""
Kept as quick as a careful operator makes it: no access log, upstream connections kept alive, no end to keep-alive, and
buffers that hold the largest answer, so that none goes through a temporary file.
"""


class NginxArm(SSHDArm):
    """nginx, one worker, TLS with an ECDSA P-256 certificate; behind it ``sshd`` with default ciphers."""

    label: ClassVar[str] = "nginx+sshd"
    role: ClassVar[str] = "nginx (1 worker) in front of sshd -R, default ciphers"
    carries = frozenset({"https", "h2"})
    needs = SSHDArm.needs | OPENSSL | {"nginx": "apt-get install nginx-light"}

    def start_https(self, origin: int) -> Address:
        """`Arm`."""
        upstream = free_port()
        self.start_forward(self.start_ssh(), upstream, origin)
        port = free_port()
        config = self._write_config(port, upstream)
        nginx = self.workshop.start(
            f"{self.label}-nginx",
            *(which("nginx") or "nginx", "-c", str(config), "-p", str(config.parent), "-e", "stderr"),
            ready=lambda: listening(port),
        )
        self.roots.append(nginx.pid)
        return Address(host=HOST, port=port)

    def _write_config(self, port: int, upstream: int) -> Path:
        folder = self.workshop.folder(self.label)
        certificate, key = make_certificate(folder)
        path = folder / "nginx.conf"
        path.write_text(
            CONFIG.format(
                # Root's nginx would run its worker as nobody, who may not write into our folder.
                user="user root;\n" if os.geteuid() == 0 else "",
                folder=folder,
                loopback=LOOPBACK,
                upstream=upstream,
                port=port,
                host=HOST,
                certificate=certificate,
                key=key,
            ),
            encoding="utf-8",
        )
        return path
