"""
The types of events: what the server can tell about itself (specification of events, section 7).
"""

from __future__ import annotations

from typing import Mapping

#: What the objects of a resource of the API are called in the types of their audit events.
AUDITED: Mapping[str, str] = {
    "api_keys": "api_key",
    "credentials": "tunnel_credential",
    "ssh_credentials": "ssh_public_key",
    "ssh_certificate_authorities": "ssh_certificate_authority",
    "ssh_host_certificates": "ssh_host_certificate",
    "ssh_user_certificates": "ssh_user_certificate",
    "certificate_authorities": "certificate_authority",
    "tls_certificates": "tls_certificate",
    "reserved_domains": "domain",
    "reserved_addrs": "tcp_address",
    "ip_policies": "ip_policy",
    "ip_policy_rules": "ip_policy_rule",
    "ip_restrictions": "ip_restriction",
    "event_destinations": "event_destination",
    "event_subscriptions": "event_subscription",
    "vaults": "vault",
    "secrets": "secret",
    "https_edges": "edge_https",
    "tls_edges": "edge_tls",
    "tcp_edges": "edge_tcp",
    "https_edge_routes": "edge_route",
    "failover_backends": "backend",
    "http_response_backends": "backend",
    "static_backends": "backend",
    "tunnel_group_backends": "backend",
    "weighted_backends": "backend",
    "endpoints": "endpoint",
    "bot_users": "bot_user",
    "service_users": "bot_user",
}

#: Resources whose objects are parts of other records.
ROUTES, RULES = "https_edge_routes", "ip_policy_rules"

CREATED, UPDATED, DELETED = "created", "updated", "deleted"

#: An agent comes and goes.
SESSION_START, SESSION_STOP = "agent_session_start.v0", "agent_session_stop.v0"
SESSIONS = frozenset({SESSION_START, SESSION_STOP})

#: A request was answered; a connection was closed.
HTTP_REQUEST, TCP_CONNECTION = "http_request_complete.v0", "tcp_connection_closed.v0"
TRAFFIC = frozenset({HTTP_REQUEST, TCP_CONNECTION})


def event_type(resource: str, change: str) -> str:
    """
    The type of an audit event.

    :param resource: one of `AUDITED`.
    :param change: `CREATED`, `UPDATED` or `DELETED`.
    """
    return f"{AUDITED[resource]}_{change}.v0"


#: Every type that can be subscribed to.
EVENT_TYPES = (
    SESSIONS | TRAFFIC | {event_type(name, change) for name in AUDITED for change in (CREATED, UPDATED, DELETED)}
)
