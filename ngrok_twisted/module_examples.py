"""
One example for each module and each place where it may stand, for its page in ``docs/modules/``. Tests load all of them.

In a config names of other records serve as their ids; in a shell the same names in upper case are variables with the ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """
    :ivar settings: what the config says, as data.
    :ivar posted: what the API is told, where that differs: secrets stand there themselves.
    :ivar beside: other modules that have to stand beside it.
    """

    settings: Mapping[str, Any]
    posted: Mapping[str, Any] | None = None
    beside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


#: Records that examples refer to: by name the list of the config that holds it, and an item for it.
REFERRED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "web": ("backends.tunnel_group", {"name": "web", "labels": {"app": "web"}}),
    "office": ("ip_policies", {"name": "office", "rules": [{"cidr": "192.0.2.0/24", "action": "allow"}]}),
    "staff": ("certificate_authorities", {"name": "staff", "ca_pem": "file:staff-ca.pem"}),
}

#: What the examples say of each place, but for its modules: the server's own settings, and the edge.
SERVER: Mapping[str, Mapping[str, Any]] = {
    "https": {"domain": "example.com"},
    "tls": {"domain": "example.com"},
    "tcp": {
        "domain": "example.com",
        "tcp": {"host": "tcp.example.com", "ports": "20000-29999"},
        "reserved_addrs": [{"name": "db", "addr": "tcp.example.com:20010"}],
    },
}
HOSTPORTS: Mapping[str, str] = {
    "https": "shop.example.com:443",
    "tls": "db.example.com:443",
    "tcp": "tcp.example.com:20010",
}

_EDGE_ENDS_TLS = {"tls_termination": {"terminate_at": "edge"}}

_ADMIT_OFFICE = "on_tcp_connect:\n- actions:\n  - {type: restrict-ips, config: {allow: [192.0.2.0/24]}}\n"
_MOVED = """\
on_http_request:
- actions:
  - {type: redirect, config: {from: "/old/(.*)", to: "/new/$1"}}
"""

#: By module and place, the usual place first.
EXAMPLES: Mapping[str, Mapping[str, Example]] = {
    "basic_auth": {
        "route": Example(
            settings={"credentials": [{"username": "ann", "password": "file:ann.password"}]},
            posted={"credentials": [{"username": "ann", "password": "correct horse battery"}]},
        )
    },
    "circuit_breaker": {"route": Example(settings={"error_threshold_percentage": 0.5, "volume_threshold": 20})},
    "compression": {"route": Example(settings={})},
    "ip_restriction": {
        "route": Example(settings={"ip_policy_ids": ["office"]}),
        "tls": Example(settings={"ip_policy_ids": ["office"]}),
        "tcp": Example(settings={"ip_policy_ids": ["office"]}),
    },
    "mutual_tls": {
        "https": Example(settings={"certificate_authority_ids": ["staff"]}),
        "tls": Example(settings={"certificate_authority_ids": ["staff"]}, beside=_EDGE_ENDS_TLS),
    },
    "request_headers": {
        "route": Example(
            settings={
                "remove": ["cookie", "x-debug"],
                "add": {"x-client": "${conn.client_ip}", "host": "internal.shop.example.com"},
            }
        )
    },
    "response_headers": {
        "route": Example(
            settings={
                "remove": ["server", "x-powered-by"],
                "add": {"x-frame-options": "DENY", "x-served": "${req.method} ${res.status_code}"},
            }
        )
    },
    "tls_termination": {
        "https": Example(settings={"min_version": "1.3"}),
        "tls": Example(settings={"terminate_at": "edge", "min_version": "1.3"}),
    },
    "traffic_policy": {
        "route": Example(settings={"value": _MOVED}),
        "tls": Example(settings={"value": _ADMIT_OFFICE}),
        "tcp": Example(settings={"value": _ADMIT_OFFICE}),
    },
    "user_agent_filter": {
        "route": Example(settings={"allow": ["(?i)googlebot"], "deny": ["(?i)bot|crawler|spider", "^curl/"]})
    },
    "webhook_verification": {
        "route": Example(
            settings={"provider": "github", "secret": "env:GITHUB_SECRET"},
            posted={"provider": "github", "secret": "it is a secret"},
        )
    },
    "websocket_tcp_converter": {"route": Example(settings={})},
}

#: What a user types behind ``ssh … connect.example.com``, by module.
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "basic_auth": ("http --basic-auth ann:correct-horse",),
    "circuit_breaker": ("http --circuit-breaker 0.5",),
    "compression": ("http --compression",),
    "ip_restriction": ("http --cidr-allow 192.0.2.0/24 --cidr-deny 192.0.2.7",),
    "mutual_tls": ("http --mutual-tls-cas $STAFF", "tls --terminate-at edge --mutual-tls-cas $STAFF"),
    "request_headers": ("http --request-header-remove cookie --request-header-add 'x-client: ${conn.client_ip}'",),
    "response_headers": ("http --response-header-remove server --response-header-add 'x-frame-options: DENY'",),
    "tls_termination": ("tls --terminate-at edge",),
    "traffic_policy": (
        "http --traffic-policy-url https://example.org/policy.yaml",
        "http --traffic-policy-file - < policy.yaml",
    ),
    "user_agent_filter": ("http --ua-filter-deny '\"(?i)bot\"'",),
    "webhook_verification": ("http --verify-webhook github --verify-webhook-secret the-secret",),
    "websocket_tcp_converter": ("http --websocket-tcp-converter",),
}

#: What modules note in a flow, for logs, events and the templates of headers.
NOTES: Mapping[str, Mapping[str, str]] = {
    "basic_auth": {
        "basic_auth.decision": "`allow` or `block`",
        "basic_auth.username": "the name that was presented, whether or not it is known",
    },
    "circuit_breaker": {"circuit_breaker.decision": "`allow`, `block`, or `allow_while_open` for the one that tries"},
    "compression": {
        "compression.algorithm": "`zstd`, `br`, `gzip`, `deflate`, or `none`; nothing where the response is left alone",
        "compression.bytes_saved": "at the end, how many bytes fewer were sent",
    },
    "ip_restriction": {"ip_policy.decision": "`allow` or `block`, for requests"},
    "user_agent_filter": {"user_agent_filter.decision": "`allow` or `block`"},
    "webhook_verification": {
        "webhook_verification.decision": "`allow` or `block`",
        "webhook_verification.reason": "why one was refused, in a word",
    },
}
