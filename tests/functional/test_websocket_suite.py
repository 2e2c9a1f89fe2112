"""
Autobahn's WebSocket cases, through TLS, the edge, SSH and a real client to an echo server.

The runner is ``kosoku``; the performance (9) and compression (12, 13) cases are left out, since they test the echo server. What the
edge adds or spoils is the difference to the same run straight to the echo server.
"""

from __future__ import annotations

import json
import re
import ssl
import subprocess
from pathlib import Path

from tests.functional.case import EdgeTestCase
from tests.functional.clients import open_tls
from tests.functional.ports import free_port
from tests.functional.relay import Relay
from tests.functional.service import Service
from tests.functional.tools import peer, tool
from tests.functional.waiting import wait_until

CASES = 247
# Which of these a case ends with depends on how the bytes of its frames are cut: all are right (Autobahn's own words).
PASSED = ("OK", "NON-STRICT", "INFORMATIONAL")
HOST_LINE = re.compile(rb"\r\nhost: [^\r]*", re.IGNORECASE)


class WebSocketSuiteTests(EdgeTestCase):
    """All cases."""

    seconds = 240

    def test_cases(self) -> None:
        """Every case that passes without a tunnel passes through it, and next to none fails without one."""
        runner, port = tool("kosoku"), free_port()
        server = subprocess.Popen([tool("python"), peer("websocket_echo.py"), str(port)], stdout=subprocess.PIPE)
        self.addCleanup(server.wait, 10)
        self.addCleanup(server.kill)
        assert server.stdout is not None
        self.addCleanup(server.stdout.close)
        self.assertEqual(server.stdout.readline(), b"ready\n")
        name = self.new_name()
        self.ssh(f"{name}:443:127.0.0.1:{port}", command="http").url()

        def to_edge() -> ssl.SSLSocket:
            return open_tls(self.edge, name)

        def set_host(passed: int, data: bytes) -> bytes:
            return HOST_LINE.sub(b"\r\nHost: " + name.encode(), data, count=1) if passed == 0 else data

        relay: Service = self.serve(Relay(to_edge, up=set_host))
        direct = self.run_suite(runner, port, "direct")
        through = self.run_suite(runner, relay.port, "through")
        self.assertEqual(len(through), CASES)
        failed = {case: end for case, end in through.items() if end not in PASSED and direct[case] in PASSED}
        self.assertEqual(failed, {})
        self.assertLess(sum(end not in PASSED for end in direct.values()), 3)

    def run_suite(self, runner: str, port: int, name: str) -> dict[str, str]:
        """
        :return: how each case ended.
        """
        reports = self.edge.directory / name
        left_out = [word for pattern in ("9.*", "12.*", "13.*") for word in ("-x", pattern)]
        command = [runner, "-m", "fuzzingclient", *left_out, "-o", str(reports), f"127.0.0.1:{port}"]
        subprocess.run(command, capture_output=True, timeout=110, cwd=self.edge.directory)
        wait_until(lambda: list(reports.rglob("index.json")), 5, "report of the suite")
        index: Path = next(reports.rglob("index.json"))
        servers = json.loads(index.read_text()).values()  # by what the handshake's Server says
        return {case: result["behavior"] for cases in servers for case, result in cases.items()}
