"""
What a bind says in its ``Opts``: the modules that are to stand before the service, and the rest by name.

Each kind of module is one line of a table: what it is called, ngrok's number for a server that has no such kind, the
members that ask for it, and how they become its config.

Source: specification of the agent protocol, section 6.3.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping

from ngrok_twisted import schema
from ngrok_twisted.errors import Refused
from ngrok_twisted.policy.asked import TWO_POLICIES, asked_module
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.edge import Module
from ngrok_twisted.transports.agent.members import Members
from ngrok_twisted.transports.agent.messages import BAD_BIND, Bind

#: ngrok's numbers: no such IP policy, a header to add without a colon.
UNKNOWN_IP_POLICY, _REQUEST_HEADER, _RESPONSE_HEADER = 341, 370, 371

#: What sealed secrets would be opened with is ngrok's.
_SEALED = "is sealed for ngrok's own servers and cannot be opened here; give it unsealed"

HTTP = ("http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    :ivar url: what the URL is to be, or parts of it; empty for any.
    :ivar names: the names that are asked for by ``Domain`` and ``Hostname``, those that are not empty.
    :ivar subdomain: a name under the base domain; may be empty.
    :ivar addr: the public address of a tcp endpoint; may be empty.
    :ivar proxy_protocol: 0, or the version of the PROXY header that the service wants.
    :ivar modules: what stands before the service, by the names of module kinds.
    :ivar traffic_policy: as it was given, not yet judged; empty for none.
    """

    url: str = ""
    names: tuple[str, ...] = ()
    subdomain: str = ""
    addr: str = ""
    proxy_protocol: int = 0
    modules: Mapping[str, Module] = field(default_factory=dict, repr=False)
    traffic_policy: str = field(default="", repr=False)


def read_options(bind: Bind, kinds: Mapping[str, Any]) -> Options:
    """
    :param bind: whose protocol is one that there is.
    :param kinds: the module kinds of this server, by name.
    :raises Refused: a member has the wrong shape, a module cannot be had, or its settings cannot be used. The message
        never repeats a secret.
    """
    opts = Members(bind.opts, BAD_BIND, "Opts")
    proxy_protocol = opts.whole("ProxyProto")
    if proxy_protocol not in (0, 1, 2):
        raise opts.refused("ProxyProto", "must be 0, 1 or 2")
    by_name = bind.proto != "tcp"
    return Options(
        url=opts.text("URL"),
        names=tuple(filter(None, map(opts.text, ("Domain", "Hostname")))) if by_name else (),
        subdomain=opts.text("Subdomain") if by_name else "",
        addr="" if by_name else opts.text("Addr"),
        proxy_protocol=proxy_protocol,
        modules=dict(_modules(bind, opts, kinds)),
        traffic_policy=_policy(opts),
    )


def _policy(opts: Members) -> str:
    """The text of a policy as its user gave it; the older member holds it as an object."""
    text = opts.text("TrafficPolicy")
    if "Policy" not in opts:
        return text
    if text:
        raise Refused(TWO_POLICIES, "Opts.Policy and Opts.TrafficPolicy both give a traffic policy. Use one of them.")
    try:
        return json.dumps(opts.mapping("Policy"))
    except RecursionError:
        raise opts.refused("Policy", "is nested too deeply") from None


# -- modules -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wish:
    """
    One kind of module, as binds ask for it.

    :ivar kind: the name of the module kind.
    :ivar code: ngrok's number for a server without it.
    :ivar members: of ``Opts``; one that is there asks for the module.
    :ivar config: gives the kind's config; ``None`` where there is no way yet to have one.
    :ivar protocols: of the endpoints that may ask for it.
    """

    kind: str
    code: int
    members: tuple[str, ...]
    config: Callable[[Any, Bind, Members], Any] | None
    protocols: tuple[str, ...] = HTTP


def _modules(bind: Bind, opts: Members, kinds: Mapping[str, Any]) -> Iterator[tuple[str, Module]]:
    for wish in _WISHES:
        said = [name for name in wish.members if opts.says(name)]
        if said and bind.proto not in wish.protocols:
            raise opts.refused(said[0], f"does not go with {bind.proto} endpoints")
        if wish.kind == "ip_restriction" and bind.ip_policy:
            said.append("IPPolicyRef")
        if said:
            yield wish.kind, _module(wish, said[0], bind, opts, kinds)


def _module(wish: _Wish, said: str, bind: Bind, opts: Members, kinds: Mapping[str, Any]) -> Module:
    kind, config = kinds.get(wish.kind), wish.config
    if kind is None or config is None:
        raise Refused(wish.code, f"The option {said} is not built into this server yet. Leave it out.")
    return asked_module(kind, lambda: config(kind, bind, opts), lambda problem: _told(said, problem), BAD_BIND)


#: What configs call what agents call otherwise.
_PATHS = {
    "circuit-breaker": "error_threshold",
    "certificate_authority_ids": "mutual_tls_ca",
    "ip_policy_ids": "IPPolicyRef",
}


def _told(said: str, problem: Problem) -> str:
    """A problem of a config in the words of the option that it came from."""
    inner, message = _PATHS.get(problem.path, problem.path), problem.message.rstrip(".")
    if message[:1].isupper():  # it says itself what it is about
        return f"The option {said} cannot be used. {message}."
    return f"The option {said} cannot be used: {inner} {message}."


def _compression(kind: Any, bind: Bind, opts: Members) -> Any:
    opts.inner("Compression")
    return kind.Config()


def _circuit_breaker(kind: Any, bind: Bind, opts: Members) -> Any:
    return kind.from_flags({"circuit-breaker": opts.inner("CircuitBreaker").number("error_threshold")})


def _ip_restriction(kind: Any, bind: Bind, opts: Members) -> Any:
    found = opts.inner("IPRestriction")
    if bind.ip_policy and not bind.ip_policy.startswith("ipp_"):
        raise Refused(
            UNKNOWN_IP_POLICY, "The option IPPolicyRef takes the id of an IP policy of your account (ipp_...)."
        )
    return kind.Config(
        ip_policy_ids=(bind.ip_policy,) if bind.ip_policy else (),
        allow_cidrs=found.texts("allow_cidrs"),
        deny_cidrs=found.texts("deny_cidrs"),
    )


def _basic_auth(kind: Any, bind: Bind, opts: Members) -> Any:
    found = opts.inner("BasicAuth").inners("credentials")
    pairs = [(pair.text("username"), _password(pair)) for pair in found]
    if opts.says("Auth"):
        name, _, password = opts.text("Auth").partition(":")
        pairs.append((name, password))
    return schema.parse(
        kind.Config, {"credentials": [{"username": name, "password": password} for name, password in pairs]}
    )


def _password(pair: Members) -> str:
    if pair.base64("hashed_password"):
        raise pair.refused("hashed_password", "is a hash that only ngrok's own servers know; use cleartext_password")
    return pair.text("cleartext_password")


def _webhooks(kind: Any, bind: Bind, opts: Members) -> Any:
    found = opts.inner("WebhookVerification")
    if found.base64("sealed_secret"):
        raise found.refused("sealed_secret", _SEALED)
    return kind.Config(provider=found.text("provider"), secret=found.text("secret"))


def _request_headers(kind: Any, bind: Bind, opts: Members) -> Any:
    return _headers(kind, opts.inner("RequestHeaders"), "request", _REQUEST_HEADER)


def _response_headers(kind: Any, bind: Bind, opts: Members) -> Any:
    return _headers(kind, opts.inner("ResponseHeaders"), "response", _RESPONSE_HEADER)


def _headers(kind: Any, found: Members, side: str, no_colon: int) -> Any:
    added = found.texts("add")
    if not all(":" in line for line in added):
        raise Refused(no_colon, f"{found.path}: a header to add is written as 'name:value', and one has no colon.")
    return kind.from_flags({f"{side}-header-add": added, f"{side}-header-remove": found.texts("remove")})


def _converter(kind: Any, bind: Bind, opts: Members) -> Any:
    opts.inner("WebsocketTCPConverter")
    return kind.from_flags({"websocket-tcp-converter": True})


def _user_agents(kind: Any, bind: Bind, opts: Members) -> Any:
    found = opts.inner("UserAgentFilter")
    return kind.from_flags({"ua-filter-allow": found.texts("allow"), "ua-filter-deny": found.texts("deny")})


def _mutual_tls(kind: Any, bind: Bind, opts: Members) -> Any:
    found = opts.inner("MutualTLSAtEdge" if bind.proto == "tls" else "MutualTLSCA")
    return kind.Config(certificates=_pem(found, "mutual_tls_ca"))


def _tls_termination(kind: Any, bind: Bind, opts: Members) -> Any:
    """With a certificate of its own, or with the one that the server has for the name."""
    found = opts.inner("TLSTermination")
    if found.base64("sealed_key"):
        raise found.refused("sealed_key", _SEALED)
    return kind.Config(terminate_at="edge", certificate_pem=_pem(found, "cert"), private_key_pem=_pem(found, "key"))


def _pem(found: Members, name: str) -> str:
    try:
        return found.base64(name).decode("ascii")
    except UnicodeDecodeError:
        raise found.refused(name, "must be Base64 of PEM") from None


#: In the order in which refusals are found.
_WISHES = (
    _Wish("oauth", 7041, ("OAuth",), None),
    _Wish("oidc", 7098, ("OIDC",), None),
    _Wish("ip_restriction", 7101, ("IPRestriction",), _ip_restriction, (*HTTP, "tcp", "tls")),
    _Wish("mutual_tls", 7103, ("MutualTLSCA",), _mutual_tls),
    _Wish("mutual_tls", 7103, ("MutualTLSAtEdge",), _mutual_tls, ("tls",)),
    _Wish("tls_termination", 7100, ("TLSTermination",), _tls_termination, ("tls",)),
    _Wish("basic_auth", 7093, ("BasicAuth", "Auth"), _basic_auth),
    _Wish("webhook_verification", 7031, ("WebhookVerification",), _webhooks),
    _Wish("user_agent_filter", 7167, ("UserAgentFilter",), _user_agents),
    _Wish("circuit_breaker", 7095, ("CircuitBreaker",), _circuit_breaker),
    _Wish("websocket_tcp_converter", 7108, ("WebsocketTCPConverter",), _converter),
    _Wish("compression", 7094, ("Compression",), _compression),
    _Wish("request_headers", 7096, ("RequestHeaders",), _request_headers),
    _Wish("response_headers", 7097, ("ResponseHeaders",), _response_headers),
)
