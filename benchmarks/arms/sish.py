"""
sish: a server for ``ssh -R`` in Go, as an operator sets it up for HTTPS and TCP.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from benchmarks.arm import Address, Arm, which
from benchmarks.certificate import HOST, OPENSSL, make_certificate
from benchmarks.openssh import CLIENT, client_command, public_keys, start_client
from benchmarks.workshop import LOOPBACK, answers, free_port, listening

SETTINGS = {
    # Names and ports are those that the user asks for, on the address that the operator says.
    "bind-random-subdomains": "false",
    "force-requested-subdomains": "true",
    "bind-random-ports": "false",
    "force-requested-ports": "true",
    "localhost-as-all": "false",
    "force-tcp-address": "true",
    "verify-dns": "false",
    "https": "true",
    # No log, no consoles, and nothing to do while nobody visits.
    "log-to-stdout": "false",
    "load-templates": "false",
    "redirect-root": "false",
    "ping-client": "false",
    "idle-connection-timeout": "75s",
    "cleanup-unauthed-timeout": "60s",
}


class SishArm(Arm):
    """sish, TLS with an ECDSA P-256 certificate, entered by a plain ``ssh -R``."""

    label: ClassVar[str] = "sish"
    role: ClassVar[str] = "sish, entered by ssh -R"
    carries = frozenset({"tcp", "https", "ssh", "agent", "agent-http", "agent-tcp"})
    needs = CLIENT | OPENSSL | {"sish": "a release of https://github.com/antoniomika/sish, on PATH or in .cache/go"}

    def start_tcp(self, origin: int) -> Address:
        """`Arm`."""
        public = free_port()
        command = client_command(self.workshop, self.start_ssh(), f"{public}:{LOOPBACK}:{origin}")
        client = start_client(self.workshop, f"{self.label}-client", command, lambda output: listening(public))
        self.clients.append(client.pid)
        return Address(host=LOOPBACK, port=public)

    def start_https(self, origin: int) -> Address:
        """`Arm`."""
        return self._start_name(origin, "https")

    def start_http(self, origin: int) -> Address:
        """`Arm`."""
        return self._start_name(origin, "http")

    def start_ssh(self) -> int:
        """`Arm`."""
        return self._start()["ssh"]

    def _start_name(self, origin: int, scheme: str) -> Address:
        """Start, and let a client ask for `HOST`, which sish then serves on both of its listeners."""
        ports = self._start()
        name = HOST.partition(".")[0]
        command = client_command(self.workshop, ports["ssh"], f"{name}:80:{LOOPBACK}:{origin}")
        ready = lambda output: answers(ports["http"], HOST)
        self.clients.append(start_client(self.workshop, f"{self.label}-client", command, ready).pid)
        return Address(host=HOST, port=ports[scheme])

    def _start(self) -> dict[str, int]:
        """
        :return: the loopback ports of its listeners.
        """
        ports = {name: free_port() for name in ("ssh", "http", "https")}
        folder = self.workshop.folder(self.label)
        settings = SETTINGS | {
            **{f"{name}-address": f"{LOOPBACK}:{port}" for name, port in ports.items()},
            "tcp-address": LOOPBACK,
            "domain": HOST.partition(".")[2],
            "config": str(folder / "none.yml"),
            "private-keys-directory": str(self._folder("keys")),
            "authentication-keys-directory": str(self._write_keys()),
            "https-certificate-directory": str(self._write_certificate()),
        }
        sish = self.workshop.start(
            f"{self.label}-server",
            *(which("sish") or "sish", *(f"--{name}={value}" for name, value in settings.items())),
            ready=lambda: all(listening(port) for port in ports.values()),
        )
        self.roots.append(sish.pid)
        return ports

    def _folder(self, name: str) -> Path:
        path = self.workshop.folder(self.label) / name
        path.mkdir(exist_ok=True)
        return path

    def _write_keys(self) -> Path:
        folder = self._folder("users")
        (folder / "users.pub").write_text("\n".join(public_keys(self.workshop)) + "\n", encoding="ascii")
        return folder

    def _write_certificate(self) -> Path:
        """It finds certificates by the ends of their files' names."""
        folder = self._folder("tls")
        certificate, key = make_certificate(self.workshop.folder(self.label))
        certificate.rename(folder / f"{HOST}.crt")
        key.rename(folder / f"{HOST}.key")
        return folder
