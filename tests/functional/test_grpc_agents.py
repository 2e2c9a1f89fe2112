"""
gRPC through ngrok's own agents: grpcio's client at one end, grpcio's server at the other, and an SDK between.
"""

from __future__ import annotations

import json
import os
from typing import Any, Sequence
from unittest import mock

from tests.functional.agents import GoSDK, JavaScriptSDK, OldPythonSDK, PythonSDK, Wish
from tests.functional.clients import full_name
from tests.functional.grpc_peer import GRPCClient, GRPCService
from tests.functional.test_agents import AgentTestCase
from tests.tls.authority import Made

MEGABYTES = 1 << 20

#: What both Rust SDKs are told, in Python's words.
HTTP2 = ("app_protocol", "http2")


class GRPCAgentCase(AgentTestCase):
    """A service behind one client."""

    def start_service(self, *pair: str, port: int = 0) -> GRPCService:
        """A gRPC service."""
        service = GRPCService(*pair, port=port)
        self.addCleanup(service.close)
        return service

    def start_secure_service(self) -> tuple[GRPCService, str]:
        """One that speaks TLS, and the path of its certificate, which is for ``localhost``."""
        made = Made("localhost", ca=False)
        certificate, key = self.edge.directory / "service.pem", self.edge.directory / "service.key"
        certificate.write_text(made.pem)
        key.write_text(made.key_pem)
        return self.start_service(str(certificate), str(key)), str(certificate)

    def call_to(self, name: str) -> GRPCClient:
        """A channel to a name."""
        client = GRPCClient(self.edge, name)
        self.addCleanup(client.close)
        return client

    def published(self, port: int, options: Sequence[Any] = (HTTP2,), **wish: Any) -> tuple[Any, GRPCClient]:
        """An agent in front of a service, and a caller."""
        name = self.new_name()
        agent = self.agent(Wish(kind="http", port=port, domain=name, options=options, **wish))
        agent.url()
        return agent, self.call_to(name)

    def unavailable(self, failed: Any) -> None:
        """The call ended with a status of the edge, which is not a page."""
        self.assertEqual(failed["error"], "UNAVAILABLE", failed)
        self.assertIn("ERR_NGROK_", failed["details"])


class CallTests:
    """What every SDK that knows ``app_protocol`` passes on."""

    self: Any

    def test_calls(self: Any) -> None:
        """All four kinds of calls, messages of 4 MB, metadata in front and behind, statuses of the service, many at once."""
        _, caller = self.published(self.start_service().port)
        behind = {"x-after": "2", "x-after-bin": str(b"\0\xff")}
        for size in (0, 1, 4 * MEGABYTES):
            self.assertEqual(caller.call("echo", size), [True, "1", behind], size)
        self.assertEqual(caller.call("collect", 5, 4 * MEGABYTES), [5, 20 * MEGABYTES])
        self.assertEqual(caller.call("count", 5, 4 * MEGABYTES), [5, 5 * (4 * MEGABYTES + 4), 4])
        right, slowest = caller.call("chat", 100, 100)
        self.assertEqual(right, 100)
        self.assertLess(slowest, 2)
        self.assertEqual(caller.call("many", 200, 1000), 200)
        # Agents wait 40 ms with the second piece of a request, so that it has to reach them in one.
        self.assertLess(caller.call("median", 30, 1000), 0.03)
        failed = caller.call("fail")
        self.assertEqual(failed, {"error": "NOT_FOUND", "details": "nothing héré", "behind": {"x-after": "2"}})
        seen = caller.call("seen", [["authorization", "Bearer t"]], 7)
        self.assertLess(seen["left"], 7.1)
        metadata = seen["metadata"]
        self.assertEqual(
            (metadata["authorization"], metadata["x-forwarded-for"], metadata["x-forwarded-proto"]),
            ("Bearer t", "127.0.0.1", "https"),
        )

    def test_ends(self: Any) -> None:
        """Deadlines, cancellations, calls that the service ends early, and callers who are killed reach the service."""
        service = self.start_service()
        _, caller = self.published(service.port)
        self.assertEqual(caller.call("deadline", 0.5)["error"], "DEADLINE_EXCEEDED")
        self.assertEqual(service.line(), "cancelled")
        self.assertEqual(caller.call("cancel", 3), "CANCELLED")
        self.assertEqual(service.line(), "cancelled")
        refused = caller.call("refuse", 100_000)
        self.assertEqual((refused["error"], refused["details"]), ("RESOURCE_EXHAUSTED", "enough"))
        self.assertEqual(caller.call("echo", 10)[0], True)
        caller.ask("endless")
        self.assertEqual(json.loads(caller.line()), "begun")
        caller.close()
        self.assertEqual(service.line(), "cancelled")

    def test_service_down(self: Any) -> None:
        """Without a service calls fail with a status; one that dies in the middle ends its calls; one that comes is called."""
        service = self.start_service()
        _, caller = self.published(service.port)
        caller.ask("endless")
        self.assertEqual(json.loads(caller.line()), "begun")
        service.close()
        self.unavailable(json.loads(caller.line()))
        self.unavailable(caller.call("echo", 10))
        self.start_service(port=service.port)
        self.assertEqual(caller.call("echo", 10)[0], True)

    def test_agent_killed(self: Any) -> None:
        """An agent that is killed ends the calls in flight with a status; those that follow fail until another comes."""
        service = self.start_service()
        agent, caller = self.published(service.port)
        name = agent.url().partition("://")[2].partition(":")[0]
        caller.ask("endless")
        self.assertEqual(json.loads(caller.line()), "begun")
        agent.process.kill()
        self.unavailable(json.loads(caller.line()))
        failed = caller.call("echo", 10)
        self.unavailable(failed)
        self.assertIn("ERR_NGROK_3200", failed["details"])
        self.agent(Wish(kind="http", port=service.port, domain=name, options=[HTTP2])).url()
        self.assertEqual(caller.call("echo", 10)[0], True)

    def test_tls(self: Any) -> None:
        """The agent speaks TLS to a service that wants it."""
        service, _ = self.start_secure_service()
        _, caller = self.published(service.port, (HTTP2, ("verify_upstream_tls", False)), scheme="https")
        self.assertEqual(caller.call("echo", 100_000)[0], True)
        self.assertEqual(caller.call("chat", 20, 100)[0], 20)

    def test_labelled(self: Any) -> None:
        """An edge finds a labelled tunnel that says what its service speaks."""
        service = self.start_service()
        caller = self.call_to(full_name("labelled"))
        self.unavailable(caller.call("echo", 10))
        wish = Wish(kind="labeled", port=service.port, labels={"app": "web"}, options=[HTTP2])
        self.agent(wish).heard("online")
        self.assertEqual(caller.call("echo", 4 * MEGABYTES)[0], True)
        self.assertEqual(caller.call("chat", 20, 100)[0], 20)
        self.assertEqual(caller.call("count", 100, 1000)[0], 100)


class PythonTests(CallTests, GRPCAgentCase):
    """PyPI ``ngrok`` 1.7.0."""

    client = PythonSDK

    def test_forgotten(self) -> None:
        """Who forgets to say that the service speaks HTTP/2 is told so."""
        _, caller = self.published(self.start_service().port, options=())
        failed = caller.call("echo", 10)
        self.unavailable(failed)
        self.assertIn("without http2 as its upstream protocol", failed["details"])

    def test_listed(self) -> None:
        """The API says what the service speaks."""
        agent = self.agent(
            Wish(kind="http", port=1, options=[HTTP2]),
            Wish(kind="http", port=1),
            Wish(kind="tcp", port=1),
        )
        urls = [agent.url(number) for number in range(3)]
        spoken = {
            each["public_url"]: each["upstream_protocol"] for each in self.api()("GET", "/endpoints")["endpoints"]
        }
        self.assertEqual([spoken[url] for url in urls], ["http2", "http1", ""])


class OldPythonTests(CallTests, GRPCAgentCase):
    """PyPI ``ngrok`` 1.4.0."""

    client = OldPythonSDK


class JavaScriptTests(CallTests, GRPCAgentCase):
    """npm ``@ngrok/ngrok``."""

    client = JavaScriptSDK


class GoTests(GRPCAgentCase):
    """
    ngrok-go, which has an HTTP/1.1 server and client of its own between tunnel and service, and tells nobody else what it was
    told of the service: trailers pass, but nothing that needs both directions at once.
    """

    client = GoSDK

    def test_calls(self) -> None:
        """``WithUpstreamProtocol("http2")`` has it speak HTTP/2 to a service with TLS: calls pass that need one direction."""
        service, certificate = self.start_secure_service()
        with mock.patch.dict(os.environ, SSL_CERT_FILE=certificate):
            options = [("protocol", "http2"), ("to", f"https://localhost:{service.port}")]
            _, caller = self.published(service.port, options)
        self.assertEqual(caller.call("echo", 4 * MEGABYTES)[0], True)
        self.assertEqual(caller.call("count", 5, MEGABYTES)[0], 5)
        self.assertEqual(caller.call("collect", 5, MEGABYTES), [5, 5 * MEGABYTES])
        self.assertEqual(caller.call("fail")["error"], "NOT_FOUND")
