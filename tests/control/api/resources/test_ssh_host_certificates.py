"""
Tests for `ngrok_twisted.control.api.resources.ssh_host_certificates`, and for what both kinds of certificates share.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import load_ssh_public_identity
from cryptography.hazmat.primitives.serialization.ssh import SSHCertificateType

from tests.control.api.harness import OTHER, START, APITestCase, principal
from tests.iam.keys import blob_of, line, security_key

PATH = "/ssh_host_certificates"
KEY = line(blob_of("ed25519"))
YEAR = 365 * 24 * 3600


class HostCertificateTests(APITestCase):
    """Host certificates are signed, read, listed, changed and deleted."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = self.ok("POST", "/ssh_certificate_authorities")

    def body(self, **more: Any) -> dict[str, Any]:
        """What asks for a certificate."""
        return {"ssh_certificate_authority_id": self.authority["id"], "public_key": KEY, **more}

    def make(self, **more: Any) -> Any:
        """A certificate as the API shows it."""
        return self.ok("POST", PATH, self.body(**more))

    def code(self, **more: Any) -> int | None:
        """The code of a refusal."""
        return self.refused("POST", PATH, self.body(**more)).code

    def test_life(self) -> None:
        """A certificate comes back as it was made; its texts can be changed, and it can be deleted."""
        made = self.make(principals=["ssh.example.com", "192.0.2.1"], description="d")
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com{PATH}/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "d",
                "metadata": "",
                "public_key": KEY,
                "key_type": "ed25519",
                "ssh_certificate_authority_id": self.authority["id"],
                "principals": ["ssh.example.com", "192.0.2.1"],
                "valid_after": "2026-01-01T00:00:00Z",
                "valid_until": "2027-01-01T00:00:00Z",
                "certificate": made["certificate"],
            },
        )
        changed = self.ok("PATCH", f"{PATH}/{made['id']}", {"metadata": "m"})
        self.assertEqual(changed, {**made, "metadata": "m"})
        self.assertEqual(self.refused("PATCH", f"{PATH}/{made['id']}", {"principals": []}).code, 214)
        self.assertEqual(self.ok("GET", PATH)["ssh_host_certificates"], [changed])
        self.assertEqual(self.status("DELETE", f"{PATH}/{made['id']}"), 204)

    def test_certificate(self) -> None:
        """What is signed says what was asked for, under the id of the record, and is signed by the authority."""
        made = self.make(principals=["a", "b"])
        certificate: Any = load_ssh_public_identity(made["certificate"].encode())
        certificate.verify_cert_signature()
        self.assertEqual(certificate.type, SSHCertificateType.HOST)
        self.assertEqual(certificate.key_id.decode(), made["id"])
        self.assertEqual(certificate.valid_principals, [b"a", b"b"])
        self.assertEqual((certificate.valid_after, certificate.valid_before), (START, START + YEAR))
        self.assertEqual(certificate.serial, 0x0001020304050607)
        self.assertEqual((certificate.critical_options, certificate.extensions), ({}, {}))

    def test_every_kind_of_key(self) -> None:
        """Keys of all three types are certified by authorities of all three types."""
        for key_type in ("rsa", "ecdsa", "ed25519"):
            authority = self.ok("POST", "/ssh_certificate_authorities", {"private_key_type": key_type})["id"]
            for kind, shown in (("rsa", "rsa"), ("nistp256", "ecdsa"), ("nistp521", "ecdsa"), ("ed25519", "ed25519")):
                made = self.make(public_key=line(blob_of(kind)), ssh_certificate_authority_id=authority)
                self.assertEqual(made["key_type"], shown)
                certificate: Any = load_ssh_public_identity(made["certificate"].encode())
                certificate.verify_cert_signature()

    def test_times(self) -> None:
        """Times are RFC 3339 in any zone, in whole seconds; what Go sends for no time is none."""
        made = self.make(valid_after="2026-02-01T01:00:00.999999999+01:00", valid_until="9999-12-31T23:59:59Z")
        self.assertEqual(made["valid_after"], "2026-02-01T00:00:00Z")
        self.assertEqual(made["valid_until"], "9999-12-31T23:59:59Z")
        made = self.make(valid_after="0001-01-01T00:00:00Z", valid_until="")
        self.assertEqual(made["valid_until"], "2027-01-01T00:00:00Z")

    def test_bad_times(self) -> None:
        """What is no time, or ends before it begins, is refused."""
        for text in ("tomorrow", "2026-01-01", "2026-13-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-01-01T00:00:00"):
            self.assertEqual(self.code(valid_after=text), 215, text)
        moment = "2026-05-01T00:00:00Z"
        self.assertEqual(self.code(valid_after=moment, valid_until=moment), 1963)
        self.assertEqual(self.code(valid_until="2025-05-01T00:00:00Z"), 1963)
        self.assertEqual(self.code(valid_after="2027-01-01T00:00:00Z"), 1963)

    def test_bad_keys(self) -> None:
        """A key that is missing, unreadable or of a type that gets no certificate has a code each."""
        made = self.make()
        for key, code in (
            ("", 1952),
            ("ssh-ed25519", 1934),
            ("ssh-ed25519 AAAA", 1934),
            ("something else", 1934),
            ("ssh-ed25519 ü", 1934),
            (KEY + "\n" + KEY, 1934),
            (line(blob_of("short rsa")), 1934),
            (line(blob_of("dsa")), 1950),
            (line(security_key("ed25519")), 1950),
            (made["certificate"], 1950),
        ):
            self.assertEqual(self.code(public_key=key), code, key)

    def test_comment(self) -> None:
        """A key may have a comment; it comes back byte for byte."""
        self.assertEqual(self.make(public_key=KEY + "  me@home ü\n")["public_key"], KEY + "  me@home ü\n")

    def test_bad_principals(self) -> None:
        """Principals are short printable texts, and not too many."""
        for principals in ([""], ["a,b"], ["a\nb"], ["x" * 256], [f"h{number}" for number in range(257)]):
            self.assertEqual(self.code(principals=principals), 215)

    def test_authority(self) -> None:
        """The authority must be there, and be the caller's."""
        self.assertEqual(self.code(ssh_certificate_authority_id="sshca_" + "0" * 27), 1949)
        self.assertEqual(self.code(ssh_certificate_authority_id=""), 1949)
        self.api.caller = principal(OTHER)
        self.assertEqual(self.code(), 1949)

    def test_texts(self) -> None:
        """Too long texts have codes of their own."""
        self.assertEqual(self.code(description="x" * 256), 1945)
        self.assertEqual(self.code(metadata="x" * 4097), 1946)
