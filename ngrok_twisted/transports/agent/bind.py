"""
What a bind asks for: its names or address, the modules before its service and all the rest make a claim, or a refusal
that says what does not fit.

A name can be given in four ways, and after a reconnect the agent gives it in one more: as what it was assigned. All
that are given must mean the same.

Pure. Whether the account may have the name, and whether it is free, is for the reservations to say.

Source: specification of the agent protocol, sections 6.2 to 6.7 and 7.2; of endpoints, section 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Mapping

from ngrok_twisted.claim import Claim, Former
from ngrok_twisted.endpoint_url import INTERNAL, SCHEMES, split_url
from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import normalise, split_hostport
from ngrok_twisted.labels import label_problems
from ngrok_twisted.policy.asked import Words, check_policy, fitted
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.transports.agent.messages import BAD_BIND, Bind, PatchTunnelState, StartTunnelWithLabel
from ngrok_twisted.transports.agent.options import Options, read_options
from ngrok_twisted.transports.agent.settings import AgentSettings

#: ngrok's numbers: a protocol that there is not, neither protocol nor labels, names that differ, a scheme that does not
#: go with the protocol, one that no service speaks, a binding that there is not or that is one too many, a policy.
UNKNOWN_PROTO, NOTHING, SEVERAL_NAMES, WRONG_SCHEME = 332, 394, 9021, 9036
UNKNOWN_UPSTREAM, UNKNOWN_BINDING, SEVERAL_BINDINGS, BAD_POLICY = 15003, 15005, 15006, 9026

_BINDINGS = ("public", "internal", "kubernetes")

#: How the hosts of ngrok's own TCP addresses begin; with no port behind it such a host asks for any address.
_TCP_HOST = re.compile(r"[0-9]+\.tcp(\..*)?", re.ASCII)

_WORDS = Words(
    not_here=BAD_BIND,
    mutual_tls="Mutual TLS",
    tls_termination="TLS termination",
    terminate="ask for TLS termination at the edge too",
    policy=None,
    no_policy=BAD_POLICY,
)


@dataclass(frozen=True, slots=True)
class _Name:
    """
    :ivar host: the whole name, or the TCP host; ``None`` for any.
    :ivar label: the same as a label under the base domain, if it is one.
    :ivar port: where one is given.
    """

    host: str | None = None
    label: str | None = None
    port: int | None = None


def claim_of(bind: Bind, settings: AgentSettings, former: Former | None = None) -> Claim:
    """
    Work out what a bind asks for.

    :param former: what its token proves that it had before.
    :raises Refused: with ngrok's number for what does not fit.
    """
    if not bind.proto:
        raise Refused(NOTHING, "The bind names no protocol. Use https, http, tls or tcp, or labels.")
    if bind.proto not in SCHEMES:
        raise Refused(UNKNOWN_PROTO, f"There are no '{_shown(bind.proto)}' endpoints. Use https, http, tls or tcp.")
    options = read_options(bind, settings.module_kinds)
    name = (_address if bind.proto == "tcp" else _name)(options, bind.proto, settings)
    claim = Claim(
        proto=bind.proto,
        host=None if name.label else name.host,
        label=name.label,
        port=name.port,
        binding=_binding(bind.bindings, name.host),
        pooling=bind.pooling,
        name=bind.name,
        description=bind.description,
        metadata=bind.metadata,
        upstream=_upstream(bind.forwards_proto, options.proxy_protocol),
        forwards_to=bind.forwards_to,
        modules=options.modules,
        traffic_policy=options.traffic_policy,
        former=former,
    )
    return fitted(claim, _WORDS)


def labelled_claim_of(asked: StartTunnelWithLabel) -> Claim:
    """
    Work out what a labelled tunnel asks for.

    :raises Refused: with ngrok's number for what does not fit.
    """
    if not asked.labels:
        raise Refused(NOTHING, "A labelled tunnel needs at least one label.")
    for problem in label_problems(asked.labels):
        raise Refused(problem.code, f"The labels cannot be used: {_shown(problem.path)} {problem.message}.")
    return Claim(
        proto="labels",
        labels=asked.labels,
        metadata=asked.metadata,
        upstream=_upstream(asked.forwards_proto, 0),
        forwards_to=asked.forwards_to,
    )


def amended_claim(claim: Claim, patch: PatchTunnelState) -> Claim:
    """
    The claim of a tunnel after a change.

    :raises Refused: the traffic policy cannot be used for such an endpoint.
    """
    if patch.traffic_policy:
        check_policy(patch.traffic_policy, claim.proto, claim.binding, _WORDS)
    changes: Mapping[str, Any] = {
        "name": patch.name,
        "description": patch.description,
        "metadata": patch.metadata,
        "pooling": patch.pooling,
        "traffic_policy": patch.traffic_policy,
    }
    return replace(claim, **{name: value for name, value in changes.items() if value is not None})


def _upstream(protocol: str, proxy_protocol: int) -> Upstream:
    """Agents rewrite ``Host`` themselves, and speak TLS to the service themselves."""
    if protocol.lower() not in ("", "http1", "http2"):
        raise Refused(UNKNOWN_UPSTREAM, f"Services speak http1 or http2, not '{_shown(protocol)}'.")
    return Upstream(protocol=protocol.lower() or "http1", proxy_protocol=proxy_protocol)


def _binding(bindings: tuple[str, ...], host: str | None) -> str:
    if len(bindings) > 1:
        raise Refused(SEVERAL_BINDINGS, "An endpoint has one binding only: public or internal.")
    wanted = bindings[0].lower() if bindings else "public"
    if wanted not in _BINDINGS:
        raise Refused(UNKNOWN_BINDING, f"The binding '{_shown(wanted)}' is unknown. Use public or internal.")
    return "internal" if wanted == "public" and host is not None and host.endswith(INTERNAL) else wanted


# -- names -------------------------------------------------------------------------------------------------------------


def _name(options: Options, proto: str, settings: AgentSettings) -> _Name:
    """The name that ``URL``, ``Domain``, ``Hostname`` and ``Subdomain`` ask for."""
    host, port = _from_url(options.url, proto)
    wanted = [_whole(text, settings) for text in (host, *options.names) if text]
    if options.subdomain:
        label = normalise(options.subdomain)
        wanted.append(_Name(f"{label}.{settings.base_domain}", None if "." in label else label))
    if len({name.host for name in wanted}) > 1:
        hosts = " and ".join(sorted({f"'{name.host}'" for name in wanted}))
        raise Refused(SEVERAL_NAMES, f"The options ask for different names: {hosts}. Use one of them.")
    return replace(wanted[0], port=port) if wanted else _Name()


def _from_url(text: str, proto: str) -> tuple[str, int | None]:
    scheme, host, port = split_url(text) if text else ("", "", None)
    if scheme and scheme != proto:
        raise Refused(WRONG_SCHEME, f"'{_shown(text)}' is not the URL of an endpoint for {proto}.")
    return host, port


def _whole(text: str, settings: AgentSettings) -> _Name:
    """A name without a dot is meant under the base domain."""
    host = normalise(text)
    return _Name(host) if "." in host else _Name(f"{host}.{settings.base_domain}", host)


# -- tcp ---------------------------------------------------------------------------------------------------------------


def _address(options: Options, proto: str, settings: AgentSettings) -> _Name:
    """The address that ``URL`` and ``Addr`` ask for; one without a port is any that the host can have."""
    host, port = _from_url(options.url, proto)
    wanted = [_any_port(normalise(host) if host else "", port, settings)] if host or port else []
    if options.addr:
        wanted.append(_addr(options.addr, settings))
    found = [name for name in wanted if name != _Name()]
    if len({(name.host or settings.tcp_host, name.port) for name in found}) > 1:
        raise Refused(SEVERAL_NAMES, "The options URL and Addr ask for different addresses. Use one of them.")
    return found[0] if found else _Name()


def _addr(text: str, settings: AgentSettings) -> _Name:
    """``host:port``, either half of it, or a port alone; a port of 0 is none."""
    host, colon, port = text.rpartition(":")
    if not colon and not text.isdecimal():
        host, port = text, ""
    if not port.strip("0"):
        return _any_port(normalise(host) if host else "", None, settings)
    named, number = split_hostport(f"{host or settings.tcp_host}:{port}")
    return _Name(named if host else None, None, number)


def _any_port(host: str, port: int | None, settings: AgentSettings) -> _Name:
    """A host of TCP addresses without a port is no wish at all."""
    if port is None and (host in ("", settings.tcp_host) or _TCP_HOST.fullmatch(host)):
        return _Name()
    return _Name(host or None, None, port)


def _shown(text: str) -> str:
    """What a message may repeat: short, and printable."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:100])
