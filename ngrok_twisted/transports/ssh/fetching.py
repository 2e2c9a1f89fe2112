"""
`Fetcher`: gets a traffic policy from the URL that a user of ssh names.

The server asks on behalf of somebody else, who must not see through it what only the server can reach: other machines of its
network, the metadata service of its cloud, itself. Names are looked up here, and what they lead to is judged before anything
is connected to; so is every redirect.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionLost, DNSLookupError
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver, IResolutionReceiver
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    PotentialDataLoss,
    RedirectAgent,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.error import Error as WebError
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from ngrok_twisted.errors import Refused
from ngrok_twisted.policy.document import DOCUMENT_MAX
from ngrok_twisted.transports.ssh.words import PARSE_ERROR

SECONDS = 1

#: From the look-up of the name to the end of the document, redirects included (specification of SSH, section 5.3).
FETCH_TIMEOUT = 10 * SECONDS
REDIRECTS_MAX = 5

# RFC 6052 section 2.1: a translator leads on to the IPv4 address in the last 32 bits.
_TRANSLATED = IPv6Network("64:ff9b::/96")


class Fetcher:
    """
    Gets documents of at most 1 MiB with GET.
    """

    def __init__(self, reactor: Any, private: bool = False) -> None:
        """
        :param private: addresses that the public Internet does not have may be asked, too.
        """
        self._reactor = reactor
        self._private = private

    def fetch(self, url: str) -> Deferred[str]:
        """
        :param url: http or https.
        :return: fires with the text, within `FETCH_TIMEOUT`; or fails with `Refused`, which says why there is none.
        """
        return Deferred.fromCoroutine(self._fetch(url))

    async def _fetch(self, url: str) -> str:
        getting = Deferred.fromCoroutine(self._get(url)).addTimeout(FETCH_TIMEOUT, self._reactor)
        try:
            data = await getting
            return data.decode("utf-8")
        except (CancelledError, Refused):
            raise
        except UnicodeDecodeError:
            raise _refused("it is not UTF-8 text") from None
        except Exception as error:  # whatever an unknown server and its network come up with
            raise _refused(_cause(error)) from None

    async def _get(self, url: str) -> bytes:
        reactor = self._reactor if self._private else _Screened(self._reactor)
        agent = RedirectAgent(Agent.usingEndpointFactory(self._reactor, _Endpoints(reactor)), REDIRECTS_MAX)
        asked = Headers({b"User-Agent": [b"ngrok_twisted"], b"Accept": [b"application/yaml, application/json, text/*"]})
        response: Any = await agent.request(b"GET", url.encode("ascii"), asked)
        reader = _Reader()
        response.deliverBody(reader)
        if response.code != 200:
            reader.done.addErrback(lambda _: None)
            reader.done.cancel()
            raise _refused(f"the server there answers with status {response.code}")
        return await reader.done


def is_public(host: str) -> bool:
    """Whether an IP address is one of the public Internet, whatever other address it stands for."""
    address = ip_address(host.partition("%")[0])
    if not address.is_global or address.is_multicast:
        return False
    return all(inner.is_global for inner in _inside(address))


def _inside(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that one of IPv6 may lead to."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _TRANSLATED:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]


@implementer(IReactorPluggableNameResolver)
class _Screened:
    """A reactor in whose eyes only public addresses exist."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.nameResolver = _PublicOnly(reactor.nameResolver)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def installNameResolver(self, resolver: Any) -> Any:
        """IReactorPluggableNameResolver."""
        raise NotImplementedError("the resolver is given")


@implementer(IHostnameResolver)
class _PublicOnly:
    """Passes on only public addresses of those that another resolver finds."""

    def __init__(self, resolver: Any) -> None:
        self._resolver = resolver

    def resolveHostName(self, resolutionReceiver: Any, *arguments: Any, **options: Any) -> Any:
        """IHostnameResolver."""
        return self._resolver.resolveHostName(_Screen(resolutionReceiver), *arguments, **options)


@implementer(IResolutionReceiver)
class _Screen:
    """See `_PublicOnly`."""

    def __init__(self, receiver: Any) -> None:
        self._receiver = receiver

    def resolutionBegan(self, resolutionInProgress: Any) -> None:
        """IResolutionReceiver."""
        self._receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: Any) -> None:
        """IResolutionReceiver."""
        if is_public(address.host):
            self._receiver.addressResolved(address)

    def resolutionComplete(self) -> None:
        """IResolutionReceiver."""
        self._receiver.resolutionComplete()


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Connects to hosts as a certain reactor sees them."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def endpointForURI(self, uri: URI) -> Any:
        """
        IAgentEndpointFactory.

        :raises SchemeNotSupported: it is neither http nor https.
        """
        if uri.scheme not in (b"http", b"https"):
            raise SchemeNotSupported("it leads to what is neither http nor https")
        endpoint = HostnameEndpoint(self._reactor, uri.host, uri.port, FETCH_TIMEOUT)
        return endpoint if uri.scheme == b"http" else wrapClientTLS(_trusting(uri.host), endpoint)


def _trusting(host: bytes) -> Any:
    """The handshake with a host whose certificate the system trusts."""
    return optionsForClientTLS(host.decode("ascii"))


class _Reader(Protocol):
    """
    A body of at most `DOCUMENT_MAX` bytes.

    :ivar done: fires with it; fails with `Refused` if it is larger.
    """

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._hang_up())
        self._data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self._data += data
        if len(self._data) > DOCUMENT_MAX and not self.done.called:
            self.done.errback(_refused(f"it is larger than {DOCUMENT_MAX} bytes"))
            self._hang_up()

    def connectionLost(self, reason: Failure = Failure(ConnectionLost())) -> None:
        """IProtocol."""
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback(bytes(self._data))
        else:
            self.done.errback(reason)

    def _hang_up(self) -> None:
        abort = getattr(self.transport, "abortConnection", None) or getattr(self.transport, "loseConnection", None)
        if abort is not None:
            abort()


def _refused(why: str) -> Refused:
    return Refused(PARSE_ERROR, f"The policy of --traffic-policy-url cannot be had: {why}.")


def _cause(error: BaseException) -> str:
    """Why there was no answer, for people."""
    if isinstance(error, (ResponseNeverReceived, RequestTransmissionFailed, ResponseFailed)) and error.reasons:
        return _cause(error.reasons[0].value)
    if isinstance(error, TimeoutError):
        return f"it did not come within {FETCH_TIMEOUT} seconds"
    if isinstance(error, DNSLookupError):
        return "its host has no public address, and others are not asked"
    if isinstance(error, WebError):
        return "it leads from one place to another without end"
    if isinstance(error, (ConnectError, SchemeNotSupported)):
        return str(error).rstrip(".") or "nobody can be reached there"
    return "the connection to it broke, or its certificate is not trusted"
