"""
`Config`: everything that ``config.yaml`` can say, as one frozen value. Its defaults are those of a server that was given no
file at all.

`ngrok_twisted.control.load` makes it; `ngrok_twisted.control.seed` turns what it declares into records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Mapping

from ngrok_twisted import kinds
from ngrok_twisted.control.items import (
    AccountItem,
    AddrItem,
    CertificateItem,
    DomainItem,
    Edges,
    SSHCredentialItem,
    backend_items,
)
from ngrok_twisted.interfaces import ITransportKind
from ngrok_twisted.marks import EXTERNAL, ONE_OR_MANY, READ_ONLY, ByName

#: The names under the base domain that are the service's own.
SERVICE_LABELS = ("connect", "api", "idp", "dashboard")

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
    Each listener is a Twisted endpoint string, or a list of them. Without the key ``listen`` all three are on loopback, on
    the ports 8443, 8080 and 2222; with it only those that it names are opened.

    :ivar https: HTTPS and TLS endpoints; under their own names also the service's pages.
    :ivar http: http endpoints, and redirects to https.
    :ivar ssh: where agents connect with ``ssh``.
    """

    https: Listeners = ()
    http: Listeners = ()
    ssh: Listeners = ()


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


#: The block of the SSH transport is the transport's own: a kind brings its configuration along.
if TYPE_CHECKING:
    SSH = Any
else:
    SSH = kinds.discover("ngrok_twisted.transports", ITransportKind)["ssh"].Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    :ivar http_head_bytes: bytes of the head of one request; more is answered 431.
    :ivar http_fields: header fields of one request; more is answered 431.
    """

    http_head_bytes: int = 1024 * 1024
    http_fields: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """
    :ivar http_first_head: seconds from the connection until the first request's head is complete.
    :ivar http_idle: seconds without a byte after which an HTTP connection is closed.
    :ivar stream_idle: seconds without a byte after which a TLS or TCP connection is closed.
    """

    http_first_head: float = 60.0
    http_idle: float = 300.0
    stream_idle: float = 300.0


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
    :ivar tcp: public TCP ports.
    :ivar state: the folder that the server writes to.
    :ivar store: where records live: ``sqlite`` (in the state directory), ``memory``, or a ``postgresql://`` URL.
    :ivar tls: certificates.
    :ivar ssh: the SSH gateway.
    :ivar access_log: the file that gets one line for each request and connection, or ``off``. Without it ``access.log`` in
        the state directory.
    :ivar limits: bounds of what visitors may send.
    :ivar timeouts: how long is waited for visitors.
    :ivar accounts: owners beside the default account, so that one server serves several.
    :ivar ssh_credentials: keys that may connect.
    :ivar reserved_domains: names that belong to an account.
    :ivar reserved_addrs: TCP addresses that belong to an account.
    :ivar tls_certificates: certificates from elsewhere.
    :ivar backends: who answers, one list for each backend kind.
    :ivar edges: public names and addresses with modules and backends.
    :ivar keys: what was found in ``ssh.authorized_keys``.
    :ivar warnings: what an operator should know, though the server can run.
    """

    domain: str = "ngrok.localhost"
    public_port: int | None = None
    listen: Listen = Listen()
    tcp: TCP = TCP()
    state: str = "var"
    store: Annotated[str, EXTERNAL] = field(default="sqlite", repr=False)
    tls: TLS = TLS()
    ssh: SSH = SSH()  # type: ignore[operator]
    access_log: str = ""
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    accounts: tuple[AccountItem, ...] = ()
    ssh_credentials: tuple[SSHCredentialItem, ...] = ()
    reserved_domains: tuple[DomainItem, ...] = ()
    reserved_addrs: tuple[AddrItem, ...] = ()
    tls_certificates: tuple[CertificateItem, ...] = ()
    backends: Annotated[
        Mapping[str, Any], ByName(backend_items, word="backend kind", planned=frozenset({"static"}))
    ] = field(default_factory=dict)
    edges: Edges = Edges()
    keys: Annotated[tuple[AuthorizedKey, ...], READ_ONLY] = ()
    warnings: Annotated[tuple[str, ...], READ_ONLY] = ()
