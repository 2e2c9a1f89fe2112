"""
Tests for `ngrok_twisted.modules.response_headers`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer, provider
from zope.interface.verify import verifyObject

from ngrok_twisted import schema
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.modules.compression import Compression, CompressionConfig
from ngrok_twisted.modules.ip_restriction import IPPoliciesConfig, IPRestrictionModule
from ngrok_twisted.modules.response_headers import ResponseHeaders, ResponseHeadersConfig
from ngrok_twisted.records.edge import module_type
from ngrok_twisted.wrapper import SIGNING_IN, Answer, Guard, Phase
from tests.edge.wire import statuses
from tests.modules.routed import Routed

KINDS: dict[str, Any] = {
    "response_headers": ResponseHeaders,
    "ip_restriction": IPRestrictionModule,
    "compression": Compression,
}


def routed(add: dict[str, str] = {}, remove: tuple[str, ...] = (), **others: Any) -> Routed:
    """An edge with these changes on its route, and other modules."""
    return Routed(KINDS, {"response_headers": ResponseHeadersConfig(add=add, remove=remove), **others})


class ConfigTests(SynchronousTestCase):
    """What can be said."""

    def test_kind(self) -> None:
        """It stands on routes, and takes there what ngrok's API takes."""
        verifyObject(IModuleKind, ResponseHeaders)
        made = schema.parse(module_type(ResponseHeaders.Config), {"add": {"X-A": "1"}, "remove": ["X-B"]})
        self.assertEqual(schema.dump(made), {"enabled": True, "add": {"x-a": "1"}, "remove": ["X-B"]})

    def test_protected(self) -> None:
        """What frames a message, and what tells of the edge's own failures, cannot be changed."""
        for name in ("Content-Length", "Transfer-Encoding", "Connection", "ngrok-error-code"):
            for data in ({"add": {name: "1"}}, {"remove": [name]}):
                error = self.assertRaises(InvalidConfig, schema.parse, ResponseHeadersConfig, data)
                self.assertEqual([problem.code for problem in error.problems], [7023], data)
        schema.parse(ResponseHeadersConfig, {"add": {"host": "x", "user-agent": "y"}, "remove": ["Host"]})


class ModuleTests(SynchronousTestCase):
    """What the visitor gets."""

    def test_change(self) -> None:
        """Removals first, then additions, beside what the service sent under the same name."""
        made = routed({"X-A": "1", "Set-Cookie": "b=2"}, ("Server", "x-a"))
        made.ask()
        head, body = made.say(b"Server: x", b"X-A: theirs", b"Set-Cookie: a=1", b"server: y")
        self.assertEqual(head[1:], [b"Set-Cookie: a=1", b"x-a: 1", b"set-cookie: b=2", b"Content-Length: 2"])
        self.assertEqual(body, b"ok")

    def test_templates(self) -> None:
        """Values may speak of request, response and connection."""
        made = routed({"x-told": "${res.status_code} ${req.url.path} ${res.headers.server[0]} ${.backend.id}"})
        made.ask()
        head, _ = made.say(b"Server: x", status=b"404 Not Found")
        self.assertIn(b"x-told: 404 /some x bkdtg_1", head)

    def test_injection(self) -> None:
        """A visitor cannot make a line of its own, and nobody can make one of the edge's."""
        made = routed({"x-path": "${req.url.path}"})
        made.ask(line=b"GET /%0d%0aSet-Cookie:%20a=1%0d%0a%0d%0abody")
        head, body = made.say()
        self.assertEqual((head[1], body), (b"x-path: /  Set-Cookie: a=1    body", b"ok"))

    def test_streamed(self) -> None:
        """The body of a long response is not touched, and not copied together."""
        made = routed({"x-a": "1"})
        made.ask()
        made.tunnel.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        self.assertTrue(made.visitor.take().endswith(b"x-a: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"))
        made.tunnel.connection.send(b"3\r\ntwo\r\n0\r\n\r\n")
        self.assertEqual(made.visitor.take(), b"3\r\ntwo\r\n0\r\n\r\n")

    def test_bodiless(self) -> None:
        """Responses without a body have headers, too."""
        made = routed({"x-a": "1"})
        made.ask(line=b"HEAD /")
        made.tunnel.connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        self.assertEqual(made.visitor.take(), b"HTTP/1.1 200 OK\r\nx-a: 1\r\nContent-Length: 9\r\n\r\n")

    def test_head_without_length(self) -> None:
        """No length is made up for an answer to HEAD that tells none."""
        made = routed({"x-a": "1"})
        made.ask(line=b"HEAD /")
        made.tunnel.connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.assertEqual(made.visitor.take(), b"HTTP/1.1 200 OK\r\nx-a: 1\r\n\r\n")

    def test_upgrade(self) -> None:
        """The answer that opens a WebSocket has them, and nothing after it is touched."""
        made = routed({"x-a": "1"}, ("Server",))
        made.ask(b"Connection: Upgrade", b"Upgrade: websocket")
        made.tunnel.connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nServer: x\r\nUpgrade: websocket\r\n\r\nframes"
        )
        self.assertEqual(
            made.visitor.take(),
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nx-a: 1\r\nConnection: Upgrade\r\n\r\nframes",
        )

    def test_own_answers(self) -> None:
        """The edge's own answers have them: of modules that turn a visitor away, and of a service that is not there."""
        for made in (
            routed({"x-a": "1"}, ip_restriction=IPPoliciesConfig(ip_policy_ids=("ipp_none",))),
            routed({"x-a": "1"}),
        ):
            made.edge.tunnels.offline(made.tunnel)
            answer = made.send()
            self.assertIn(statuses(answer)[0], (403, 502))
            self.assertIn(b"\r\nx-a: 1\r\n", answer)
            self.assertIn(b"\r\nngrok-error-code: ERR_NGROK_", answer)

    def test_after_compression(self) -> None:
        """It has the last word, also about what compression has added."""
        made = routed(
            {"x-coding": "${res.headers.content-encoding[0]} ${compression.algorithm}"},
            ("Vary",),
            compression=CompressionConfig(),
        )
        made.ask(b"Accept-Encoding: gzip")
        head, _ = made.say(b"Content-Type: text/plain", body=b"x" * 500)
        self.assertIn(b"x-coding: gzip gzip", head)
        self.assertNotIn(b"Vary: Accept-Encoding", head)


class SigningInTests(SynchronousTestCase):
    """Answers of a sign-in flow."""

    def test_untouched(self) -> None:
        """They are left as they are; other answers of the same module are not."""

        @provider(IModuleKind)
        @implementer(IHTTPModule)
        class Login:
            name, Config, attaches, phase = "login", CompressionConfig, frozenset({"route"}), Phase.AUTHENTICATE

            def __init__(self, config: Any, context: Any) -> None:
                pass

            def wrap_resource(self, inner: Any) -> Any:
                return Guard(inner, self._admit)

            def _admit(self, request: Any) -> Any:
                if request.uri == b"/in":
                    request.flow.remember(SIGNING_IN, True)
                return Answer(302, [(b"Location", b"/x")])

        configs = {"response_headers": ResponseHeadersConfig(add={"x-a": "1"}), "login": CompressionConfig()}
        made = Routed({**KINDS, "login": Login}, configs)
        self.assertNotIn(b"x-a", made.send(line=b"GET /in"))
        self.assertIn(b"x-a: 1", made.send(line=b"GET /out"))


class FlagTests(SynchronousTestCase):
    """What the flags of ``ssh … http`` say."""

    def test_flags(self) -> None:
        """Headers may repeat."""
        made = ResponseHeaders.from_flags(
            {"response-header-add": ["X-A: 1", "X-A: 2"], "response-header-remove": ["Server"]}
        )
        self.assertEqual((made.add, made.remove), (("X-A: 1", "X-A: 2"), ("Server",)))
        self.assertRaises(InvalidConfig, ResponseHeaders.from_flags, {"response-header-remove": ["Content-Length"]})
