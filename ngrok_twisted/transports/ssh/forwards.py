"""
`Forwards`: the forwards of one connection, and how each becomes tunnels and ends again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterator, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.errors import Refused
from ngrok_twisted.granted import Endings
from ngrok_twisted.records.ids import new_id, related_id
from ngrok_twisted.transports.ssh.bind import ONE_EACH, Wish, bind
from ngrok_twisted.transports.ssh.command import Command
from ngrok_twisted.transports.ssh.documents import Documents
from ngrok_twisted.transports.ssh.forward import Forward, State, allocate, title
from ngrok_twisted.transports.ssh.settings import GatewaySettings
from ngrok_twisted.transports.ssh.tunnel import SSHTunnel

#: What to do with a user's session when its last forward ends: exit statuses.
STOPPED, EXPIRED = 3, 4


class IForwardWatcher(Protocol):
    """Who is told what becomes of forwards: the gateway."""

    def forward_live(self, forward: Forward) -> None:
        """It is online, and the client has its answer."""

    def forward_refused(self, forward: Forward, refused: Refused) -> None:
        """It will not be; the client has its answer."""

    def tunnel_closed(self, url: str, reason: str, status: int) -> None:
        """A URL was taken away; ``status`` is the exit status if it was the last."""


class _Abandoned(Exception):
    """A claim is not wanted any more."""


class _Nobody:
    """The session that is left when its connection is gone (`IForwardWatcher`)."""

    id = ""

    def forward_live(self, forward: Forward) -> None:
        """IForwardWatcher."""

    def forward_refused(self, forward: Forward, refused: Refused) -> None:
        """IForwardWatcher."""

    def tunnel_closed(self, url: str, reason: str, status: int) -> None:
        """IForwardWatcher."""


_NOBODY: Any = _Nobody()


class Forwards:
    """
    Claims names for forwards, puts their tunnels online, and takes everything back in reverse.
    """

    __slots__ = (
        *("_session", "_watcher", "_audience", "_connection", "_settings", "_reservations", "_tunnels", "_clock"),
        *("_documents", "_watched", "_all", "_endings"),
    )
    _log = Logger()

    def __init__(
        self,
        *,
        session: Any,
        audience: Any,
        connection: Any,
        settings: GatewaySettings,
        reservations: Any,
        tunnels: Any,
        clock: Any,
        documents: Documents,
    ) -> None:
        """
        :param session: the `IAgentSession` that claims; it is told of everything too (`IForwardWatcher`).
        :param audience: has ``flow_opened``, ``flow_ended`` and ``dial_failed``, see `Screens`.
        :param documents: what commands wait for.
        """
        self._session = session
        self._watcher: IForwardWatcher = session
        self._audience = audience
        self._connection = connection
        self._settings = settings
        self._reservations = reservations
        self._tunnels = tunnels
        self._clock = clock
        self._documents = documents
        self._watched = False
        self._all: list[Forward] = []
        self._endings = Endings(tunnels, reservations, clock)

    def __iter__(self) -> Iterator[Forward]:
        return iter(tuple(self._all))

    @property
    def hopeful(self) -> bool:
        """Some forward is online, or may still get there."""
        return bool(self._all)

    def live(self) -> list[Forward]:
        """Those that are online, in the order of their requests."""
        return [forward for forward in self._all if forward.state is State.LIVE]

    def admit(self, address: bytes, port: int) -> Forward:
        """
        Take in a request.

        :raises Refused: 1105: the client could not tell its channels from those of another, or there are too many.
        """
        if any(other.collides(address, port) for other in self._all):
            raise Refused(ONE_EACH, f"Port {port} is forwarded already on this connection under this name.")
        if len(self._all) >= self._settings.max_forwards:
            raise Refused(ONE_EACH, f"One connection may have {self._settings.max_forwards} forwards at a time.")
        taken = {forward.wish.position for forward in self._all}
        position = next(number for number in range(len(taken) + 1) if number not in taken)
        forward = Forward(Wish(address=address, port=port, position=position))
        self._all.append(forward)
        return forward

    def find(self, address: bytes, port: int) -> Forward | None:
        """The forward with this address and allocated port, or ``None``."""
        return next((forward for forward in self._all if forward.matches(address, port)), None)

    # -- up ------------------------------------------------------------------------------------------------------------

    def begin(self, forward: Forward, command: Command, metadata: str, silent: bool) -> None:
        """
        Claim what a forward and its command ask for.

        :param metadata: of the session's environment.
        :param silent: no command came; one still may.
        """
        forward.command, forward.silent, forward.state = command, silent, State.CLAIMING
        forward.attempt += 1
        if metadata != forward.wish.metadata:
            forward.wish = replace(forward.wish, metadata=metadata)
        Deferred.fromCoroutine(self._establish(forward)).addErrback(
            lambda failure: self._log.failure("a forward could not be set up", failure)
        )

    def again(self, forward: Forward, command: Command, metadata: str) -> bool:
        """
        Give a forward that began without a command the command that came later.

        :return: whether that changes anything; if so it is claimed again.
        :raises Refused: the command does not fit the forward, which goes on as it was.
        """
        claims = bind(replace(forward.wish, metadata=metadata), command, self._settings, self._clock.seconds())
        forward.silent = False
        if claims == forward.claims and not self._documents.needed(command):
            return False
        self._take_down(forward, release=True)
        self.begin(forward, command, metadata, False)
        return True

    async def _establish(self, forward: Forward) -> None:
        attempt = forward.attempt
        try:
            command = await self._command(forward, attempt)
            forward.claims = bind(forward.wish, command, self._settings, self._clock.seconds())
            for claim in forward.claims:
                await self._claim(forward, claim, attempt)
            self._online(forward)
        except _Abandoned:
            return
        except Refused as refused:
            self.refuse(forward, refused)
        except Exception:
            self._log.failure(
                "a forward of {account} could not be set up", account=self._connection.principal.account_id
            )
            self.refuse(forward, Refused(None, "The server could not set up this forward; its log says why."))

    async def _command(self, forward: Forward, attempt: int) -> Command:
        """
        The command of a forward, with all that it names elsewhere.

        :raises _Abandoned: nobody waits for it any more.
        """
        if not self._documents.needed(forward.command):
            return forward.command
        work = forward.work = Deferred.fromCoroutine(self._documents.resolved(forward.command))
        try:
            command = await work
        except CancelledError:
            raise _Abandoned() from None
        if forward.state is State.DEAD or forward.attempt != attempt:
            raise _Abandoned()
        forward.work = None
        return command

    async def _claim(self, forward: Forward, claim: Claim, attempt: int) -> None:
        """
        Claim one URL.

        :raises _Abandoned: nobody waits for it any more. A grant that still comes is given back.
        """
        if forward.grants:
            claim = self._same_name(claim, forward.grants[0])
        forward.work = self._reservations.claim(self._session, claim)
        try:
            grant = await forward.work
        except CancelledError:
            raise _Abandoned() from None
        if forward.state is State.DEAD or forward.attempt != attempt:
            self._endings.give_back(grant)
            raise _Abandoned()
        forward.work = None
        forward.grants.append(grant)

    def _same_name(self, claim: Claim, first: Grant) -> Claim:
        """http and https of one forward share a name, random or not."""
        if claim.host or claim.label or first.endpoint is None:
            return claim
        label, _, parent = first.endpoint.host.partition(".")
        if parent == self._settings.base_domain:
            return replace(claim, label=label)
        return replace(claim, host=first.endpoint.host)

    def _online(self, forward: Forward) -> None:
        now = self._clock.seconds()
        if forward.port == 0:
            forward.port = allocate(forward, self._all)
        for grant in forward.grants:
            tunnel = self._tunnel(forward, grant, now)
            forward.tunnels.append(tunnel)
            self._tunnels.online(tunnel)
        forward.state, forward.born = State.LIVE, now
        expires = forward.claims[0].expires_at
        if expires is not None:
            forward.expiry = self._clock.callLater(max(expires - now, 0), self._expired, forward)
        forward.succeed()
        self._watcher.forward_live(forward)

    def _tunnel(self, forward: Forward, grant: Grant, now: float) -> SSHTunnel:
        tunnel = SSHTunnel(
            id=related_id("tn", grant.endpoint.id) if grant.endpoint is not None else new_id("tn", now),
            connection=self._connection,
            grant=grant,
            address=forward.wish.address,
            port=forward.port,
            started_at=now,
        )
        tunnel.when_failed, tunnel.when_closed = self._dial_failed, self._close_tunnel
        if self._watched:
            self._watch(tunnel)
        return tunnel

    def watch(self) -> None:
        """A session was opened, on which it may be shown what visitors do: until then nothing is told of it."""
        self._watched = True
        for forward in self._all:
            for tunnel in forward.tunnels:
                self._watch(tunnel)

    def _watch(self, tunnel: SSHTunnel) -> None:
        tunnel.when_opened, tunnel.when_ended = self._flow_opened, self._flow_ended

    def _flow_opened(self, tunnel: SSHTunnel, flow: Any) -> None:
        self._audience.flow_opened(flow)

    def _flow_ended(self, tunnel: SSHTunnel, flow: Any) -> None:
        self._audience.flow_ended(flow)

    def _dial_failed(self, tunnel: SSHTunnel, error: Any) -> None:
        self._audience.dial_failed(error)

    def _close_tunnel(self, tunnel: SSHTunnel, reason: str) -> None:
        self.withdraw(tunnel.grant, reason, release=True)

    # -- down ----------------------------------------------------------------------------------------------------------

    def refuse(self, forward: Forward, refused: Refused) -> None:
        """A forward will not come to be: say so, and give back what it already had."""
        if forward.state is State.DEAD:
            return
        self._end(forward, release=True)
        forward.fail(refused)
        self._watcher.forward_refused(forward, refused)

    def cancel(self, forward: Forward, because: Refused = Refused(None, "The forward was cancelled.")) -> None:
        """
        It is wanted no more.

        :param because: the answer, if it was not given yet.
        """
        urls = [title(tunnel.grant) for tunnel in forward.tunnels]
        self._end(forward, release=True)
        forward.fail(because)
        for url in urls:
            self._watcher.tunnel_closed(url, "cancelled", 0)

    def withdraw(self, grant: Grant, reason: str, release: bool, status: int = STOPPED) -> None:
        """
        One URL is taken away.

        :param release: the grant is still ours to give back.
        :param status: the exit status to end with if it was the last.
        """
        forward = next((forward for forward in self._all if grant in forward.grants), None)
        if forward is None:
            return
        forward.grants.remove(grant)
        if release:
            self._endings.give_back(grant)
        for tunnel in [tunnel for tunnel in forward.tunnels if tunnel.grant is grant]:
            forward.tunnels.remove(tunnel)
            self._endings.take_down(tunnel)
        if not forward.grants:
            self._end(forward, release=True)
            forward.fail(Refused(None, reason))
        self._watcher.tunnel_closed(title(grant), reason, status)

    def lost(self, because: Refused = Refused(None, "The connection was lost.")) -> None:
        """
        The connection is gone, and its streams with it.

        :param because: the answer to forwards that have none yet.
        """
        for forward in self:
            self._end(forward, release=True)
            forward.fail(because)
        self._endings.settle()

    def end(self) -> None:
        """As `lost`, and none will come any more: the session is let go of, which has this in its turn."""
        self.lost()
        self._session = self._watcher = _NOBODY

    def _expired(self, forward: Forward) -> None:
        forward.expiry = None
        for grant in tuple(forward.grants):
            self.withdraw(grant, "expired", release=True, status=EXPIRED)

    def _end(self, forward: Forward, release: bool) -> None:
        forward.state = State.DEAD
        if forward in self._all:
            self._all.remove(forward)
        self._take_down(forward, release)

    def _take_down(self, forward: Forward, release: bool) -> None:
        work, forward.work = forward.work, None
        if work is not None:
            work.cancel()
        if forward.expiry is not None:
            forward.expiry.cancel()
            forward.expiry = None
        for tunnel in forward.tunnels:
            self._endings.take_down(tunnel)
        if release:
            for grant in forward.grants:
                self._endings.give_back(grant)
        forward.tunnels, forward.grants = [], []
