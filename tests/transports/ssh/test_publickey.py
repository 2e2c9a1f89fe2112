"""Tests of `ngrok_twisted.transports.ssh.publickey`."""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from twisted.conch.ssh.common import MP, NS
from twisted.conch.ssh.keys import Key
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh.publickey import BadKey, fingerprint, parse
from tests.iam.certificates import Draft

ED25519 = Key(ed25519.Ed25519PrivateKey.generate())
RSA = Key(rsa.generate_private_key(65537, 2048))
CURVES = [Key(ec.generate_private_key(curve)) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())]
MESSAGE = b"a message"
SK_ED25519 = b"sk-ssh-ed25519@openssh.com"
SK_ECDSA = b"sk-ecdsa-sha2-nistp256@openssh.com"


class SecurityKey:
    """What an authenticator does (PROTOCOL.u2f)."""

    def __init__(self, kind: bytes) -> None:
        self.kind = kind
        self.private: Any
        if kind == SK_ED25519:
            self.private = ed25519.Ed25519PrivateKey.generate()
            self.blob = NS(kind) + NS(self.private.public_key().public_bytes_raw()) + NS(b"ssh:")
        else:
            self.private = ec.generate_private_key(ec.SECP256R1())
            blob = Key(self.private).public().blob()
            self.blob = NS(kind) + blob[4 + len("ecdsa-sha2-nistp256") :] + NS(b"ssh:")

    def sign(self, message: bytes, flags: int = 1, counter: int = 7, application: bytes = b"ssh:") -> bytes:
        """A signature as it is sent."""
        tail = struct.pack(">BI", flags, counter)
        covered = sha256(application).digest() + tail + sha256(message).digest()
        if self.kind == SK_ED25519:
            raw = self.private.sign(covered)
        else:
            r, s = decode_dss_signature(self.private.sign(covered, ec.ECDSA(hashes.SHA256())))
            raw = MP(r) + MP(s)
        return NS(self.kind) + NS(raw) + tail


class ParseTests(SynchronousTestCase):
    """Which keys are taken."""

    def test_kinds(self) -> None:
        """Ed25519, ECDSA on three curves and RSA are; each with its own signatures."""
        self.assertEqual(parse(ED25519.public().blob()).algorithms, (b"ssh-ed25519",))
        self.assertEqual(set(parse(RSA.public().blob()).algorithms), {b"rsa-sha2-256", b"rsa-sha2-512"})
        for key in CURVES:
            self.assertEqual(parse(key.public().blob()).algorithms, (key.sshType(),))

    def test_weak(self) -> None:
        """Short RSA keys and DSA are not."""
        short = Key(rsa.generate_private_key(65537, 1024)).public().blob()
        old = Key(dsa.generate_private_key(1024)).public().blob()
        for blob in (short, old, NS(b"ssh-rsa") + MP(3) + MP(1), NS(b"ssh-rsa") + MP(2) + MP(1 << 2050)):
            self.assertRaises(BadKey, parse, blob)

    def test_malformed(self) -> None:
        """Cut, lengthened and empty blobs are refused."""
        for key in (ED25519, RSA, *CURVES):
            blob = key.public().blob()
            for bad in (b"", blob[:-1], blob + b"\0", blob[:10]):
                self.assertRaises(BadKey, parse, bad)

    @given(st.binary(max_size=200))
    def test_any_bytes(self, blob: bytes) -> None:
        """Whatever comes, it is a key or it is refused."""
        for start in (b"", NS(b"ssh-ed25519-cert-v01@openssh.com"), NS(b"ssh-rsa-cert-v01@openssh.com")):
            try:
                parse(start + blob)
            except BadKey:
                pass

    def test_fingerprint(self) -> None:
        """As OpenSSH prints it."""
        self.assertEqual(fingerprint(sha256(b"").digest()), "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")


class VerifyTests(SynchronousTestCase):
    """Which signatures are."""

    def test_right(self) -> None:
        """Each key's signature verifies with each of its algorithms."""
        for key in (ED25519, RSA, *CURVES):
            public = parse(key.public().blob())
            for algorithm in public.algorithms:
                public.verify(algorithm, key.sign(MESSAGE, signatureType=algorithm), MESSAGE)

    def test_wrong(self) -> None:
        """Another message, another key, changed or lengthened bytes do not."""
        for key in (ED25519, RSA, *CURVES):
            public = parse(key.public().blob())
            algorithm = public.algorithms[-1]
            signature = key.sign(MESSAGE, signatureType=algorithm)
            changed = signature[:-1] + bytes((signature[-1] ^ 1,))
            for bad in (changed, signature + b"\0", signature[:-1], b"", NS(algorithm) + NS(b"")):
                self.assertRaises(BadKey, public.verify, algorithm, bad, MESSAGE)
            self.assertRaises(BadKey, public.verify, algorithm, signature, MESSAGE + b"!")

    def test_algorithm_must_fit(self) -> None:
        """The signature is of the algorithm that was named, and that is one of the key's; SHA-1 never."""
        public = parse(RSA.public().blob())
        sha1 = RSA.sign(MESSAGE, signatureType=b"ssh-rsa")
        self.assertRaises(BadKey, public.verify, b"ssh-rsa", sha1, MESSAGE)
        self.assertRaises(BadKey, public.verify, b"rsa-sha2-256", sha1, MESSAGE)
        other = RSA.sign(MESSAGE, signatureType=b"rsa-sha2-512")
        self.assertRaises(BadKey, public.verify, b"rsa-sha2-256", other, MESSAGE)

    def test_security_keys(self) -> None:
        """A touch of the authenticator is required, and its own data are covered."""
        for kind in (SK_ED25519, SK_ECDSA):
            key = SecurityKey(kind)
            public = parse(key.blob)
            public.verify(kind, key.sign(MESSAGE), MESSAGE)
            public.verify(kind, key.sign(MESSAGE, flags=5), MESSAGE)
            good = key.sign(MESSAGE)
            for bad in (
                key.sign(MESSAGE, flags=0),
                key.sign(MESSAGE, application=b"web"),
                key.sign(b"another"),
                good[:-1] + b"\0",
                good[:-5],
                good + b"\0",
            ):
                self.assertRaises(BadKey, public.verify, kind, bad, MESSAGE)

    def test_certified(self) -> None:
        """A key that comes in a certificate signs as ever, under its longer names; the plain names are not its."""
        for key in (ED25519, RSA, *CURVES):
            public = parse(Draft(key=key.public().blob()).blob())
            self.assertTrue(public.certified)
            self.assertTrue(all(name.endswith(b"-cert-v01@openssh.com") for name in public.algorithms))
            for algorithm in public.algorithms:
                plain = algorithm.removesuffix(b"-cert-v01@openssh.com")
                signature = key.sign(MESSAGE, signatureType=plain)
                public.verify(algorithm, signature, MESSAGE)
                self.assertRaises(BadKey, public.verify, plain, signature, MESSAGE)
                self.assertRaises(BadKey, public.verify, algorithm, NS(algorithm) + signature[15:], MESSAGE)
                self.assertRaises(BadKey, public.verify, algorithm, signature, MESSAGE + b"!")
        sha1 = RSA.sign(MESSAGE, signatureType=b"ssh-rsa")
        public = parse(Draft(key=RSA.public().blob()).blob())
        self.assertRaises(BadKey, public.verify, b"ssh-rsa-cert-v01@openssh.com", sha1, MESSAGE)

    def test_certified_security_keys(self) -> None:
        """Nor does a certificate make a touch of the authenticator needless."""
        for kind in (SK_ED25519, SK_ECDSA):
            key = SecurityKey(kind)
            public = parse(Draft(key=key.blob).blob())
            (algorithm,) = public.algorithms
            public.verify(algorithm, key.sign(MESSAGE), MESSAGE)
            self.assertRaises(BadKey, public.verify, algorithm, key.sign(MESSAGE, flags=0), MESSAGE)

    def test_checker_agrees(self) -> None:
        """What the SSH layer hands on as signed data also verifies in the checker of credentials."""
        from ngrok_twisted.iam.ssh_keys import verifies

        for kind in (SK_ED25519, SK_ECDSA):
            key = SecurityKey(kind)
            signature = key.sign(MESSAGE)
            covered = parse(key.blob).signed_data(signature, MESSAGE)
            self.assertTrue(verifies(kind, key.blob, signature, covered))
