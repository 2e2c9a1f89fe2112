"""
An SSH server of a few lines around Go's ``x/crypto/ssh``: what every server for ``ssh -R`` in Go is made of, without the rest.
"""

from __future__ import annotations

from typing import ClassVar

from benchmarks.arm import Address, Arm, which
from benchmarks.openssh import CLIENT, client_command, public_keys, start_client
from benchmarks.workshop import LOOPBACK, free_port, listening

PROGRAM = "bench_go_ssh"


class GoSSHArm(Arm):
    """``benchmarks/peers/go_ssh``, with the ciphers that Go and a default client agree on."""

    label: ClassVar[str] = "go-ssh"
    role: ClassVar[str] = "Go's x/crypto/ssh, a server of a few lines"
    carries = frozenset({"tcp", "ssh"})
    needs = CLIENT | {PROGRAM: "scripts/install-bench-peers"}

    def start_tcp(self, origin: int) -> Address:
        """`Arm`."""
        public = free_port()
        command = client_command(self.workshop, self.start_ssh(), f"{public}:{LOOPBACK}:{origin}", command="cat")
        client = start_client(self.workshop, f"{self.label}-client", command, lambda output: listening(public))
        self.clients.append(client.pid)
        return Address(host=LOOPBACK, port=public)

    def start_ssh(self) -> int:
        """`Arm`."""
        port = free_port()
        keys = self.workshop.folder(self.label) / "authorized_keys"
        keys.write_text("\n".join(public_keys(self.workshop)) + "\n", encoding="ascii")
        arguments = ("serve", f"{LOOPBACK}:{port}", str(self.workshop.key("host_key")), str(keys))
        server = self.workshop.start(
            f"{self.label}-server", which(PROGRAM) or PROGRAM, *arguments, ready=lambda: listening(port)
        )
        self.roots.append(server.pid)
        return port
