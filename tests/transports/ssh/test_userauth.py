"""Tests of `ngrok_twisted.transports.ssh.userauth`."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from twisted.conch.error import ValidPublicKey
from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.keys import Key
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ngrok_twisted.ssh_login import CertificateLogin, ISSHCertificateLogin
from ngrok_twisted.transports.ssh.publickey import fingerprint
from tests.iam.certificates import Draft
from tests.transports.ssh.client import ScriptedClient, key
from tests.transports.ssh.gateways import PRINCIPAL, KnownBlobs

INTERACTIVE = b"\x32" + NS(b"v2") + NS(b"ssh-connection") + NS(b"keyboard-interactive") + NS(b"") + NS(b"")
NONE = b"\x32" + NS(b"v2") + NS(b"ssh-connection") + NS(b"none")


def methods(failure: bytes) -> bytes:
    """What a failure offers."""
    return getNS(failure[1:])[0]


class LoginTests(SynchronousTestCase):
    """Who gets in."""

    def test_known_key(self) -> None:
        """A known key is acceptable when asked about, and its signature logs in."""
        client = ScriptedClient().start_auth()
        client.take()
        client.send(client.auth_request(key("user"), None))
        self.assertEqual(client.take(), [b"\x3c" + NS(b"ssh-ed25519") + NS(key("user").public().blob())])
        self.assertEqual(client.gateways, [])
        client.send(client.auth_request(key("user"), key("user"), b"v1"))
        self.assertEqual(client.take()[0], b"\x34")
        connection = client.gateway.connection
        self.assertIs(connection.principal, PRINCIPAL)
        self.assertEqual(connection.username, b"v1")
        self.assertEqual(connection.peer_host, "192.0.2.7")
        self.assertEqual(connection.peer_port, 50022)
        self.assertEqual(connection.client_version, "SSH-2.0-scripted_1")
        self.assertEqual(connection.transport.sessionID, client.session_id)

    def test_unknown_key(self) -> None:
        """An unknown key is refused, asked about or signed."""
        for signer in (None, key("stranger")):
            client = ScriptedClient().start_auth()
            client.take()
            client.send(client.auth_request(key("stranger"), signer))
            self.assertEqual([message[0] for message in client.take()], [51])
            self.assertEqual(client.gateways, [])

    def test_signed_by_another(self) -> None:
        """A known key with a signature of another is refused, and the portal is not even asked."""
        client = ScriptedClient().start_auth()
        client.take()
        client.send(client.auth_request(key("user"), key("stranger")))
        self.assertEqual([message[0] for message in client.take()], [51])
        self.assertEqual(client.portal.checkers[next(iter(client.portal.checkers))].asked, [])

    def test_offered_is_not_authorised(self) -> None:
        """Who asks about one key and signs with another is the other."""
        client = ScriptedClient()
        checker: Any = KnownBlobs(key("rich").public().blob(), key("poor").public().blob())
        checker.requestAvatarId, ask = (lambda c: self.note(c, ask)), checker.requestAvatarId
        self.names: list[bytes] = []
        client.portal.checkers.clear()
        client.portal.registerChecker(checker)
        client.start_auth()
        client.send(client.auth_request(key("rich"), None))
        client.send(client.auth_request(key("poor"), key("poor")))
        self.assertTrue(client.take(52))
        self.assertEqual(self.names, [key("poor").public().blob()])

    def note(self, credentials: Any, ask: Any) -> Any:
        """Whose login the checker has granted."""
        if credentials.signature is not None:
            self.names.append(credentials.blob)
        return ask(credentials)

    def test_other_session(self) -> None:
        """A signature made for another session does not do."""
        client, other = ScriptedClient().start_auth(), ScriptedClient().start_auth()
        client.take()
        client.send(other.auth_request(key("user"), key("user")))
        self.assertEqual([message[0] for message in client.take()], [51])

    def test_sha1(self) -> None:
        """RSA with SHA-1 is refused, whatever the key."""
        user = Key(rsa.generate_private_key(65537, 2048))
        client = ScriptedClient().start_auth()
        client.take()
        client.send(client.auth_request(user, user, algorithm=b"ssh-rsa"))
        self.assertEqual([message[0] for message in client.take()], [51])

    def test_checker_without_signature(self) -> None:
        """Even a checker that lets an unsigned request in does not let anybody in."""
        client = ScriptedClient().start_auth()
        checker: Any = next(iter(client.portal.checkers.values()))
        checker.requestAvatarId = lambda credentials: succeed(b"x")
        client.take()
        client.send(client.auth_request(key("user"), None))
        self.assertEqual([message[0] for message in client.take()], [51])
        self.assertEqual(client.gateways, [])

    def test_slow_checker(self) -> None:
        """Requests are answered one by one; a connection that is lost meanwhile makes no session."""
        client = ScriptedClient().start_auth()
        checker: Any = next(iter(client.portal.checkers.values()))
        waiting: list[Deferred[bytes]] = []
        checker.requestAvatarId = lambda credentials: waiting.append(Deferred()) or waiting[-1]
        client.take()
        request = client.auth_request(key("user"), key("user"))
        client.send(request, request)
        client.clock.advance(0)
        self.assertEqual(len(waiting), 1)
        client.lose()
        self.assertEqual(client.gateways, [])
        self.assertEqual(len(waiting), 1)
        self.assertTrue(waiting[0].called, "the checker was told that nobody waits")

    def test_broken_checker(self) -> None:
        """An error of ours is logged and refuses."""
        client = ScriptedClient().start_auth()
        checker: Any = next(iter(client.portal.checkers.values()))
        checker.requestAvatarId = lambda credentials: 1 / 0
        client.take()
        client.send(client.auth_request(key("user"), key("user")))
        self.assertEqual([message[0] for message in client.take()], [51])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_other_services_and_methods(self) -> None:
        """Only ssh-connection can be asked for, and only with keys."""
        for request in (
            b"\x32" + NS(b"v2") + NS(b"ssh-other") + NS(b"none"),
            b"\x32" + NS(b"v2") + NS(b"ssh-connection") + NS(b"password") + b"\0" + NS(b"secret"),
            b"\x32" + NS(b"x" * 1000) + NS(b"ssh-connection") + NS(b"none"),
            b"\x32\xff\xff\xff\xff",
            b"\x32",
        ):
            client = ScriptedClient().start_auth()
            client.take()
            client.send(request)
            self.assertEqual([message[0] for message in client.take()], [51])

    def test_after_success(self) -> None:
        """Requests after the success are ignored (RFC 4252 section 5.1)."""
        client = ScriptedClient().login()
        client.take()
        client.send(NONE)
        self.assertEqual(client.take(), [])

    def test_before_login(self) -> None:
        """Messages of the connection are not understood before it."""
        client = ScriptedClient().start_auth()
        client.take()
        client.send(b"\x50" + NS(b"tcpip-forward") + b"\1" + NS(b"") + bytes(4))
        self.assertEqual([message[0] for message in client.take()], [3])
        self.assertEqual(client.gateways, [])


class ExplanationTests(SynchronousTestCase):
    """Who does not, and is told why (spec 10.2)."""

    def test_unknown_keys(self) -> None:
        """After its keys the client tries keyboard-interactive, and sees the text and a failure without it."""
        client = ScriptedClient().start_auth()
        client.take()
        client.send(NONE)
        client.send(client.auth_request(key("stranger"), None))
        self.assertEqual({methods(message) for message in client.take(51)}, {b"publickey,keyboard-interactive"})
        client.send(INTERACTIVE)
        banner, failure = client.take()
        self.assertIn(b"ERR_NGROK_1102", banner)
        self.assertEqual(methods(failure), b"publickey")
        self.assertEqual(client.explained, [(b"v2", (fingerprint(sha256(key("stranger").public().blob()).digest()),))])
        client.send(INTERACTIVE)
        self.assertEqual([message[0] for message in client.take()], [51])

    def test_no_key(self) -> None:
        """A client without keys is told so."""
        client = ScriptedClient().start_auth()
        client.take()
        client.send(INTERACTIVE)
        self.assertIn(b"ERR_NGROK_1100", client.take(53)[0])
        self.assertEqual(client.explained, [])

    def test_too_many(self) -> None:
        """A client that offers too many keys is told so and dropped."""
        client = ScriptedClient(auth_attempts=3).start_auth()
        client.take()
        for number in range(4):
            client.send(client.auth_request(key(f"stranger {number}"), None))
        messages = client.take()
        self.assertEqual([message[0] for message in messages], [51, 51, 51, 53, 1])
        self.assertIn(b"ERR_NGROK_1101", messages[3])

    def test_flood(self) -> None:
        """Requests that pile up behind a slow checker end the connection."""
        client = ScriptedClient().start_auth()
        checker: Any = next(iter(client.portal.checkers.values()))
        checker.requestAvatarId = lambda credentials: Deferred()
        for _ in range(10):
            client.send(client.auth_request(key("user"), None))
        self.assertIn("too many login requests", client.disconnect_text())


@implementer(ICredentialsChecker)
class Certificates:
    """Lets every certificate in, and remembers what it was asked."""

    credentialInterfaces = (ISSHCertificateLogin,)

    def __init__(self) -> None:
        self.asked: list[CertificateLogin] = []

    def requestAvatarId(self, credentials: Any) -> Any:
        """`ICredentialsChecker`."""
        self.asked.append(credentials)
        if credentials.signature is None:
            return fail(ValidPublicKey())
        return succeed("sshca_1")


class CertificateTests(SynchronousTestCase):
    """Logins with certificates."""

    NAME = b"ssh-ed25519-cert-v01@openssh.com"

    def client(self, accepted: bool = True) -> ScriptedClient:
        """A client of a server that accepts certificates, or not."""
        client = ScriptedClient(certificates={"user_certificates": accepted})
        self.checker = Certificates()
        client.portal.registerChecker(self.checker)
        client.start_auth()
        client.take()
        return client

    def request(self, client: ScriptedClient, blob: bytes, signer: Key | None, algorithm: bytes = NAME) -> list[bytes]:
        """What the server answers to a certificate."""
        head = b"\x32" + NS(b"v2") + NS(b"ssh-connection") + NS(b"publickey")
        tail = NS(algorithm) + NS(blob)
        if signer is None:
            client.send(head + b"\0" + tail)
        else:
            client.send(head + b"\1" + tail + NS(signer.sign(NS(client.session_id) + head + b"\1" + tail)))
        return client.take()

    def certificate(self) -> bytes:
        """The user's."""
        return Draft(key=key("user").public().blob()).blob()

    def test_login(self) -> None:
        """A certificate is acceptable when asked about, and the certified key's signature logs in."""
        client, blob = self.client(), self.certificate()
        self.assertEqual(self.request(client, blob, None), [b"\x3c" + NS(self.NAME) + NS(blob)])
        self.assertEqual(self.request(client, blob, key("user"))[0], b"\x34")
        shown = self.checker.asked[-1]
        self.assertEqual((shown.username, shown.algorithm, shown.blob), (b"v2", self.NAME, blob))
        self.assertEqual(shown.peer_host, "192.0.2.7")

    def test_proof(self) -> None:
        """The signature of another key is refused, and the portal is not asked."""
        client = self.client()
        self.assertEqual(self.request(client, self.certificate(), key("stranger"))[0][0], 51)
        self.assertEqual(self.checker.asked, [])

    def test_switched_off(self) -> None:
        """Where certificates are not accepted they are refused unread."""
        client = self.client(accepted=False)
        for signer in (None, key("user")):
            self.assertEqual(self.request(client, self.certificate(), signer)[0][0], 51)
        self.assertEqual(self.checker.asked, [])

    def test_under_another_name(self) -> None:
        """Neither does a certificate pass for a key, nor a key for a certificate."""
        for accepted in (True, False):
            client = self.client(accepted)
            self.assertEqual(self.request(client, self.certificate(), key("user"), b"ssh-ed25519")[0][0], 51)
            self.assertEqual(self.request(client, key("user").public().blob(), key("user"))[0][0], 51)
        self.assertEqual(self.checker.asked, [])

    def test_malformed(self) -> None:
        """A certificate without a readable key is refused, with a line for the operator."""
        with capturedLogs() as events:
            self.assertEqual(self.request(self.client(), self.certificate()[:60], None)[0][0], 51)
        said = [event for event in events if "ssh certificate refused" in (event["log_format"] or "")]
        self.assertEqual([(event["log_level"].name, event["peer"]) for event in said], [("warn", "192.0.2.7")])
