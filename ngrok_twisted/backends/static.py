"""
``static``: an address that the edge dials by itself, without an agent.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Callable, Iterator

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IResolutionReceiver, IStreamClientEndpoint
from zope.interface import implementer, provider

from ngrok_twisted.backend import BackendContext
from ngrok_twisted.errors import InvalidConfig, UpstreamUnreachable
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IBackend, IBackendKind, ITarget
from ngrok_twisted.net.dial import AddressEndpoint, address_endpoint
from ngrok_twisted.net.local import is_local
from ngrok_twisted.net.tls import wrap_tls_client
from ngrok_twisted.records.base import Problem

SECONDS = 1.0

#: For one connection; ngrok's limit, and that of whoever asks for the connection.
DIAL_TIMEOUT = 10 * SECONDS

#: Until the next address of a name is tried beside one that has not answered (RFC 8305 section 5: not less than this); one
#: that has refused costs as much.
ATTEMPT_DELAY = 0.1 * SECONDS

#: The highest TCP port.
PORT_MAX = 65535

# ngrok's numbers for an address that is missing, one that is none, and one without a host.
_MISSING, _INVALID, _NO_HOST = 6505, 6506, 6507

# A name as resolvers take it: services in private networks have underscores, and no dot at all.
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?")
_NAME_MAX = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticTLS:
    """
    :ivar enabled: the edge speaks TLS to the address. Whose certificate it shows is not checked, as it is not where an
        agent does the same.
    """

    enabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticConfig:
    """
    :ivar address: ``host:port``; an IPv6 address stands in brackets.
    :ivar tls: whether TLS is spoken there.
    """

    address: str
    tls: StaticTLS = StaticTLS()

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: the address is none.
        """
        problem = _problem(self.address)
        if problem is not None:
            raise InvalidConfig([problem])


@provider(IBackendKind)
@implementer(IBackend)
class Static:
    """The same address for everyone."""

    name = "static"
    Config = StaticConfig
    codes = {"address": _MISSING}

    def __init__(self, config: StaticConfig, context: BackendContext) -> None:
        self._targets = (Address(config, context.reactor, context.is_own_port),)

    def candidates(self, flow: Flow) -> Iterator[Any]:
        """IBackend."""
        return iter(self._targets)


@implementer(ITarget, IStreamClientEndpoint)
class Address:
    """
    Addresses that are dialled alike are equal: a connection that waits for the next request serves whichever edge has one,
    also the one that a change of the records has just made.

    :ivar id: the address, for logs.
    """

    def __init__(self, config: StaticConfig, reactor: Any, is_own_port: Callable[[int], bool]) -> None:
        """
        :param reactor: what dials.
        :param is_own_port: as in `BackendContext`.
        """
        self.id = config.address
        self._config = config
        self._hash = hash(config)  # asked for at every request, by the pool of connections
        self._reactor = reactor
        self._is_own_port = is_own_port
        host, _, port = config.address.rpartition(":")
        host = host.strip("[]")
        self._host, self._port = host, int(port)
        endpoint = _endpoint(reactor, host, self._port)
        if config.tls.enabled:
            endpoint = wrap_tls_client(endpoint, _tls_context(), host, clock=reactor, handshake_timeout=DIAL_TIMEOUT)
        self._endpoint = endpoint
        self._plain = (host, self._port) if isinstance(endpoint, AddressEndpoint) else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and other._config == self._config

    def __hash__(self) -> int:
        return self._hash

    def plain_address(self) -> tuple[str, int] | None:
        """
        :return: for streams: the IP address and port that a plain socket leads to, as `ngrok_twisted.net.dial.dial` takes
            them; ``None`` where it takes more than that.
        """
        return None if self._plain is None or self._is_own_port(self._port) else self._plain

    def connect(self, factory: Any) -> Deferred[Any]:
        """
        IStreamClientEndpoint.

        The Deferred fails with `UpstreamUnreachable` for an address of this server's own, where its visitors arrive.
        """
        if self._is_own_port(self._port):
            return Deferred.fromCoroutine(self._connect_elsewhere(factory))
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        return connecting

    async def _connect_elsewhere(self, factory: Any) -> Any:
        if is_local(self._host) or any(map(is_local, await _addresses(self._reactor, self._host))):
            raise UpstreamUnreachable("The backend's address leads back to this server.")
        return await self._endpoint.connect(factory)


def _addresses(reactor: Any, host: str) -> Deferred[list[str]]:
    """The IP addresses of a name, none for one that nobody knows; of an address itself."""
    found: Deferred[list[str]] = Deferred()
    reactor.nameResolver.resolveHostName(_Receiver(found), host)
    return found


@implementer(IResolutionReceiver)
class _Receiver:
    """Fires a Deferred with the addresses of a name."""

    def __init__(self, found: Deferred[list[str]]) -> None:
        self._found = found
        self._hosts: list[str] = []

    def resolutionBegan(self, resolution: Any) -> None:
        """IResolutionReceiver."""

    def addressResolved(self, address: Any) -> None:
        """IResolutionReceiver."""
        self._hosts.append(address.host)

    def resolutionComplete(self) -> None:
        """IResolutionReceiver."""
        self._found.callback(self._hosts)


def _endpoint(reactor: Any, host: str, port: int) -> Any:
    """An address is dialled as it is: it fails as soon as it refuses, and whoever is next in a failover does not wait."""
    try:
        ip_address(host)
    except ValueError:
        return HostnameEndpoint(reactor, host, port, DIAL_TIMEOUT, attemptDelay=ATTEMPT_DELAY)
    return address_endpoint(reactor, host, port, DIAL_TIMEOUT)


@lru_cache(maxsize=None)
def _tls_context() -> ssl.SSLContext:
    """One context for all addresses: it says nothing but that certificates are not checked."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _problem(address: str) -> Problem | None:
    """What keeps an address from being dialled."""
    host, colon, port = address.rpartition(":")
    if not address:
        return Problem("address", "is missing: write it as host:port", code=_MISSING)
    if not colon or not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= PORT_MAX):
        return Problem("address", f"must be host:port, with a port from 1 to {PORT_MAX}", code=_INVALID)
    if not host:
        return Problem("address", "has no host: write it as host:port", code=_NO_HOST)
    if not _is_host(host):
        return Problem("address", "its host must be a name, an IPv4 address, or an IPv6 address in []", code=_INVALID)
    return None


def _is_host(host: str) -> bool:
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        return (ip_address(host[1:-1] if bracketed else host).version == 6) == bracketed
    except ValueError:
        return not bracketed and len(host) <= _NAME_MAX and _NAME.fullmatch(host) is not None
