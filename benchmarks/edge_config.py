"""
What stands in the configuration of an edge that is measured: the part that every one has, and the ways without a tunnel, one
entry each.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping

from benchmarks.agents import AUTHTOKEN
from benchmarks.certificate import HOST
from benchmarks.load.http_origin import SMALL
from benchmarks.workshop import LOOPBACK, free_ports

Config = dict[str, Any]

DOMAIN = "ngrok.localhost"
TCP_PORTS = 10
"""Public TCP ports that the edge may hand out; a run uses one."""
HTTPS_NAME = f"{HOST}:443"
_NAME: Config = {"reserved_domains": [{"domain": HOST}]}


def server(ports: Mapping[str, int], state: str, keys: list[str]) -> Config:
    """
    :param ports: the loopback port of each listener, by its name.
    :param state: the directory of what it keeps.
    :param keys: the public keys of the users that it lets in.
    """
    first = free_ports(TCP_PORTS)
    return {
        "domain": DOMAIN,
        "listen": {name: f"tcp:{port}:interface={LOOPBACK}" for name, port in ports.items()},
        "tcp": {"interface": LOOPBACK, "ports": f"{first}-{first + TCP_PORTS - 1}"},
        "state": state,
        "store": "memory",
        "tls": {"issuer": "local"},
        "ssh_credentials": [{"public_key": line} for line in keys],
        "credentials": [{"name": "agents", "token": AUTHTOKEN}],
    }


def _static(origin: int) -> Config:
    return {"static": [{"name": "service", "address": f"{LOOPBACK}:{origin}"}]}


def _plain(config: Config, origin: int) -> Config:
    route = {"match": "/", "backend": {"backend_id": "service"}}
    edge = {"hostports": [HTTPS_NAME], "routes": [route]}
    return _NAME | {"backends": _static(origin), "edges": {"https": [edge]}}


def _route(config: Config, origin: int) -> Config:
    """What a careful operator puts on a route; the peers' files say the same in their own words."""
    plain = _plain(config, origin)
    plain["edges"]["https"][0]["routes"][0] |= {
        "ip_restriction": {"ip_policy_ids": ["office"]},
        "request_headers": {"add": {"x-visitor": "${conn.client_ip}", "x-request": "${req.method} ${req.url.path}"}},
        "response_headers": {
            "remove": ["server"],
            "add": {"x-frame-options": "DENY", "x-served": "${req.method} ${res.status_code}"},
        },
        "compression": {},
        "circuit_breaker": {"error_threshold_percentage": 0.5},
    }
    rules = [{"cidr": "127.0.0.0/8", "action": "allow"}, {"cidr": "192.0.2.0/24", "action": "deny"}]
    return plain | {"ip_policies": [{"name": "office", "rules": rules}]}


def _handshakes(config: Config, origin: int) -> Config:
    plain = _plain(config, origin)
    answer = {"name": "service", "status_code": 200, "body": "x" * SMALL}
    return plain | {"backends": {"http_response": [answer]}}


def _relay_tls(config: Config, origin: int) -> Config:
    edge = {"hostports": [HTTPS_NAME], "backend": {"backend_id": "service"}}
    return _NAME | {"backends": _static(origin), "edges": {"tls": [edge]}}


def _relay_tcp(config: Config, origin: int) -> Config:
    port = config["tcp"]["ports"].partition("-")[0]
    host = f"tcp.{DOMAIN}"
    return {
        "tcp": config["tcp"] | {"host": host},
        "reserved_addrs": [{"name": "public", "addr": f"{host}:{port}"}],
        "backends": _static(origin),
        "edges": {"tcp": [{"hostports": [f"{host}:{port}"], "backend": {"backend_id": "service"}}]},
    }


DIRECT: Mapping[str, Callable[[Config, int], Config]] = {
    "plain-http": _plain,
    "plain-https": _plain,
    "route": _route,
    "handshake": _handshakes,
    "relay-tls": _relay_tls,
    "relay-tcp": _relay_tcp,
}
"""
What a public side without a tunnel adds to the configuration, by its name (see `benchmarks.arm.Arm.carries`), given what
stands there already and the service's loopback port.
"""
