"""
`Gateway`: what one authenticated SSH connection means.

The machinery below tells it of forward requests and sessions; it decides which command belongs to which forward, and
writes to the user. The difficulty is the order of messages, since a client sends ``tcpip-forward`` before the command
that says what it is for (measured):

==================  ============================================================================
OpenSSH             all forwards, then the session, then ``exec`` or ``shell``, without waiting
plink               the same
Dropbear            the session, then the forwards, then ``exec``
OpenSSH mux client  a forward, whose answer it waits for, and only then a session
any with ``-N``     only forwards
==================  ============================================================================

So the answer to a forward is held until the command is seen; it is given at once if a command was already seen, after
300 ms if no session appears, and after 2 s in any case.
"""

from __future__ import annotations

from sys import intern
from typing import Any, Callable

from zope.interface import implementer

from twisted.internet.defer import Deferred, fail, succeed
from ngrok_twisted.claim import Grant
from ngrok_twisted.errors import Refused
from ngrok_twisted.interfaces import IAgentSession
from ngrok_twisted.records.ids import new_id
from ngrok_twisted.transports.ssh.adopt import adopt, fresh
from ngrok_twisted.transports.ssh.bind import assign
from ngrok_twisted.transports.ssh.command import IMPLIED, Command
from ngrok_twisted.transports.ssh.documents import Documents
from ngrok_twisted.transports.ssh.farewell import Farewell
from ngrok_twisted.transports.ssh.forward import Forward
from ngrok_twisted.transports.ssh.forwards import STOPPED, Forwards
from ngrok_twisted.transports.ssh.hold import PATIENCE, Hold
from ngrok_twisted.transports.ssh.inform import inform, welcome
from ngrok_twisted.transports.ssh.plans import given_plan, silent_plan
from ngrok_twisted.transports.ssh.screen import Screen
from ngrok_twisted.transports.ssh.screens import Screens, exit_status
from ngrok_twisted.transports.ssh.settings import GatewaySettings
from ngrok_twisted.transports.ssh.timers import Timers

NO_FORWARD = 1112

#: What the user reads whose session is stopped over the API.
STOPPED_REMOTELY = "This session was stopped over the API."

#: Orders that only an agent of ngrok's own could follow, and why.
_IMPOSSIBLE = {
    "restart": (1122, "This is an SSH session, which cannot be restarted: stop it, and have its user connect again."),
    "update": (1121, "This is an SSH session: its client is updated on the machine that it runs on."),
}


@implementer(IAgentSession)
class Gateway:
    """
    One connection, see the module. `ngrok_twisted.transports.ssh.forwards.IForwardWatcher` is its other side.

    :ivar id: ``ts_…``.
    :ivar principal: whose credential let the connection in.
    :ivar peer_host: the client's IP address.
    :ivar agent_version: how the client identifies itself, such as ``OpenSSH_9.9``.
    :ivar metadata: the first ``NGROK_METADATA`` of its sessions.
    """

    __slots__ = (
        "id principal peer_host agent_version started_at metadata _connection _settings _tunnels _clock _refusal "
        "_when_gone _screens _documents _forwards _plan _spoken _timers _held _gone _farewell"
    ).split()
    transport = "ssh"
    os = ""

    def __init__(
        self,
        connection: Any,
        *,
        settings: GatewaySettings,
        reservations: Any,
        tunnels: Any,
        clock: Any,
        refusal: Refused | None = None,
        wants_hint: Callable[[str], bool] = lambda credential_id: False,
        when_gone: Callable[[Gateway], None] = lambda gateway: None,
        fetch: Callable[[str], Deferred[str]] = lambda url: fail(Refused(None, "Nothing is fetched here.")),
    ) -> None:
        """
        :param connection: the authenticated connection.
        :param refusal: why it may not publish anything, or ``None``.
        :param wants_hint: whether the user of this credential should be shown how to reconnect, today.
        :param when_gone: called once the connection is gone.
        :param fetch: see `Documents`.
        """
        self.id = new_id("ts", clock.seconds())
        self.principal = connection.principal
        self.peer_host: str = connection.peer_host
        # RFC 4253 section 4.2: SSH-protoversion-softwareversion SP comments.
        self.agent_version: str = intern(connection.client_version.split("-", 2)[-1])
        self.started_at: float = clock.seconds()
        self.metadata = ""
        self._connection = connection
        self._settings = settings
        self._tunnels = tunnels
        self._clock = clock
        self._refusal = refusal
        self._when_gone = when_gone
        self._screens = Screens(
            settings=settings, principal=self.principal, session_id=self.id, clock=clock, wants_hint=wants_hint
        )
        self._documents = Documents(fetch, clock)
        self._forwards = Forwards(
            session=self,
            documents=self._documents,
            audience=self._screens,
            connection=connection,
            settings=settings,
            reservations=reservations,
            tunnels=tunnels,
            clock=clock,
        )
        self._plan: tuple[Screen, tuple[Command, ...]] | None = None
        self._spoken = False
        self._timers = Timers(clock)
        self._held = Hold(self._timers, settings.require_command, self._silence)
        self._gone = False
        self._farewell = Farewell(connection, self._timers, self._screens, self._forwards)

    # -- IAgentSession -------------------------------------------------------------------------------------------------

    def probe(self) -> Deferred[None]:
        """IAgentSession."""
        answer: Deferred[None] = self._connection.probe()
        return answer

    def revoke(self, grant: Grant, reason: str) -> None:
        """IAgentSession."""
        self._forwards.withdraw(grant, reason, release=False)

    def close(self, reason: str) -> None:
        """IAgentSession."""
        self._refusal = Refused(None, reason)
        self._held.take()
        self._forwards.lost(self._refusal)
        self._farewell.leave(reason, STOPPED)

    def order(self, command: str, version: str) -> Deferred[None]:
        """IAgentSession."""
        if command in _IMPOSSIBLE:
            return fail(Refused(*_IMPOSSIBLE[command]))
        self.close(STOPPED_REMOTELY)
        return succeed(None)

    def drain(self, text: str) -> None:
        """
        Accept nothing new and tell the user; what is online goes on until `close`.
        """
        self._refusal = Refused(None, text)
        self._screens.notice(text)

    # -- forwards ------------------------------------------------------------------------------------------------------

    def forward_requested(self, address: bytes, port: int) -> Deferred[int]:
        """
        The client asks for a forward.

        :return: fires with the port for the reply, or fails with `Refused`.
        """
        try:
            if self._refusal is not None:
                raise self._refusal
            forward = self._forwards.admit(address, port)
        except Refused as refused:
            self._farewell.complain(refused)
            return fail(refused)
        self._farewell.busy()
        answer = forward.answer
        assert answer is not None
        self._hold(forward)
        return answer

    def _hold(self, forward: Forward) -> None:
        self._held.add(forward)
        if self._plan is not None and len(self._held) >= len(self._plan[1]):
            self._use_plan()
        elif self._plan is None and self._spoken and not self._screens.expecting():
            self._release(True)
        else:
            self._held.wait(self._plan is not None or self._screens.expecting())

    def _silence(self) -> None:
        """No command came in time."""
        if self._plan is not None:
            self._use_plan()
        else:
            self._release(True)

    def _use_plan(self) -> None:
        """A command was waiting for these forwards."""
        assert self._plan is not None
        screen, plan = self._plan
        self._plan = None
        self._timers.stop("forward")
        self._release(False, plan, screen)

    def _release(self, silent: bool, plan: tuple[Command, ...] = (IMPLIED,), screen: Screen | None = None) -> None:
        """Let the held forwards go on."""
        held = self._held.take()
        try:
            if silent:
                plan = silent_plan(self._connection, self._settings, bool(self._screens))
            commands = assign(plan, len(held))
        except Refused as refused:
            for forward in held:
                self._forwards.cancel(forward, refused)
            self._farewell.complain(refused)
            return
        for forward, command in zip(held, commands):
            self._forwards.begin(forward, command, screen.metadata if screen else "", silent)

    def forward_cancelled(self, address: bytes, port: int) -> bool:
        """
        The client wants a forward no more.

        :param port: the allocated one.
        :return: whether there was one.
        """
        forward = self._forwards.find(address, port)
        if forward is None:
            return False
        self._held.drop(forward)
        self._forwards.cancel(forward)
        return True

    # -- what becomes of forwards (IForwardWatcher) --------------------------------------------------------------------

    def forward_live(self, forward: Forward) -> None:
        """IForwardWatcher."""
        self._screens.greet_all(forward)

    def forward_refused(self, forward: Forward, refused: Refused) -> None:
        """IForwardWatcher."""
        self._farewell.complain(refused)

    def tunnel_closed(self, url: str, reason: str, status: int) -> None:
        """IForwardWatcher."""
        last = bool(status) and not self._forwards.hopeful
        self._screens.closed(url, reason, last)
        if last:
            self._farewell.leave(f"{url} was closed: {reason}", status)

    # -- sessions ------------------------------------------------------------------------------------------------------

    def session_opened(self, session: Any) -> None:
        """The client opened a session; its command comes next."""
        self._screens.add(session)
        self._forwards.watch()
        self._held.session_opened()

    def session_env(self, session: Any, name: bytes, value: bytes) -> bool:
        """
        :return: whether the variable has a meaning here; only ``NGROK_METADATA`` has.
        """
        screen = self._screens[session]
        known = screen.set_variable(name, value)
        self.metadata = self.metadata or screen.metadata
        return known

    def session_command(self, session: Any, command: bytes | None) -> None:
        """
        The client asks for a command.

        :param command: of an ``exec`` request; ``None`` for ``shell``.
        """
        screen = self._screens[session]
        self._spoken = True
        self._farewell.busy()
        screen.speak({})
        try:
            plan = self._documents.expect(session, self._read(command))
        except Refused as refused:
            self._reject(screen, refused)
            return
        screen.speak(plan[0].options)
        for notice in (notice for part in plan for notice in part.notices):
            screen.show(screen.console.notice(notice))
        informing = next((part for part in plan if part.informs), None)
        if informing is not None:
            self._inform(screen, informing)
        else:
            self._publish(screen, plan)

    def _read(self, command: bytes | None) -> tuple[Command, ...]:
        plan = given_plan(self._connection, self._settings, command)
        if self._refusal is not None and not plan[0].informs:
            raise self._refusal
        return plan

    def _reject(self, screen: Screen, refused: Refused) -> None:
        """A bad command: nothing that waited for it is published, and its session ends."""
        screen.complain(refused)
        screen.end(exit_status(refused))
        self._drop_held(refused)

    def _drop_held(self, refused: Refused) -> None:
        for forward in self._held.take():
            self._forwards.cancel(forward, refused)

    def _inform(self, screen: Screen, command: Command) -> None:
        screen.show(inform(command, screen.console, self._settings, self._connection, self._tunnels))
        screen.end(0)
        self._drop_held(Refused(None, f"The command {command.verb} publishes nothing."))

    def _publish(self, screen: Screen, plan: tuple[Command, ...]) -> None:
        screen.watching = True
        if self._held:
            self._farewell.tell(screen)
            self._release(False, plan, screen)
            return
        orphans = fresh(self._forwards, self._clock.seconds())
        if orphans:
            adopt(self._forwards, self._screens, screen, orphans, plan)
        elif self._farewell.pending:
            self._farewell.tell(screen)
        elif plan[0].verb or plan[0].options:
            if self._plan is not None:
                self._no_forward()
            self._plan = (screen, plan)
            self._timers.start("forward", PATIENCE, self._no_forward)
        elif self._forwards.hopeful:
            self._screens.greet(screen, self._forwards.live())
        else:
            screen.show(welcome(screen.console, self._settings, self._connection, self._tunnels))
            screen.end(0)

    def session_input(self, session: Any, data: bytes) -> None:
        """The user typed."""
        screen = self._screens.find(session)
        if not self._documents.received(session, data) and screen is not None:
            watched = screen.watching
            self._screens.typed(screen, data, self._forwards.live())
            if watched and not screen.watching:
                self._quit()

    def session_eof(self, session: Any) -> None:
        """Standard input ended: that of ``</dev/null`` and systemd means nothing, but a document is whole now."""
        self._documents.ended(session)

    def session_signal(self, session: Any, name: str) -> None:
        """INT, TERM and HUP end the session."""
        screen = self._screens.find(session)
        if screen is not None and name in ("INT", "TERM", "HUP"):
            screen.end(0)
            self._quit()

    def _quit(self) -> None:
        """
        A user has quit. Where nobody else watches, everything that is published ends: a client does not leave by itself
        while channels are open, and those of kept connections would be for a while.
        """
        if not self._screens.watching():
            for forward in tuple(self._forwards):
                self._forwards.cancel(forward, Refused(None, "The user has quit."))

    def session_resized(self, session: Any, columns: int, rows: int) -> None:
        """Lines are never cut to the width of the terminal."""

    def session_closed(self, session: Any) -> None:
        """The session is gone; its forwards stay, for a mux client may have asked for them."""
        self._documents.lost(session)
        screen = self._screens.remove(session)
        if screen is not None and self._plan is not None and self._plan[0] is screen:
            self._plan = None
            self._timers.stop("forward")

    def disconnected(self, reason: Any) -> None:
        """The connection is gone."""
        if self._gone:
            return
        self._gone = True
        self._timers.stop_all()
        self._held.end()
        self._screens.clear()
        self._forwards.end()
        self._documents.close()
        self._when_gone(self)

    def _no_forward(self) -> None:
        """A command waited for its forward in vain."""
        assert self._plan is not None
        screen, plan = self._plan
        self._plan = None
        refused = Refused(
            NO_FORWARD, f"No forward came for the command {plan[0].verb}. Add one: ssh -R 443:localhost:3000"
        )
        screen.complain(refused)
        screen.end(exit_status(refused))
