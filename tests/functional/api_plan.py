"""
A walk through every resource of the API: what to make, how to change it, and what to put into the modules of edges.

``$name`` stands for the id of what the step for the resource ``name`` made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Mapping

from tests.functional.pems import certificate_authority, certificate_request, key_pair
from tests.functional.ssh_key import public_key

POLICY = '{"on_http_request": [{"actions": [{"type": "custom-response", "config": {"status_code": 200}}]}]}'

DENY = '{"on_tcp_connect": [{"actions": [{"type": "deny"}]}]}'


@dataclass(frozen=True)
class Step:
    """
    One thing to make.

    :ivar resource: ngrok's name of the resource.
    :ivar create: the arguments of its creation.
    :ivar update: those of a change.
    :ivar parent: the names in the path beside ``id``, and what they stand for.
    """

    resource: str
    create: Mapping[str, Any]
    update: Mapping[str, Any] = field(default_factory=dict)
    parent: Mapping[str, str] = field(default_factory=dict)


def steps(tag: str, domain: str) -> list[Step]:
    """
    :param tag: makes names that another walk does not use.
    :param domain: the base domain of the server.
    """
    texts = {"description": f"made by {tag}", "metadata": '{"by": "' + tag + '", "snowman": "☃"}'}
    change = {"description": f"changed by {tag}"}
    certificate, key = key_pair(f"{tag}.example.org")
    name = f"{tag}.{domain}"
    return [
        Step("service_users", {"name": f"ci-{tag}", "active": True}, {"name": f"cd-{tag}"}),
        Step("bot_users", {"name": f"bot-{tag}", "active": True}, {"name": f"bott-{tag}"}),
        Step("api_keys", texts, change),
        Step("credentials", {**texts, "acl": [f"bind:*.{tag}.{domain}"]}, {**change, "acl": ["bind:app=web"]}),
        Step("ssh_credentials", {**texts, "public_key": public_key(), "acl": ["bind:*"]}, change),
        Step("tls_certificates", {**texts, "certificate_pem": certificate, "private_key_pem": key}, change),
        Step("certificate_authorities", {**texts, "ca_pem": certificate_authority()}, change),
        Step("reserved_domains", {**texts, "domain": f"{tag}.example.org"}, change),
        Step("reserved_addrs", texts, change),
        Step("agent_ingresses", {**texts, "domain": f"connect.{tag}.example.net"}, change),
        Step("ip_policies", texts, change),
        Step(
            "ip_policy_rules",
            {**texts, "cidr": "192.0.2.0/24", "ip_policy_id": "$ip_policies", "action": "allow"},
            {"cidr": "198.51.100.0/24"},
        ),
        Step(
            "ip_restrictions",
            {**texts, "type": "dashboard", "ip_policy_ids": ["$ip_policies"], "enforced": False},
            change,
        ),
        Step("vaults", {**texts, "name": f"vault/{tag}"}, change),
        Step("secrets", {**texts, "name": f"secret.{tag}", "value": "hush", "vault_id": "$vaults"}, change),
        Step("event_destinations", {**texts, "format": "json", "target": _TARGET}, change),
        Step(
            "event_subscriptions",
            {**texts, "sources": [{"type": "ip_policy_created.v0"}], "destination_ids": ["$event_destinations"]},
            change,
        ),
        Step(
            "event_sources",
            {"type": "ip_policy_deleted.v0"},
            {"type": "ip_policy_deleted.v0"},
            parent={"subscription_id": "$event_subscriptions"},
        ),
        Step("ssh_certificate_authorities", {**texts, "private_key_type": "ed25519"}, change),
        Step("ssh_host_certificates", {**texts, **_ssh(), "principals": [f"ssh.{name}"]}, change),
        Step("ssh_user_certificates", {**texts, **_ssh(), "principals": ["me"], **_SSH_OPTIONS}, change),
        Step("kubernetes_operators", {**texts, **_operator(tag)}, change),
        Step("abuse_reports", {"urls": ["https://bad.example.org/"], "metadata": texts["metadata"]}),
        Step(
            "http_response_backends", {**texts, "status_code": 503, "body": "sorry\n", "headers": {"x-a": "b"}}, change
        ),
        Step("tunnel_group_backends", {**texts, "labels": {"app": tag}}, change),
        Step("static_backends", {**texts, "address": "127.0.0.1:9", "tls": {"enabled": False}}, change),
        Step("weighted_backends", {**texts, "backends": {"$tunnel_group_backends": 2}}, change),
        Step("failover_backends", {**texts, "backends": ["$tunnel_group_backends", "$http_response_backends"]}, change),
        Step("https_edges", {**texts, "hostports": [f"{tag}.example.org:443"]}, change),
        Step(
            "https_edge_routes",
            {**texts, "match_type": "path_prefix", "match": "/", "backend": {"backend_id": "$failover_backends"}},
            change,
            parent={"edge_id": "$https_edges"},
        ),
        Step("tls_edges", {**texts, "hostports": [f"tls.{tag}.example.org:443"]}, change),
        Step("tcp_edges", texts, change),
        Step("endpoints", {**texts, "type": "cloud", "url": f"https://cloud-{name}", "traffic_policy": POLICY}, change),
    ]


#: What to put into each module: of an https edge, of its route, of a tls edge and of a tcp edge.
MODULES: Mapping[str, Any] = {
    "https_edge_mutual_tls": {"certificate_authority_ids": ["$certificate_authorities"]},
    "https_edge_tls_termination": {"min_version": "1.3"},
    "https_edge_route_backend": {"backend_id": "$http_response_backends"},
    "https_edge_route_ip_restriction": {"ip_policy_ids": ["$ip_policies"]},
    "https_edge_route_request_headers": {"add": {"x-a": "b"}, "remove": ["x-c"]},
    "https_edge_route_response_headers": {"add": {"x-a": "b"}, "remove": ["x-c"]},
    "https_edge_route_compression": {},
    "https_edge_route_circuit_breaker": {
        "tripped_duration": 10,
        "rolling_window": 10,
        "num_buckets": 10,
        "volume_threshold": 20,
        "error_threshold_percentage": 0.5,
    },
    "https_edge_route_webhook_verification": {"provider": "github", "secret": "hush"},
    "https_edge_route_oauth": {"provider": {"github": {"email_addresses": ["a@example.com"]}}},
    "https_edge_route_saml": {"idp_metadata": "<EntityDescriptor/>"},
    "https_edge_route_oidc": {"issuer": "https://id.example.org", "client_id": "a", "client_secret": "b"},
    "https_edge_route_websocket_tcp_converter": {},
    "https_edge_route_user_agent_filter": {"deny": ["curl"]},
    "https_edge_route_traffic_policy": {"value": POLICY},
    "tcp_edge_backend": {"backend_id": "$tunnel_group_backends"},
    "tcp_edge_ip_restriction": {"ip_policy_ids": ["$ip_policies"]},
    "tcp_edge_traffic_policy": {"value": DENY},
    "tls_edge_backend": {"backend_id": "$tunnel_group_backends"},
    "tls_edge_ip_restriction": {"ip_policy_ids": ["$ip_policies"]},
    "tls_edge_tls_termination": {"terminate_at": "edge", "min_version": "1.2"},
    "tls_edge_mutual_tls": {"certificate_authority_ids": ["$certificate_authorities"]},
    "tls_edge_traffic_policy": {"value": DENY},
}

_TARGET = {
    "datadog": {
        "api_key": "0123456789abcdef0123456789abcdef",
        "ddtags": "env:test",
        "service": "edge",
        "ddsite": "datadoghq.com",
    }
}

_SSH_OPTIONS = {"critical_options": {"source-address": "192.0.2.0/24"}, "extensions": {"permit-port-forwarding": ""}}


def _ssh() -> dict[str, str]:
    # The Python client cannot write its own default dates.
    now = datetime.now(timezone.utc)
    return {
        "public_key": public_key(),
        "ssh_certificate_authority_id": "$ssh_certificate_authorities",
        "valid_after": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "valid_until": (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _operator(tag: str) -> dict[str, Any]:
    return {
        "enabled_features": ["bindings"],
        "region": "global",
        "deployment": {"name": tag, "namespace": "default", "version": "0.22.0", "cluster_name": "test"},
        "binding": {"endpoint_selectors": ["true"], "csr": certificate_request()},
    }


def filled(value: Any, ids: Mapping[str, str]) -> Any:
    """The same value with ids in the place of ``$name``."""
    if isinstance(value, str) and value.startswith("$"):
        return ids.get(value[1:], value)
    if isinstance(value, Mapping):
        return {filled(key, ids): filled(item, ids) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled(item, ids) for item in value]
    return value
