"""
`Config`: everything that ``config.yaml`` can say, as one frozen value. Its defaults are those of a server that was given no
file at all.

`ngrok_twisted.control.load` makes it. What is declared in its lists is read by `ngrok_twisted.control.lists` and made into
records by `ngrok_twisted.control.seed`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Mapping

from ngrok_twisted import kinds
from ngrok_twisted.collect import HELD_BODY_BYTES, HELD_BYTES
from ngrok_twisted.control.lists import list_types
from ngrok_twisted.control.names import DEFAULT_ACCOUNT, account_id
from ngrok_twisted.control.origins import Declared
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.interfaces import ITransportKind
from ngrok_twisted.marks import EXTERNAL, ONE_OR_MANY, READ_ONLY, REST, ByName
from ngrok_twisted.module import Webhooks

Listeners = Annotated[tuple[str, ...], ONE_OR_MANY]


@dataclass(frozen=True, slots=True)
class PortRange:
    """
    :ivar first: the lowest port.
    :ivar last: the highest port.
    """

    first: int
    last: int

    @classmethod
    def from_text(cls, text: str) -> PortRange:
        """
        :param text: ``20000-29999``, or one port.
        :raises ValueError: it is neither.
        """
        first, dash, last = text.partition("-")
        numbers = (first.strip(), last.strip() if dash else first.strip())
        if not all(number.isascii() and number.isdigit() and len(number) <= 5 for number in numbers):
            raise ValueError("must be a range of ports, such as 20000-29999")
        low, high = int(numbers[0]), int(numbers[1])
        if not 1 <= low <= high <= 65535:
            raise ValueError("must be a range of ports from 1 to 65535, the lower one first")
        return cls(low, high)

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """
    Each listener is a Twisted endpoint string, or a list of them. Without the key ``listen`` the first five are on loopback,
    on the ports 8443, 8080, 2222, 4443 and 4040; with it only those that it names are opened.

    :ivar https: HTTPS and TLS endpoints; under their own names also the service's pages, and ngrok's agents and SDKs under
        ``connect.`` and the domain.
    :ivar http: http endpoints, and redirects to https.
    :ivar ssh: where agents connect with ``ssh``.
    :ivar agent: where ngrok's agents and SDKs connect, whatever name or address of the server they were given. Without
        ``tls_certificates`` for the name, the local CA's certificate names ``connect.`` and the domain, ``localhost``, and
        the address that was dialled.
    :ivar api: the management API in plain HTTP, for clients on this machine or in a trusted network. It is also on the https
        listener, under ``api.`` and the domain.
    :ivar metrics: ``/metrics`` for Prometheus in plain HTTP, without any key; for this machine or a trusted network.
    """

    https: Listeners = ()
    http: Listeners = ()
    ssh: Listeners = ()
    agent: Listeners = ()
    api: Listeners = ()
    metrics: Listeners = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyProtocol:
    """
    :ivar trusted: load balancers in front of the server: networks such as ``192.0.2.0/24``, or addresses. A connection from
        there must begin with a PROXY header, of version 1 or 2, and is then the visitor's whom it names: for IP
        restrictions, ``X-Forwarded-For``, logs and events. From anywhere else no header is looked for.
    :ivar listeners: where that is so; ``tcp`` are the public TCP ports. By default everywhere but on ``listen.api``.
    """

    trusted: Annotated[tuple[str, ...], ONE_OR_MANY] = ()
    listeners: Annotated[tuple[Literal["https", "http", "ssh", "agent", "tcp"], ...], ONE_OR_MANY] = (
        "https",
        "http",
        "ssh",
        "agent",
        "tcp",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TCP:
    """
    :ivar host: the name in the URLs of TCP endpoints. Without it ``tcp.`` and the domain, or ``localhost`` if the domain
        ends in ``.localhost``.
    :ivar interface: the address that public TCP ports listen on; ``0.0.0.0`` for all of IPv4.
    :ivar ports: the public TCP ports, such as ``20000-29999``.
    :ivar allow_requested_ports: agents may ask for a free port of the range that nobody reserved.
    """

    host: str = ""
    interface: str = "127.0.0.1"
    ports: PortRange = PortRange(20000, 20999)
    allow_requested_ports: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """
    :ivar issuer: where certificates come from for names without one in ``tls_certificates``: ``local`` is a CA of this
        server's own, in ``ca.pem`` of the state directory.
    """

    issuer: Literal["local"] = "local"


#: The blocks of the transports are their own: a kind brings its configuration along.
if TYPE_CHECKING:
    SSH = Any
    Agent = Any
else:
    _transports = kinds.discover("ngrok_twisted.transports", ITransportKind)
    SSH, Agent = _transports["ssh"].Config, _transports["agent"].Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    :ivar http_head_bytes: bytes of the head of one request; more is answered 431.
    :ivar http_fields: header fields of one request; more is answered 431.
    :ivar http2_requests: requests that one HTTP/2 connection may have under way at once; RFC 9113 advises against less than
        100. 0: visitors are not offered HTTP/2.
    :ivar http_held_body_bytes: bytes of one request body that are held where a module must see all of it before the service
        does, such as the verification of webhooks; more is refused.
    :ivar http_held_bytes: bytes of all such bodies together; more is answered 503.
    :ivar account_options_bytes: bytes of the traffic policies and module settings of all agents' endpoints of one account; the
        server's memory holds up to ten times as much of them. Endpoints beyond that are refused (350).
    :ivar api_requests_per_minute: API requests of one account in any minute; more is answered 429. 0 is no limit.
    :ivar api_failures_per_minute: API requests with a wrong key from one address in any minute; then requests from there are
        answered 429, unless their key was used before. 0 is no limit.
    """

    http_head_bytes: int = 1024 * 1024
    http_fields: int = 1000
    http2_requests: int = 100
    http_held_body_bytes: int = HELD_BODY_BYTES
    http_held_bytes: int = HELD_BYTES
    account_options_bytes: int = 32 * 1024 * 1024
    api_requests_per_minute: int = 6000
    api_failures_per_minute: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """
    :ivar http_first_head: seconds from the connection until the first request's head is complete.
    :ivar http_idle: seconds without a byte after which an HTTP connection is closed.
    :ivar stream_idle: seconds without a byte after which a TLS or TCP connection is closed.
    :ivar restart: seconds in which visitors may finish what is in flight when the server is restarted in place; whoever
        connects meanwhile waits.
    :ivar restart_return: seconds after such a restart in which visitors wait for an agent that has not come back yet.
    """

    http_first_head: float = 60.0
    http_idle: float = 300.0
    stream_idle: float = 300.0
    restart: float = 3.0
    restart_return: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountItem:
    """
    :ivar name: what other items call it.
    :ivar description: at most 255 bytes, for people.
    :ivar email: the address of its default user, who owns what names no other owner.
    :ivar suspended: nobody may connect or call the API with its credentials; what is configured is served all the same.
    """

    name: str
    description: str = ""
    email: str = ""
    suspended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizedKey:
    """
    A key from an ``authorized_keys`` file.

    :ivar public_key: ``<type> <base64>``.
    :ivar comment: what stood behind it.
    :ivar source: the file and the line.
    """

    public_key: str
    comment: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    What `ngrok_twisted.control.load.load` gives is filled in: ``state`` and ``access_log`` are absolute paths (the latter
    empty for ``off``), ``domain`` and ``tcp.host`` are in the form in which names are compared, ``ssh.host_keys`` are the
    texts of keys, and texts that stood elsewhere are here.

    :ivar domain: random names are made under it; ``connect.``, ``api.``, ``idp.`` and ``dashboard.`` under it are the
        service's own.
    :ivar public_port: the port printed in https URLs, when a load balancer hides the real one. Without it the listener's.
    :ivar listen: where the server listens.
    :ivar proxy_protocol: load balancers that tell where a connection came from.
    :ivar tcp: public TCP ports.
    :ivar workers: processes that serve, the main one among them; one for each processor is the most that makes sense. From 1
        to 64.
    :ivar state: the folder that the server writes to.
    :ivar store: where records live: ``sqlite`` (in the state directory), ``memory``, or a ``postgresql://`` URL.
    :ivar tls: certificates.
    :ivar ssh: the SSH gateway.
    :ivar agent: ngrok's agents and SDKs.
    :ivar access_log: the file that gets one line for each request and connection, or ``off``. Without it ``access.log`` in
        the state directory.
    :ivar limits: bounds of what visitors may send.
    :ivar timeouts: how long is waited for visitors.
    :ivar webhooks: what is done for providers of webhooks, beside verifying.
    :ivar accounts: owners beside the default account, so that one server serves several.
    :ivar lists: what is declared, by the key of the list. `load` reads the items one by one, and leaves none here.
    :ivar declared: the records that the lists, the accounts and the keys declare.
    :ivar keys: what was found in ``ssh.authorized_keys``.
    :ivar firsts: the tokens in the state directory, by the `ngrok_twisted.control.first_key.First`; only a server without a
        config file has such.
    :ivar warnings: what an operator should know, though the server can run.
    """

    domain: str = "ngrok.localhost"
    public_port: int | None = None
    listen: Listen = Listen()
    proxy_protocol: ProxyProtocol = ProxyProtocol()
    tcp: TCP = TCP()
    workers: int = 1
    state: str = "var"
    store: Annotated[str, EXTERNAL] = field(default="sqlite", repr=False)
    tls: TLS = TLS()
    ssh: SSH = SSH()  # type: ignore[operator]
    agent: Agent = Agent()  # type: ignore[operator]
    access_log: str = ""
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    webhooks: Webhooks = Webhooks()
    accounts: tuple[AccountItem, ...] = ()
    lists: Annotated[Mapping[str, Any], ByName(list_types), REST] = field(default_factory=dict)
    declared: Annotated[Any, READ_ONLY] = field(default=Declared(), repr=False)
    keys: Annotated[tuple[AuthorizedKey, ...], READ_ONLY] = ()
    firsts: Annotated[Mapping[Any, str], READ_ONLY] = field(default_factory=dict, repr=False)
    warnings: Annotated[tuple[str, ...], READ_ONLY] = ()


def reservation_settings(config: Config, public_ports: Mapping[str, int] | None = None) -> ReservationSettings:
    """
    What everyone who judges records and claims must know of a config.

    :param public_ports: what visitors dial, by ``https`` and ``http``; not needed to judge.
    """
    ports = {"https": 443, "http": 80} if public_ports is None else public_ports
    return ReservationSettings(
        base_domain=config.domain,
        tcp_host=config.tcp.host,
        tcp_ports=range(config.tcp.ports.first, config.tcp.ports.last + 1),
        public_ports={**ports, "tls": ports["https"]},
        allow_requested_ports=config.tcp.allow_requested_ports,
        open_account_ids=frozenset({account_id(DEFAULT_ACCOUNT)}),
        account_options_bytes=config.limits.account_options_bytes,
    )
