"""Tests of `ngrok_twisted.transports.ssh.server`."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.conch.ssh.common import NS
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.interfaces import IFillable
from ngrok_twisted.transports.ssh.kex import Proposal
from ngrok_twisted.transports.ssh.packets import PACKET_DATA
from ngrok_twisted.transports.ssh.appetite import MEBIBYTE, MOST, MOST_OF_PACKET, PATIENCE, STEP
from ngrok_twisted.transports.ssh.transport import REST_AFTER
from tests.transports.ssh.client import ScriptedClient
from tests.transports.ssh.test_ciphers import is_made

IGNORE = b"\x02" + NS(b"")


class IdentificationTests(SynchronousTestCase):
    """The first line."""

    def test_ours(self) -> None:
        """The server says who it is, and waits for the client's KEXINIT before it sends its own."""
        client = ScriptedClient().identify()
        self.assertEqual(client.receive(), [])
        self.assertTrue(client.server_version.startswith(b"SSH-2.0-ngrok_twisted_"))
        client.send(client.kexinit())
        self.assertEqual([message[0] for message in client.receive()], [20])

    def test_impatience(self) -> None:
        """A client that waits for the server's KEXINIT gets it, with every cipher."""
        client = ScriptedClient().identify()
        client.clock.advance(1)
        theirs = Proposal.parse(client.take(20)[0][1:])
        self.assertIn(b"aes128-gcm@openssh.com", theirs.ciphers_in)
        self.assertIn(b"chacha20-poly1305@openssh.com", theirs.ciphers_in)

    def test_policy_off(self) -> None:
        """Without the preference for AES-GCM nothing is waited for."""
        client = ScriptedClient(prefer_aes_gcm=False).identify()
        self.assertEqual([message[0] for message in client.receive()], [20])

    def test_garbage(self) -> None:
        """Whoever does not speak SSH is told so in clear, and dropped."""
        for line in (b"GET / HTTP/1.1\r\n", b"SSH-1.5-old\r\n", b"SSH-2.0-" + b"x" * 300, b"SSH-2.0-\xff\r\n"):
            client = ScriptedClient()
            client.server.dataReceived(line)
            self.assertTrue(client.socket.disconnecting, line)
            self.assertIn(b"Invalid SSH identification", client.socket.value())

    def test_in_pieces(self) -> None:
        """The line and what follows may arrive byte by byte."""
        client = ScriptedClient()
        for byte in client.version + b"\r\n" + client.seal(client.kexinit()):
            client.server.dataReceived(bytes((byte,)))
        self.assertEqual([message[0] for message in client.receive()], [20])

    def test_silence(self) -> None:
        """A client that does not log in is dropped after the grace time."""
        client = ScriptedClient().identify()
        client.clock.advance(29)
        self.assertFalse(client.socket.disconnecting)
        client.clock.advance(1)
        self.assertTrue(client.socket.disconnecting)
        client.clock.advance(5)
        self.assertTrue(client.socket.aborted)


class LifeTests(SynchronousTestCase):
    """After the login."""

    def test_fillable(self) -> None:
        """Reads may go into the shared buffer."""
        client = ScriptedClient().login()
        verifyObject(IFillable, client.server)
        wire = client.seal(b"\x50" + NS(b"keepalive@openssh.com") + b"\1")
        client.server.fillable()[: len(wire)] = wire
        client.server.filled(len(wire))
        self.assertEqual(client.take(), [b"\x52"])

    def test_unimplemented(self) -> None:
        """An unknown message is answered with its number."""
        client = ScriptedClient().login()
        client.take()
        number = client.sealer.sequence
        client.send(bytes((192,)) + b"?")
        self.assertEqual(client.take(), [struct.pack(">BI", 3, number)])

    def test_dead_peer(self) -> None:
        """A client that fell silent is asked, and dropped within 30 s."""
        client = ScriptedClient().login()
        client.take()
        client.clock.advance(7.5)
        client.clock.advance(7.5)
        self.assertEqual(client.take(80), [b"\x50" + NS(b"keepalive@openssh.com") + b"\1"])
        client.clock.pump([7.5, 7.5])
        self.assertFalse(client.socket.aborted)
        client.clock.advance(7.5)
        self.assertTrue(client.socket.aborted)

    def test_live_peer(self) -> None:
        """A client that answers stays."""
        client = ScriptedClient().login()
        for _ in range(20):
            client.clock.advance(7.5)
            for message in client.take():
                if message[0] == 80:
                    client.send(b"\x52")
        self.assertFalse(client.socket.disconnecting)

    def rests(self, client: ScriptedClient) -> list[bool]:
        """Whether the ciphers of the server keep nothing that can be made again: of what it sends, and of what it receives."""
        server = client.server
        return [not is_made(server._writer.sealer, "_encrypt"), not is_made(server._reader.opener, "_decrypt")]

    def test_rest(self) -> None:
        """The ciphers of a client that says nothing rest soon after the login, and after each sign of life."""
        client = ScriptedClient().login()
        self.assertEqual(self.rests(client), [False, False])
        client.clock.pump([REST_AFTER] * 2)
        self.assertEqual(self.rests(client), [True, True])
        client.take()
        client.clock.pump([REST_AFTER] * 58 + [0])
        self.assertEqual(client.take(80), [b"\x50" + NS(b"keepalive@openssh.com") + b"\1"])
        client.send(b"\x52")
        self.assertEqual(self.rests(client), [False, False])
        client.clock.pump([REST_AFTER] * 4)
        self.assertEqual(self.rests(client), [True, True])

    def test_no_rest(self) -> None:
        """While something comes, ciphers do not rest."""
        client = ScriptedClient().login()
        for _ in range(10):
            client.clock.advance(REST_AFTER)
            client.send(b"\x50" + NS(b"keepalive@openssh.com") + b"\1")
            self.assertEqual(self.rests(client), [False, False])

    def test_unread_answers(self) -> None:
        """A client that asks on and on and reads nothing is dropped."""
        client = ScriptedClient(max_unread=1000).login()
        client.server.pauseProducing()
        for _ in range(1100):
            client.send(b"\x50" + NS(b"keepalive@openssh.com") + b"\1")
        self.assertTrue(client.socket.aborted)

    def test_loss(self) -> None:
        """When the connection is gone the gateway is told, the avatar logged out, and no timed call is left."""
        client = ScriptedClient().login()
        client.lose()
        client.clock.advance(0)
        self.assertEqual(client.gateway.calls[-1], ("disconnected",))
        self.assertEqual(client.portal.realm.logouts, 1)  # type: ignore[attr-defined]
        self.assertEqual(client.clock.getDelayedCalls(), [])

    def test_disconnect(self) -> None:
        """The gateway may end the connection with a reason."""
        client = ScriptedClient().login()
        client.gateway.connection.disconnect(11, "enough")
        self.assertEqual(client.disconnect_text(), "enough")
        self.assertTrue(client.socket.disconnecting)

    def test_second_service(self) -> None:
        """No service can be asked for twice, nor another than the login."""
        for name in (b"ssh-userauth", b"ssh-connection"):
            client = ScriptedClient().start_auth()
            client.send(b"\x05" + NS(name))
            self.assertIn("service not available", client.disconnect_text())

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=5))
    def test_any_message(self, messages: list[bytes]) -> None:
        """No message a client can make up raises an error of ours."""
        client = ScriptedClient().login()
        client.open_session()
        client.send(*messages)
        self.assertEqual(self.flushLoggedErrors(), [])

    @settings(deadline=None, max_examples=60)
    @given(st.sampled_from([80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100]), st.binary(max_size=40))
    def test_any_body(self, kind: int, body: bytes) -> None:
        """No body of a message of the connection raises an error of ours."""
        client = ScriptedClient().login()
        client.open_session()
        client.send(bytes((kind,)) + body)
        self.assertEqual(self.flushLoggedErrors(), [])


class SegmentTests(SynchronousTestCase):
    """A packet that comes in small pieces."""

    def setUp(self) -> None:
        self.client = ScriptedClient().login()
        self.asked: list[int] = []
        self.client.server.transport.wake_at = self.asked.append

    def come(self, *pieces: bytes) -> None:
        """These are read, one after the other."""
        for piece in pieces:
            self.client.server.fillable()[: len(piece)] = piece
            self.client.server.filled(len(piece))

    def test_rest(self) -> None:
        """The rest of a packet is waited for in few pieces, and then everything is read as ever."""
        wire = self.client.seal(b"\x02" + bytes(30_000))
        self.come(wire[:1448])
        self.assertEqual(self.asked, [MOST_OF_PACKET])
        self.come(wire[1448 : 1448 + MOST_OF_PACKET])
        self.assertEqual(self.asked[1:], [len(wire) - 1448 - MOST_OF_PACKET])
        self.come(wire[1448 + MOST_OF_PACKET :])
        self.assertEqual(self.asked[2:], [1])

    def test_small(self) -> None:
        """For small messages, and for a rest that comes in one piece, nothing is asked."""
        first, second = self.client.seal(b"\x02" + bytes(10)), self.client.seal(b"\x02" + bytes(2500))
        self.come(first, second[:1448], second[1448:])
        self.assertEqual(self.asked, [])

    def test_bulk(self) -> None:
        """Bulk that comes fast is waited for up to half of what its channel may send, until it stops or the client is gone."""
        number = self.client.open_session()
        connection = self.client.server._connection
        assert connection is not None
        channel = connection.channels[number]
        channel.window = channel.receive_window = 4 * MEBIBYTE
        message = struct.pack(">BII", 94, number, PACKET_DATA) + bytes(PACKET_DATA)
        for _ in range(STEP // PACKET_DATA):
            self.come(self.client.seal(message))
        self.assertEqual(self.asked, [MOST])
        self.client.clock.pump([PATIENCE, PATIENCE])
        self.assertEqual(self.asked, [MOST, 1])

    def test_ended(self) -> None:
        """Nothing is asked of a connection that is being closed."""
        wire = self.client.seal(b"\x02" + bytes(30_000))
        self.client.server.loseConnection()
        self.come(wire[:1448])
        self.assertEqual(self.asked, [])
