"""
Whose is it? Names and addresses as the records have them: reserved by an account, taken by an edge, or free.

Pure, and asked about one snapshot; who is online right now is for `ngrok_twisted.control.reservations` to know.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Iterator, Mapping, NamedTuple

from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import is_below, is_wildcard, parents, wildcards
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
    :ivar account_options_bytes: bytes of the policies and module settings of all agents' endpoints of one account.
    :ivar region: what the API calls the one region that there is. ngrok's clients ask for ``us`` unless told otherwise.
    """

    base_domain: str
    tcp_host: str
    tcp_ports: range
    public_ports: Mapping[str, int | None] = field(default_factory=lambda: {"https": 443, "tls": 443, "http": 80})
    random_name_memory: float = 10 * MINUTES
    allow_requested_ports: bool = False
    takeover_timeout: float = 3.0
    open_account_ids: frozenset[str] = frozenset()
    account_options_bytes: int = 32 * 1024 * 1024
    region: str = "us"


class Place(NamedTuple):
    """
    What only one endpoint, or one pool, can have. (A tuple: each claim makes and looks up a dozen, which a dataclass would
    hash in Python.)

    :ivar namespace: empty for what the world sees, the account's id for internal endpoints; see `place_of`.
    :ivar host: the normalised name, possibly a wildcard; or the TCP host.
    :ivar port: the logical port.
    """

    namespace: str
    host: str
    port: int


class Ownership:
    """
    What one snapshot says, indexed. Where a name or an address is reserved twice, which nothing in force ever is, the
    earlier one counts.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._domains: dict[str, ReservedDomain] = {}
        for domain in snapshot.all(ReservedDomain):
            self._domains.setdefault(domain.domain, domain)
        self._addresses: dict[tuple[str, int], ReservedAddr] = {}
        for address in snapshot.all(ReservedAddr):
            self._addresses.setdefault((address.host, address.port), address)
        self._edges = dict(_edge_places(snapshot))
        self._cloud: dict[Place, list[Endpoint]] = defaultdict(list)
        for endpoint in snapshot.all(Endpoint):
            if endpoint.type == "cloud":
                self._cloud[place_of(endpoint)].append(endpoint)

    @cached_property
    def _below(self) -> Mapping[str, list[ReservedDomain]]:
        """The domains strictly below each name."""
        found: dict[str, list[ReservedDomain]] = defaultdict(list)
        for record in self._domains.values():
            for parent in parents(record.domain):
                found[parent].append(record)
        return found

    @cached_property
    def _ages(self) -> Mapping[str, int]:
        """The domains by their ids, the earliest having the lowest number."""
        return {record.id: number for number, record in enumerate(self._domains.values())}

    def domain(self, name: str) -> ReservedDomain | None:
        """The reservation of exactly this name."""
        return self._domains.get(name)

    def address(self, host: str, port: int) -> ReservedAddr | None:
        """The reservation of this address."""
        return self._addresses.get((host, port))

    def is_reserved(self, name: str) -> bool:
        """Whether exactly this name is reserved by anyone."""
        return name in self._domains

    def is_reserved_address(self, host: str, port: int) -> bool:
        """Whether this address is reserved by anyone."""
        return (host, port) in self._addresses

    def owns_address(self, account_id: str, host: str, port: int) -> bool:
        """Whether the account has reserved this address."""
        record = self.address(host, port)
        return record is not None and record.account_id == account_id

    def is_edge(self, place: Place) -> bool:
        """Whether an edge has this host and port."""
        return place in self._edges

    def edge_account(self, place: Place) -> str | None:
        """The account whose edge has this host and port, or ``None``."""
        return self._edges.get(place)

    def cloud_endpoints(self, place: Place) -> list[Endpoint]:
        """The stored endpoints of this host and port."""
        return self._cloud.get(place, [])

    def owner(self, name: str) -> str | None:
        """
        The account that owns a name: by reserving it, a wildcard over it, or a name above it. The nearest counts.
        """
        for domain in _claims_on(name):
            record = self._domains.get(domain)
            if record is not None:
                return record.account_id
        return None

    def domain_for(self, account_id: str, name: str) -> ReservedDomain | None:
        """
        The account's reservation that gives it a name: of the name itself, or else the nearest wildcard over it.
        """
        for domain in (name, *wildcards(name)):
            record = self._domains.get(domain)
            if record is not None and record.account_id == account_id:
                return record
        return None

    def permits(self, account_id: str, name: str) -> bool:
        """Whether the account has reserved this name, or a wildcard over it."""
        return self.domain_for(account_id, name) is not None

    def rivals(self, record: ReservedDomain) -> Iterator[ReservedDomain]:
        """
        The earlier reservations of other accounts that share names with this one: a domain owns all names below it.
        """
        for other in self._related(record.domain.removeprefix("*.")):
            if other.account_id != record.account_id and self._ages[other.id] < self._ages.get(
                record.id, len(self._ages)
            ):
                yield other

    def _related(self, exact: str) -> Iterator[ReservedDomain]:
        above = (domain for parent in parents(exact) for domain in (parent, f"*.{parent}"))
        for domain in (exact, *above):
            record = self._domains.get(domain)
            if record is not None:
                yield record
        yield from self._below.get(exact, ())

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
        if self.owns_address(account_id, host, port):
            return
        if self.is_reserved_address(host, port):
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
        for below in self._below.get(name[2:], ()):
            if below.account_id != account_id:
                raise Refused(320, f"'{name}' covers '{below.domain}', which belongs to another account.")
        if name in self._domains:
            return
        if account_id in settings.open_account_ids and is_below(name[2:], settings.base_domain):
            return
        if self.permits(account_id, name):
            raise Refused(321, f"A wildcard above '{name}' is reserved, but not '{name}' itself. Reserve it first.")
        raise Refused(318, f"The wildcard '{name}' is not reserved. Reserve it first.")


def ownership(around: Any) -> Ownership:
    """
    For rules: ``around.index(ownership)`` is made once for all records that are judged together.

    :param around: a `ngrok_twisted.control.around.Around`.
    """
    return Ownership(around.records)


def place_of(endpoint: Endpoint) -> Place:
    """Where an endpoint is. A name within clusters is another than the same name inside the account."""
    namespaces = {"internal": endpoint.account_id, "kubernetes": f"{endpoint.account_id} kubernetes"}
    return Place(namespaces.get(endpoint.binding, ""), endpoint.host, endpoint.port)


def _claims_on(name: str) -> Iterator[str]:
    """The domains whose reservation makes a name somebody's, nearest first."""
    yield name
    for parent in parents(name):
        yield f"*.{parent}"
        yield parent


def _edge_places(snapshot: Snapshot) -> Iterator[tuple[Place, str]]:
    for family in _EDGE_FAMILIES:
        for edge in snapshot.tables.get(family, {}).values():
            for hostport in edge.hostports:  # type: ignore[attr-defined]
                host, _, port = hostport.rpartition(":")
                if port.isascii() and port.isdigit():  # what is no hostport yet is refused by the rules for edges
                    yield Place("", host, int(port)), edge.account_id


def is_service_name(name: str, settings: ReservationSettings) -> bool:
    """Whether a name or wildcard is one of the service's own, or below one. The base domain itself is not meant."""
    base, exact = settings.base_domain, name.removeprefix("*.")
    own = [f"{label}.{base}" for label in SERVICE_LABELS]
    if is_below(settings.tcp_host, base):
        own.append(settings.tcp_host)
    if exact == settings.tcp_host != base:
        return True
    return any(exact == service or is_below(exact, service) for service in own)


def _refuse_service_name(name: str, settings: ReservationSettings) -> None:
    """The service keeps its own names, and whatever is below them."""
    if name == settings.base_domain or is_service_name(name, settings):
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
