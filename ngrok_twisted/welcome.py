"""
What a server says once it is ready: the line to type, and where things are.
"""

from __future__ import annotations

from typing import Iterator

from ngrok_twisted import __version__
from ngrok_twisted.control.config import Config
from ngrok_twisted.net.listening import port_of

_SSH_PORT = 22


def welcome(config: Config, path: str | None) -> str:
    """
    :param path: the config's file, or ``None`` for the embedded defaults.
    :return: a few lines for whoever started the server.
    """
    lines = [f"ngrok_twisted {__version__} is ready ({path or 'built-in configuration'})"]
    if config.listen.ssh:
        lines += ["", "  publish a local service:   " + ssh_line(config)]
    lines += [
        f"  names are made under:      {config.domain}",
        f"  CA of the certificates:    {config.state}/ca.pem",
    ]
    lines += [f"  note: {note}" for note in _notes(config, path)]
    return "\n".join(lines) + "\n"


def _notes(config: Config, path: str | None) -> Iterator[str]:
    yield from config.warnings
    # Without a file the defaults say so themselves, with the folder that was searched.
    if path is not None and config.listen.ssh and not config.keys and not config.ssh_credentials:
        yield (
            "no SSH key may connect yet: make one with ssh-keygen -t ed25519, and put its public half into a file that "
            "ssh.authorized_keys names, where new keys count at once"
        )


def ssh_line(config: Config) -> str:
    """The command that opens a first tunnel to port 3000."""
    port = next((port for description in config.listen.ssh if (port := port_of(description))), _SSH_PORT)
    option = "" if port == _SSH_PORT else f"-p {port} "
    host = "localhost" if config.domain.endswith(".localhost") else f"connect.{config.domain}"
    return f"ssh {option}-R 443:localhost:3000 {host}"
