"""
The commands that publish nothing: ``help``, ``version``, ``whoami`` and ``status``.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Iterator

from ngrok_twisted.transports.ssh.command import Command
from ngrok_twisted.transports.ssh.console import Console, Shown, usage
from ngrok_twisted.transports.ssh.settings import GatewaySettings

#: Endpoints that one listing shows.
MAX_LISTED = 100


def inform(command: Command, console: Console, settings: GatewaySettings, connection: Any, tunnels: Any) -> bytes:
    """
    Answer an informational command.

    :param connection: the authenticated SSH connection.
    :param tunnels: the live table.
    """
    if command.verb == "help":
        return console.help(command.topic, settings)
    if command.verb == "version":
        server = f"{settings.server_name} {settings.version}".strip()
        return console.rows("version", {"server": server, "client": connection.client_version})
    if command.verb == "whoami":
        return console.rows("whoami", _identity(connection))
    return _listing(console, connection.principal.account_id, tunnels)


def welcome(console: Console, settings: GatewaySettings, connection: Any, tunnels: Any) -> bytes:
    """What a user sees who came without a forward: who they are, what is online, and how to begin."""
    who = console.rows("whoami", _identity(connection))
    listing = _listing(console, connection.principal.account_id, tunnels)
    return who + listing + (b"" if console.json else console.lines(usage(settings)))


def _identity(connection: Any) -> dict[str, str]:
    principal = connection.principal
    identity = {"account": principal.account_name, "account_id": principal.account_id, "key": principal.credential_id}
    return {**identity, "may": ", ".join(principal.acl)} if principal.acl else identity


def _listing(console: Console, account_id: str, tunnels: Any) -> bytes:
    shown = list(islice(_shown(account_id, tunnels), MAX_LISTED))
    return console.forwarding(shown) if shown else console.notice("No endpoint of this account is online.")


def _shown(account_id: str, tunnels: Any) -> Iterator[Shown]:
    for tunnel in tunnels:
        if tunnel.account_id == account_id:
            url = tunnel.url or "labels " + ",".join(f"{key}={value}" for key, value in tunnel.labels.items())
            proto = url.partition("://")[0] if tunnel.url else "labels"
            yield Shown(url=url, endpoint_id=tunnel.endpoint_id or "", address="", port=0, proto=proto)
