"""
Tests of `ngrok_twisted.iam.ssh_keys`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.conch.ssh.common import NS, getNS
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.iam.ssh_keys import check_blob, read_public_key, verifies
from tests.iam.keys import DATA, blob_of, line, proof, security_key, touched

KINDS = ("ed25519", "nistp256", "nistp384", "nistp521", "rsa")


class ReadTests(SynchronousTestCase):
    """`read_public_key` and `check_blob`."""

    def test_accepted(self) -> None:
        """Lines of every good type are read, with or without a comment."""
        for blob in (*map(blob_of, KINDS), security_key("ed25519"), security_key("nistp256")):
            self.assertEqual(read_public_key(line(blob)), blob)
            self.assertEqual(read_public_key(line(blob) + " me@home, at work"), blob)

    def test_refused(self) -> None:
        """Weak, foreign and broken keys are refused."""
        good = line(blob_of("ed25519"))
        for text in (
            "",
            "ssh-ed25519",
            "ssh-ed25519 !!!",
            "ssh-ed25519 AAAA",
            good.replace("ssh-ed25519 ", "ssh-rsa "),
            "no-pty " + good,
            line(blob_of("short rsa")),
            line(blob_of("dsa")),
            line(blob_of("ed25519") + b"more"),
            line(blob_of("ed25519")[:-1]),
            line(NS(b"ssh-rsa") + NS(b"") + NS(b"")),
        ):
            self.assertRaises(ValueError, read_public_key, text)

    @given(st.binary(max_size=100))
    def test_anything(self, blob: bytes) -> None:
        """No bytes make it fail in another way."""
        self.assertRaises(ValueError, check_blob, blob)
        self.assertFalse(verifies(b"ssh-ed25519", blob, blob, blob))


class VerifyTests(SynchronousTestCase):
    """`verifies`."""

    def verdict(self, credentials: object, **changed: object) -> bool:
        """What `verifies` says, with some of its arguments changed."""
        arguments = {
            "algorithm": credentials.algName,  # type: ignore[attr-defined]
            "blob": credentials.blob,  # type: ignore[attr-defined]
            "signature": credentials.signature,  # type: ignore[attr-defined]
            "data": credentials.sigData,  # type: ignore[attr-defined]
        }
        return verifies(**{**arguments, **changed})  # type: ignore[arg-type]

    def proofs(self) -> list[object]:
        """One proof of each kind."""
        rsa = [proof("rsa", algorithm) for algorithm in (b"rsa-sha2-256", b"rsa-sha2-512")]
        return [*map(proof, KINDS[:-1]), *rsa, touched("ed25519"), touched("nistp256")]

    def test_good(self) -> None:
        """Every type verifies."""
        for each in self.proofs():
            self.assertTrue(self.verdict(each), each.algName)  # type: ignore[attr-defined]

    def test_other_data(self) -> None:
        """A signature is only good for what was signed."""
        for each in self.proofs():
            self.assertFalse(self.verdict(each, data=DATA + b"."), each.algName)  # type: ignore[attr-defined]

    def test_other_key(self) -> None:
        """A signature is only good for the key that made it."""
        self.assertFalse(self.verdict(proof("ed25519"), blob=blob_of("other ed25519")))

    def test_bad_ends(self) -> None:
        """Nothing may follow a signature, and nothing may be missing."""
        for each in self.proofs():
            signature = each.signature  # type: ignore[attr-defined]
            self.assertFalse(self.verdict(each, signature=signature + b"\x00"))
            self.assertFalse(self.verdict(each, signature=signature[:-1]))
            self.assertFalse(self.verdict(each, signature=b""))

    def test_lengths(self) -> None:
        """A length in a signature is that of what follows: neither of the whole nor, for ECDSA, of its two numbers."""
        for each in self.proofs():
            signature = each.signature  # type: ignore[attr-defined]
            name, proper, rest = getNS(signature, 2)
            longer = [NS(name) + _longer(proper) + rest] if not rest else []
            if b"ecdsa" in name:
                first, second, _ = getNS(proper, 2)
                longer += [NS(name) + NS(NS(first) + end) + rest for end in (_longer(second), NS(second) + b"\0")]
            self.assertTrue(longer or rest)
            for bad in longer:
                self.assertFalse(self.verdict(each, signature=bad))

    def test_sha1(self) -> None:
        """RSA with SHA-1 proves nothing, whatever it is called."""
        weak = proof("rsa", b"ssh-rsa")
        self.assertFalse(self.verdict(weak))
        self.assertFalse(self.verdict(weak, algorithm=b"rsa-sha2-256"))

    def test_algorithm_must_match(self) -> None:
        """A client signs with the algorithm it said."""
        self.assertFalse(self.verdict(proof("rsa", b"rsa-sha2-512"), algorithm=b"rsa-sha2-256"))
        self.assertFalse(self.verdict(proof("ed25519"), algorithm=b"ecdsa-sha2-nistp256"))

    def test_nobody_there(self) -> None:
        """A security key that nobody touched proves nothing."""
        self.assertFalse(self.verdict(touched("ed25519", flags=0)))
        self.assertFalse(self.verdict(touched("nistp256", flags=4)))


def _longer(data: bytes) -> bytes:
    """A string that says it is one byte longer than it is."""
    return (len(data) + 1).to_bytes(4, "big") + data
