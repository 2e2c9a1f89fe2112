"""
Circuit breaker, user-agent filter, basic auth and WebSocket-to-TCP converter on routes, through real tunnels.

Set once by ``config.yaml`` and once by the API; by flags of ssh, in ``test_ssh_modules.py``.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import threading
import time
from typing import Any

from tests.functional.case import EdgeTestCase
from tests.functional.clients import curl, full_name, open_tls
from tests.functional.management import MANAGED, Management
from tests.functional.relay import Relay
from tests.functional.service import PATIENCE, Service, echo, greet, resetting
from tests.functional.tools import peer, tool

HOST = full_name("small")
PASSWORD = "correct horse"

UPGRADE = (
    f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()


def route(match: str, label: str, **modules: Any) -> dict[str, Any]:
    """One route to the tunnels of a label."""
    return {"match_type": "path_prefix", "match": match, "backend": {"backend_id": label}, **modules}


class SmallCase(EdgeTestCase):
    """An edge with a route for each module."""

    config: Any = {
        **MANAGED,
        "backends": {"tunnel_group": [{"name": label, "labels": {"app": label}} for label in ("web", "tcp")]},
        "edges": {
            "https": [
                {
                    "name": "small",
                    "hostports": [f"{HOST}:443"],
                    "routes": [
                        route(
                            "/status",
                            "web",
                            circuit_breaker={
                                "volume_threshold": 4,
                                "error_threshold_percentage": 0.5,
                                "tripped_duration": 1,
                            },
                        ),
                        route("/robots", "web", user_agent_filter={"allow": ["^good"], "deny": ["(?i)bot", "^$"]}),
                        route(
                            "/private",
                            "web",
                            basic_auth={"credentials": [{"username": "ann", "password": PASSWORD}]},
                        ),
                        route("/bytes", "tcp", websocket_tcp_converter={}),
                        route(
                            "/all",
                            "tcp",
                            websocket_tcp_converter={},
                            circuit_breaker={},
                            user_agent_filter={"deny": ["evil"]},
                            basic_auth={"credentials": [{"username": "ann", "password": PASSWORD}]},
                        ),
                        route("/", "web"),
                    ],
                }
            ]
        },
    }

    def label(self, service: Service, name: str) -> None:
        """Bring a labelled tunnel online."""
        agent = self.ssh(f"0:127.0.0.1:{service.port}", command=f"tunnel --label app={name}")
        self.eventually(lambda: f"app={name}" in agent.out or agent.process.poll() is not None, "labelled tunnel")
        self.assertIsNone(agent.process.poll(), agent.said())

    def status(self, path: str, **headers: str) -> int:
        """The status of one request."""
        return self.get(f"https://{HOST}{path}", headers=headers).status


class RequestTests(SmallCase):
    """Modules that look at requests."""

    def setUp(self) -> None:
        super().setUp()
        self.service = self.web()
        self.label(self.service, "web")

    def test_circuit_breaker(self) -> None:
        """A service that fails is left alone, without touching other routes, and is back after one good answer."""
        self.assertEqual(
            [self.status(f"/status/{code}") for code in (200, 500, 404, 503, 500)], [200, 500, 404, 503, 500]
        )
        answer = self.get(f"https://{HOST}/status/200")
        self.assertEqual((answer.status, answer.headers["ngrok-error-code"]), (503, "ERR_NGROK_3202"))
        self.assertEqual(answer.headers["retry-after"], "1")
        asked = len(self.service.asked)
        self.assertEqual((self.status("/status/200"), len(self.service.asked)), (503, asked))
        self.assertEqual(self.status("/else"), 200)
        self.eventually(lambda: self.status("/status/200") == 200, "closed circuit", 10)
        self.assertEqual([self.status("/status/200") for _ in range(3)], [200] * 3)
        self.assertIn("the circuit breaker of edghtsrt_", self.edge.log())

    def test_user_agent(self) -> None:
        """Programs are let in, or kept out, by their names; curl says one, and none."""
        for name, expected in (("curl/8", 200), ("evilBot/1", 403), ("good bot", 200)):
            self.assertEqual(self.status("/robots", **{"User-Agent": name}), expected)
        url = f"https://{HOST}:{self.edge.https}/robots"
        self.assertEqual(curl(self.edge, url), "hello from web\n")
        words = ["-H", "User-Agent:", "-o", "/dev/null", "-w", "%{http_code} %header{ngrok-error-code}"]
        self.assertEqual(curl(self.edge, *words, url), "403 ERR_NGROK_3211")

    def test_basic_auth(self) -> None:
        """curl gets in with the password, and is told what is missing without; the service sees who came."""
        url = f"https://{HOST}:{self.edge.https}/private/x"
        self.assertEqual(curl(self.edge, "-u", f"ann:{PASSWORD}", url), "hello from web\n")
        self.assertTrue(self.service.asked[-1].all("authorization")[0].startswith("Basic "))
        for words in (["-u", "ann:wrong horse"], ["-u", f"bob:{PASSWORD}"], []):
            said = curl(self.edge, *words, "-D", "-", url)
            self.assertRegex(said, r"\AHTTP/\S+ 401 ")
            self.assertIn('www-authenticate: basic realm="ngrok"', said.lower())
        self.assertNotIn(PASSWORD, self.edge.log())

    def test_by_api(self) -> None:
        """Each is put on a route that is served, read back without secrets, and taken away; each time it counts at once."""
        api = Management(self.edge)
        self.addCleanup(api.close)
        name = self.new_name()
        domain = api.make("/reserved_domains", domain=name)
        backend = api.make("/backends/tunnel_group", labels={"app": "web"})
        edge = api.make("/edges/https", hostports=[f"{name}:443"])
        made = api.make(
            f"/edges/https/{edge}/routes", match_type="path_prefix", match="/", backend={"backend_id": backend}
        )
        self.addCleanup(api, "DELETE", f"/reserved_domains/{domain}")
        self.addCleanup(api, "DELETE", f"/edges/https/{edge}")
        for module, body, status in (
            ("user_agent_filter", {"deny": [".*"]}, 403),
            ("basic_auth", {"credentials": [{"username": "ann", "password": PASSWORD}]}, 401),
            ("websocket_tcp_converter", {}, 400),
            ("circuit_breaker", {"volume_threshold": 1}, 200),
        ):
            path = f"/edges/https/{edge}/routes/{made}/{module}"
            api("PUT", path, body)
            self.assertEqual(self.get(f"https://{name}/").status, status, module)
            shown = api("GET", path)
            self.assertTrue(shown["enabled"])
            self.assertNotIn(PASSWORD, json.dumps(shown))
            api("DELETE", path)
            self.assertEqual(self.get(f"https://{name}/").status, 200)

    def test_change_keeps_the_circuit(self) -> None:
        """An open circuit stays open when something else of its edge changes, and is new when its module does."""
        api = Management(self.edge)
        self.addCleanup(api.close)
        name = self.new_name()
        domain = api.make("/reserved_domains", domain=name)
        backend = api.make("/backends/tunnel_group", labels={"app": "web"})
        edge = api.make("/edges/https", hostports=[f"{name}:443"])
        routes = f"/edges/https/{edge}/routes"
        made = api.make(routes, match_type="path_prefix", match="/", backend={"backend_id": backend})
        self.addCleanup(api, "DELETE", f"/reserved_domains/{domain}")
        self.addCleanup(api, "DELETE", f"/edges/https/{edge}")
        api("PUT", f"{routes}/{made}/circuit_breaker", {"volume_threshold": 1, "tripped_duration": 600})
        url = f"https://{name}/status/500"
        self.assertEqual([self.get(url).status for _ in range(2)], [500, 503])
        api("PATCH", f"/edges/https/{edge}", {"description": "changed"})
        api("PUT", f"{routes}/{made}/compression", {})
        api.make(routes, match_type="path_prefix", match="/other", backend={"backend_id": backend})
        self.assertEqual(self.get(url).status, 503)
        api("PUT", f"{routes}/{made}/circuit_breaker", {"volume_threshold": 1, "tripped_duration": 601})
        self.assertEqual(self.get(url).status, 500)


class ConverterTests(SmallCase):
    """WebSocket outside, plain bytes inside."""

    def talk(self, code: int = 1000, size: int = 0) -> dict[str, Any]:
        """What the client of the ``websockets`` package sees."""
        words = [tool("python"), peer("websocket_bytes.py"), HOST, str(self.edge.https), str(self.edge.ca)]
        done = subprocess.run([*words, str(code), str(size)], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    def test_bytes(self) -> None:
        """Megabytes in messages of every shape come back as the same bytes; the client's close code comes back, too."""
        self.label(self.serve(Service(echo)), "tcp")
        seen = self.talk(3333, 5_000_000)
        self.assertEqual(seen["sent"], seen["got"])
        self.assertEqual((seen["kinds"], seen["ponged"], seen["closed"]), (["bytes"], True, 3333))
        self.assertEqual((seen["subprotocol"], seen["extensions"]), ("binary", []))

    def test_service_ends(self) -> None:
        """A service that says something and hangs up ends the WebSocket in order."""
        self.label(self.serve(Service(greet(b"the time is 12:00\r\n"))), "tcp")
        seen = self.talk()
        self.assertEqual((seen["heard"], seen["closed"]), ("the time is 12:00\r\n", 1000))

    def test_nobody(self) -> None:
        """Without a service the visitor reads an answer instead of an open WebSocket; other requests are refused."""
        with open_tls(self.edge, HOST) as connection:
            connection.sendall(UPGRADE.replace(b"GET /", b"GET /bytes"))
            self.assertIn(b"HTTP/1.1 502 ", connection.recv(4096))
        answer = self.get(f"https://{HOST}/bytes")
        self.assertEqual((answer.status, answer.headers["ngrok-error-code"]), (400, "ERR_NGROK_3206"))

    def test_reset(self) -> None:
        """A service that resets its connection ends the WebSocket, and soon."""
        self.label(self.serve(Service(resetting)), "tcp")
        with self.opened() as connection:
            connection.sendall(b"\x82\x84\0\0\0\0ping")
            said = b""
            while data := connection.recv(4096):
                said += data
                if said[:1] == b"\x88" and len(said) >= 4:
                    connection.sendall(b"\x88\x80\0\0\0\0")
            self.assertEqual(said[:2], b"\x88\x02")

    def opened(self, path: bytes = b"/bytes", *lines: bytes) -> ssl.SSLSocket:
        """A WebSocket that is open, as a socket."""
        connection = open_tls(self.edge, HOST)
        connection.sendall(
            UPGRADE.replace(b"GET /", b"GET " + path).replace(b"\r\n\r\n", b"\r\n".join([b"", *lines, b"", b""]))
        )
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(1)
            self.assertTrue(data, head)
            head += data
        self.assertIn(b" 101 ", head)
        return connection

    def test_slow_service(self) -> None:
        """A visitor that sends without end to a service that does not read has to wait; the edge's memory stays small."""
        never = threading.Event()
        self.label(self.serve(Service(lambda connection: never.wait(PATIENCE) and None)), "tcp")
        self.addCleanup(never.set)
        with self.opened() as connection:
            connection.settimeout(2)
            before, sent = self.edge.resident_megabytes(), 0
            piece = b"\x82\xff" + (1 << 20).to_bytes(8, "big") + bytes(4) + bytes(1 << 20)
            try:
                while sent < 512 << 20:
                    connection.sendall(piece)
                    sent += len(piece)
            except TimeoutError:
                pass
            self.assertLess(sent, 256 << 20)
            self.assertLess(self.edge.resident_megabytes() - before, 40)

    def test_slow_visitor(self) -> None:
        """A service that sends without end to a visitor that does not read has to wait."""
        sent = [0]

        def pour(connection: socket.socket) -> None:
            connection.settimeout(2)
            while sent[0] < 512 << 20:
                sent[0] += connection.send(bytes(1 << 20))

        self.label(self.serve(Service(pour)), "tcp")
        with self.opened():
            before, last = self.edge.resident_megabytes(), -1
            while last != sent[0]:
                last = sent[0]
                time.sleep(1.5)
            self.assertLess(sent[0], 256 << 20)
            self.assertLess(self.edge.resident_megabytes() - before, 40)

    def test_suite(self) -> None:
        """
        Autobahn's cases of pings, reserved bits, opcodes and Close frames, by the runner ``kosoku``. Those of text and of
        messages as such say nothing here: what comes back of a byte is a byte, in frames of the service's making.
        """
        self.label(self.serve(Service(echo)), "tcp")

        def to_the_edge(passed: int, data: bytes) -> bytes:
            if passed:
                return data
            data = re.sub(rb"^GET [^ ]*", b"GET /bytes", data)
            return re.sub(rb"(?i)\r\nhost: [^\r]*", b"\r\nHost: " + HOST.encode(), data, count=1)

        relay: Service = self.serve(Relay(lambda: open_tls(self.edge, HOST), up=to_the_edge))
        reports = self.edge.directory / "converter"
        cases = [word for pattern in ("2.*", "3.*", "4.*", "7.[3579].*") for word in ("-i", pattern)]
        command = [tool("kosoku"), "-m", "fuzzingclient", *cases, "-o", str(reports), f"127.0.0.1:{relay.port}"]
        subprocess.run(command, capture_output=True, timeout=80, cwd=self.edge.directory)
        index = json.loads(next(reports.rglob("index.json")).read_text())
        ends = {case: result["behavior"] for server in index.values() for case, result in server.items()}
        passed = ("OK", "NON-STRICT", "INFORMATIONAL")  # all right; which of them depends on how frames arrive
        self.assertEqual({case: end for case, end in ends.items() if end not in passed}, {})
        self.assertGreater(len(ends), 50)

    def test_with_the_others(self) -> None:
        """On a route with all of them the WebSocket opens for who may come, and only then."""
        self.label(self.serve(Service(echo)), "tcp")
        password = b"Authorization: Basic YW5uOmNvcnJlY3QgaG9yc2U="
        for lines, status in ((), 403), ((b"User-Agent: evil", password), 403), ((b"User-Agent: ok",), 401):
            with open_tls(self.edge, HOST) as connection:
                head = UPGRADE.replace(b"GET /", b"GET /all").replace(
                    b"\r\n\r\n", b"\r\n".join([b"", *lines, b"", b""])
                )
                connection.sendall(head)
                self.assertIn(b"HTTP/1.1 %d " % status, connection.recv(4096))
        with self.opened(b"/all", b"User-Agent: ok", password) as connection:
            connection.sendall(b"\x82\x84\0\0\0\0ping")
            self.assertEqual(connection.recv(100), b"\x82\x04ping")
