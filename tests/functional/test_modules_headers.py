"""
The modules that change headers, through a real tunnel: set by ``config.yaml``, by the API, and by flags of ``ssh``.
"""

from __future__ import annotations

import json
from typing import Any

from tests.functional.case import EdgeTestCase
from tests.functional.clients import curl, full_name, open_tls
from tests.functional.edge import DOMAIN
from tests.functional.management import MANAGED, Management, Refusal
from tests.functional.web import Web

HOST, EMPTY = full_name("headers"), full_name("bare")

ROUTE = {
    "match_type": "path_prefix",
    "match": "/",
    "backend": {"backend_id": "web"},
    "request_headers": {
        "remove": ["Cookie", "x-forwarded-host"],
        "add": {
            "X-Client": "${conn.client_ip} ${.tls.version}",
            "x-path": "${req.url.path}",
            "x-tenant": "${req.cookies.tenant[0].value}",
            "host": "inner.example:8080",
        },
    },
    "response_headers": {
        "remove": ["X-Service"],
        "add": {"X-Status": "${res.status_code} of ${.backend.id}", "set-cookie": "seen=1; Secure"},
    },
}


class HeadersCase(EdgeTestCase):
    """An edge with a route that has both modules, and one that has none."""

    config: Any = {
        **MANAGED,
        "reserved_domains": [{"domain": f"*.{DOMAIN}"}],
        "backends": {"tunnel_group": [{"name": "web", "labels": {"app": "web"}}]},
        "edges": {"https": [{"name": "headers", "hostports": [f"{HOST}:443"], "routes": [ROUTE]}]},
    }

    def setUp(self) -> None:
        super().setUp()
        self.service: Web = self.web()
        agent = self.ssh(f"0:127.0.0.1:{self.service.port}", command="tunnel --label app=web")
        self.eventually(lambda: "app=web" in agent.out or agent.process.poll() is not None, "labelled tunnel")
        self.assertIsNone(agent.process.poll(), agent.said())

    def all(self, name: str) -> list[str]:
        """What the service got under a name, last."""
        return self.service.asked[-1].all(name)


class ConfiguredTests(HeadersCase):
    """From ``config.yaml``."""

    def test_both(self) -> None:
        """Service and visitor get what was added, and not what was removed."""
        words = [
            "-b",
            "tenant=blue; secret=1",
            "-D",
            "-",
            "-o",
            "/dev/null",
            f"https://{HOST}:{self.edge.https}/a%20b?c",
        ]
        head = curl(self.edge, *words).lower().splitlines()
        self.assertEqual(self.all("x-client"), ["127.0.0.1 1.3"])
        self.assertEqual((self.all("x-path"), self.all("x-tenant")), (["/a b"], ["blue"]))
        self.assertEqual((self.all("host"), self.all("cookie")), (["inner.example:8080"], []))
        self.assertEqual((self.all("x-forwarded-host"), self.all("x-forwarded-proto")), ([], ["https"]))
        self.assertEqual([line for line in head if line.startswith("x-service")], [])
        self.assertIn("set-cookie: seen=1; secure", head)
        self.assertTrue([line for line in head if line.startswith("x-status: 200 of bkdtg_")], head)

    def test_own_answers(self) -> None:
        """The edge's own answers have the visitor's headers, too."""
        self._close_agents()
        answer = self.eventually(lambda: (got := self.get(f"https://{HOST}/")).status == 502 and got, "nobody online")
        self.assertIn("ngrok-error-code", answer.headers)
        self.assertTrue(answer.headers["x-status"].startswith("502 of bkdtg_"))

    def _close_agents(self) -> None:
        for cleanup, arguments, _ in reversed(self._cleanups):
            if getattr(cleanup, "__self__", None).__class__.__name__ == "SSH":
                cleanup(*arguments)

    def test_injection(self) -> None:
        """Nothing that a visitor sends becomes a line of its own, at either end."""
        connection = open_tls(self.edge, HOST)
        self.addCleanup(connection.close)
        connection.sendall(
            f"GET /%0d%0aX-Evil:%201%0d%0a%0d%0aGET HTTP/1.1\r\nHost: {HOST}\r\nCookie: tenant=a%0d%0ab\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        received = b""
        while data := connection.recv(65536):
            received += data
        self.assertTrue(received.startswith(b"HTTP/1.1 200 "))
        self.assertEqual(self.all("x-evil"), [])
        self.assertEqual(self.all("x-path"), ["/  X-Evil: 1    GET"])
        self.assertEqual(len(self.service.asked), 1)

    def test_websocket(self) -> None:
        """The answer that opens a WebSocket has them; what follows is untouched."""
        connection = open_tls(self.edge, HOST)
        self.addCleanup(connection.close)
        connection.sendall(
            f"GET /upgrade HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n".encode()
        )
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        self.assertIn(b"x-status: 101 of bkdtg_", received)
        self.assertEqual((self.all("x-path"), self.all("upgrade")), (["/upgrade"], ["echo/1"]))
        connection.sendall(b"ping")
        self.assertEqual(connection.recv(100), b"ping")


class ManagedTests(HeadersCase):
    """Over the API."""

    def test_life(self) -> None:
        """A module is set, changed, switched off and deleted, and the next request sees each."""
        api = Management(self.edge)
        self.addCleanup(api.close)
        backend = api.make("/backends/tunnel_group", labels={"app": "web"})
        edge = api.make("/edges/https", hostports=[f"{EMPTY}:443"])
        self.addCleanup(api, "DELETE", f"/backends/tunnel_group/{backend}")
        self.addCleanup(api, "DELETE", f"/edges/https/{edge}")
        route = api.make(
            f"/edges/https/{edge}/routes",
            match_type="path_prefix",
            match="/",
            backend={"backend_id": backend},
            request_headers={"add": {"X-One": "1"}},
        )
        self.assertEqual(self.seen()["x-one"], "1")
        path = f"/edges/https/{edge}/routes/{route}"
        told = api("PUT", f"{path}/request_headers", {"add": {"X-Two": "${req.method}"}, "remove": ["X-Gone"]})
        self.assertEqual(told, {"enabled": True, "add": {"x-two": "${req.method}"}, "remove": ["X-Gone"]})
        seen = self.seen()
        self.assertEqual((seen.get("x-one"), seen["x-two"], "x-gone" in seen), (None, "GET", False))
        api("PUT", f"{path}/request_headers", {"enabled": False, "add": {"x-two": "2"}})
        self.assertNotIn("x-two", self.seen())
        api("PUT", f"{path}/response_headers", {"add": {"X-Three": "3"}})
        self.assertEqual(self.get(f"https://{EMPTY}/").headers["x-three"], "3")
        api("DELETE", f"{path}/response_headers")
        self.assertNotIn("x-three", self.get(f"https://{EMPTY}/").headers)
        for body, code in (
            ({"add": {"Content-Length": "1"}}, "ERR_NGROK_7023"),
            ({"add": {"x": "a\r\nb"}}, "ERR_NGROK_7024"),
            ({"add": {"x": "${"}}, "ERR_NGROK_7024"),
            ({"add": {"X": "1", "x": "2"}}, "ERR_NGROK_7069"),
            ({"remove": ["host"]}, "ERR_NGROK_7164"),
            ({"remove": [f"x-{number}" for number in range(11)]}, "ERR_NGROK_7015"),
        ):
            refused = self.assertRaises(Refusal, api, "PUT", f"{path}/request_headers", body)
            self.assertEqual((refused.status, refused.code), (400, code), body)

    def seen(self) -> dict[str, str]:
        """The headers that the service gets."""
        answer = self.get(f"https://{EMPTY}/echo", headers={"X-Gone": "1"})
        return {name.lower(): value for name, value in json.loads(answer.body)["headers"]}


class FlagTests(EdgeTestCase):
    """By flags of ``ssh``."""

    def test_flags(self) -> None:
        """A name may be added several times."""
        web = self.web()
        flags = (
            "--request-header-add 'X-A: 1' --request-header-add 'x-a: ${req.method}:2' --request-header-remove X-Gone "
            "--response-header-add 'X-B: ${res.status_code}' --response-header-remove X-Service"
        )
        url = self.publish(web, command=f"http {flags}")
        answer = self.get(url, headers={"X-Gone": "1"})
        self.assertEqual(web.asked[-1].all("x-a"), ["1", "GET:2"])
        self.assertEqual(web.asked[-1].all("x-gone"), [])
        self.assertEqual((answer.headers["x-b"], "x-service" in answer.headers), ("200", False))
