"""
gRPC through ssh: grpcio's client at one end, grpcio's server at the other.
"""

from __future__ import annotations

import json
from base64 import b64encode

from tests.functional.case import EdgeTestCase
from tests.functional.clients import fetch
from tests.functional.grpc_peer import GRPCClient, GRPCService
from tests.functional.service import Service, hang_up, say
from tests.tls.authority import Made

PASSWORD = "correct-horse-battery"

#: A message of one byte, as gRPC frames it.
MESSAGE = b"\0\0\0\0\x01x"


class GRPCTestCase(EdgeTestCase):
    """A service, and callers."""

    service: GRPCService

    def setUp(self) -> None:
        """Start the service."""
        super().setUp()
        self.service = self.start_service()

    def start_service(self, *pair: str, port: int = 0) -> GRPCService:
        """A gRPC service."""
        service = GRPCService(*pair, port=port)
        self.addCleanup(service.close)
        return service

    def published(self, flags: str = "", port: int = 0) -> str:
        """The name under which the service is now."""
        name = self.new_name()
        command = f"http --upstream-protocol http2 {flags}"
        self.agent = self.ssh(f"{name}:443:127.0.0.1:{port or self.service.port}", command=command)
        self.agent.url()
        return name

    def client(self, name: str) -> GRPCClient:
        """A channel to a name."""
        client = GRPCClient(self.edge, name)
        self.addCleanup(client.close)
        return client


class CallTests(GRPCTestCase):
    """All kinds of calls."""

    def setUp(self) -> None:
        """Publish it."""
        super().setUp()
        self.name = self.published()
        self.caller = self.client(self.name)

    def test_unary(self) -> None:
        """Messages of any size arrive, with metadata in front and behind."""
        behind = {"x-after": "2", "x-after-bin": str(b"\0\xff")}
        for size in (0, 1, 100_000, 20_000_000):
            self.assertEqual(self.caller.call("echo", size), [True, "1", behind], size)

    def test_large_first(self) -> None:
        """Also the first message, which comes while the service is dialled."""
        for size in (65_536, 1_000_000):
            caller = self.client(self.published())
            self.assertEqual(caller.call("collect", 1, size), [1, size])

    def test_metadata(self) -> None:
        """The service sees the caller's metadata, its deadline, and where it comes from."""
        seen = self.caller.call("seen", [["x-mine", "1"], ["authorization", "Bearer t"]], 7)
        self.assertLess(seen["left"], 7.1)
        metadata = seen["metadata"]
        self.assertEqual(
            (metadata["x-mine"], metadata["authorization"], metadata["x-forwarded-for"], metadata["x-forwarded-proto"]),
            ("1", "Bearer t", "127.0.0.1", "https"),
        )

    def test_statuses(self) -> None:
        """The service's own errors arrive as they are."""
        failed = self.caller.call("fail")
        self.assertEqual(failed, {"error": "NOT_FOUND", "details": "nothing héré", "behind": {"x-after": "2"}})
        self.assertEqual(self.caller.call("missing")["error"], "UNIMPLEMENTED")

    def test_streams(self) -> None:
        """Streams up and down arrive whole, small messages and large ones."""
        for number, size in ((1000, 10), (20, 1_000_000)):
            self.assertEqual(self.caller.call("collect", number, size), [number, number * size])
            self.assertEqual(self.caller.call("count", number, size), [number, number * (size + 4), number - 1])

    def test_conversation(self) -> None:
        """Both ways, each message goes through at once."""
        right, slowest = self.caller.call("chat", 200, 100)
        self.assertEqual(right, 200)
        self.assertLess(slowest, 2)

    def test_many(self) -> None:
        """Hundreds of calls at once share what there is."""
        self.assertEqual(self.caller.call("many", 500, 1000), 500)

    def test_deadline(self) -> None:
        """A call that takes longer than its caller waits ends on both sides."""
        self.assertEqual(self.caller.call("deadline", 0.5)["error"], "DEADLINE_EXCEEDED")
        self.service.wait_for("cancelled")

    def test_cancellation(self) -> None:
        """A caller who gives up is heard by the service, and other calls go on."""
        self.assertEqual(self.caller.call("cancel", 3), "CANCELLED")
        self.service.wait_for("cancelled")
        self.assertEqual(self.caller.call("echo", 10)[0], True)

    def test_caller_is_killed(self) -> None:
        """A caller whose process ends is heard as well."""
        self.caller.ask("endless")
        self.caller.wait_for('"begun"')
        self.caller.close()
        self.service.wait_for("cancelled")

    def test_early_end(self) -> None:
        """A service may end a call before it has heard everything."""
        for _ in range(3):
            refused = self.caller.call("refuse", 100_000)
            self.assertEqual((refused["error"], refused["details"]), ("RESOURCE_EXHAUSTED", "enough"))
        self.assertEqual(self.caller.call("echo", 10)[0], True)

    def test_http_1_visitor(self) -> None:
        """A visitor of HTTP/1.1 gets the same, in chunks with trailers."""
        headers = {"content-type": "application/grpc", "te": "trailers"}
        answer = fetch(self.edge, f"https://{self.name}/test.Peer/Echo", "POST", MESSAGE, headers)
        self.assertEqual((answer.status, answer.body), (200, MESSAGE))


class FailureTests(GRPCTestCase):
    """When nobody answers, the caller gets a status of gRPC, and never a page."""

    def unavailable(self, name: str) -> None:
        failed = self.client(name).call("echo", 10)
        self.assertEqual(failed["error"], "UNAVAILABLE", failed)
        self.assertIn("ERR_NGROK_", failed["details"])

    def test_nobody(self) -> None:
        """Nobody listens, or nobody has this name."""
        name = self.published()
        self.service.close()
        self.unavailable(name)
        self.unavailable(self.new_name())

    def test_no_grpc(self) -> None:
        """Somebody listens who speaks something else, or nothing."""
        for talk in (say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), hang_up):
            self.unavailable(self.published(port=self.serve(Service(talk)).port))

    def test_in_the_middle(self) -> None:
        """A service that dies in the middle of a call breaks it."""
        name = self.published()
        caller = self.client(name)
        caller.ask("endless")
        caller.wait_for('"begun"')
        self.service.close()
        self.assertIn(json.loads(caller.line())["error"], ("UNAVAILABLE", "INTERNAL"))

    def test_service_restarts(self) -> None:
        """A service that comes back on the same port is called again."""
        caller = self.client(self.published())
        self.assertEqual(caller.call("echo", 10)[0], True)
        self.service.close()
        self.assertEqual(caller.call("echo", 10)["error"], "UNAVAILABLE")
        self.start_service(port=self.service.port)
        self.assertEqual(caller.call("echo", 10)[0], True)

    def test_agent_leaves(self) -> None:
        """When the agent goes, calls fail, and when another comes, they do not."""
        name = self.published()
        caller = self.client(name)
        self.assertEqual(caller.call("echo", 10)[0], True)
        self.agent.close()
        self.assertEqual(caller.call("echo", 10)["error"], "UNAVAILABLE")
        self.ssh(f"{name}:443:127.0.0.1:{self.service.port}", command="http --upstream-protocol http2").url()
        self.assertEqual(caller.call("echo", 10)[0], True)


class ModuleTests(GRPCTestCase):
    """Modules between the caller and the service."""

    def test_basic_auth(self) -> None:
        """A password is metadata; without it the caller is not authenticated."""
        caller = self.client(self.published(f"--basic-auth ada:{PASSWORD}"))
        self.assertEqual(caller.call("echo", 10)["error"], "UNAUTHENTICATED")
        credentials = b64encode(f"ada:{PASSWORD}".encode()).decode()
        self.assertEqual(caller.call("echo", 10, [["authorization", f"Basic {credentials}"]])[0], True)

    def test_addresses(self) -> None:
        """Who may not come is told so."""
        caller = self.client(self.published("--cidr-allow 192.0.2.0/24"))
        self.assertEqual(caller.call("echo", 10)["error"], "PERMISSION_DENIED")

    def test_headers(self) -> None:
        """Headers that are added and removed are metadata."""
        flags = "--request-header-add 'x-added: 1' --request-header-remove x-gone --response-header-add 'x-before: 7'"
        caller = self.client(self.published(flags))
        metadata = caller.call("seen", [["x-gone", "1"], ["x-kept", "2"]])["metadata"]
        self.assertEqual((metadata["x-added"], metadata["x-kept"], metadata.get("x-gone")), ("1", "2", None))
        self.assertEqual(caller.call("echo", 10)[1], "7")

    def test_compression(self) -> None:
        """Compression leaves gRPC alone, which has its own; and a circuit breaker counts its calls as any others."""
        caller = self.client(self.published("--compression --circuit-breaker 0.9"))
        self.assertEqual(caller.call("echo", 100_000)[0], True)
        self.assertEqual(caller.call("count", 100, 10_000)[0], 100)
        self.assertEqual(caller.call("chat", 50, 1000)[0], 50)

    def test_proxy_header(self) -> None:
        """A service that expects a PROXY header gets one; this one does not, and says goodbye."""
        caller = self.client(self.published("--upstream-proxy-protocol 1"))
        self.assertEqual(caller.call("echo", 10)["error"], "UNAVAILABLE")


class TLSTests(GRPCTestCase):
    """A service that speaks TLS."""

    def start_service(self, *pair: str, port: int = 0) -> GRPCService:
        """With a certificate that nobody trusts, and nobody has to."""
        made = Made("service.local", ca=False)
        certificate, key = self.edge.directory / "service.pem", self.edge.directory / "service.key"
        certificate.write_text(made.pem)
        key.write_text(made.key_pem)
        return super().start_service(str(certificate), str(key))

    def test_calls(self) -> None:
        """The edge speaks TLS to it, with HTTP/2 chosen by ALPN."""
        caller = self.client(self.published("--upstream-tls"))
        self.assertEqual(caller.call("echo", 100_000)[0], True)
        self.assertEqual(caller.call("many", 100, 100), 100)
