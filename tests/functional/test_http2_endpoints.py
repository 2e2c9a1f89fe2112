"""
Visitors of HTTP/2 at endpoints that no agent has published: cloud endpoints, what these forward to, and answers of the edge's
own; and what is told of the version.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.functional.agents import Agent, JavaScriptSDK, Wish
from tests.functional.case import EdgeTestCase
from tests.functional.clients import full_name
from tests.functional.edge import AUTHTOKEN
from tests.functional.grpc_peer import GRPCClient, GRPCService
from tests.functional.h2_client import H2Client
from tests.functional.management import MANAGED, Management
from tests.functional.test_http2_websocket import Chat
from tests.functional.web import checksum, pattern

MEGABYTE = 1 << 20

#: A fixed answer, alone and behind a service that is not there.
FIXED, LAST = full_name("fixed"), full_name("last")


def edge(name: str, host: str) -> dict[str, Any]:
    """An edge onto the backend of the same name."""
    routes = [{"match_type": "path_prefix", "match": "/", "backend": {"backend_id": name}}]
    return {"name": name, "hostports": [f"{host}:443"], "routes": routes}


class EndpointsCase(EdgeTestCase):
    """Edges that answer by themselves, and an API to make cloud endpoints with."""

    config: Any = {
        **MANAGED,
        "backends": {
            "http_response": [{"name": "fixed", "body": "<p>${req.version}", "headers": {"content-type": "text/html"}}],
            "tunnel_group": [{"name": "nobody", "labels": {"app": "nobody"}}],
            "failover": [{"name": "last", "backends": ["nobody", "fixed"]}],
        },
        "edges": {"https": [edge("fixed", FIXED), edge("last", LAST)]},
    }

    def setUp(self) -> None:
        """Call the API."""
        super().setUp()
        self.api = Management(self.edge)
        self.addCleanup(self.api.close)

    def connect(self, host: str) -> H2Client:
        """A connection."""
        client = H2Client(self.edge, host)
        self.addCleanup(client.close)
        return client

    def cloud(self, action: str, **config: Any) -> str:
        """The name of a new cloud endpoint whose policy is one action."""
        name = self.new_name()
        policy = {"on_http_request": [{"actions": [{"type": action, "config": config}]}]}
        made = self.api.make("/endpoints", url=f"https://{name}", type="cloud", traffic_policy=json.dumps(policy))
        self.addCleanup(self.api, "DELETE", f"/endpoints/{made}")
        return name

    def internal(self, port: int, *options: tuple[Any, ...]) -> tuple[Agent, str]:
        """An agent with an internal endpoint, and the name of a cloud endpoint that forwards to it."""
        url = f"https://{self.new_name().partition('.')[0]}.internal"
        host = url.removeprefix("https://")
        wish = Wish(kind="http", port=port, domain=host, options=[("binding", "internal"), *options])
        agent = JavaScriptSDK(self.edge, AUTHTOKEN, wish)
        self.addCleanup(agent.close)
        agent.url()
        return agent, self.cloud("forward-internal", url=url)


class FixedTests(EndpointsCase):
    """Answers that nobody else gives."""

    def test_responses(self) -> None:
        """A backend's own answer, also as the last of several, to any method; what is uploaded is thrown away."""
        for host in (FIXED, LAST):
            client = self.connect(host)
            for method, body in (("GET", b"<p>HTTP/2.0"), ("HEAD", b""), ("POST", b"<p>HTTP/2.0")):
                upload = bytes(200_000) if method == "POST" else None
                answer = client.answer("/", method, body=upload)
                self.assertEqual((answer.statuses, bytes(answer.body)), ([200], body), (host, method))
                self.assertEqual(answer.heads[0]["content-length"], "11")
            self.assertFalse(client.goaways)

    def test_custom_response(self) -> None:
        """A cloud endpoint answers; a hundred streams at once."""
        client = self.connect(self.cloud("custom-response", status_code=418, body="short and stout"))
        streams = [client.ask(f"/{number}") for number in range(100)]
        client.wait(lambda: all(stream.over for stream in streams))
        self.assertEqual({(*each.statuses, bytes(each.body)) for each in streams}, {(418, b"short and stout")})

    def test_told(self) -> None:
        """The access log has a line for each request, which says what was spoken."""
        client = self.connect(FIXED)
        for number in range(3):
            client.answer(f"/told?{number}")
        self.get(f"https://{FIXED}/told?old")
        log = self.edge.state / "access.log"
        told = [f"target=/told?{number} version=HTTP/2.0 status=200 " for number in range(3)]
        told.append("target=/told?old version=HTTP/1.1 status=200 ")
        self.eventually(
            lambda: log.exists() and all(line in log.read_text() for line in told), "lines of the access log"
        )


class ListedTests(EndpointsCase):
    """What the API says of agents' endpoints."""

    def test_upstream_protocol(self) -> None:
        """Which version the service was said to speak; nothing else is taken for one."""
        names = {self.new_name(): version for version in ("http1", "http2")}
        for name, version in names.items():
            self.ssh(f"{name}:443:127.0.0.1:1", command=f"http --upstream-protocol {version}").url()
        listed = {each["host"]: each["upstream_protocol"] for each in self.api("GET", "/endpoints")["endpoints"]}
        self.assertEqual({name: listed[name] for name in names}, names)
        self.assertEqual(listed[FIXED], "")
        refused = self.ssh(f"{self.new_name()}:443:127.0.0.1:1", command="http --upstream-protocol http3")
        self.assertNotEqual(refused.exit_code(), 0)
        self.assertIn("ERR_NGROK_15003", refused.said())


class InternalTests(EndpointsCase):
    """Cloud endpoints that forward to agents."""

    def test_messages(self) -> None:
        """Bodies, trailers, events and WebSockets pass; without the agent there is an error of the edge."""
        service = Chat()
        self.addCleanup(service.close)
        agent, name = self.internal(service.port)
        client = self.connect(name)
        body = b"".join(pattern(2 * MEGABYTE))
        seen = json.loads(client.answer("/echo", "POST", body=body).body)
        self.assertEqual((seen["sha1"], seen["version"]), (checksum(2 * MEGABYTE), "HTTP/1.1"))
        download = client.answer(f"/size/{2 * MEGABYTE}")
        self.assertEqual(hashlib.sha1(download.body).hexdigest(), checksum(2 * MEGABYTE))
        self.assertEqual(client.answer("/chunks/3").heads[1], {"x-count": "3"})
        events = client.ask("/events")
        service.tick.release()
        client.wait(lambda: b"event 0" in events.body)
        chat = client.ask(
            "/chat", "CONNECT", [("sec-websocket-version", "13")], end=False, pseudo=[(":protocol", "websocket")]
        )
        client.wait(lambda: chat.heads)
        client.send(chat, b"\x81\x82\0\0\0\0hi")
        client.wait(lambda: b"HI" in chat.body)
        client.send(chat, b"\x88\x80\0\0\0\0", end=True)
        client.wait(lambda: chat.over)
        agent.process.kill()
        client.wait(lambda: events.over)
        self.eventually(lambda: client.answer("/").statuses[-1] >= 400, "an endpoint that is offline")

    def test_grpc(self) -> None:
        """So does gRPC, to a service of HTTP/2, with statuses of the edge when something is missing."""
        service = GRPCService()
        self.addCleanup(service.close)
        agent, name = self.internal(service.port, ("app_protocol", "http2"))
        caller = GRPCClient(self.edge, name)
        self.addCleanup(caller.close)
        self.assertEqual(caller.call("echo", 4 * MEGABYTE)[0], True)
        self.assertEqual(caller.call("chat", 50, 100)[0], 50)
        self.assertEqual(caller.call("fail")["error"], "NOT_FOUND")
        caller.ask("endless")
        self.assertEqual(json.loads(caller.line()), "begun")
        agent.process.kill()
        for failed in (json.loads(caller.line()), caller.call("echo", 10)):
            self.assertEqual(failed["error"], "UNAVAILABLE", failed)
            self.assertIn("ERR_NGROK_", failed["details"])

    def test_policy_answers_grpc(self) -> None:
        """A policy that refuses answers callers of gRPC in their own words."""
        caller = GRPCClient(self.edge, self.cloud("deny", status_code=403))
        self.addCleanup(caller.close)
        self.assertEqual(caller.call("echo", 10)["error"], "PERMISSION_DENIED")
