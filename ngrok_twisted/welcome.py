"""
What a server says once it is ready: the line to type, and where things are.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

from twisted.logger import LoggingFile

from ngrok_twisted import __version__
from ngrok_twisted.control.config import Config
from ngrok_twisted.control.first_key import API_KEY, AUTHTOKEN
from ngrok_twisted.places import SSH_PORT, agent_address, first_port, nearest_api_url
from ngrok_twisted.records.ssh_credential import SSHCredential


def welcome(config: Config, path: str | None) -> str:
    """
    :param path: the config's file, or ``None`` for the embedded defaults.
    :return: a few lines for whoever started the server.
    """
    lines = [f"ngrok_twisted {__version__} is ready ({path or 'built-in configuration'})"]
    if config.listen.ssh:
        lines += ["", "  publish a local service:   " + ssh_line(config)]
    if address := agent_address(config):
        lines.append(f"  ngrok's agents and SDKs:   {_agent_line(config, address, path)}")
    lines += [
        f"  names are made under:      {config.domain}",
        f"  CA of the certificates:    {_ca(config)}",
    ]
    url = nearest_api_url(config)
    if url:
        key = f", its key is in {shown(Path(config.state) / API_KEY.file)}" if path is None else ""
        lines.append(f"  management API:            {url}{key}")
    lines += [f"  note: {note}" for note in _notes(config, path)]
    return "\n".join(lines) + "\n"


def _agent_line(config: Config, address: str, path: str | None) -> str:
    """What they are to be given, as their own settings call it."""
    token = f", authtoken in {shown(Path(config.state) / AUTHTOKEN.file)}" if path is None else ""
    return f"server_addr {address}, root_cas {_ca(config)}{token}"


def _ca(config: Config) -> str:
    return shown(Path(config.state) / "ca.pem")


def say(text: str) -> None:
    """
    Print to whoever started the server. twistd turns printed lines into log events; these are not events, and go past it.
    """
    stream = sys.__stdout__ if isinstance(sys.stdout, LoggingFile) else sys.stdout
    if stream is not None:
        print(text, file=stream, flush=True)


def shown(path: Path) -> str:
    """A path as one would type it here: relative to the current folder if it is below that."""
    folder = Path.cwd()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _notes(config: Config, path: str | None) -> Iterator[str]:
    yield from config.warnings
    # Without a file the defaults say so themselves, with the folder that was searched.
    keys = any(isinstance(record, SSHCredential) for record in config.declared.records)
    if path is not None and config.listen.ssh and not keys:
        yield (
            "no SSH key may connect yet: make one with ssh-keygen -t ed25519, and put its public half into a file that "
            "ssh.authorized_keys names, where new keys count at once"
        )


def ssh_line(config: Config) -> str:
    """The command that opens a first tunnel to port 3000."""
    port = first_port(config.listen.ssh, SSH_PORT)
    option = "" if port == SSH_PORT else f"-p {port} "
    host = "localhost" if config.domain.endswith(".localhost") else f"connect.{config.domain}"
    return f"ssh {option}-R 443:localhost:3000 {host}"
