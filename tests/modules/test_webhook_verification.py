"""
Tests for `ngrok_twisted.modules.webhook_verification`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted import schema
from ngrok_twisted.collect import Room
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.module import ModuleContext, Webhooks
from ngrok_twisted.modules.basic_auth import BasicAuth
from ngrok_twisted.modules.traffic_policy import TrafficPolicyModule
from ngrok_twisted.modules.webhook_verification import (
    DECISION,
    REASON,
    WebhookVerification,
    WebhookVerificationConfig,
)
from ngrok_twisted.records.edge import module_types
from ngrok_twisted.runtime import Runtime
from ngrok_twisted.upstream.forward import Forward
from tests.edge.wire import Backend, Service, Visitor, statuses
from tests.webhook.signers import NOW, SIGNERS
from tests.webhook.vectors import Certificates, vectors

BODY = b'{"action": "opened"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def made(provider: str = "github", secret: str = "", http: Any = None, **more: Any) -> WebhookVerification:
    """The module, as it is now."""
    clock = Clock()
    clock.advance(NOW)
    config = WebhookVerificationConfig(provider=provider, secret=secret or SIGNERS[provider].secret)
    context = ModuleContext(runtime=Runtime(reactor=clock, random=Random(1), http=http), **more)
    return WebhookVerification(config, context)


def head(provider: str, *lines: str, body: bytes = BODY, method: str = "POST", target: str = "/hook?a=b") -> bytes:
    """A request's head with the signature of this body."""
    signed = SIGNERS[provider].sign(body, NOW)
    fields = [f"{name}: {value}" for name, value in signed.items()]
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: hooks.example.com", *fields, *lines, "", ""]).encode()


class ConfigTests(SynchronousTestCase):
    """What can be said."""

    def problems(self, **data: Any) -> list[tuple[str, int]]:
        """The places and codes of what is wrong."""
        error = self.assertRaises(InvalidConfig, schema.parse, WebhookVerificationConfig, data)
        return [(problem.path, problem.code) for problem in error.problems]

    def test_kind(self) -> None:
        """It stands on routes."""
        verifyObject(IModuleKind, WebhookVerification)
        verifyObject(IHTTPModule, made())
        self.assertIn("webhook_verification", module_types("route"))
        for place in ("https", "tls", "tcp"):
            self.assertNotIn("webhook_verification", module_types(place))

    def test_place(self) -> None:
        """It comes after whatever signs visitors in, and before the traffic policy."""
        order = sorted((WebhookVerification, BasicAuth, TrafficPolicyModule), key=lambda kind: (kind.phase, kind.name))
        self.assertEqual(order, [BasicAuth, WebhookVerification, TrafficPolicyModule])

    def test_provider(self) -> None:
        """A provider is found in upper or lower case, or by another name; all are the same, and shown in upper case."""
        spelled = [
            WebhookVerificationConfig(provider=name, secret="s") for name in ("sonatype", "SONATYPE", "Sonatype_Nexus")
        ]
        self.assertEqual([config.provider for config in spelled], ["SONATYPE"] * 3)
        self.assertEqual(len(set(spelled)), 1)

    def test_stored(self) -> None:
        """It comes out of a store as it went in, sealed; and no text that is printed has the secret."""
        config = WebhookVerificationConfig(provider="github", secret="hush")
        dumped = schema.dump(config, seal=lambda text: f"<{text}>")
        self.assertEqual(dumped, {"provider": "GITHUB", "secret": "<hush>"})
        found = schema.parse(WebhookVerificationConfig, dumped, reveal=lambda text: text[1:-1], stored=True)
        self.assertEqual(found, config)
        self.assertNotIn("hush", repr(config))

    def test_wrong(self) -> None:
        """What is wrong has ngrok's number."""
        self.assertEqual(self.problems(provider="", secret="s"), [("provider", 7029)])
        self.assertEqual(self.problems(provider="gitbub", secret="s"), [("provider", 7030)])
        self.assertEqual(self.problems(provider="github"), [("secret", 7027)])
        self.assertEqual(self.problems(provider="github", secret="x" * 2049), [("secret", 7154)])
        self.assertEqual(self.problems(provider="sns", secret="hush"), [("secret", 7026)])
        self.assertEqual(self.problems(provider="sendgrid", secret="hush"), [("secret", 7107)])
        self.assertEqual(self.problems(provider="svix", secret="whsec_!"), [("secret", 215)])

    def test_suggestion(self) -> None:
        """A name that is nearly one leads to the right one."""
        error = self.assertRaises(InvalidConfig, WebhookVerificationConfig, provider="gitbub", secret="s")
        self.assertIn("did you mean 'github'?", str(error))

    def test_no_http_client(self) -> None:
        """A server that cannot fetch Amazon's certificates does not take webhooks of SNS."""
        config = WebhookVerificationConfig(provider="sns")
        context = ModuleContext(runtime=Runtime(reactor=Clock(), random=Random(1)))
        error = self.assertRaises(LookupError, WebhookVerification, config, context)
        self.assertIn("no HTTP client", str(error))

    def test_kept(self) -> None:
        """What was learned outlives the edge, as long as the settings stay what they are."""
        kept: dict[Any, Any] = {}
        one, same, other = (
            made("mailgun", secret, place="edghtsrt_1", kept=kept)._verifier for secret in ("a", "a", "b")
        )
        self.assertIs(one, same)
        self.assertIsNot(one, other)


class RequestTests(SynchronousTestCase):
    """Deliveries on their way to a service."""

    def arrive(self, module: WebhookVerification, **limits: Any) -> None:
        """Whoever comes meets this module."""
        self.service = Service()
        self.visitor = Visitor(module.wrap_resource(Forward(Backend(self.service), Clock())), **limits)

    def arrived(self) -> bytes:
        """What the service got."""
        return self.service.connection.take() if self.service.connections else b""

    def body(self) -> bytes:
        """The body that the service got."""
        return self.arrived().partition(b"\r\n\r\n")[2]

    def noted(self) -> tuple[Any, Any]:
        """What the flow says of the last request."""
        found = self.visitor.request.flow.variables
        return found.get(DECISION), found.get(REASON)

    def assert_refused(self, word: str) -> None:
        """The visitor met the usual page, and the service nobody."""
        answer = self.visitor.take()
        self.assertEqual(statuses(answer), [403])
        self.assertIn(b"ngrok-error-code: ERR_NGROK_3204\r\n", answer)
        self.assertEqual(self.service.connections, [])
        self.assertEqual(self.noted(), ("block", word))

    def test_genuine(self) -> None:
        """A signed delivery gets to the service as it came, and the answer back."""
        self.arrive(made())
        self.visitor.send(head("github", f"Content-Length: {len(BODY)}", "X-GitHub-Event: push") + BODY)
        request = self.arrived()
        self.assertTrue(request.startswith(b"POST /hook?a=b HTTP/1.1\r\nHost: hooks.example.com\r\n"))
        self.assertIn(b"\r\nX-GitHub-Event: push\r\n", request)
        self.assertIn(b"\r\nContent-Length: 20\r\n", request)
        self.assertEqual(request.partition(b"\r\n\r\n")[2], BODY)
        self.assertEqual(self.noted(), ("allow", None))
        self.service.connection.send(ANSWER)
        self.assertEqual(statuses(self.visitor.take()), [200])
        self.assertEqual(self.visitor.flows[-1].bytes_in, len(BODY))

    def test_pieces(self) -> None:
        """However it comes, nothing reaches the service before all of it is there."""
        self.arrive(made())
        self.visitor.send(head("github", f"Content-Length: {len(BODY)}"))
        for number in range(len(BODY)):
            self.assertEqual(self.service.connections, [])
            self.visitor.send(BODY[number : number + 1])
        self.assertEqual(self.body(), BODY)

    def test_chunked(self) -> None:
        """A chunked body is verified without its chunks; with trailers it goes on in chunks, and they with it."""
        self.arrive(made())
        self.visitor.send(head("github", "Transfer-Encoding: chunked") + b"a\r\n" + BODY[:10] + b"\r\n")
        self.visitor.send(b"a;x=y\r\n" + BODY[10:] + b"\r\n0\r\n\r\n")
        self.assertIn(b"\r\nContent-Length: 20\r\n\r\n" + BODY, self.arrived())
        self.service.connection.send(ANSWER)
        self.visitor.send(
            head("github", "Transfer-Encoding: chunked") + b"14\r\n" + BODY + b"\r\n0\r\nX-End: yes\r\n\r\n"
        )
        request = self.arrived()
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n", request)
        self.assertTrue(request.endswith(b"\r\n14\r\n" + BODY + b"\r\n0\r\nX-End: yes\r\n\r\n"), request)

    def test_no_body(self) -> None:
        """A delivery without a body is verified as an empty one."""
        self.arrive(made())
        self.visitor.send(head("github", body=b""))
        self.assertTrue(self.arrived().startswith(b"POST /hook?a=b HTTP/1.1\r\n"))
        self.service.connection.send(ANSWER)
        self.visitor.send(head("github"))
        self.assertEqual(statuses(self.visitor.take()), [200, 403])

    def test_expects_continue(self) -> None:
        """A sender that waits for leave to send its body gets it, and the service is not asked for another."""
        self.arrive(made())
        self.visitor.send(head("github", f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
        self.assertEqual(statuses(self.visitor.take()), [100])
        self.visitor.send(BODY)
        request = self.arrived()
        self.assertNotIn(b"Expect", request)
        self.assertTrue(request.endswith(BODY))

    def test_nothing_signed(self) -> None:
        """Without a signature nobody has to send a body: it is refused at once."""
        self.arrive(made())
        self.visitor.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
        self.assert_refused("missing")

    def test_wrong(self) -> None:
        """Another body than was signed is refused; the next request on the connection is not."""
        self.arrive(made())
        self.visitor.send(head("github", f"Content-Length: {len(BODY)}") + BODY.swapcase())
        self.assert_refused("wrong")
        self.visitor.send(head("github", f"Content-Length: {len(BODY)}") + BODY)
        self.assertEqual(self.body(), BODY)

    def test_old(self) -> None:
        """What was signed too long ago is refused, by the server's own clock."""
        module = made("slack")
        self.arrive(module)
        self.visitor.send(head("slack", f"Content-Length: {len(BODY)}") + BODY)
        self.assertEqual(self.body(), BODY)
        self.service.connection.send(ANSWER)
        self.visitor.take()
        module._seconds = lambda: NOW + 301.0  # type: ignore[method-assign]
        self.service.connections.clear()
        self.visitor.send(head("slack", f"Content-Length: {len(BODY)}") + BODY)
        self.assert_refused("stale")

    def test_too_large(self) -> None:
        """A body over the bound is refused, whether its length was told or not, and the room is free again."""
        for framing, sent in (("Content-Length: 20", b""), ("Transfer-Encoding: chunked", b"14\r\n" + BODY)):
            room = Room(19, 30)
            self.arrive(made(room=room))
            self.visitor.send(head("github", framing) + sent)
            self.assert_refused("shape")
            self.assertEqual(room.left, 30)

    def test_no_room(self) -> None:
        """When all the room is taken a sender is told to try again; what was taken comes free with its request."""
        room = Room(20, 30)
        self.arrive(made(room=room))
        self.visitor.send(head("github", f"Content-Length: {len(BODY)}") + BODY)
        self.assertEqual(room.left, 10)
        other = Visitor(made(room=room).wrap_resource(Forward(Backend(Service()), Clock())))
        other.send(head("github", f"Content-Length: {len(BODY)}") + BODY)
        self.assertEqual(statuses(other.take()), [503])
        self.service.connection.send(ANSWER)
        self.assertEqual((statuses(self.visitor.take()), room.left), ([200], 30))

    def test_visitor_leaves(self) -> None:
        """A sender that leaves in the middle leaves nothing behind, and the service hears nothing."""
        room = Room()
        free = room.left
        self.arrive(made(room=room))
        self.visitor.send(head("github", f"Content-Length: {len(BODY)}") + BODY[:5])
        self.assertEqual(room.left, free - 5)
        self.visitor.leave()
        self.assertEqual((self.service.connections, room.left), ([], free))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_slow(self) -> None:
        """A body that does not come to an end is given up after a minute, and its room is free again."""
        room = Room()
        free = room.left
        self.arrive(made(room=room))
        self.visitor.send(head("github", f"Content-Length: {len(BODY)}") + BODY[:5])
        self.visitor.clock.advance(59)
        self.visitor.send(BODY[5:6])
        self.assertEqual((self.visitor.take(), room.left), (b"", free - 6))
        self.visitor.clock.advance(1)
        self.assertEqual((statuses(self.visitor.take()), room.left), ([408], free))
        self.visitor.send(BODY[6:])
        self.assertEqual((self.service.connections, room.left), ([], free))

    def test_broken_body(self) -> None:
        """A body that breaks off is the sender's fault, as everywhere."""
        self.arrive(made())
        self.visitor.send(head("github", "Transfer-Encoding: chunked") + b"zz\r\n")
        self.assertEqual(statuses(self.visitor.take()), [400])

    def test_large_body(self) -> None:
        """A large body goes on at the pace of the service, whole and in order."""
        body = bytes(range(256)) * 4096
        self.arrive(made())
        self.visitor.send(head("github", f"Content-Length: {len(body)}", body=body))
        for start in range(0, len(body), 65536):
            self.visitor.send(body[start : start + 65536])
        got = self.body()
        self.assertEqual(len(got), 65536)
        wire = self.service.connection.wire
        wire.producer.pauseProducing()
        self.visitor.clock.advance(1)
        self.assertEqual(self.arrived(), b"")
        wire.producer.resumeProducing()
        for _ in range(20):
            self.visitor.clock.advance(0)
            got += self.arrived()
        self.assertEqual(got, body)
        self.service.connection.send(ANSWER)
        self.assertEqual(statuses(self.visitor.take()), [200])

    def test_xero(self) -> None:
        """Xero hears 401 and 200, each without a body, as it asks for before it sends anything."""
        intent = b'{"events":[],"lastEventSequence":0,"firstEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}'
        self.arrive(made("xero"))
        self.visitor.send(head("xero", f"Content-Length: {len(intent)}", body=intent) + intent)
        self.assertEqual(self.noted(), ("allow", None))
        self.visitor.send(head("xero", f"Content-Length: {len(intent)}", body=b"") + intent)
        self.visitor.send(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
        answers = self.visitor.take()
        self.assertEqual(statuses(answers), [200, 401, 401])
        self.assertEqual(answers.lower().count(b"content-length: 0\r\n"), 3)
        self.assertNotIn(b"set-cookie", answers.lower())
        self.assertEqual(self.noted(), ("block", "missing"))
        self.assertEqual(self.service.connections, [])

    def test_challenge(self) -> None:
        """A challenge that needs no body is answered at once."""
        self.arrive(made("twitter"))
        self.visitor.send(b"GET /hook?crc_token=abc HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = self.visitor.take()
        self.assertEqual(statuses(answer), [200])
        self.assertIn(b'{"response_token": "sha256=', answer)
        self.assertEqual((self.noted(), self.service.connections), (("allow", None), []))

    def test_unverified(self) -> None:
        """One that only the service can answer goes to the service."""
        self.arrive(made("whatsapp"))
        target = "/?hub.mode=subscribe&hub.challenge=1&hub.verify_token=t"
        self.visitor.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        self.assertTrue(self.arrived().startswith(f"GET {target} HTTP/1.1\r\n".encode()))
        self.assertEqual(self.noted(), ("allow", None))

    def test_unverified_body(self) -> None:
        """But not with a body, which the service could take for an event."""
        self.arrive(made("whatsapp"))
        target = "/?hub.mode=subscribe&hub.challenge=1&hub.verify_token=t"
        self.visitor.send(f"GET {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        self.assert_refused("shape")

    def test_slack_challenge(self) -> None:
        """Slack's challenge is answered, or left to the service, as the operator wants."""
        body = b'{"token":"x","challenge":"3eZbrw1a","type":"url_verification"}'
        for answered in (True, False):
            self.arrive(made("slack", webhooks=Webhooks(answer_slack_challenge=answered)))
            self.visitor.send(head("slack", f"Content-Length: {len(body)}", body=body) + body)
            if answered:
                answer = self.visitor.take()
                self.assertTrue(answer.endswith(b"\r\n\r\n3eZbrw1a"), answer)
                self.assertEqual(self.service.connections, [])
            else:
                self.assertEqual(self.body(), body)

    def test_sns(self) -> None:
        """A message of Amazon SNS waits for its certificate, and passes; another is refused."""
        certificates = Certificates()
        for vector in vectors("sns"):
            sent = vector.delivery
            config = WebhookVerificationConfig(provider="sns")
            clock = Clock()
            clock.advance(sent.now)
            context = ModuleContext(runtime=Runtime(reactor=clock, random=Random(1), http=certificates))
            self.arrive(WebhookVerification(config, context))
            for body in (sent.body, sent.body.replace(b"MyTopic", b"MyTropic")):
                lines = [f"{name.decode()}: {value.decode()}" for name, value in sent.fields]
                self.visitor.send(
                    "\r\n".join(["POST / HTTP/1.1", "Host: a", *lines, f"Content-Length: {len(body)}", "", ""]).encode()
                    + body
                )
                if body == sent.body:
                    self.assertEqual((self.body(), self.noted()), (body, ("allow", None)))
                    self.service.connection.send(ANSWER)
                    self.visitor.take()
                    self.service.connections.clear()
                else:
                    self.assert_refused("wrong")

    def test_fails_closed(self) -> None:
        """A verifier that breaks lets nobody pass: the visitor gets 500, the log the reason, and the next is unaffected."""
        module = made()
        verify, module._verifier.verify = module._verifier.verify, lambda delivery: 1 / 0
        self.arrive(module)
        self.visitor.send(head("github", f"Content-Length: {len(BODY)}") + BODY)
        self.assertEqual(statuses(self.visitor.take()), [500])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        module._verifier.verify = verify
        self.visitor.send(head("github", f"Content-Length: {len(BODY)}") + BODY)
        self.assertEqual(self.body(), BODY)
