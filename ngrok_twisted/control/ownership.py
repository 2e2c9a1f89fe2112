"""
Whose is it? Names and addresses as the records have them: reserved by an account, taken by an edge, or free.

Pure, and asked about one snapshot; who is online right now is for `ngrok_twisted.control.reservations` to know.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Iterator, Mapping

from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import covers, is_below, is_wildcard, parents, wildcards
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain

MINUTES = 60.0

#: Labels under the base domain that are the service's own.
SERVICE_LABELS = ("connect", "api", "idp", "dashboard")

_EDGE_FAMILIES = ("https_edges", "tls_edges", "tcp_edges")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationSettings:
    """
    :ivar base_domain: random names and short ones are made under it.
    :ivar tcp_host: the host of public TCP addresses.
    :ivar tcp_ports: the ports that may be handed out.
    :ivar public_ports: what visitors dial, by ``https``, ``tls`` and ``http``; ``None`` where nobody listens.
    :ivar random_name_memory: seconds a random name or port is kept for the one who had it.
    :ivar allow_requested_ports: a free port of the range may be had by asking for it.
    :ivar takeover_timeout: seconds an old session has to show that it is alive.
    :ivar open_account_ids: accounts that may bind wildcards and nested names below the base domain unreserved.
    """

    base_domain: str
    tcp_host: str
    tcp_ports: range
    public_ports: Mapping[str, int | None] = field(default_factory=lambda: {"https": 443, "tls": 443, "http": 80})
    random_name_memory: float = 10 * MINUTES
    allow_requested_ports: bool = False
    takeover_timeout: float = 3.0
    open_account_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """
    What only one endpoint, or one pool, can have.

    :ivar namespace: empty for what the world sees, the account's id for internal endpoints.
    :ivar host: the normalised name, possibly a wildcard; or the TCP host.
    :ivar port: the logical port.
    """

    namespace: str
    host: str
    port: int


class Ownership:
    """What one snapshot says, indexed."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._domains = {record.domain: record.account_id for record in snapshot.all(ReservedDomain)}
        self._addresses = {(record.host, record.port): record.account_id for record in snapshot.all(ReservedAddr)}
        self._edges = frozenset(_edge_places(snapshot))
        self._cloud: dict[Place, list[Endpoint]] = defaultdict(list)
        for endpoint in snapshot.all(Endpoint):
            if endpoint.type == "cloud":
                self._cloud[place_of(endpoint)].append(endpoint)

    def is_reserved(self, name: str) -> bool:
        """Whether exactly this name is reserved by anyone."""
        return name in self._domains

    def is_reserved_address(self, host: str, port: int) -> bool:
        """Whether this address is reserved by anyone."""
        return (host, port) in self._addresses

    def owns_address(self, account_id: str, host: str, port: int) -> bool:
        """Whether the account has reserved this address."""
        return self._addresses.get((host, port)) == account_id

    def is_edge(self, place: Place) -> bool:
        """Whether an edge has this host and port."""
        return place in self._edges

    def cloud_endpoints(self, place: Place) -> list[Endpoint]:
        """The stored endpoints of this host and port."""
        return self._cloud.get(place, [])

    def owner(self, name: str) -> str | None:
        """
        The account that owns a name: by reserving it, a wildcard over it, or a name above it. The nearest counts.
        """
        for domain in _claims_on(name):
            account = self._domains.get(domain)
            if account is not None:
                return account
        return None

    def permits(self, account_id: str, name: str) -> bool:
        """Whether the account has reserved this name, or a wildcard over it."""
        if self._domains.get(name) == account_id:
            return True
        return any(self._domains.get(wildcard) == account_id for wildcard in wildcards(name))

    def check_name(self, account_id: str, name: str, settings: ReservationSettings) -> None:
        """
        :param name: what the account wants to bind.
        :raises Refused: it may not; the code and the message say why.
        """
        _refuse_service_name(name, settings)
        owner = self.owner(name)
        if owner not in (None, account_id):
            raise _foreign(name)
        if is_wildcard(name):
            self._check_wildcard(account_id, name, settings)
        elif not self.permits(account_id, name):
            _check_unreserved(account_id, name, settings)

    def check_address(self, account_id: str, host: str, port: int, settings: ReservationSettings) -> None:
        """
        :raises Refused: the account may not bind this TCP address.
        """
        owner = self._addresses.get((host, port))
        if owner == account_id:
            return
        if owner is not None:
            raise Refused(309, f"The address '{host}:{port}' belongs to another account.")
        if host != settings.tcp_host:
            raise Refused(307, f"The address '{host}:{port}' is not reserved. Reserve it, or ask for a random one.")
        if not settings.allow_requested_ports:
            raise Refused(1116, f"Port {port} is not yours: reserve an address first, or ask for port 0.")
        if port not in settings.tcp_ports:
            first, last = settings.tcp_ports[0], settings.tcp_ports[-1]
            raise Refused(1116, f"Port {port} is not possible here: public ports are {first} to {last}.")

    def _check_wildcard(self, account_id: str, name: str, settings: ReservationSettings) -> None:
        """A wildcard also gets the traffic of names below it, so none of them may be another account's."""
        for domain, owner in self._domains.items():
            if owner != account_id and covers(name, domain):
                raise Refused(320, f"'{name}' covers '{domain}', which belongs to another account.")
        if self._domains.get(name) == account_id:
            return
        if account_id in settings.open_account_ids and is_below(name[2:], settings.base_domain):
            return
        if self.permits(account_id, name):
            raise Refused(321, f"A wildcard above '{name}' is reserved, but not '{name}' itself. Reserve it first.")
        raise Refused(318, f"The wildcard '{name}' is not reserved. Reserve it first.")


def place_of(endpoint: Endpoint) -> Place:
    """Where an endpoint is."""
    namespace = endpoint.account_id if endpoint.binding == "internal" else ""
    return Place(namespace, endpoint.host, endpoint.port)


def _claims_on(name: str) -> Iterator[str]:
    """The domains whose reservation makes a name somebody's, nearest first."""
    yield name
    for parent in parents(name):
        yield f"*.{parent}"
        yield parent


def _edge_places(snapshot: Snapshot) -> Iterator[Place]:
    for family in _EDGE_FAMILIES:
        for edge in snapshot.tables.get(family, {}).values():
            for hostport in edge.hostports:  # type: ignore[attr-defined]
                host, _, port = hostport.rpartition(":")
                yield Place("", host, int(port))


def _refuse_service_name(name: str, settings: ReservationSettings) -> None:
    """The service keeps its own names, and whatever is below them."""
    base = settings.base_domain
    own = [f"{label}.{base}" for label in SERVICE_LABELS]
    if is_below(settings.tcp_host, base):
        own.append(settings.tcp_host)
    exact = name[2:] if is_wildcard(name) and name[2:] != base else name
    if exact in (base, settings.tcp_host) or any(exact == service or is_below(exact, service) for service in own):
        raise Refused(320, f"'{name}' belongs to this service itself. Choose another name.")


def _check_unreserved(account_id: str, name: str, settings: ReservationSettings) -> None:
    """A name right under the base domain is anybody's; others are reserved first."""
    base = settings.base_domain
    if not is_below(name, base):
        raise Refused(319, f"The name '{name}' is not reserved. Add it to the reserved domains first.")
    nested = name.partition(".")[2] != base
    if nested and account_id not in settings.open_account_ids:
        raise Refused(354, f"'{name}' is nested below '{base}': such names are reserved first.")


def _foreign(name: str) -> Refused:
    return Refused(320, f"The name '{name}' belongs to another account.")
