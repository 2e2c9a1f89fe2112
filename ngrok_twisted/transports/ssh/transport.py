"""
`SSHServerFactory`: one `SSHTransport` for each client, and what they share.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Iterable, Mapping, Sequence

from zope.interface import implementer

from twisted.conch.ssh.common import NS
from twisted.conch.ssh.keys import Key
from twisted.cred.portal import Portal
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from ngrok_twisted import __version__
from ngrok_twisted.net.chores import Chores
from ngrok_twisted.net.rounds import Rounds
from ngrok_twisted.net.strangers import Strangers
from ngrok_twisted.net.tls_rest import Rest
from ngrok_twisted.net.turn import Turn
from ngrok_twisted.transports.ssh.connection import Connection
from ngrok_twisted.transports.ssh.hostkeys import HostKey, certified_keys, host_keys_by_algorithm
from ngrok_twisted.transports.ssh.limits import SSHLimits
from ngrok_twisted.transports.ssh.server import SSHTransport

__all__ = ["SSHLimits", "SSHServerFactory"]

# Seconds after a log-in, and after each sign of life, until what the ciphers can make again is given back: the client has
# answered by then, and one that rests rests nine seconds of ten.
REST_AFTER = 0.25

# RFC 4253 section 4.2: printable ASCII without blanks and minus signs.
IDENTIFICATION = b"SSH-2.0-ngrok_twisted_" + re.sub(r"[^0-9A-Za-z.]", "_", __version__).encode("ascii")


@implementer(IProtocolFactory)
class SSHServerFactory(Factory):
    """
    Accepts SSH clients.

    :ivar host_key_blobs: the public halves of all host keys, each with its length.
    :ivar plain_keys: the host key algorithms without certificates, best first, each with its key.
    """

    protocol = SSHTransport
    noisy = False
    identification = IDENTIFICATION
    _log = Logger()

    def __init__(
        self,
        portal: Portal,
        host_keys: Sequence[Key],
        make_gateway: Callable[[Connection], Any],
        settings: SSHLimits,
        clock: Any,
        explain: Callable[[bytes, Sequence[str]], str],
        user_certificates: bool = False,
        host_certificates: Callable[[Iterable[bytes]], Mapping[bytes, bytes]] = lambda keys: {},
    ) -> None:
        """
        :param portal: its avatars are `Principal` objects.
        :param host_keys: private keys, best first. The first of each kind serves; all are announced to clients.
        :param make_gateway: called with each `Connection` after its login.
        :param clock: an ``IReactorTime``.
        :param explain: ``explain(username, fingerprints)`` gives the text for a user none of whose keys is known.
        :param user_certificates: whether users may come with certificates; the portal has a checker for them then.
        :param host_certificates: gives the certificates to present at this moment, by the blobs of public host keys, for
            those of the blobs it is called with that have one.
        """
        self.portal = portal
        self.host_keys = tuple(host_keys)
        self.make_gateway = make_gateway
        self.settings = settings
        self.clock = clock
        self.explain = explain
        self.user_certificates = user_certificates
        self._host_certificates = host_certificates
        self._certificates: Mapping[bytes, bytes] = {}
        self._certified: Mapping[bytes, HostKey] = {}
        self.turn = Turn(clock)
        self.later = self.turn.later
        self.chores = Chores(clock)
        self.rest = Rest(clock, REST_AFTER)
        self.rounds = Rounds(clock, settings.keepalive_seconds)
        self._by_kind: dict[bytes, Key] = {}
        for key in host_keys:
            self._by_kind.setdefault(key.sshType(), key)
        self.plain_keys = host_keys_by_algorithm(self._by_kind)
        self._plain_blobs = tuple(key.blob() for key in self.plain_keys.values())
        self.host_key_blobs = b"".join(NS(key.public().blob()) for key in host_keys)
        self._strangers = Strangers(settings.unauthenticated_total, settings.unauthenticated_per_network)

    def buildProtocol(self, addr: Any) -> SSHTransport | None:
        """`IProtocolFactory`. ``None``, which closes the connection, when too many others have not logged in yet."""
        if self._strangers.crowded(addr):
            self._log.warn("ssh: too many connections without a login, refused {address}", address=addr)
            return None
        protocol = SSHTransport(self)
        self._strangers.add(protocol, addr)
        return protocol

    def certified_keys(self) -> Mapping[bytes, HostKey]:
        """The host key algorithms for certificates that a new connection is offered, each with its key."""
        try:
            certificates = self._host_certificates(self._plain_blobs)
        except Exception:
            self._log.failure("the certificates of host keys could not be found; none is presented")
            certificates = {}
        if certificates != self._certificates:
            self._certificates = certificates
            self._certified = certified_keys(self._by_kind, certificates)
        return self._certified

    def logged_in(self, protocol: SSHTransport) -> None:
        """A client is no stranger any more."""
        self._strangers.discard(protocol)

    def ended(self, protocol: SSHTransport) -> None:
        """A connection is gone."""
        self.logged_in(protocol)
