"""
frp: a server and a client in Go, with TLS and their multiplexer between them, as by default.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.arm import Address, Arm, which
from benchmarks.agents import AUTHTOKEN
from benchmarks.certificate import HOST
from benchmarks.workshop import LOOPBACK, answers, free_port, listening

INSTALL = "scripts/install-bench-peers"


class FrpArm(Arm):
    """``frps``, entered by ``frpc``. It ends no TLS of visitors, so that requests are plain ones."""

    label: ClassVar[str] = "frp"
    role: ClassVar[str] = "frps, entered by frpc"
    carries = frozenset({"agent-tcp", "agent-http"})
    needs = {"frps": INSTALL, "frpc": INSTALL}

    def start_tcp(self, origin: int) -> Address:
        """`Arm`."""
        public = free_port()
        self._start(
            {"name": "bench", "type": "tcp", "localIP": LOOPBACK, "localPort": origin, "remotePort": public},
            ready=lambda: listening(public),
        )
        return Address(host=LOOPBACK, port=public)

    def start_http(self, origin: int) -> Address:
        """`Arm`."""
        public = free_port()
        self._start(
            {"name": "bench", "type": "http", "localIP": LOOPBACK, "localPort": origin, "customDomains": [HOST]},
            server={"vhostHTTPPort": public},
            ready=lambda: answers(public, HOST),
        )
        return Address(host=HOST, port=public)

    def _start(self, proxy: dict[str, Any], ready: Any, server: dict[str, Any] = {}) -> None:
        """
        :param proxy: what the client asks for.
        :param server: what the server's configuration says besides.
        :param ready: asked until it says yes.
        """
        port = free_port()
        same = {"auth": {"method": "token", "token": AUTHTOKEN}, "log": {"to": "console", "level": "warn"}}
        common = {"bindAddr": LOOPBACK, "proxyBindAddr": LOOPBACK, "bindPort": port}
        frps = self._run("frps", same | common | server)
        frps.wait_until(lambda: listening(port))
        self.roots.append(frps.pid)
        client = {"serverAddr": LOOPBACK, "serverPort": port, "transport": {"poolCount": 5}, "proxies": [proxy]}
        frpc = self._run("frpc", same | client)
        frpc.wait_until(ready)
        self.clients.append(frpc.pid)

    def _run(self, program: str, config: dict[str, Any]) -> Any:
        path: Path = self.workshop.folder(self.label) / f"{program}.json"
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")
        return self.workshop.start(program, which(program) or program, "-c", str(path))
