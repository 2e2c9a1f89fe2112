"""
Every flag of the command language, as data: what parses it, what ``--help`` prints about it, and what it needs.

A flag whose work is done by an edge module names that module's kind in ``needs``. It is usable exactly when a kind of
that name is among those the gateway was told of, so a new module brings its flags to life without a change here. Source
of the list: ngrok's agent CLI reference and its page on SSH reverse tunnels, and what this server adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Callable, Collection

from ngrok_twisted.transports.ssh import values

HTTP, TLS, TCP, TUNNEL = "http", "tls", "tcp", "tunnel"
#: The commands that make something online.
PUBLISHING = (HTTP, TLS, TCP, TUNNEL)
#: The commands that only tell something.
INFORMING = ("help", "version", "whoami", "status")
#: Other words for the same commands.
SYNONYMS = {"ls": "status"}
ANY = PUBLISHING + INFORMING


class Kind(Enum):
    """The shape of a flag's value."""

    STRING = "S"
    BOOL = "B"
    LIST = "L"
    FLOAT = "F"


def _as_it_is(text: str) -> Any:
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """
    :ivar name: without its dashes; the key in `ngrok_twisted.transports.ssh.command.Command.options`.
    :ivar kind: the shape of its value; each item's for a list.
    :ivar on: the commands that take it.
    :ivar help: what it does, one line.
    :ivar value: what ``--help`` calls its value.
    :ivar aliases: other names for it.
    :ivar read: reads one value; raises ``ValueError`` with a sentence, or `ngrok_twisted.errors.Refused`.
    :ivar commas: a list's items may also be separated by commas.
    :ivar prose: its value is text that often holds spaces, so every word without a place behind it belongs to it.
    :ivar needs: the module kind that does its work, or empty.
    :ivar harmless: the values that need no module, since they ask for what happens anyway.
    :ivar impossible: why this flag of ngrok's agent cannot work over SSH, or empty.
    :ivar names: it says which name or address to publish, so it fits one forward only.
    :ivar only_v1: a word of the old language.
    :ivar ignored: accepted without effect; the sentence tells the user so.
    """

    name: str
    kind: Kind = Kind.STRING
    on: tuple[str, ...] = (HTTP,)
    help: str = ""
    value: str = "value"
    aliases: tuple[str, ...] = ()
    read: Callable[[str], Any] = _as_it_is
    commas: bool = False
    prose: bool = False
    needs: str = ""
    harmless: tuple[Any, ...] = (False,)
    impossible: str = ""
    names: bool = False
    only_v1: bool = False
    ignored: str = ""


_NAMED = (HTTP, TLS)
_PUBLIC = (HTTP, TLS, TCP)
_THEIR_FILE = "it names a file on your machine, which this server cannot read over SSH"
_THEIR_AGENT = "it configures ngrok's agent program, and none is used here"


def _module(name: str, needs: str, help: str, kind: Kind = Kind.LIST, **more: Any) -> Flag:
    return Flag(name=name, kind=kind, needs=needs, help=help, **more)


_WHERE = (
    Flag(name="url", on=_PUBLIC, names=True, value="url", help="the public URL, such as https://app.example.com"),
    Flag(name="domain", on=_NAMED, names=True, value="name", aliases=("hostname",), help="the host name to publish"),
    Flag(name="subdomain", on=_NAMED, names=True, value="label", help="a name directly under this server's domain"),
    Flag(name="remote-addr", on=(TCP,), names=True, value="host:port", help="your reserved TCP address"),
    Flag(
        name="schemes",
        kind=Kind.LIST,
        aliases=("scheme",),
        value="scheme",
        commas=True,
        read=values.choice("http", "https"),
        help="http or https, one a forward; the default follows from the port of -R",
    ),
    Flag(
        name="bind-tls",
        only_v1=True,
        value="true|false|both",
        read=values.choice("true", "false", "both"),
        help="https, http or both",
    ),
    Flag(name="binding", on=_PUBLIC, value="public|internal", read=values.binding, help="who may reach the endpoint"),
    Flag(name="pooling-enabled", kind=Kind.BOOL, on=_PUBLIC, help="share the URL with your other pooled endpoints"),
    Flag(
        name="label",
        kind=Kind.LIST,
        on=(TUNNEL,),
        value="key=value",
        commas=True,
        read=values.label,
        help="a label that backends match",
    ),
    Flag(name="force-https", kind=Kind.BOOL, help="publish http too, and redirect it to https"),
    Flag(
        name="takeover",
        on=PUBLISHING,
        value="auto|always|never",
        read=values.choice("auto", "always", "never"),
        help="whether this session may replace an older one of the same key (auto: a dead one)",
    ),
    Flag(name="expires", on=PUBLISHING, value="when", read=values.expiry, help="close then: 15m, 2h, 1d, or a time"),
)

_ABOUT = (
    Flag(name="name", on=_PUBLIC, prose=True, read=values.short_text, help="a name for people, 255 bytes at most"),
    Flag(
        name="description", on=PUBLISHING, prose=True, read=values.short_text, help="text for people, 255 bytes at most"
    ),
    Flag(name="metadata", on=PUBLISHING, prose=True, read=values.metadata, help="your own data, 4096 bytes at most"),
)

_UPSTREAM = (
    Flag(name="host-header", value="host", read=values.header_value, help="the Host header that your service sees"),
    Flag(
        name="upstream-protocol",
        on=(HTTP, TUNNEL),
        aliases=("app-protocol",),
        value="http1|http2",
        read=values.http_version,
        help="how to speak HTTP to your service; gRPC wants http2",
    ),
    Flag(
        name="upstream-proxy-protocol",
        on=PUBLISHING,
        aliases=("proxy-proto",),
        value="1|2",
        read=values.proxy_version,
        help="send the visitor's address in a PROXY header first",
    ),
    Flag(name="upstream-tls", kind=Kind.BOOL, on=_NAMED, help="speak TLS to your service"),
    Flag(name="upstream-tls-verify", kind=Kind.BOOL, on=_NAMED, help="check your service's certificate"),
    Flag(name="upstream-tls-name", on=_NAMED, value="name", read=values.host_name, help="the name in that certificate"),
)

_OUTPUT = (
    Flag(name="quiet", kind=Kind.BOOL, on=ANY, aliases=("q",), help="print only URLs, one a line"),
    Flag(name="output", on=ANY, value="text|json", read=values.choice("text", "json"), help="json: one object a line"),
    Flag(name="qr", kind=Kind.BOOL, on=_NAMED, help="print the URL as a QR code"),
    Flag(name="log-requests", kind=Kind.BOOL, on=PUBLISHING, help="print a line a request (the default in a terminal)"),
    Flag(name="inspect", kind=Kind.BOOL, help="accepted; this server keeps no copies of requests"),
    Flag(
        name="region", on=ANY, value="region", ignored="--region is ignored: this server is one region.", help="ignored"
    ),
    Flag(name="help", kind=Kind.BOOL, on=ANY, aliases=("h",), help="print this list"),
)

_MODULES = (
    _module(
        "basic-auth",
        "basic_auth",
        "ask visitors for a user name and password",
        aliases=("auth",),
        value="user:password",
    ),
    _module("cidr-allow", "ip_restriction", "only these addresses may visit", on=_PUBLIC, commas=True, value="cidr"),
    _module("cidr-deny", "ip_restriction", "these addresses may not visit", on=_PUBLIC, commas=True, value="cidr"),
    _module(
        "circuit-breaker",
        "circuit_breaker",
        "share of 5xx answers that trips",
        Kind.FLOAT,
        read=values.number,
        value="0.5",
    ),
    _module("compression", "compression", "compress responses", Kind.BOOL),
    _module("oauth", "oauth", "sign visitors in with this provider", Kind.STRING, value="provider"),
    _module("oauth-allow-email", "oauth", "only these people may visit", commas=True, value="email"),
    _module("oauth-allow-domain", "oauth", "only people of these domains may visit", commas=True, value="domain"),
    _module("oauth-client-id", "oauth", "your own application's id", Kind.STRING, value="id"),
    _module("oauth-client-secret", "oauth", "your own application's secret", Kind.STRING, value="secret"),
    _module("oauth-scope", "oauth", "scopes to ask for", commas=True, value="scope"),
    _module("oidc", "oidc", "sign visitors in with this issuer", Kind.STRING, value="url"),
    _module("oidc-client-id", "oidc", "your application's id there", Kind.STRING, value="id"),
    _module("oidc-client-secret", "oidc", "your application's secret there", Kind.STRING, value="secret"),
    _module("oidc-scope", "oidc", "scopes to ask for", commas=True, value="scope"),
    _module(
        "request-header-add",
        "request_headers",
        "add a header to requests",
        prose=True,
        read=values.header_line(370),
        value="'name: value'",
    ),
    _module("request-header-remove", "request_headers", "remove a header from requests", value="name"),
    _module(
        "response-header-add",
        "response_headers",
        "add a header to responses",
        prose=True,
        read=values.header_line(371),
        value="'name: value'",
    ),
    _module("response-header-remove", "response_headers", "remove a header from responses", value="name"),
    _module(
        "ua-filter-allow", "user_agent_filter", "User-Agents that may visit", commas=True, prose=True, value="regex"
    ),
    _module(
        "ua-filter-deny", "user_agent_filter", "User-Agents that may not visit", commas=True, prose=True, value="regex"
    ),
    _module(
        "verify-webhook", "webhook_verification", "check signatures of this provider", Kind.STRING, value="provider"
    ),
    _module(
        "verify-webhook-secret", "webhook_verification", "the secret to check them with", Kind.STRING, value="secret"
    ),
    _module("websocket-tcp-converter", "websocket_tcp_converter", "turn WebSockets into TCP", Kind.BOOL),
    _module(
        "mutual-tls-cas",
        "mutual_tls",
        "ask visitors for a certificate of these CAs",
        on=_NAMED,
        commas=True,
        read=values.authority_id,
        value="ca_...",
    ),
    Flag(
        name="terminate-at",
        needs="tls_termination",
        harmless=("upstream",),
        on=(TLS,),
        read=values.terminate_at,
        value="upstream|edge",
        help="where TLS ends",
    ),
    _module(
        "traffic-policy",
        "traffic_policy",
        "a policy: JSON, or base64: and YAML or JSON in Base64",
        Kind.STRING,
        on=_PUBLIC,
        prose=True,
        value="json",
    ),
    _module(
        "traffic-policy-url",
        "traffic_policy",
        "where the server fetches a policy, once",
        Kind.STRING,
        on=_PUBLIC,
        read=values.policy_url,
        value="url",
    ),
    _module(
        "traffic-policy-file",
        "traffic_policy",
        "- reads the policy from standard input",
        Kind.STRING,
        on=_PUBLIC,
        aliases=("policy-file",),
        read=values.standard_input,
        value="-",
    ),
)

_IMPOSSIBLE = (
    *(Flag(name=name, on=_NAMED, impossible=_THEIR_FILE) for name in ("upstream-tls-verify-cas", "crt", "key")),
    *(Flag(name=name, on=ANY, impossible=_THEIR_AGENT) for name in ("config", "log", "log-level", "log-format")),
    Flag(name="authtoken", on=ANY, impossible="your SSH key says who you are, so no token is needed"),
)

#: Every flag, in the order ``--help`` prints them.
FLAGS: tuple[Flag, ...] = _WHERE + _ABOUT + _UPSTREAM + _MODULES + _OUTPUT + _IMPOSSIBLE

#: A name, alias or not, to its flag.
BY_NAME: dict[str, Flag] = {name: flag for flag in FLAGS for name in (flag.name, *flag.aliases)}

#: Names that only the old language knows, and what they are called today.
RENAMED = {"bind-tls": "schemes"}


def usable(flag: Flag, modules: Collection[str]) -> bool:
    """Whether the flag can do its work on this server."""
    return not flag.impossible and (not flag.needs or flag.needs in modules)


def help_lines(command: str, modules: Collection[str]) -> list[tuple[str, str]]:
    """
    What ``--help`` lists for a command: pairs of a form and what it does.

    :param modules: the names of the module kinds of this server.
    """
    lines = []
    for flag in FLAGS:
        if command in flag.on and usable(flag, modules) and not flag.only_v1 and not flag.ignored:
            names = " ".join(f"-{name}" if len(name) == 1 else f"--{name}" for name in (flag.name, *flag.aliases))
            lines.append((names if flag.kind is Kind.BOOL else f"{names} {flag.value}", flag.help))
    return lines
