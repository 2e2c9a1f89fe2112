"""
What a forward asks for: the address and port of ``-R`` and the command together make claims, or a refusal that says
what does not fit.

Pure. Whether the account may have the name, and whether it is free, is for the reservations to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Mapping

from ngrok_twisted.claim import Claim
from ngrok_twisted.endpoint_url import split_url
from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import normalise, split_hostport
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.transports.ssh import values
from ngrok_twisted.transports.ssh.command import IMPLIED, Command, check_fits, shown
from ngrok_twisted.transports.ssh.modules import NOT_HERE, fitted, modules_of, policy_text
from ngrok_twisted.transports.ssh.naming import (
    Name,
    address_name,
    credentials,
    is_internal,
    key_of,
    name_of,
    NO_NAME,
)
from ngrok_twisted.transports.ssh.settings import GatewaySettings

BAD_PORT = 1113
BIND_AND_REMOTE_ADDR = 1114
PORT_AND_REMOTE_ADDR = 1115
PORT_WITHOUT_ADDRESS = 1116
ADDRESS_WITHOUT_PORT = 1117
BIND_AND_HOSTNAME = 1118
BIND_AND_SUBDOMAIN = 1119
HOSTNAME_AND_SUBDOMAIN = 1120
ONE_EACH = 1105

_WEB_PORTS = {443: "https", 80: "http"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """
    One ``tcpip-forward`` request.

    :ivar address: the bind address, byte for byte; there may be a password in it.
    :ivar port: the bind port, 0 for any.
    :ivar position: its place among the forwards of the connection, from 0.
    :ivar metadata: of the session's environment; a ``--metadata`` flag wins.
    """

    address: bytes = field(repr=False)
    port: int
    position: int = 0
    metadata: str = ""


def implied_verb(port: int) -> str:
    """The command that a port stands for when none is typed."""
    return "http" if port in (0, 80, 443) else "tcp"


def assign(plan: tuple[Command, ...], count: int) -> tuple[Command, ...]:
    """
    Give each of some forwards its command, in the order of their requests; the last command serves those that remain.

    :raises Refused: 1105: there are more commands than forwards, or a command that names one thing would serve several.
    """
    if len(plan) > count:
        raise Refused(ONE_EACH, f"There are {len(plan)} commands for {count} forwards. Add a -R for each command.")
    if count > len(plan) and plan[-1].names_one:
        raise Refused(
            ONE_EACH,
            "A flag that names the URL fits one -R only. Name each in its -R, or join one command a -R with +.",
        )
    return plan + plan[-1:] * (count - len(plan))


def bind(wish: Wish, command: Command, settings: GatewaySettings, now: float) -> tuple[Claim, ...]:
    """
    Work out what a forward asks for.

    :param now: seconds since the epoch.
    :return: one claim; two, of the same name, where https and http were both asked for.
    :raises Refused: with the code of what does not fit.
    """
    if command is IMPLIED and not wish.metadata and key_of(wish.address) == b"":
        return _usual.bind(wish, settings)
    return _bind(wish, command, settings, now)


def _bind(wish: Wish, command: Command, settings: GatewaySettings, now: float) -> tuple[Claim, ...]:
    verb = command.verb or implied_verb(wish.port)
    check_fits(command, verb)
    return tuple(fitted(claim) for claim in _claims(wish, command, verb, settings, now))


class _Usual:
    """
    The claims of forwards that name nothing, as those of ``-N -R 443:…``: the same for all, made once, and worth half a KiB for
    each of ten thousand clients.
    """

    # Different ports, and places on a connection, that are remembered.
    MOST = 128

    def __init__(self) -> None:
        self._settings: GatewaySettings | None = None
        self._known: dict[tuple[int, int], tuple[Claim, ...]] = {}

    def bind(self, wish: Wish, settings: GatewaySettings) -> tuple[Claim, ...]:
        """As `bind`."""
        if settings is not self._settings or len(self._known) >= self.MOST:
            self._settings, self._known = settings, {}
        key = wish.port, wish.position
        claims = self._known.get(key)
        if claims is None:
            claims = self._known[key] = _bind(wish, IMPLIED, settings, 0)  # nothing in it knows of the time
        return claims


_usual = _Usual()


def _claims(wish: Wish, command: Command, verb: str, settings: GatewaySettings, now: float) -> tuple[Claim, ...]:
    password, address = credentials(wish.address)
    if password and (verb != "http" or "basic_auth" not in settings.module_kinds):
        raise Refused(
            NOT_HERE,
            "A password in the bind address is the flag --basic-auth, which is not built into this server yet.",
        )
    options = _with_password(command.options, password) if password else command.options
    common = _common(wish, options, verb, now, modules_of(options, settings.module_kinds))
    if verb == "tunnel":
        return (
            replace(
                common,
                proto="labels",
                labels=values.labels(command.options["label"] if "label" in command.options else ()),
            ),
        )
    if verb == "tcp":
        name = address_name(address, settings)
        claim = _tcp(common, name and _tcp_name(name, settings), wish.port, command.options, settings)
        return (replace(claim, binding="internal") if claim.host and is_internal(claim.host) else claim,)
    return _web(common, address_name(address, settings), wish.port, command, verb, settings)


# -- what all have in common -------------------------------------------------------------------------------------------


def _common(wish: Wish, options: Mapping[str, Any], verb: str, now: float, modules: Mapping[str, Any]) -> Claim:
    expires: values.Expiry | None = options.get("expires")
    moment = expires.moment(now) if expires else None
    if moment is not None and moment <= now:
        raise Refused(1110, "The time of --expires is in the past.")
    return Claim(
        proto=verb,
        binding=options.get("binding", "public"),
        pooling=options.get("pooling-enabled", False),
        takeover=options.get("takeover", "auto"),
        slot=f"{wish.position}:{verb}",
        name=options.get("name", ""),
        description=options.get("description", ""),
        metadata=options.get("metadata", wish.metadata),
        upstream=_upstream(options),
        expires_at=moment,
        modules=modules,
        traffic_policy=policy_text(options),
    )


def _with_password(options: Mapping[str, Any], password: str) -> dict[str, Any]:
    return {**options, "basic-auth": (*options.get("basic-auth", ()), password)}


def _upstream(options: Mapping[str, Any]) -> Upstream:
    return Upstream(
        protocol=options.get("upstream-protocol", "http1"),
        host_header=options.get("host-header", ""),
        proxy_protocol=options.get("upstream-proxy-protocol", 0),
        tls=options.get("upstream-tls", False),
        tls_verify=options.get("upstream-tls-verify", False),
        tls_name=options.get("upstream-tls-name", ""),
    )


# -- http and tls ------------------------------------------------------------------------------------------------------


def _web(
    common: Claim, bound: Name | None, port: int, command: Command, verb: str, settings: GatewaySettings
) -> tuple[Claim, ...]:
    scheme, flagged = _flagged_name(command.options, verb, settings)
    if bound and flagged and bound.host != flagged.host:
        subdomain = "subdomain" in command.options
        raise Refused(
            BIND_AND_SUBDOMAIN if subdomain else BIND_AND_HOSTNAME,
            f"-R asks for '{shown(bound.host)}' and a flag for '{shown(flagged.host)}'. Name it in one place only.",
        )
    name = bound or flagged
    claim = replace(common, host=name.host, label=None) if name and name.label is None else common
    if name and name.label is not None:
        claim = replace(common, label=name.label)
    if name and is_internal(name.host):
        return (_internal(claim, name.port or port, scheme, command, verb),)
    if verb == "tls":
        _check_port(port, (443, 0), "tls", "443 or 0")
        _check_passthrough(claim)
        return (replace(claim, proto="tls"),)
    _check_port(port, (443, 80, 0), "http", "443, 80 or 0")
    redirected = bool(command.options.get("force-https"))
    return tuple(
        replace(claim, proto=proto, force_https=redirected and proto == "http")
        for proto in _protocols(port, scheme, command, redirected)
    )


def _internal(claim: Claim, port: int, scheme: str, command: Command, verb: str) -> Claim:
    """An internal endpoint may have any port, and is found by its scheme, too."""
    asked = scheme or next(iter(command.options.get("schemes", ())), "") or _WEB_PORTS.get(port, "https")
    proto = "tls" if verb == "tls" else asked
    if proto == "tls":
        _check_passthrough(claim)
    return replace(claim, proto=proto, port=port or None, binding="internal")


def _check_port(port: int, allowed: tuple[int, ...], verb: str, words: str) -> None:
    if port not in allowed:
        raise Refused(BAD_PORT, f"The command {verb} cannot be bound to port {port}. Use {words} in -R.")


def _check_passthrough(claim: Claim) -> None:
    if claim.upstream.tls and "tls_termination" not in claim.modules:
        raise Refused(
            NOT_HERE,
            "--upstream-tls does not go with the command tls: the visitor's own TLS reaches your service. "
            "Leave it out, or add --terminate-at edge.",
        )


def _flagged_name(options: Mapping[str, Any], verb: str, settings: GatewaySettings) -> tuple[str, Name | None]:
    """The scheme (or nothing) and the name that ``--url``, ``--domain`` and ``--subdomain`` ask for."""
    scheme, url_name = _web_url(options["url"], verb, settings) if "url" in options else ("", None)
    domain = name_of(options["domain"], settings) if "domain" in options else None
    subdomain = _subdomain(options["subdomain"], settings) if "subdomain" in options else None
    wanted = [name for name in (url_name, domain, subdomain) if name]
    if len({name.host for name in wanted}) > 1:
        raise Refused(HOSTNAME_AND_SUBDOMAIN, "--url, --domain and --subdomain name different hosts. Use one of them.")
    return scheme, wanted[0] if wanted else None


def _subdomain(text: str, settings: GatewaySettings) -> Name:
    label = normalise(text)
    return Name(f"{label}.{settings.base_domain}", None if "." in label else label)


def _protocols(port: int, scheme: str, command: Command, redirected: bool) -> tuple[str, ...]:
    """Which of https and http to publish, https first."""
    asked = scheme or next(iter(command.options.get("schemes", ())), "")
    if scheme and command.options.get("schemes", (scheme,))[0] != scheme:
        raise Refused(BAD_PORT, f"--url asks for {scheme}, and --schemes for something else.")
    if asked and port and _WEB_PORTS[port] != asked:
        raise Refused(BAD_PORT, f"Port {port} in -R means {_WEB_PORTS[port]}, but the flags ask for {asked}.")
    if redirected or _wants_both(port, asked, command):
        return ("https", "http")
    tls_only = command.options.get("bind-tls")
    if tls_only and not asked:
        return ("https",) if tls_only == "true" else ("http",)
    return (asked or _WEB_PORTS.get(port, "https"),)


def _wants_both(port: int, asked: str, command: Command) -> bool:
    if asked:
        return False
    if "bind-tls" in command.options:
        return bool(command.options["bind-tls"] == "both")
    if not command.verb:
        return port == 80
    return command.version == 1 and port in (80, 443)


def _web_url(text: str, verb: str, settings: GatewaySettings) -> tuple[str, Name | None]:
    scheme, host, port = split_url(text)
    name = name_of(host, settings) if host else None
    allowed = ("https", "http") if verb == "http" else ("tls",)
    if scheme and scheme not in allowed:
        raise Refused(BAD_PORT, f"The command {verb} publishes {' or '.join(allowed)} URLs, not {scheme}://.")
    if name and is_internal(name.host):
        return scheme, replace(name, port=port)
    default = 80 if scheme == "http" else 443
    if port not in (None, default, settings.public_ports.get(scheme or allowed[0], default)):
        raise Refused(9035, f"A public {scheme or allowed[0]} URL has port {default}; {port} is not possible.")
    return scheme, name


# -- tcp ---------------------------------------------------------------------------------------------------------------


def _tcp(common: Claim, bound: Name | None, port: int, options: Mapping[str, Any], settings: GatewaySettings) -> Claim:
    flagged, flag = _flagged_address(options, settings)
    chosen = port not in (0, 80, 443)
    if flagged:
        if bound and bound.host != flagged[0]:
            code = BIND_AND_REMOTE_ADDR if flag == "remote-addr" else BIND_AND_HOSTNAME
            raise Refused(
                code,
                f"-R asks for '{shown(bound.host)}' and --{flag} for '{shown(flagged[0])}'. Name it in one place only.",
            )
        if (chosen or bound and port) and port != flagged[1]:
            raise Refused(PORT_AND_REMOTE_ADDR, f"-R asks for port {port} and --{flag} for {flagged[1]}. Use 0 in -R.")
        return replace(common, host=flagged[0], port=flagged[1])
    if bound:
        if not port:
            raise Refused(
                ADDRESS_WITHOUT_PORT,
                f"'{shown(bound.host)}' needs its port in -R too: a reserved address is host:port.",
            )
        return replace(common, host=bound.host, port=port)
    if chosen and settings.tcp_host.encode() in NO_NAME:
        # The host cannot be told from none, so that the port alone may mean a reserved address: the reservations know.
        return replace(common, host=settings.tcp_host, port=port)
    return replace(common, port=port) if chosen and _may_choose(port, settings) else common


def _tcp_name(name: Name, settings: GatewaySettings) -> Name:
    """A short name that is the host of TCP addresses means that host, and none under the base domain."""
    return Name(settings.tcp_host) if name.label == settings.tcp_host else name


def _may_choose(port: int, settings: GatewaySettings) -> bool:
    first, last = settings.tcp_ports
    if not settings.allow_requested_ports:
        raise Refused(
            PORT_WITHOUT_ADDRESS,
            f"Port {port} needs a reserved TCP address: -R {settings.tcp_host}:{port}:localhost:22. "
            "For a random one use -R 0:localhost:22 and the command tcp.",
        )
    if not first <= port <= last:
        raise Refused(PORT_WITHOUT_ADDRESS, f"Port {port} is outside of this server's range, {first} to {last}.")
    return True


def _flagged_address(options: Mapping[str, Any], settings: GatewaySettings) -> tuple[tuple[str, int] | None, str]:
    """The address that ``--remote-addr`` or ``--url`` asks for, and which of them did."""
    remote = split_hostport(options["remote-addr"]) if "remote-addr" in options else None
    if "url" not in options:
        return remote, "remote-addr"
    scheme, host, port = split_url(options["url"])
    if scheme and scheme != "tcp":
        raise Refused(BAD_PORT, f"The command tcp publishes tcp URLs, not {scheme}://.")
    if not host:
        return remote, "remote-addr"
    if port is None:
        raise Refused(18003, f"'{shown(options['url'])}' has no port: write it as tcp://host:port.")
    address = _tcp_name(name_of(host, settings), settings).host, port
    if remote and remote != address:
        raise Refused(HOSTNAME_AND_SUBDOMAIN, "--url and --remote-addr name different addresses. Use one of them.")
    return address, "url"
