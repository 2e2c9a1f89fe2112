"""
Tests for `ngrok_twisted.modules.request_headers`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer, provider
from zope.interface.verify import verifyObject

from ngrok_twisted import schema
from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.modules.request_headers import RequestHeaders, RequestHeadersConfig
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.edge import module_type
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.wrapper import Filtered, Guard, Phase
from tests.edge.wire import statuses
from tests.modules.routed import Routed

OURS = [b"X-Forwarded-For: 192.0.2.1", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: app.example.com"]


def routed(add: dict[str, str] = {}, remove: tuple[str, ...] = (), **more: Any) -> Routed:
    """An edge with these changes on its route."""
    config = RequestHeadersConfig(add=add, remove=remove)
    return Routed({"request_headers": RequestHeaders}, {"request_headers": config}, **more)


class ConfigTests(SynchronousTestCase):
    """What can be said."""

    def test_kind(self) -> None:
        """It stands on routes, and takes there what ngrok's API takes."""
        verifyObject(IModuleKind, RequestHeaders)
        made = schema.parse(module_type(RequestHeaders.Config), {"add": {"X-A": "1"}, "remove": ["X-B"]})
        self.assertEqual(schema.dump(made), {"enabled": True, "add": {"x-a": "1"}, "remove": ["X-B"]})

    def test_protected(self) -> None:
        """What is the visitor's to say, and what holds a message together, cannot be changed."""
        for data, code in (
            ({"add": {"User-Agent": "x"}}, 7023),
            ({"remove": ["user-agent"]}, 7023),
            ({"add": {"ngrok-skip-browser-warning": "1"}}, 7023),
            ({"remove": ["Host"]}, 7164),
            ({"add": {"Host": "a/b"}}, 7024),
            ({"add": {"Content-Length": "0"}}, 7023),
        ):
            error = self.assertRaises(InvalidConfig, schema.parse, RequestHeadersConfig, data)
            self.assertEqual([problem.code for problem in error.problems], [code], data)
        schema.parse(RequestHeadersConfig, {"remove": ["ngrok-skip-browser-warning", "X-Forwarded-For"]})


class ModuleTests(SynchronousTestCase):
    """What the service gets."""

    def test_add(self) -> None:
        """Added headers come last, in lower case, beside what the visitor sent under the same name."""
        got = routed({"X-A": "1", "Cookie": "b=2"}).ask(b"Cookie: a=1", b"X-B: 2")
        self.assertEqual(
            got[1:], [b"Host: app.example.com", b"Cookie: a=1", b"X-B: 2", *OURS, b"x-a: 1", b"cookie: b=2"]
        )

    def test_remove(self) -> None:
        """Every value goes, whatever its case, and an addition of the same name stays."""
        got = routed({"X-A": "mine"}, ("x-A", "Cookie")).ask(b"X-A: 1", b"cookie: a", b"x-a: 2", b"X-B: 3")
        self.assertEqual(got[1:], [b"Host: app.example.com", b"X-B: 3", *OURS, b"x-a: mine"])

    def test_forwarded(self) -> None:
        """What the edge adds by itself may go, too, with or without anything else there."""
        every = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")
        spoofed = b"X-Forwarded-For: 1.2.3.4"
        self.assertEqual(routed(remove=every).ask(spoofed)[1:], [b"Host: app.example.com"])
        self.assertEqual(
            routed(remove=every).ask(b"X-B: 1", b"X-C: 2")[1:], [b"Host: app.example.com", b"X-B: 1", b"X-C: 2"]
        )
        self.assertEqual(routed(remove=every[:1]).ask(spoofed, b"X-B: 1")[2:], [b"X-B: 1", *OURS[1:]])
        self.assertEqual(routed(remove=every[1:2]).ask()[2:], [OURS[0], OURS[2]])
        replaced = routed({"X-Forwarded-For": "${conn.client_ip}"}, every[:1]).ask(spoofed)
        self.assertEqual(replaced[2:], [*OURS[1:], b"x-forwarded-for: 192.0.2.1"])

    def test_host(self) -> None:
        """A host is replaced; one that a template makes and that is none is not taken."""
        self.assertEqual(routed({"host": "inner.example:81"}).ask()[1], b"Host: inner.example:81")
        self.assertEqual(routed({"host": "inner.example"}, ("host",)).ask()[1], b"Host: inner.example")
        self.assertEqual(routed({"host": "x.${req.headers.x-tenant[0]}"}).ask(b"X-Tenant: a.b")[1], b"Host: x.a.b")
        self.assertEqual(
            routed({"host": "x.${req.headers.x-tenant[0]}"}).ask(b"X-Tenant: a b")[1], b"Host: app.example.com"
        )

    def test_templates(self) -> None:
        """Values are worked out for each request."""
        made = routed({"x-who": "${conn.client_ip} ${req.method}", "x-path": "${req.url.path}"})
        self.assertEqual(made.ask()[-2:], [b"x-who: 192.0.2.1 GET", b"x-path: /some"])
        made.say()
        self.assertEqual(made.ask(line=b"PUT /other")[-2:], [b"x-who: 192.0.2.1 PUT", b"x-path: /other"])

    def test_backend(self) -> None:
        """It is known who gets the request, and whether a connection was there already."""
        made = routed({"x-to": "${.backend.id} ${.backend.connection_reused}"})
        self.assertEqual(made.ask()[-1], b"x-to: bkdtg_1 false")
        made.say()
        self.assertEqual(made.ask()[-1], b"x-to: bkdtg_1 true")

    def test_tls(self) -> None:
        """What the handshake said is known."""
        made = routed({"x-tls": "${conn.tls.version} ${conn.tls.cipher_suite} ${conn.tls.sni}"})
        self.assertRegex(made.ask()[-1], rb"^x-tls: 1\.3 TLS_[A-Z0-9_]+ app\.example\.com$")

    def test_injection(self) -> None:
        """A visitor cannot make a line of its own."""
        made = routed({"x-path": "${req.url.path}", "x-arg": "${req.url.query_params.a[0]}"})
        got = made.ask(line=b"GET /a%0d%0aX-Evil:%201?a=%0aX-Evil:+1%00")
        self.assertEqual(got[-2:], [b"x-path: /a  X-Evil: 1", b"x-arg: X-Evil: 1"])

    def test_framing(self) -> None:
        """The framing of a body stays what it is."""
        got = routed({"x-a": "1"}, ("X-B", "accept")).ask(b"X-B: 1", b"Content-Length: 0", line=b"POST /")
        self.assertEqual(got[2:], [*OURS, b"Content-Length: 0", b"x-a: 1"])

    def test_upgrade(self) -> None:
        """Requests for a WebSocket are changed like others."""
        got = routed({"x-a": "1"}).ask(b"Connection: Upgrade", b"Upgrade: websocket")
        self.assertEqual(got[-3:], [b"x-a: 1", b"Connection: Upgrade", b"Upgrade: websocket"])

    def test_once(self) -> None:
        """A request that is sent a second time, since its connection was stale, is changed once."""
        made = routed({"x-a": "1"})
        made.ask()
        made.say()
        first = made.tunnel.connection
        made.send()
        first.take()
        first.close()
        self.assertEqual(len(made.tunnel.connections), 2)
        self.assertEqual(made.got()[2:], [*OURS, b"x-a: 1"])

    def test_no_upstream(self) -> None:
        """Where nobody is asked, nothing is changed."""
        says = Backend(id="bkdhr_1", account_id="ac_1", kind="http_response", config=HTTPResponseConfig(body="hi"))
        self.assertEqual(statuses(routed({"x-a": "1"}, backend=says).send()), [200])

    def test_switched_off(self) -> None:
        """The change is nobody else's: another request on the same connection, another route."""
        made = routed({"x-a": "${req.method}"})
        made.ask()
        made.say()
        plain = Routed({}, {})
        self.assertEqual(plain.ask()[2:], OURS)

    @settings(max_examples=40, deadline=None)
    @given(st.binary(max_size=30))
    def test_any_header(self, sent: bytes) -> None:
        """Whatever a visitor sends, the head stays one head, with as many lines as it must have."""
        value = bytes(byte for byte in sent if byte >= 0x20 and byte != 0x7F).strip()
        got = routed({"x-echo": "${req.headers.x-sent[0]}"}).ask(b"X-Sent: " + value)
        self.assertEqual(len(got), 7)
        self.assertEqual(got[-1], b"x-echo: " + value)


class OrderTests(SynchronousTestCase):
    """Where it stands among other modules."""

    def test_invisible(self) -> None:
        """Other modules see the request as it was, whatever their phase."""
        seen: list[Any] = []

        @provider(IModuleKind)
        @implementer(IHTTPModule)
        class Looks:
            name, Config, attaches = "looks", RequestHeadersConfig, frozenset({"route"})
            phase = Phase.PROTECT

            def __init__(self, config: Any, context: Any) -> None:
                pass

            def wrap_resource(self, inner: Any) -> Any:
                def note(request: Any) -> None:
                    seen.append(list(request.headers))

                return Guard(Filtered(inner, note), note)

        configs = {
            "request_headers": RequestHeadersConfig(add={"x-a": "1"}, remove=("x-b",)),
            "looks": RequestHeadersConfig(),
        }
        made = Routed({"request_headers": RequestHeaders, "looks": Looks}, configs)
        self.assertIn(b"x-a: 1", made.ask(b"X-B: 1"))
        for headers in seen:
            self.assertIn((b"X-B", b"1"), headers)
            self.assertNotIn(b"x-a", dict(headers))
        self.assertEqual(len(seen), 2)


class FlagTests(SynchronousTestCase):
    """What the flags of ``ssh … http`` say."""

    def test_flags(self) -> None:
        """Headers may repeat, and colons may be in values."""
        flags = {"request-header-add": ["X-A: 1", "x-a: b:2"], "request-header-remove": ["Cookie"]}
        config = RequestHeaders.from_flags(flags)
        context = ModuleContext(runtime=Runtime(reactor=None, random=None))  # type: ignore[arg-type]
        edit = RequestHeaders(config, context)._edits.edit(None)
        self.assertEqual((list(edit.added), edit.removed), ([(b"x-a", b"1"), (b"x-a", b"b:2")], {b"cookie"}))
        self.assertRaises(InvalidConfig, RequestHeaders.from_flags, {"request-header-add": ["X-A"]})
        self.assertEqual(RequestHeaders.from_flags({}).added(), [])
