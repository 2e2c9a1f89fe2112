"""
nginx with one worker, in front of a service that it reaches by itself.
"""

from __future__ import annotations

import os
from typing import ClassVar, Mapping

from benchmarks.arm import Address, Arm, which
from benchmarks.certificate import HOST, OPENSSL, make_certificate
from benchmarks.load.http_origin import SMALL
from benchmarks.workshop import LOOPBACK, free_port, listening

NGINX = {"nginx": "apt-get install nginx-light"}

CONFIG = """\
{user}worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
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
  upstream service {{
    zone service 64k;
    server {loopback}:{origin} max_fails=20 fail_timeout=10s;
    keepalive 128;
    keepalive_requests 1000000000;
  }}
  server {{
    listen {loopback}:{port}{tls} backlog=4096;
    server_name {host};
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{
{location}
    }}
  }}
}}
"""

PASS = """\
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
      proxy_buffers 16 16k;
      proxy_busy_buffers_size 64k;
"""
"""Kept alive to the service, no access log, buffers that hold the largest answer."""

ROUTE = PASS + """\
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

LOCATIONS: Mapping[str, str] = {"plain-http": PASS, "plain-https": PASS, "route": ROUTE, "handshake": ANSWER}


class NginxDirectArm(Arm):
    """nginx, one worker, without an access log; TLS with an ECDSA P-256 certificate."""

    label: ClassVar[str] = "nginx"
    role: ClassVar[str] = "nginx (1 worker)"
    carries = frozenset(LOCATIONS)
    needs = NGINX | OPENSSL

    def start_direct(self, way: str, origin: int) -> Address:
        """`Arm`."""
        folder = self.workshop.folder(self.label)
        certificate, key = make_certificate(folder)
        port = free_port()
        config = folder / "nginx.conf"
        text = CONFIG.format(
            # Root's nginx would run its worker as nobody, who may not write into our folder.
            user="user root;\n" if os.geteuid() == 0 else "",
            folder=folder,
            loopback=LOOPBACK,
            origin=origin,
            port=port,
            tls="" if way == "plain-http" else " ssl http2",
            host=HOST,
            certificate=certificate,
            key=key,
            location=LOCATIONS[way],
        )
        config.write_text(text, encoding="utf-8")
        command = (which("nginx") or "nginx", "-c", str(config), "-p", str(folder), "-e", "stderr")
        nginx = self.workshop.start(f"{self.label}-nginx", *command, ready=lambda: listening(port))
        self.roots.append(nginx.pid)
        return Address(host=HOST, port=port)
