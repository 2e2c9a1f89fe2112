"""
What a client publishes: by the command it gives, by none, or by the one that its certificate forces upon it.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.ssh.command import IMPLIED, NO_COMMAND, Command, language_version, parse
from ngrok_twisted.transports.ssh.settings import GatewaySettings

#: ngrok's number for a client that opens no session, where a command is required.
NO_SESSION = 1111


def given_plan(connection: Any, settings: GatewaySettings, command: bytes | None) -> tuple[Command, ...]:
    """
    The plan of a session.

    :param connection: its principal may have a command that takes the place of every other.
    :param command: of an ``exec`` request; ``None`` for ``shell``.
    :raises Refused: as `ngrok_twisted.transports.ssh.command.parse`.
    """
    forced = connection.principal.command
    wanted = command or b"" if forced is None else forced.encode("utf-8")
    version = language_version(connection.username)
    return parse(wanted, version, settings.module_kinds, settings.require_command)


def silent_plan(connection: Any, settings: GatewaySettings, in_session: bool) -> tuple[Command, ...]:
    """
    The plan of a client that says nothing, as with ``ssh -N``.

    :param in_session: it has opened a session at least.
    :raises Refused: a command is required, or the forced one publishes nothing.
    """
    if connection.principal.command is None:
        language_version(connection.username)
        if settings.require_command:
            code = NO_COMMAND if in_session else NO_SESSION
            raise Refused(code, "No command came. Add one behind the host, such as http or tcp.")
        return (IMPLIED,)
    plan = given_plan(connection, settings, None)
    informing = next((part for part in plan if part.informs), None)
    if informing is not None:
        raise Refused(None, f"The certificate allows the command {informing.verb} only, and that publishes nothing.")
    return plan
