"""Tests of `ngrok_twisted.transports.ssh.connection`."""

from __future__ import annotations

import struct
from typing import Any

from twisted.conch.ssh.common import NS, getNS
from twisted.internet.defer import CancelledError, fail
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Overloaded, TunnelLost, UpstreamTimeout, UpstreamUnreachable
from ngrok_twisted.transports.ssh.channels import OpenRefused
from ngrok_twisted.transports.ssh.connection import MAX_PROBES
from tests.transports.ssh.client import ScriptedClient, channel_number, data, key

KEEPALIVE = b"\x50" + NS(b"keepalive@openssh.com") + b"\1"
FORWARD = b"\x50" + NS(b"tcpip-forward")
CANCEL = b"\x50" + NS(b"cancel-tcpip-forward")


def logged_in(**limits: Any) -> ScriptedClient:
    """A client behind its login, with nothing left to read."""
    client = ScriptedClient(**limits).login()
    client.take()
    return client


class GlobalRequestTests(SynchronousTestCase):
    """RFC 4254 sections 4 and 7.1."""

    def test_forward(self) -> None:
        """The gateway is asked with the address byte for byte; the port is told only where it was ours to choose."""
        client = logged_in()
        client.send(FORWARD + b"\1" + NS(b"App.Example.com") + struct.pack(">I", 443))
        client.send(FORWARD + b"\1" + NS(b"") + struct.pack(">I", 0))
        self.assertEqual(client.take(), [b"\x51", b"\x51" + struct.pack(">I", 40000)])
        self.assertEqual(client.gateway.calls, [("forward", b"App.Example.com", 443), ("forward", b"", 0)])

    def test_refused(self) -> None:
        """A refusal is a plain failure; without the wish for an answer there is none."""
        client = logged_in()
        client.gateway.refuse = True
        client.send(FORWARD + b"\1" + NS(b"") + bytes(4), FORWARD + b"\0" + NS(b"") + bytes(4))
        self.assertEqual(client.take(), [b"\x52"])

    def test_answers_keep_their_order(self) -> None:
        """A keepalive behind a forward that waits is answered after it."""
        client = logged_in()
        client.gateway.answers = []
        client.send(FORWARD + b"\1" + NS(b"") + bytes(4), KEEPALIVE)
        self.assertEqual(client.take(), [])
        client.gateway.answers[0].callback(443)
        self.assertEqual(client.take(), [b"\x51" + struct.pack(">I", 443), b"\x52"])

    def test_bound(self) -> None:
        """Too many requests behind one that waits end the connection."""
        client = logged_in(max_pending_requests=5)
        client.gateway.answers = []
        client.send(*[FORWARD + b"\1" + NS(b"") + bytes(4)] * 6)
        self.assertIn("too many requests", client.disconnect_text())

    def test_cancel(self) -> None:
        """A forward is cancelled through the gateway."""
        client = logged_in()
        client.send(CANCEL + b"\1" + NS(b"a") + struct.pack(">I", 443))
        self.assertEqual(client.take(), [b"\x51"])
        self.assertEqual(client.gateway.calls, [("cancel", b"a", 443)])

    def test_unknown(self) -> None:
        """Other requests, keepalives among them, get a failure, and none when none is wanted."""
        client = logged_in()
        client.send(KEEPALIVE, b"\x50" + NS(b"streamlocal-forward@openssh.com") + b"\1" + NS(b"/tmp/x"))
        client.send(b"\x50" + NS(b"whatever") + b"\0")
        self.assertEqual(client.take(), [b"\x52", b"\x52"])

    def test_bad_address(self) -> None:
        """Ports beyond 65535, long addresses and trailing bytes are refused."""
        client = logged_in()
        for body in (
            NS(b"") + struct.pack(">I", 65536),
            NS(b"x" * 2000) + bytes(4),
            NS(b"") + bytes(5),
            NS(b"") + bytes(3),
        ):
            client.send(FORWARD + b"\1" + body)
            self.assertEqual(client.take(), [b"\x52"])
        self.assertEqual(client.gateway.calls, [])

    def test_gateway_fails(self) -> None:
        """An error of the gateway is logged, refuses, and leaves the connection alone."""
        client = logged_in()
        gateway: Any = client.gateway
        gateway.forward_requested = lambda address, port: fail(ZeroDivisionError())
        gateway.forward_cancelled = lambda address, port: 1 // 0
        client.send(FORWARD + b"\1" + NS(b"") + bytes(4), CANCEL + b"\1" + NS(b"") + bytes(4), KEEPALIVE)
        self.assertEqual(client.take(), [b"\x52", b"\x52", b"\x52"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_host_keys(self) -> None:
        """After the login all host keys are announced; the client may have them proved (spec 8.4)."""
        client = ScriptedClient(host_keys=("host", "next host"))
        client.start_auth().send(client.auth_request(key("user"), key("user")))
        blobs = [key("host").public().blob(), key("next host").public().blob()]
        announced = client.take(80)[0]
        self.assertEqual(announced, b"\x50" + NS(b"hostkeys-00@openssh.com") + b"\0" + b"".join(map(NS, blobs)))
        client.send(b"\x50" + NS(b"hostkeys-prove-00@openssh.com") + b"\1" + NS(blobs[1]) + NS(blobs[0]))
        answer = client.take()[0]
        self.assertEqual(answer[:1], b"\x51")
        second, first, rest = getNS(answer[1:], 2)
        self.assertEqual(rest, b"")
        for signature, blob, name in ((first, blobs[0], "host"), (second, blobs[1], "next host")):
            message = NS(b"hostkeys-prove-00@openssh.com") + NS(client.session_id) + NS(blob)
            self.assertTrue(key(name).public().verify(signature, message))

    def test_host_keys_unknown(self) -> None:
        """No signature is made for a key that is not ours, for none, or for one many times."""
        client = logged_in()
        ours = NS(key("host").public().blob())
        for blobs in (NS(key("user").public().blob()), b"", ours * 5, b"\0\0\0\xff"):
            client.send(b"\x50" + NS(b"hostkeys-prove-00@openssh.com") + b"\1" + blobs)
            self.assertEqual(client.take(), [b"\x52"])

    def test_probe(self) -> None:
        """A probe fires on any answer, in order, also past one that was cancelled."""
        client = logged_in()
        connection = client.gateway.connection
        first, second = connection.probe(), connection.probe()
        self.assertEqual(client.take(80), [KEEPALIVE, KEEPALIVE])
        first.cancel()
        self.failureResultOf(first, CancelledError)
        client.send(b"\x52")
        self.assertNoResult(second)
        client.send(b"\x51")
        self.assertIsNone(self.successResultOf(second))
        client.send(b"\x52")  # one too many does no harm

    def test_probes_are_bounded(self) -> None:
        """Many probes of a client that does not answer ask no more than so often."""
        client = logged_in()
        probes = [client.gateway.connection.probe() for _ in range(40)]
        self.assertEqual(len(client.take(80)), 16)
        client.send(*[b"\x52"] * 16)
        for probe in probes:
            self.assertIsNone(self.successResultOf(probe))

    def test_probe_after_keepalives(self) -> None:
        """Signs of life that nobody waits for are bounded too, and a probe may share the last one's answer."""
        client = logged_in()
        client.take()
        connection = client.gateway.connection
        for _ in range(40):
            connection.keepalive()
        self.assertEqual(client.take(80), [KEEPALIVE] * MAX_PROBES)
        probe = connection.probe()
        self.assertEqual(client.take(80), [])
        for _ in range(MAX_PROBES - 1):
            client.send(b"\x52")
        self.assertNoResult(probe)
        client.send(b"\x52")
        self.assertIsNone(self.successResultOf(probe))

    def test_probe_lost(self) -> None:
        """It fails with the connection."""
        client = logged_in()
        connection = client.gateway.connection
        probe = connection.probe()
        client.lose()
        self.failureResultOf(probe, TunnelLost)
        self.failureResultOf(connection.probe(), TunnelLost)


class OpenTests(SynchronousTestCase):
    """Forwarded channels (RFC 4254 section 7.2)."""

    def open(self, client: ScriptedClient) -> Any:
        """Ask for one."""
        factory = Factory.forProtocol(Protocol)
        return client.gateway.connection.open_forwarded(b"App", 443, "198.51.100.9", 1234, factory)

    def test_open(self) -> None:
        """The client is told the address byte for byte and the visitor; its confirmation brings the protocol."""
        client = logged_in()
        opened = self.open(client)
        message = client.take()[0]
        kind, rest = getNS(message[1:])
        number, window, limit = struct.unpack(">III", rest[:12])
        self.assertEqual((message[0], kind, window, limit), (90, b"forwarded-tcpip", 256 * 1024, 32768))
        tail = NS(b"App") + struct.pack(">I", 443) + NS(b"198.51.100.9") + struct.pack(">I", 1234)
        self.assertEqual(rest[12:], tail)
        self.assertNoResult(opened)
        client.confirm(message, 9)
        protocol = self.successResultOf(opened)
        self.assertEqual(protocol.connected, 1)
        protocol.transport.write(b"hello")
        self.assertEqual(client.take(), [data(9, b"hello")])

    def test_refused(self) -> None:
        """The client's refusal carries its reason and its words, made harmless."""
        client = logged_in()
        opened = self.open(client)
        number = channel_number(client.take()[0])
        client.send(struct.pack(">BII", 92, number, 2) + NS(b"Connection\x1b[31m refused" + b"x" * 500) + NS(b""))
        error = self.failureResultOf(opened, UpstreamUnreachable).value
        assert isinstance(error, OpenRefused)
        self.assertEqual(error.reason, 2)
        self.assertTrue(error.detail.startswith("Connection [31m refused"))
        self.assertEqual(len(error.detail), 200)
        self.assertEqual(client.gateway.connection.channels, {})

    def test_timeout(self) -> None:
        """Ten seconds without an answer are enough; a late confirmation is closed at once."""
        client = logged_in(keepalive_seconds=1000.0)
        opened = self.open(client)
        message = client.take()[0]
        client.clock.advance(9.9)
        self.assertNoResult(opened)
        client.clock.advance(0.1)
        self.failureResultOf(opened, UpstreamTimeout)
        number = client.confirm(message, 9)
        self.assertEqual(client.take(), [struct.pack(">BI", 97, 9)])
        client.send(struct.pack(">BI", 97, number))
        self.assertEqual(client.gateway.connection.channels, {})

    def test_cancel(self) -> None:
        """Whoever asked may stop waiting."""
        client = logged_in()
        opened = self.open(client)
        message = client.take()[0]
        opened.cancel()
        self.failureResultOf(opened, CancelledError)
        client.confirm(message, 9)
        self.assertEqual(client.take(), [struct.pack(">BI", 97, 9)])

    def test_lost(self) -> None:
        """It fails when the connection goes, and after."""
        client = logged_in()
        connection = client.gateway.connection
        opened = self.open(client)
        client.lose()
        self.failureResultOf(opened, TunnelLost)
        after = connection.open_forwarded(b"", 1, "", 0, Factory.forProtocol(Protocol))
        self.failureResultOf(after, TunnelLost)

    def test_limit(self) -> None:
        """There are only so many channels on a connection."""
        client = logged_in(max_channels=2)
        waiting = [self.open(client), self.open(client)]
        self.failureResultOf(self.open(client), Overloaded)
        for opened in waiting:
            self.assertNoResult(opened)

    def test_factory_declines(self) -> None:
        """A factory that makes no protocol, or fails, closes the channel and fails the Deferred."""
        client = logged_in()
        for build, error in ((lambda address: None, TunnelLost), (lambda address: 1 / 0, ZeroDivisionError)):
            factory: Any = Factory()
            factory.buildProtocol = build
            opened = client.gateway.connection.open_forwarded(b"", 1, "", 0, factory)
            number = client.confirm(client.take()[0], 9)
            self.failureResultOf(opened, error)
            self.assertEqual(client.take(), [struct.pack(">BI", 97, 9)])
            client.send(struct.pack(">BI", 97, number))


class ChannelTableTests(SynchronousTestCase):
    """What a client may open, and what it must not send."""

    def test_refused_quietly(self) -> None:
        """Other channels are refused without an error in the log."""
        client = logged_in()
        for kind, reason in ((b"direct-tcpip", 1), (b"x11", 1), (b"auth-agent@openssh.com", 1), (b"what", 3)):
            client.send(b"\x5a" + NS(kind) + struct.pack(">III", 5, 1000, 1000) + NS(b"more"))
            answer = client.take()[0]
            self.assertEqual(answer[:9], struct.pack(">BII", 92, 5, reason))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_session_flood(self) -> None:
        """Beyond ten sessions more are refused, and again possible when one has closed."""
        client = logged_in()
        numbers = [client.open_session(remote) for remote in range(10)]
        flood = b"\x5a" + NS(b"session") + struct.pack(">III", 50, 1000, 1000)
        client.send(*[flood] * 100)
        self.assertEqual({message[:9] for message in client.take()}, {struct.pack(">BII", 92, 50, 4)})
        client.send(struct.pack(">BI", 97, numbers[0]))
        client.take()
        client.open_session(51)

    def test_no_more_sessions(self) -> None:
        """A client may give up further sessions."""
        client = logged_in()
        client.send(b"\x50" + NS(b"no-more-sessions@openssh.com") + b"\0")
        client.send(b"\x5a" + NS(b"session") + struct.pack(">III", 5, 1000, 1000))
        self.assertEqual(client.take()[0][0], 92)

    def test_unknown_channel(self) -> None:
        """Messages for channels that are not open end the connection."""
        for message in (
            data(77, b"x"),
            struct.pack(">BII", 93, 77, 5),
            struct.pack(">BI", 96, 77),
            struct.pack(">BI", 97, 77),
            struct.pack(">BI", 98, 77) + NS(b"shell") + b"\1",
            struct.pack(">BIIII", 91, 77, 1, 1, 1),
            struct.pack(">BII", 92, 77, 1) + NS(b"") + NS(b""),
        ):
            client = logged_in()
            client.send(message)
            self.assertIn("not open", client.disconnect_text())

    def test_before_confirmation(self) -> None:
        """So does data on a channel that we asked for and the client has not confirmed."""
        client = logged_in()
        client.gateway.connection.open_forwarded(b"", 1, "", 0, Factory()).addErrback(lambda failure: None)
        client.send(data(channel_number(client.take()[0]), b"x"))
        self.assertIn("not open", client.disconnect_text())

    def test_length_lies(self) -> None:
        """Data whose length is not that of the message ends the connection."""
        for body in (NS(b"x") + b"y", b"\0\0\0\5x", b"\0\0", b"\xff\xff\xff\xffx"):
            client = logged_in()
            number = client.open_session()
            client.send(struct.pack(">BI", 94, number) + body)
            self.assertTrue(client.disconnect_text())

    def test_window_violation(self) -> None:
        """More than the window, more than a packet, or anything behind an end of file ends the connection."""
        for messages in (
            lambda number: [data(number, bytes(32768))] * 5,
            lambda number: [data(number, bytes(32769))],
            lambda number: [struct.pack(">BI", 96, number), data(number, b"x")],
        ):
            client = logged_in()
            number = client.open_session()
            connection: Any = client.gateway.connection
            connection.channels[number].credit = lambda size: None
            client.send(*messages(number))
            self.assertIn("does not allow", client.disconnect_text())

    def test_window_overflow(self) -> None:
        """A window does not grow past 2**32 - 1."""
        client = logged_in()
        number = client.open_session(window=1000)
        client.send(struct.pack(">BII", 93, number, 0xFFFFFFFF))
        self.assertIn("window overflow", client.disconnect_text())

    def test_one_fails(self) -> None:
        """An error in one channel closes that one; the others go on."""
        client = logged_in()
        first, second = client.open_session(1), client.open_session(2)
        gateway: Any = client.gateway
        fine = gateway.session_input
        bad = next(call[1] for call in gateway.calls if call[0] == "opened")
        gateway.session_input = lambda session, data: 1 // 0 if session is bad else fine(session, data)
        client.send(data(first, b"x"), data(second, b"y"))
        self.assertIn(("input", b"y"), gateway.calls)
        self.assertEqual(client.take(97), [struct.pack(">BI", 97, 1)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
