"""
nginx with one worker, as quick as a careful operator makes it: for the arms that it is part of.
"""

from __future__ import annotations

import os

from benchmarks.arm import Address, which
from benchmarks.certificate import HOST, OPENSSL, make_certificate
from benchmarks.workshop import LOOPBACK, Process, Workshop, free_port, listening

NEEDS = OPENSSL | {"nginx": "apt-get install nginx-light"}

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
{http}
}}
"""

PROXY = """\
  upstream service {{
    zone service 64k;
    server {loopback}:{upstream} max_fails=20 fail_timeout=10s;
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
"""Upstream connections are kept, and buffers hold the largest answer, so that none goes through a temporary file."""


def start(
    workshop: Workshop, name: str, upstream: int, location: str = PASS, tls: bool = True
) -> tuple[Process, Address]:
    """
    Start one that has a service behind it.

    :param name: of its folder.
    :param upstream: the loopback port of that service.
    :param location: what it does with all requests.
    :param tls: whether visitors speak TLS, with an ECDSA P-256 certificate.
    :return: its main process, and its public side.
    :raises Unusable: it does not come up.
    """
    folder, port = workshop.folder(name), free_port()
    certificate, key = make_certificate(folder)
    http = PROXY.format(
        loopback=LOOPBACK,
        upstream=upstream,
        port=port,
        tls=" ssl http2" if tls else "",
        host=HOST,
        certificate=certificate,
        key=key,
        location=location,
    )
    return serve(workshop, name, port, http), Address(host=HOST, port=port)


def serve(workshop: Workshop, name: str, port: int, http: str) -> Process:
    """
    Start one that listens.

    :param name: of its folder.
    :param port: where it does.
    :param http: what stands in the block of this name.
    :raises Unusable: it does not come up.
    """
    folder = workshop.folder(name)
    path = folder / "nginx.conf"
    # Root's nginx would run its worker as nobody, who may not write into our folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    path.write_text(CONFIG.format(user=user, folder=folder, http=http), encoding="utf-8")
    command = (which("nginx") or "nginx", "-c", str(path), "-p", str(folder), "-e", "stderr")
    return workshop.start(f"{name}-nginx", *command, ready=lambda: listening(port))
