"""Tests of `ngrok_twisted.transports.ssh.exchange`."""

from __future__ import annotations

from twisted.conch.ssh.common import NS, getNS
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh.kex import Proposal
from tests.transports.ssh.client import ScriptedClient, data, key

IGNORE = b"\x02" + NS(b"")


class KeyExchangeTests(SynchronousTestCase):
    """The exchange and what must not happen in it."""

    def test_server_sig_algs(self) -> None:
        """A client that understands extensions is told which signatures do, RSA with SHA-1 not among them."""
        client = ScriptedClient().identify().exchange()
        message = client.take(7)[0]
        name, algorithms, rest = getNS(message[5:], 2)
        self.assertEqual((name, rest), (b"server-sig-algs", b""))
        self.assertIn(b"rsa-sha2-512", algorithms.split(b","))
        self.assertNotIn(b"ssh-rsa", algorithms.split(b","))

    def test_every_cipher(self) -> None:
        """A login works with each cipher and MAC, strict and not."""
        for cipher, mac in (
            (b"aes256-gcm@openssh.com", b"none"),
            (b"chacha20-poly1305@openssh.com", b"none"),
            (b"aes192-ctr", b"hmac-sha2-512"),
            (b"aes128-ctr", b"hmac-sha2-256-etm@openssh.com"),
        ):
            for strict in (True, False):
                client = ScriptedClient(cipher, mac)
                client.strict = strict
                if not strict:
                    client.kex_names = (b"curve25519-sha256",)
                client.login()
                self.assertEqual(len(client.gateways), 1)

    def test_strict_refuses_others(self) -> None:
        """With strict key exchange no other message may come before NEWKEYS."""
        for message in (IGNORE, b"\x04\0" + NS(b"") + NS(b""), b"\x03\0\0\0\0", b"\x05" + NS(b"ssh-userauth")):
            client = ScriptedClient().identify()
            client.send(client.kexinit())
            client.send(message)
            self.assertIn("strict KEX violation", client.disconnect_text())
            self.assertTrue(client.socket.disconnecting)

    def test_strict_wants_kexinit_first(self) -> None:
        """A message before the KEXINIT is the Terrapin attack."""
        client = ScriptedClient().identify().send(IGNORE)
        client.send(client.kexinit())
        self.assertIn("strict KEX violation", client.disconnect_text())

    def test_lenient_ignores(self) -> None:
        """Without strict key exchange IGNORE may come, but nothing of a later layer."""
        client = ScriptedClient().identify()
        client.kex_names, client.strict = (b"curve25519-sha256",), False
        client.send(IGNORE).send(client.kexinit()).send(IGNORE)
        self.assertFalse(client.socket.disconnecting)
        client.send(b"\x05" + NS(b"ssh-userauth"))
        self.assertIn("before the key exchange", client.disconnect_text())

    def test_order(self) -> None:
        """NEWKEYS before the exchange, a second KEXINIT and repeated steps are refused."""
        for messages in (
            [b"\x15"],
            [b"\x1e" + NS(bytes(32))],
            [None, b"\x15"],
            [None, None],
            [None, b"\x22" + bytes(12)],
        ):
            client = ScriptedClient().identify()
            for message in messages:
                client.send(message or client.kexinit())
            self.assertTrue(client.socket.disconnecting, messages)
            self.assertIsNone(client.server.sessionID)

    def test_bad_values(self) -> None:
        """Public values that cannot be used end the exchange, without an error in the log."""
        for body in (b"", NS(b""), NS(bytes(31)), NS(bytes(32)), NS(b"\xff" * 200)):
            client = ScriptedClient().identify()
            client.send(client.kexinit())
            client.send(b"\x1e" + body)
            self.assertTrue(client.disconnect_text())

    def test_wrong_guess(self) -> None:
        """A packet that was guessed wrong is passed over."""
        client = ScriptedClient().identify()
        client.send(client.kexinit(follows=True), b"\x1e" + NS(b"for another algorithm"))
        client.send(client.init())
        client.finish_exchange()
        client.send(b"\x15")
        client.use_new_keys()
        client.send(b"\x05" + NS(b"ssh-userauth"))
        self.assertEqual(len(client.take(6)), 1)

    def test_state_is_dropped(self) -> None:
        """What the exchange needed is not kept for the life of an idle session."""
        client = ScriptedClient().login()
        kept = vars(client.server)
        for name in ("ourKexInitPayload", "otherKexInitPayload", "ecPub"):
            self.assertIsNone(kept.get(name))

    def test_mac_failure(self) -> None:
        """A packet that was tampered with ends the connection with reason 5."""
        client = ScriptedClient().login()
        wire = bytearray(client.seal(IGNORE))
        wire[-1] ^= 1
        client.server.dataReceived(bytes(wire))
        self.assertEqual(client.take(1)[0][1:5], (5).to_bytes(4, "big"))

    def test_peer_rekeys(self) -> None:
        """The client may exchange keys at any time; bulk waits meanwhile and goes on behind."""
        client = ScriptedClient().login()
        number = client.open_session()
        session = next(call[1] for call in client.gateway.calls if call[0] == "opened")
        client.take()
        client.send(client.kexinit())
        session.write(b"while keys are exchanged")
        self.assertEqual([message[0] for message in client.receive()], [20])
        client.send(client.init())
        client.finish_exchange()
        client.send(b"\x15")
        client.use_new_keys()
        self.assertEqual([getNS(message[5:])[0] for message in client.take(94)], [b"while keys are exchanged"])
        client.send(data(number, b"under new keys"))
        self.assertIn(("input", b"under new keys"), client.gateway.calls)

    def test_new_keys_in_one_read(self) -> None:
        """What follows NEWKEYS in the same read is under the new keys."""
        client = ScriptedClient().login()
        client.send(client.kexinit())
        client.send(client.init())
        client.finish_exchange()
        wire = client.seal(b"\x15")
        client.use_new_keys()
        client.take()
        wire += client.seal(b"\x50" + NS(b"keepalive@openssh.com") + b"\1")
        client.server.dataReceived(wire)
        self.assertEqual(client.take(), [b"\x52"])

    def test_we_rekey(self) -> None:
        """After so many bytes the server begins an exchange, and offers the same ciphers again."""
        client = ScriptedClient(rekey_bytes=100_000).login()
        number = client.open_session()
        client.take()
        for _ in range(4):
            client.send(data(number, bytes(30_000)))
        theirs = client.take(20)
        self.assertEqual(len(theirs), 1)
        self.assertEqual(
            Proposal.parse(theirs[0][1:]).ciphers_in, (b"aes128-gcm@openssh.com", b"aes256-gcm@openssh.com")
        )
        client.messages = theirs
        client.send(client.kexinit())
        client.send(client.init())
        client.finish_exchange()
        client.send(b"\x15")
        client.use_new_keys()
        client.send(data(number, b"on"))
        self.assertIn(("input", b"on"), client.gateway.calls)

    def test_rekey_by_time(self) -> None:
        """After an hour as well; a client that never answers is dropped."""
        client = ScriptedClient(keepalive_seconds=600.0).login()
        for _ in range(6):
            client.clock.advance(600)
            client.send(IGNORE)
        client.clock.advance(600)
        self.assertEqual(len(client.take(20)), 1)
        client.send(IGNORE)
        client.clock.advance(600)
        self.assertIn("too long", client.disconnect_text())


class HostCertificateTests(SynchronousTestCase):
    """What is shown to clients that know certificates."""

    NAME = b"ssh-ed25519-cert-v01@openssh.com"

    def setUp(self) -> None:
        self.certificates = {key("host").public().blob(): b"the certificate"}

    def client(self) -> ScriptedClient:
        """A client of a server with whatever certificates there are."""
        given = {"host_certificates": lambda keys: {k: v for k, v in self.certificates.items() if k in set(keys)}}
        return ScriptedClient(certificates=given).identify()

    def exchanged(self, client: ScriptedClient, *host_keys: bytes) -> bytes:
        """What the server shows to a client that knows these algorithms; its signature was checked."""
        client.send(client.kexinit(host_keys=host_keys))
        client.send(client.init())
        client.finish_exchange()
        client.send(b"\x15")
        client.use_new_keys()
        return client.host_key

    def test_presented(self) -> None:
        """Whoever prefers certificates is shown one, others the key."""
        self.assertEqual(self.exchanged(self.client(), self.NAME, b"ssh-ed25519"), b"the certificate")
        for names in ((b"ssh-ed25519",), (b"ssh-ed25519", self.NAME)):
            self.assertEqual(self.exchanged(self.client(), *names), key("host").public().blob())

    def test_none(self) -> None:
        """Without a certificate none is offered."""
        self.certificates = {}
        client = self.client()
        self.assertEqual(self.exchanged(client, self.NAME, b"ssh-ed25519"), key("host").public().blob())
        offered = Proposal.parse(next(message for message in client.take(20))[1:]).host_keys
        self.assertEqual(offered, (b"ssh-ed25519",))

    def test_next_connection(self) -> None:
        """A new certificate is shown to the next connection."""
        self.exchanged(self.client(), self.NAME)
        self.certificates = {key("host").public().blob(): b"the next one"}
        self.assertEqual(self.exchanged(self.client(), self.NAME), b"the next one")

    def test_same_for_a_connection(self) -> None:
        """A connection goes on with the certificate that it began with, even one that is gone."""
        client = self.client()
        self.exchanged(client, self.NAME)
        self.certificates = {}
        client.take()
        self.assertEqual(self.exchanged(client, self.NAME), b"the certificate")

    def test_broken(self) -> None:
        """If certificates cannot be found there are none, and the server goes on."""

        def broken(keys: object) -> dict[bytes, bytes]:
            raise RuntimeError("no store")

        client = ScriptedClient(certificates={"host_certificates": broken}).identify()
        self.assertEqual(self.exchanged(client, self.NAME, b"ssh-ed25519"), key("host").public().blob())
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_announced(self) -> None:
        """The list of host keys that clients learn stays one of keys."""
        client = self.client()
        self.exchanged(client, self.NAME)
        client.send(b"\x05" + NS(b"ssh-userauth"), client.auth_request(key("user"), key("user")))
        (announced,) = [message for message in client.take(80) if b"hostkeys-00" in message]
        self.assertTrue(announced.endswith(NS(key("host").public().blob())))
        self.assertNotIn(b"the certificate", announced)
