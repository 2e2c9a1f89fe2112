"""
Tests of `ngrok_twisted.iam.ssh_certificates`.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from cryptography.hazmat.primitives.serialization import load_ssh_public_identity
from hypothesis import given
from hypothesis import strategies as st
from twisted.conch.ssh.common import NS
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.iam.ssh_authority_keys import make_key as new_key
from ngrok_twisted.iam.ssh_certificates import (
    CERTIFICATE_MAX,
    FOREVER,
    HOST,
    USER,
    BadCertificate,
    Grant,
    check_login,
    check_signature,
    line_of,
    networks,
    parse_certificate,
    sign,
)
from tests.iam.certificates import FORWARDING, Draft, options
from tests.iam.keys import blob_of, line, make_key, security_key

GOOD = Draft(principals=("a", "b"), critical=(("force-command", "http"), ("source-address", "192.0.2.0/24"))).blob()


class ParseTests(SynchronousTestCase):
    """What a certificate says."""

    def refused(self, blob: bytes) -> str:
        """Why it cannot be parsed."""
        return str(self.assertRaises(BadCertificate, parse_certificate, blob))

    def test_fields(self) -> None:
        """Every field is read."""
        found = parse_certificate(GOOD)
        self.assertEqual(found.public_key, blob_of("ed25519"))
        self.assertEqual((found.serial, found.kind, found.key_id), (7, USER, "laptop"))
        self.assertEqual(found.principals, ("a", "b"))
        self.assertEqual((found.valid_after, found.valid_before), (0, FOREVER))
        self.assertEqual(found.critical_options, {"force-command": "http", "source-address": "192.0.2.0/24"})
        self.assertEqual(found.extensions, {"permit-port-forwarding": ""})
        self.assertEqual(found.authority, blob_of("other ed25519"))
        self.assertTrue(GOOD.startswith(found.signed))
        check_signature(found)

    def test_every_kind_of_key(self) -> None:
        """Keys of all types are certified, security keys too."""
        blobs = [blob_of(kind) for kind in ("ed25519", "rsa", "nistp256", "nistp384", "nistp521")]
        for blob in (*blobs, security_key("ed25519"), security_key("nistp256")):
            found = parse_certificate(Draft(key=blob).blob())
            self.assertEqual(found.public_key, blob)
            check_signature(found)

    def test_as_cryptography(self) -> None:
        """Another parser reads the same."""
        other: Any = load_ssh_public_identity(line_of(GOOD).encode())
        found = parse_certificate(GOOD)
        self.assertEqual([name.decode() for name in other.valid_principals], list(found.principals))
        self.assertEqual({k.decode(): v.decode() for k, v in other.critical_options.items()}, found.critical_options)
        self.assertEqual((other.serial, other.key_id.decode()), (found.serial, found.key_id))

    def test_cut_short(self) -> None:
        """A certificate that ends anywhere before its end is refused."""
        for end in range(len(GOOD)):
            self.refused(GOOD[:end])

    def test_tail(self) -> None:
        """Nothing may follow."""
        self.assertIn("behind", self.refused(GOOD + b"\0"))

    def test_other_types(self) -> None:
        """Plain keys, DSA and unknown types are no certificates."""
        for blob in (blob_of("ed25519"), b"", NS(b"ssh-dss-cert-v01@openssh.com"), NS(b"x")):
            self.refused(blob)

    def test_options(self) -> None:
        """Options are in order and each is there once; values are whole."""
        for pairs in ((("b", ""), ("a", "")), (("a", ""), ("a", ""))):
            self.assertIn("order", self.refused(Draft(extensions=pairs).blob()))
        self.refused(Draft(extensions=(("é", ""),)).blob())
        raw = options(FORWARDING)
        for bad in (NS(b"x") + NS(NS(b"1") + b"2"), NS(b"x") + NS(b"1"), NS(b"x")):
            self.refused(GOOD.replace(NS(raw), NS(bad)))

    def test_principals(self) -> None:
        """Principals are not empty, not too many, and UTF-8."""
        self.refused(Draft(principals=("",)).blob())
        self.refused(Draft(principals=tuple(f"p{number}" for number in range(257))).blob())
        self.refused(GOOD.replace(NS(b"laptop"), NS(b"lapto\xff")))

    def test_huge(self) -> None:
        """A certificate that is too large is not even looked at."""
        self.assertIn(str(CERTIFICATE_MAX), self.refused(Draft(key_id="x" * CERTIFICATE_MAX).blob()))

    @given(st.binary(max_size=300))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes are a certificate or refused, nothing else."""
        for blob in (data, NS(b"ssh-ed25519-cert-v01@openssh.com") + data):
            self.judged(blob)

    @given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8))
    def test_any_change(self, place: int, change: bytes) -> None:
        """A certificate that was changed anywhere is never taken for good."""
        changed = GOOD[:place] + change + GOOD[place + len(change) :]
        if changed != GOOD:
            self.assertFalse(self.judged(changed))

    def test_every_bit(self) -> None:
        """Nor one of which a single bit was changed."""
        for place in range(len(GOOD)):
            for bit in range(8):
                changed = bytearray(GOOD)
                changed[place] ^= 1 << bit
                self.assertFalse(self.judged(bytes(changed)), f"byte {place}, bit {bit}")

    @staticmethod
    def judged(blob: bytes) -> bool:
        """Whether the authority's signature is good."""
        try:
            check_signature(parse_certificate(blob))
        except BadCertificate:
            return False
        return True


class SignatureTests(SynchronousTestCase):
    """Who has signed."""

    def refused(self, **changes: Any) -> str:
        """Why the signature is not good."""
        certificate = parse_certificate(Draft(**changes).blob())
        return str(self.assertRaises(BadCertificate, check_signature, certificate))

    def test_every_kind_of_authority(self) -> None:
        """Authorities sign with keys of all types, RSA with SHA-2."""
        for kind, algorithm in (
            ("ed25519", b""),
            ("nistp256", b""),
            ("nistp384", b""),
            ("nistp521", b""),
            ("rsa", b"rsa-sha2-256"),
            ("rsa", b"rsa-sha2-512"),
        ):
            check_signature(parse_certificate(Draft(authority=kind, algorithm=algorithm).blob()))

    def test_refused(self) -> None:
        """Not by SHA-1, not by another key, not by what is no signature."""
        self.refused(authority="rsa", algorithm=b"ssh-rsa")
        self.refused(shown_authority=blob_of("nistp256"))
        self.refused(signature=b"x")
        self.refused(signature=NS(b"ssh-ed25519") + NS(b"x" * 64))

    def test_weak_keys(self) -> None:
        """Neither a weak key is certified, nor does one certify."""
        self.assertIn("certified", self.refused(key=blob_of("short rsa")))
        self.assertIn("authority", self.refused(authority="short rsa", algorithm=b"rsa-sha2-512"))

    def test_nested(self) -> None:
        """A certificate is no authority's key."""
        self.assertIn("authority", self.refused(shown_authority=Draft().blob()))


class LoginTests(SynchronousTestCase):
    """Whom a certificate lets in, when and from where."""

    def refused(self, now: float = 1000, peer: str = "192.0.2.7", **changes: Any) -> str:
        """Why nobody is let in."""
        certificate = parse_certificate(Draft(**changes).blob())
        return str(self.assertRaises(BadCertificate, check_login, certificate, now, peer))

    def accepted(self, now: float = 1000, peer: str = "192.0.2.7", **changes: Any) -> None:
        """The user is let in."""
        check_login(parse_certificate(Draft(**changes).blob()), now, peer)

    def test_window(self) -> None:
        """From the first second on, and not in the last."""
        window = {"valid_after": 1000, "valid_before": 2000}
        self.assertIn("yet", self.refused(999.9, **window))
        self.accepted(1000, **window)
        self.accepted(1999.9, **window)
        self.assertIn("expired", self.refused(2000, **window))

    def test_kind(self) -> None:
        """A host's certificate, or one of no known kind, is no user's."""
        for kind in (HOST, 0, 3):
            self.assertIn("user", self.refused(kind=kind))

    def test_forwarding(self) -> None:
        """Without permission to forward there is nothing to do here."""
        self.assertIn("permit-port-forwarding", self.refused(extensions=(("permit-pty", ""),)))

    def test_unknown_option(self) -> None:
        """What cannot be enforced refuses the login; its name does not get into the log."""
        self.assertNotIn("verify-required", self.refused(critical=(("verify-required", ""),)))

    def test_source_address(self) -> None:
        """The client's address must be in the list."""
        sources = (("source-address", "198.51.100.1,192.0.2.0/24,2001:db8::/32"),)
        for peer in ("192.0.2.7", "::ffff:192.0.2.7", "198.51.100.1", "2001:db8::1"):
            self.accepted(peer=peer, critical=sources)
        for peer in ("203.0.113.1", "2001:db9::1", "", "/a/socket"):
            self.assertIn("source-address", self.refused(peer=peer, critical=sources))

    def test_bad_source_address(self) -> None:
        """A list that cannot be read, even in part, permits nothing."""
        for text in ("", "x", "192.0.2.7/33", "192.0.2.0/24, x", "192.0.2.1/24"):
            self.refused(critical=(("source-address", text),))
            self.assertRaises(ValueError, networks, text)


class SignTests(SynchronousTestCase):
    """Issuing."""

    def test_round_trip(self) -> None:
        """What was granted is what the certificate says."""
        for kind in ("ed25519", "nistp384", "rsa"):
            grant = Grant(
                public_key=line(blob_of(kind)) + " me@home ü",
                serial=2**64 - 1,
                kind=HOST,
                key_id="shcrt_1",
                principals=("ä", "b"),
                valid_after=5,
                valid_before=6,
                critical_options={"source-address": "192.0.2.1", "force-command": "é"},
                extensions={"b": "", "a": "c"},
            )
            blob = b64decode(sign(grant, new_key("rsa")).split()[1])
            found = parse_certificate(blob)
            check_signature(found)
            self.assertEqual(found.public_key, bytes(make_key(kind).public().blob()))
            for name in ("serial", "kind", "key_id", "principals", "valid_after", "valid_before"):
                self.assertEqual(getattr(found, name), getattr(grant, name))
            self.assertEqual((found.critical_options, found.extensions), (grant.critical_options, grant.extensions))
