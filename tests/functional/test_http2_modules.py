"""
Every module in front of visitors who speak HTTP/2: requests of one connection, beside one another, to services that speak
HTTP/1.1 and HTTP/2 behind an agent of ngrok's.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import tempfile
from base64 import b64encode
from typing import Any


from tests.functional.agents import PythonSDK, Wish
from tests.functional.case import EdgeTestCase
from tests.functional.clients import full_name
from tests.functional.edge import AUTHTOKEN
from tests.functional.h2_client import Fields, H2Client, Stream
from tests.functional.service import Service, echo
from tests.functional.test_http2_services import NodeService
from tests.functional.test_live_changes import LiveCase
from tests.functional.test_ssh_modules import Wordy
from tests.functional.web import pattern
from tests.tls.authority import Made

HOST, STAFF = full_name("modules"), full_name("staff")
PASSWORD = "correct-horse-battery"
SECRET = "a-secret-of-webhooks"
MEGABYTE = 1 << 20

DENY = {"actions": [{"type": "deny", "config": {"status_code": 451}}]}

#: Who may visit as ``STAFF``.
AUTHORITY = Made("Staff")


def route(match: str, label: str = "one", **modules: Any) -> dict[str, Any]:
    """One route to the tunnels of a label."""
    return {"match_type": "path_prefix", "match": match, "backend": {"backend_id": label}, **modules}


def policy(match: str, action: str, **config: Any) -> dict[str, Any]:
    """A route with a traffic policy of one action."""
    rules = {"on_http_request": [{"actions": [{"type": action, "config": config}]}]}
    return route(match, traffic_policy={"value": json.dumps(rules)})


ROUTES = [
    policy("/said", "custom-response", status_code=418, body="short and stout", headers={"x-pot": "tea"}),
    policy("/denied", "deny", status_code=451),
    policy("/closed", "close-connection"),
    policy("/old", "redirect", **{"from": "/old/(.*)", "to": "/new/$1"}),
    route("/size", basic_auth={"credentials": [{"username": "ann", "password": PASSWORD}]}),
    route("/private", ip_restriction={"ip_policy_ids": ["nobody"]}),
    route("/robots", user_agent_filter={"deny": ["(?i)bot"]}),
    route("/words", compression={}),
    route("/big", "two", compression={}),
    route("/echo", webhook_verification={"provider": "github", "secret": SECRET}),
    route("/count", "two", webhook_verification={"provider": "github", "secret": SECRET}),
    route("/status", circuit_breaker={}),
    route("/bytes", "bytes", websocket_tcp_converter={}),
    route(
        "/headers",
        "two",
        request_headers={"add": {"x-added": "${conn.client_ip} ${req.version}"}, "remove": ["x-gone"]},
        response_headers={"add": {"x-back": "1"}, "remove": ["x-service"]},
    ),
    route("/"),
]


class ModulesCase(EdgeTestCase):
    """One edge with a route for each module, and another that asks for certificates."""

    config: Any = {
        "backends": {"tunnel_group": [{"name": name, "labels": {"app": name}} for name in ("one", "two", "bytes")]},
        "ip_policies": [{"name": "nobody", "rules": [{"cidr": "192.0.2.0/24", "action": "allow"}]}],
        "certificate_authorities": [{"name": "staff", "ca_pem": AUTHORITY.pem}],
        "edges": {
            "https": [
                {"name": "modules", "hostports": [f"{HOST}:443"], "routes": ROUTES},
                {
                    "name": "staff",
                    "hostports": [f"{STAFF}:443"],
                    "mutual_tls": {"certificate_authority_ids": ["staff"]},
                    "routes": [route("/")],
                },
            ]
        },
    }

    def setUp(self) -> None:
        """An agent in front of three services, and a connection."""
        super().setUp()
        self.service = Pages()
        node = NodeService()
        for each in (self.service, node):
            self.addCleanup(each.close)
        wish = lambda name, port, *options: Wish(kind="labeled", port=port, labels={"app": name}, options=options)
        agent = PythonSDK(
            self.edge,
            AUTHTOKEN,
            wish("one", self.service.port),
            wish("two", node.port, ("app_protocol", "http2")),
            wish("bytes", self.serve(Service(echo)).port),
        )
        self.addCleanup(agent.close)
        agent.heard("online", 3)
        self.h2 = self.connect()

    def connect(self, host: str = HOST, **options: Any) -> H2Client:
        """A connection."""
        client = H2Client(self.edge, host, **options)
        self.addCleanup(client.close)
        return client

    def told(self, answer: Stream) -> tuple[int, str]:
        """The status, and the edge's own code."""
        return answer.statuses[-1], answer.heads[-1].get("ngrok-error-code", "")


class Pages(Wordy):
    """Text worth compressing at ``/words``."""

    def do_words(self, connection: Any, request: Any, argument: str) -> None:
        """Many words."""
        super().do_(connection, request, argument)


class ModuleTests(ModulesCase):
    """What each does."""

    def test_turned_away(self) -> None:
        """Some requests are refused, each for a reason of its own, while others of the same connection go on."""
        events = self.h2.ask("/events")
        credentials = b64encode(f"ann:{PASSWORD}".encode()).decode()
        asked = {
            name: self.h2.ask(path, fields=fields)
            for name, path, fields in (
                ("password", "/size/100", []),
                ("wrong", "/size/100", [("authorization", "Basic YTpi")]),
                ("right", "/size/100", [("authorization", f"Basic {credentials}")]),
                ("address", "/private", []),
                ("robot", "/robots", [("user-agent", "SomeBot/1")]),
                ("person", "/robots", [("user-agent", "Somebody/1")]),
            )
        }
        self.h2.wait(lambda: all(stream.over for stream in asked.values()))
        self.assertEqual(
            {name: self.told(stream) for name, stream in asked.items()},
            {
                "password": (401, ""),
                "wrong": (401, ""),
                "right": (200, ""),
                "address": (403, "ERR_NGROK_3203"),
                "robot": (403, "ERR_NGROK_3211"),
                "person": (200, ""),
            },
        )
        self.assertIn("basic", asked["password"].heads[-1]["www-authenticate"].lower())
        self.service.tick.release()
        self.h2.wait(lambda: b"event 0" in events.body)

    def test_headers(self) -> None:
        """Headers are added and removed both ways, in front of a service that speaks HTTP/2."""
        answer = self.h2.answer("/headers", fields=[("x-gone", "1"), ("x-kept", "2")])
        seen = json.loads(answer.body)
        self.assertEqual((seen.get("x-gone"), seen["x-kept"], seen["x-added"]), (None, "2", "127.0.0.1 HTTP/2.0"))
        self.assertEqual((answer.heads[0]["x-back"], "x-service" in answer.heads[0]), ("1", False))

    def test_compression(self) -> None:
        """Responses shrink for those who can read it, whatever the service speaks."""
        for path, length in (("/words", 20_000), ("/big", 20_000_000)):
            plain = self.h2.answer(path)
            answer = self.h2.answer(path, fields=[("accept-encoding", "gzip")])
            head = answer.heads[0]
            self.assertEqual((head["content-encoding"], head["vary"].lower()), ("gzip", "accept-encoding"), path)
            self.assertLess(len(answer.body), length // 10)
            self.assertEqual(gzip.decompress(answer.body), bytes(plain.body))

    def test_webhook(self) -> None:
        """Deliveries of megabytes are verified before the service sees them; a forged one and one that is too large do not pass."""
        body = b"".join(pattern(4 * MEGABYTE))
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        signed: Fields = [("x-hub-signature-256", f"sha256={digest}")]
        answer = self.h2.answer("/echo", "POST", signed, body)
        seen = json.loads(answer.body)
        self.assertEqual((seen["length"], seen["sha1"]), (len(body), hashlib.sha1(body).hexdigest()))
        self.assertEqual(bytes(self.h2.answer("/count", "POST", signed, body).body), b"%d\n" % len(body))
        before = len(self.service.asked)
        for data, fields in ((body[:-1] + b"x", signed), (bytes(6 * MEGABYTE), signed), (body, [])):
            self.assertEqual(self.told(self.h2.answer("/echo", "POST", fields, data)), (403, "ERR_NGROK_3204"))
        self.assertEqual(len(self.service.asked), before)
        self.assertEqual(self.told(self.h2.answer("/")), (200, ""))

    def test_circuit_breaker(self) -> None:
        """A service that fails too often is left alone, and streams are told when to come back."""
        statuses = [self.h2.answer("/status/500").statuses[-1] for _ in range(20)]
        answer = self.h2.answer("/status/200")
        self.assertEqual((set(statuses), self.told(answer)), ({500}, (503, "ERR_NGROK_3202")))
        self.assertIn("retry-after", answer.heads[0])
        self.assertEqual(self.told(self.h2.answer("/")), (200, ""))

    def test_policy(self) -> None:
        """Policies answer, refuse and redirect; to close the connection ends all that is on it."""
        said = self.h2.answer("/said")
        self.assertEqual((said.statuses, bytes(said.body), said.heads[0]["x-pot"]), ([418], b"short and stout", "tea"))
        self.assertEqual(self.h2.answer("/denied").statuses, [451])
        moved = self.h2.answer("/old/place")
        self.assertEqual(moved.statuses, [302])
        self.assertTrue(moved.heads[0]["location"].endswith("/new/place"), moved.heads)
        self.assertEqual(self.told(self.h2.answer("/older")), (200, ""))
        self.h2.ask("/wait")
        self.h2.ask("/closed")
        while self.h2.read():
            pass
        self.assertTrue(self.h2.closed)

    def test_converter(self) -> None:
        """A WebSocket on a stream becomes plain bytes to a TCP service."""
        fields = [("sec-websocket-version", "13")]
        stream = self.h2.ask("/bytes", "CONNECT", fields, end=False, pseudo=[(":protocol", "websocket")])
        self.h2.wait(lambda: stream.heads)
        self.assertEqual(stream.statuses, [200])
        # RFC 6455 section 5.2: a binary frame whose mask is nothing but zeros, and the answer without one.
        self.h2.send(stream, b"\x82\x84\0\0\0\0ping")
        self.h2.wait(lambda: len(stream.body) >= 6)
        self.assertEqual(bytes(stream.body), b"\x82\x04ping")
        self.assertEqual(self.h2.answer("/bytes").statuses, [400])


class CoalescingTests(ModulesCase):
    """One certificate has both names; nobody comes to the one by a connection to the other."""

    def test_without_certificate(self) -> None:
        """A connection that was asked for no certificate does not reach those who ask for one, however it is put."""
        port = self.edge.https
        self.assertEqual(self.told(self.h2.answer(authority=f"{STAFF}:{port}")), (421, "ERR_NGROK_3201"))
        self.assertEqual(self.told(self.h2.answer(authority=STAFF.upper())), (421, "ERR_NGROK_3201"))
        self.h2.h2.config.validate_outbound_headers = False
        mixed = self.h2.answer(fields=[("host", STAFF)])
        self.assertEqual(mixed.statuses, [400])
        self.assertEqual([asked.target for asked in self.service.asked], [])
        self.assertEqual(self.told(self.h2.answer("/")), (200, ""))

    def test_with_certificate(self) -> None:
        """With a certificate one comes in, and stays: the other name is not served there."""
        visitor = AUTHORITY.issue("ada.example")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(visitor.pem + visitor.key_pem)
            file.flush()
            client = self.connect(STAFF, certificate=file.name)
        self.assertEqual(self.told(client.answer("/")), (200, ""))
        self.assertEqual(self.service.asked[-1].all("ngrok-mtls-subject-cn"), ["ada.example"])
        self.assertEqual(self.told(client.answer(authority=HOST)), (421, "ERR_NGROK_3201"))
        self.assertEqual(client.answer(fields=[("ngrok-mtls-subject-cn", "root")]).statuses, [200])
        self.assertEqual(self.service.asked[-1].all("ngrok-mtls-subject-cn"), ["ada.example"])

    def test_no_certificate_shown(self) -> None:
        """Who shows none gets no connection, and so no stream."""
        client = self.connect(STAFF)
        client.ask("/")
        while client.read():
            pass
        self.assertTrue(client.closed)
        self.assertEqual(self.service.asked, [])


class ChangeTests(LiveCase):
    """The API changes what is in use."""

    def test_while_connected(self) -> None:
        """
        A connection meets new modules at its next request, while what is under way ends as it has begun; one that would not get
        in any more is told, finishes what it has begun, and is closed.
        """
        service = self.web()
        name = self.domain()
        edge, route = self.https_edge(name, self.static(service))
        client = H2Client(self.edge, name)
        self.addCleanup(client.close)
        first = client.ask("/wait")
        self.eventually(lambda: service.asked, "a request at the service")
        self.api("PUT", f"{route}/traffic_policy", {"value": json.dumps({"on_http_request": [DENY]})})
        self.assertEqual(client.answer("/").statuses, [451])
        self.api("DELETE", f"{route}/traffic_policy")
        self.assertEqual(client.answer("/").statuses, [200])
        authority = self.api.make("/certificate_authorities", ca_pem=AUTHORITY.pem)
        self.api("PUT", f"{edge}/mutual_tls", {"certificate_authority_ids": [authority]})
        self.assertEqual(client.answer("/").statuses, [421])
        service.gate.set()
        client.wait(lambda: first.over)
        self.assertEqual((bytes(first.body), len(service.asked)), (b"waited\n", 2))
        while client.read():
            pass
        self.assertEqual((set(client.goaways), client.closed), ({0}, True))
