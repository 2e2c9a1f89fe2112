"""
What real clients say: the objects of their requests, as they were on the wire.

Source: specification of the agent protocol, sections 6 and 7.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

#: Login of ``ngrok`` 1.7.0 from PyPI. 1.4.0 and the JavaScript SDK differ in their names and versions only.
AUTH_RUST: dict[str, Any] = {
    "Version": ["3", "2"],
    "ClientId": "",
    "Extra": {
        "OS": "linux",
        "Arch": "x86_64",
        "AuthToken": "2secret_token",
        "Version": "1.7.0",
        "Hostname": "",
        "UserAgent": "app/9.9 (comment) ngrok-python/1.7.0 ngrok-rust/0.18.0",
        "Metadata": "meta",
        "Cookie": "",
        "HeartbeatInterval": 10_000_000_000,
        "HeartbeatTolerance": 15_000_000_000,
        "UpdateUnsupportedError": None,
        "StopUnsupportedError": "",
        "RestartUnsupportedError": "the agent has not defined a callback for this operation",
        "ProxyType": "",
        "MutualTLS": False,
        "ServiceRun": False,
        "ConfigVersion": "",
        "CustomInterface": False,
        "CustomCAs": False,
        "ClientType": "ngrok-python",
    },
}

#: Login of the v2 agent 2.3.41, the second time.
AUTH_V2: dict[str, Any] = {
    "Version": ["2"],
    "ClientId": "ts_1",
    "Extra": {
        "OS": "linux",
        "Arch": "amd64",
        "Authtoken": "2secret_token",
        "Version": "2.3.41",
        "Hostname": "connect.example.com",
        "UserAgent": "ngrok/2",
        "Metadata": "",
        "Cookie": "secret-cookie",
        "HeartbeatInterval": 10_000_000_000,
        "HeartbeatTolerance": 15_000_000_000,
        "Fingerprint": {"M": ["0"], "D": None},
        "UpdateUnsupportedError": "",
        "StopUnsupportedError": "",
        "RestartUnsupportedError": "",
    },
}

#: Login of ngrok-go on its second leg.
AUTH_GO: dict[str, Any] = {
    "Version": ["3", "2"],
    "ClientId": "ts_1",
    "Extra": {
        "OS": "darwin",
        "Arch": "arm64",
        "Authtoken": "2secret_token",
        "Version": "2.1.1",
        "ClientType": "ngrok-go",
        "UserAgent": "ngrok-go/2.1.1",
        "LegNumber": 1,
    },
}


def bind(proto: str, opts: Any, id: str = "", **extra: Any) -> dict[str, Any]:
    """A bind of the Rust SDKs."""
    return {
        "Id": id,
        "Proto": proto,
        "ForwardsTo": "http://127.0.0.1:8000/",
        "ForwardsProto": "",
        "Opts": opts,
        "Extra": {"Token": "", "IPPolicyRef": "", "Metadata": "", "Bindings": [], "PoolingEnabled": False, **extra},
    }


def bind_v2(proto: str, opts: Any, id: str = "", token: str = "", ip_policy: str = "") -> dict[str, Any]:
    """A bind of the v2 agent."""
    return {
        "Id": id,
        "Proto": proto,
        "Opts": opts,
        "Extra": {"Token": token, "IPPolicyRef": ip_policy, "Metadata": ""},
    }


#: ``Opts`` of a plain https endpoint: of 1.7.0, which calls a wanted name ``Domain``.
OPTS_RUST_17: dict[str, Any] = {
    "Domain": "",
    "Hostname": "",
    "Auth": "",
    "Subdomain": "",
    "HostHeaderRewrite": False,
    "LocalUrlScheme": None,
    "ProxyProto": 0,
    "Compression": None,
    "CircuitBreaker": None,
    "IPRestriction": None,
    "BasicAuth": None,
    "OAuth": None,
    "OIDC": None,
    "WebhookVerification": None,
    "MutualTLSCA": None,
    "RequestHeaders": None,
    "ResponseHeaders": None,
    "WebsocketTCPConverter": None,
    "UserAgentFilter": None,
    "TrafficPolicy": None,
}

#: Of 1.4.0, which knows no ``Domain``.
OPTS_RUST_14: dict[str, Any] = {name: value for name, value in OPTS_RUST_17.items() if name != "Domain"}

#: All that the v2 agent sends for http and https.
OPTS_V2: dict[str, Any] = {
    "Hostname": "",
    "Auth": "",
    "Subdomain": "",
    "HostHeaderRewrite": False,
    "LocalURLScheme": "http",
}

#: Of ngrok-go, which asks by URL.
OPTS_GO: dict[str, Any] = {
    "URL": "https://",
    "Domain": "",
    "Hostname": "",
    "Subdomain": "",
    "Auth": "",
    "HostHeaderRewrite": False,
    "LocalURLScheme": "",
    "ProxyProto": 0,
    "Compression": None,
    "CircuitBreaker": None,
    "IPRestriction": None,
    "BasicAuth": None,
    "OAuth": None,
    "OIDC": None,
    "WebhookVerification": None,
    "MutualTLSCA": None,
    "RequestHeaders": None,
    "ResponseHeaders": None,
    "WebsocketTCPConverter": None,
    "UserAgentFilter": None,
    "Policy": None,
    "TrafficPolicy": "",
}

OPTS_TCP: dict[str, Any] = {"Addr": "", "ProxyProto": 0, "IPRestriction": None, "TrafficPolicy": None}

OPTS_TLS: dict[str, Any] = {
    "Domain": "",
    "Hostname": "",
    "Subdomain": "",
    "ProxyProto": 0,
    "MutualTLSAtAgent": False,
    "MutualTLSAtEdge": None,
    "TLSTermination": None,
    "IPRestriction": None,
    "TrafficPolicy": None,
}

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["", "\ud800", "a.b"])

#: Anything that JSON can hold, as Python reads it.
anything = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def objects(*names: str) -> Any:
    """Objects with any of these members, which hold anything."""
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=3), anything, max_size=4)
