"""
Tests for `ngrok_twisted.control.api.resources.ssh_certificate_authorities`.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives import serialization
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import schema
from ngrok_twisted.control.api.call import Making
from ngrok_twisted.control.api.resources.ssh_certificate_authorities import (
    AuthorityDeclared,
    ssh_certificate_authorities,
)
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.iam.ssh_authority_keys import make_key
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.ssh_certificate_authority import SSHCertificateAuthority
from tests.control.api.harness import ACCOUNT, OTHER, SETTINGS, APIHarness, APITestCase, principal

PATH = "/ssh_certificate_authorities"


class AuthorityTests(APITestCase):
    """Authorities are made, read, listed, changed and deleted."""

    def test_life(self) -> None:
        """An authority comes back as it was made, until it is changed and deleted; its key stays."""
        made = self.ok("POST", PATH, {"description": "d", "metadata": "m"})
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com{PATH}/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "d",
                "metadata": "m",
                "public_key": made["public_key"],
                "key_type": "ed25519",
            },
        )
        self.assertRegex(made["id"], r"\Asshca_[0-9A-Za-z]{27}\Z")
        self.assertRegex(made["public_key"], r"\Assh-ed25519 [0-9A-Za-z+/=]+\Z")
        changed = self.ok("PATCH", f"{PATH}/{made['id']}", {"description": "e", "metadata": ""})
        self.assertEqual(changed, {**made, "description": "e", "metadata": ""})
        self.assertEqual(self.ok("GET", PATH)["ssh_certificate_authorities"], [changed])
        self.assertEqual(self.status("DELETE", f"{PATH}/{made['id']}"), 204)
        self.assertEqual(self.refused("GET", f"{PATH}/{made['id']}").status, 404)

    def test_kinds_of_keys(self) -> None:
        """The key is of the type, size and curve that were asked for; empty values of clients count as absent."""
        for wanted, key_type, start, size in (
            ({"private_key_type": "", "elliptic_curve": "", "key_size": 0}, "ed25519", "ssh-ed25519 ", None),
            ({"private_key_type": "rsa"}, "rsa", "ssh-rsa ", 2048),
            ({"private_key_type": "ecdsa"}, "ecdsa", "ecdsa-sha2-nistp256 ", 256),
            ({"private_key_type": "ecdsa", "elliptic_curve": "nistp384"}, "ecdsa", "ecdsa-sha2-nistp384 ", 384),
            ({"private_key_type": "ecdsa", "elliptic_curve": "nistp521"}, "ecdsa", "ecdsa-sha2-nistp521 ", 521),
        ):
            made = self.ok("POST", PATH, wanted)
            self.assertEqual(made["key_type"], key_type)
            self.assertTrue(made["public_key"].startswith(start), made["public_key"])
            key: Any = serialization.load_ssh_public_key(made["public_key"].encode())
            self.assertEqual(getattr(key, "key_size", None), size)

    def test_keys_differ(self) -> None:
        """Every authority has a key of its own."""
        self.assertNotEqual(self.ok("POST", PATH)["public_key"], self.ok("POST", PATH)["public_key"])

    def test_bad_keys(self) -> None:
        """What cannot be asked for is refused with ngrok's code."""
        for body, code in (
            ({"private_key_type": "dsa"}, 1936),
            ({"private_key_type": 1}, 1936),
            ({"private_key_type": "rsa", "key_size": 1024}, 1939),
            ({"private_key_type": "rsa", "key_size": 3072}, 1939),
            ({"private_key_type": "ecdsa", "key_size": 2048}, 1940),
            ({"key_size": 2048}, 1940),
            ({"private_key_type": "ecdsa", "elliptic_curve": "secp256k1"}, 1941),
            ({"private_key_type": "rsa", "elliptic_curve": "nistp256"}, 1942),
            ({"description": "x" * 256}, 1937),
            ({"metadata": "x" * 4097}, 1938),
            ({"private_key": "mine"}, 214),
        ):
            self.assertEqual(self.refused("POST", PATH, body).code, code, str(body))

    def test_every_problem(self) -> None:
        """A body with several problems is told each of them."""
        error = self.refused("POST", PATH, {"elliptic_curve": "nistp256", "key_size": 4096})
        self.assertEqual(set(error.details), {"elliptic_curve", "key_size"})

    def test_private_key_stays(self) -> None:
        """No answer, no representation and no dump without secrets holds the private key."""
        made = self.ok("POST", PATH)
        record = next(self.api.control.records.all(SSHCertificateAuthority))
        self.assertIn("OPENSSH PRIVATE KEY", record.private_key)
        for text in (str(made), repr(record), str(schema.dump(record, secrets=False))):
            self.assertNotIn("PRIVATE", text)

    def test_in_use(self) -> None:
        """An authority goes only after the certificates it signed."""
        made = self.ok("POST", PATH)
        ids = {"ssh_certificate_authority_id": made["id"], "public_key": made["public_key"]}
        for certificates in ("/ssh_host_certificates", "/ssh_user_certificates"):
            certificate = self.ok("POST", certificates, ids)
            self.assertEqual(self.refused("DELETE", f"{PATH}/{made['id']}").code, 1964)
            self.ok("DELETE", f"{certificates}/{certificate['id']}")
        self.ok("DELETE", f"{PATH}/{made['id']}")

    def test_other_account(self) -> None:
        """Authorities of another account are not found."""
        made = self.ok("POST", PATH)
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ok("GET", PATH)["ssh_certificate_authorities"], [])
        for verb in ("GET", "PATCH", "DELETE"):
            self.assertEqual(self.refused(verb, f"{PATH}/{made['id']}", {}).status, 404)

    def test_in_a_thread(self) -> None:
        """The key is made in a thread where there is one, and the record is written after it."""
        asked: list[Any] = []
        waiting: Deferred[str] = Deferred()
        self.api = APIHarness(more={"in_thread": lambda *call: asked.append(call) or waiting})
        answer = self.api.send("POST", PATH, {"private_key_type": "rsa", "key_size": 4096})
        self.assertNoResult(answer)
        self.assertEqual(asked, [(make_key, "rsa", "", 4096)])
        waiting.callback(make_key("ed25519"))
        self.assertEqual(self.successResultOf(answer)[0], 201)


class DeclaredTests(SynchronousTestCase):
    """Authorities of ``config.yaml``."""

    def make(self, body: AuthorityDeclared) -> SSHCertificateAuthority:
        """The record of an item."""
        making = Making(
            id="sshca_1",
            account_id=ACCOUNT,
            declared=True,
            records=Snapshot(),
            settings=SETTINGS,
            inner_id=lambda prefix, key: self.fail("asked for an inner id"),
            random_bytes=lambda count: self.fail("asked for something random"),
        )
        return ssh_certificate_authorities.make(making, body)  # type: ignore[return-value]

    def test_declared(self) -> None:
        """A declared authority has the key that was given, the same record at every start."""
        body = AuthorityDeclared(private_key=make_key("ecdsa", "nistp384"))
        record = self.make(body)
        self.assertEqual((record.key_type, record.declared), ("ecdsa", True))
        self.assertEqual(record, self.make(body))

    def test_without_a_key(self) -> None:
        """Without a key it is refused, and the remedy is told."""
        error = self.assertRaises(InvalidConfig, schema.parse, AuthorityDeclared, {}, path="a[0]")
        self.assertEqual([problem.path for problem in error.problems], ["a[0].private_key"])
        self.assertIn("ssh-keygen", str(error))

    def test_bad_key(self) -> None:
        """A key that cannot be used is refused, and the message does not repeat it."""
        error = self.assertRaises(InvalidConfig, AuthorityDeclared, private_key="-----BEGIN SECRET")
        self.assertNotIn("SECRET", str(error))
