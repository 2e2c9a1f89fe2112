"""
OpenSSH's own server: a daemon of ours on a loopback port, with a host key and a configuration made for the run.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from benchmarks.arm import Address, Arm, which
from benchmarks.openssh import CLIENT, client_command, public_keys, start_client
from benchmarks.proc import running_commands
from benchmarks.workshop import LOOPBACK, free_port, listening

PRIVILEGE_SEPARATION = Path("/run/sshd")
"""The empty directory that Debian's sshd insists on when root starts it; the service unit makes it, we may have to."""


class SSHDArm(Arm):
    """
    ``sshd``, with the cipher that a default client picks.

    :cvar ciphers: a ``Ciphers`` line, or empty for the server's default.
    """

    label: ClassVar[str] = "sshd"
    role: ClassVar[str] = "OpenSSH sshd, default ciphers"
    carries = frozenset({"tcp", "ssh"})
    needs = CLIENT | {"sshd": "apt-get install openssh-server"}
    ciphers: ClassVar[str] = ""

    def start_tcp(self, origin: int) -> Address:
        """`Arm`."""
        port = self.start_ssh()
        public = free_port()
        self.start_forward(port, public, origin)
        return Address(host=LOOPBACK, port=public)

    def start_ssh(self) -> int:
        """`Arm`."""
        self._make_privilege_separation_directory()
        port = free_port()
        config = self._write_sshd_config(port)
        sshd = which("sshd") or "sshd"  # it insists on its absolute path, since it executes itself again
        daemon = self.workshop.start(
            f"{self.label}-daemon", sshd, "-D", "-e", "-f", str(config), ready=lambda: listening(port)
        )
        self.roots.append(daemon.pid)
        return port

    def start_forward(self, port: int, public: int, origin: int) -> None:
        """
        Let a default client forward a public port to the service.

        The session matters: only when one starts does sshd set TCP_NODELAY, and with ``-N`` it loses two thirds of its
        requests a second to Nagle's algorithm.

        :raises Unusable: with the client's own words.
        """
        forward = f"{public}:{LOOPBACK}:{origin}"
        command = client_command(self.workshop, port, forward, command="cat")
        client = start_client(self.workshop, f"{self.label}-client", command, lambda output: listening(public))
        self.clients.append(client.pid)

    def _write_sshd_config(self, port: int) -> Path:
        """A configuration that lets this user in by key, forwards ports and does nothing else."""
        config = self.workshop.folder(self.label) / "sshd_config"
        authorized_keys = config.parent / "authorized_keys"
        authorized_keys.write_text("\n".join(public_keys(self.workshop)) + "\n", encoding="ascii")
        lines = [
            f"Port {port}",
            f"ListenAddress {LOOPBACK}",
            f"HostKey {self.workshop.key('host_key')}",
            f"AuthorizedKeysFile {authorized_keys}",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "AllowTcpForwarding remote",
            "LogLevel ERROR",
        ]
        if self.ciphers:
            lines.append(f"Ciphers {self.ciphers}")
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return config

    def _make_privilege_separation_directory(self) -> None:
        """Make `PRIVILEGE_SEPARATION` if root needs it and it is not there, and remove it at the end."""
        if os.geteuid() == 0 and not PRIVILEGE_SEPARATION.exists():
            PRIVILEGE_SEPARATION.mkdir(mode=0o755)
            self.workshop.at_end(_remove_privilege_separation_directory)


def _remove_privilege_separation_directory() -> None:
    """Remove it, unless somebody else's sshd has started in the meantime and lives in it."""
    if not any(command == "sshd" for command in running_commands()):
        with suppress(OSError):
            PRIVILEGE_SEPARATION.rmdir()
