"""
`Screens`: the sessions of one connection, and what is shown on all of them.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable

from ngrok_twisted.errors import EdgeError, Refused
from ngrok_twisted.flow import Flow
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.transports.ssh.console import reconnect_hint
from ngrok_twisted.transports.ssh.forward import Forward
from ngrok_twisted.transports.ssh.screen import Screen
from ngrok_twisted.transports.ssh.settings import GatewaySettings

#: Mistakes in the command itself.
_USAGE_ERRORS = range(1107, 1111)


class Screens:
    """
    What the user of one connection sees.
    """

    __slots__ = ("_settings", "_session_id", "_clock", "_wants_hint", "_principal", "_all")

    def __init__(
        self,
        *,
        settings: GatewaySettings,
        principal: Principal,
        session_id: str,
        clock: Any,
        wants_hint: Callable[[str], bool],
    ) -> None:
        """
        :param principal: whose sessions they are.
        :param session_id: the agent session's id, for programs.
        :param wants_hint: whether the user of a credential should be shown how to reconnect, today; asked once it could be.
        """
        self._settings = settings
        self._principal = principal
        self._session_id = session_id
        self._clock = clock
        self._wants_hint = wants_hint
        self._all: dict[Any, Screen] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, session: Any) -> Screen:
        return self._all[session]

    def find(self, session: Any) -> Screen | None:
        """The screen of a session; ``None`` once it is gone."""
        return self._all.get(session)

    def add(self, session: Any) -> None:
        """A session was opened."""
        self._all[session] = Screen(session, self._clock.seconds())

    def remove(self, session: Any) -> Screen | None:
        """A session is gone."""
        return self._all.pop(session, None)

    def clear(self) -> None:
        """All are gone."""
        self._all.clear()

    def watching(self) -> list[Screen]:
        """Those that show URLs as they come and go."""
        return [screen for screen in self._all.values() if screen.watching]

    def expecting(self) -> bool:
        """Some session was opened whose command has not come yet."""
        return any(not screen.spoken for screen in self._all.values())

    # -- for all of them -----------------------------------------------------------------------------------------------

    def greet_all(self, forward: Forward) -> None:
        """A forward is online."""
        for screen in self.watching():
            self.greet(screen, [forward])

    def closed(self, url: str, reason: str, last: bool) -> None:
        """
        A URL is offline.

        :param last: an error follows that says so to people; programs are told in both ways.
        """
        for screen in self.watching():
            if screen.console.json or not last:
                screen.show(screen.console.closed(url, reason))

    def notice(self, text: str) -> None:
        """Something worth knowing."""
        for screen in self.watching():
            screen.show(screen.console.notice(text))

    def end_all(self, refused: Refused, status: int) -> bool:
        """
        Tell why and end.

        :return: whether anybody was there to read it.
        """
        watching = self.watching()
        for screen in watching:
            screen.complain(refused)
            screen.end(status)
        return bool(watching)

    def flow_opened(self, flow: Flow) -> None:
        """A stream to the local service began."""
        for screen in self.watching():
            screen.flow_opened(flow, self._clock.seconds())

    def flow_ended(self, flow: Flow) -> None:
        """A request or stream ended."""
        for screen in tuple(self._all.values()):
            if screen.log and screen.watching:  # at every request: most users do not look at each
                screen.flow_ended(flow, self._clock.seconds())

    def dial_failed(self, error: EdgeError) -> None:
        """The local service could not be reached."""
        for screen in self.watching():
            screen.dial_failed(error, self._clock.seconds())

    # -- for one -------------------------------------------------------------------------------------------------------

    def greet(self, screen: Screen, forwards: list[Forward]) -> None:
        """Show these forwards, below the banner if there was none yet."""
        shown = [line for forward in forwards for line in forward.shown()]
        if screen.greeted:
            screen.show(screen.console.forwarding(shown))
        else:
            screen.greeted = True
            screen.show(screen.console.banner(self._settings, self._principal.account_name, self._session_id, shown))
        if screen.code:
            self._show_codes(screen, forwards)
        plain = screen.session.pty is not None and not screen.console.json and not screen.console.quiet
        if shown and plain and self._wants_hint(self._principal.credential_id):
            screen.show(screen.console.notice("\n".join(_hint(self._settings, forwards[0]))))

    def typed(self, screen: Screen, data: bytes, live: list[Forward]) -> None:
        """
        Do what keys ask for.

        :param live: the forwards that are online.
        """
        for action in screen.keys(data):
            self._act(screen, action, live)

    def _act(self, screen: Screen, action: str, live: list[Forward]) -> None:
        console = screen.console
        if action == "quit":
            screen.end(0)
        elif action == "confirm":
            screen.show(console.notice("Press q again to quit."))
        elif action == "help":
            screen.show(console.keys())
        elif action == "repeat":
            screen.greeted = False
            self.greet(screen, live)
        elif action == "log":
            screen.log = not screen.log
            screen.show(console.notice(f"The log is {'on' if screen.log else 'off'}."))
        elif action == "code":
            self._show_codes(screen, live)

    def _show_codes(self, screen: Screen, forwards: Iterable[Forward]) -> None:
        for grant in (grant for forward in forwards for grant in forward.grants if grant.url):
            screen.show(screen.console.qr(grant.url))


def exit_status(refused: Refused) -> int:
    """2 for a mistake in the command, 1 for any other refusal."""
    return 2 if refused.code in _USAGE_ERRORS else 1


def _hint(settings: GatewaySettings, forward: Forward) -> list[str]:
    grant = forward.grants[0]
    host = grant.endpoint.host if grant.endpoint is not None and (grant.claim.host or grant.claim.label) else ""
    return reconnect_hint(settings, host, forward.wish.port or forward.port)
