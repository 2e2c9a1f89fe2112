"""
A command that comes after its forwards were answered without one: a mux client opens its session only then.
"""

from __future__ import annotations

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.ssh.bind import assign, implied_verb
from ngrok_twisted.transports.ssh.command import Command
from ngrok_twisted.transports.ssh.forward import Forward, State
from ngrok_twisted.transports.ssh.forwards import Forwards
from ngrok_twisted.transports.ssh.screen import Screen
from ngrok_twisted.transports.ssh.screens import Screens, exit_status

SECONDS = 1

#: A command that comes this soon behind a forward without one was meant for it.
FRESH = 5 * SECONDS


def fresh(forwards: Forwards, now: float) -> list[Forward]:
    """
    :param now: seconds on the clock.
    :return: forwards that began without a command so lately that a command may be for them.
    """
    return [
        forward
        for forward in forwards
        if forward.silent and (forward.state is State.CLAIMING or now - forward.born < FRESH)
    ]


def adopt(
    forwards: Forwards, screens: Screens, screen: Screen, orphans: list[Forward], plan: tuple[Command, ...]
) -> None:
    """
    Apply a command to forwards that began without it.

    A command of another kind, or one that does not fit, leaves the forward as it was, and the user is told.
    """
    screens.greet(screen, [])
    try:
        commands = assign(plan, len(orphans))
    except Refused as refused:
        screen.complain(refused)
        screen.end(exit_status(refused))
        return
    for forward, command in zip(orphans, commands):
        started_as = implied_verb(forward.wish.port)
        if command.verb not in ("", started_as):
            text = f"The forward was started as {started_as} before the command {command.verb} came, and stays so."
            screen.show(screen.console.notice(text))
        elif _again(forwards, screen, forward, command):
            continue
        screens.greet(screen, [forward])


def _again(forwards: Forwards, screen: Screen, forward: Forward, command: Command) -> bool:
    """Whether the forward is being set up anew; its URL is shown when it is."""
    try:
        return forwards.again(forward, command, screen.metadata)
    except Refused as refused:
        screen.complain(refused)
        return False
