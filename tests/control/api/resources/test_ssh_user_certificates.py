"""
Tests for `ngrok_twisted.control.api.resources.ssh_user_certificates`.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import load_ssh_public_identity
from cryptography.hazmat.primitives.serialization.ssh import SSHCertificateType

from tests.control.api.harness import START, APITestCase
from tests.iam.keys import blob_of, line

PATH = "/ssh_user_certificates"
KEY = line(blob_of("ed25519"))


class UserCertificateTests(APITestCase):
    """User certificates are signed, read, listed, changed and deleted."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = self.ok("POST", "/ssh_certificate_authorities")["id"]

    def body(self, **more: Any) -> dict[str, Any]:
        """What asks for a certificate."""
        return {"ssh_certificate_authority_id": self.authority, "public_key": KEY, **more}

    def code(self, **more: Any) -> int | None:
        """The code of a refusal."""
        return self.refused("POST", PATH, self.body(**more)).code

    def test_life(self) -> None:
        """A certificate comes back with ngrok's defaults; its texts can be changed, and it can be deleted."""
        made = self.ok("POST", PATH, self.body(critical_options={}, extensions=None, principals=None))
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com{PATH}/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "",
                "metadata": "",
                "public_key": KEY,
                "key_type": "ed25519",
                "ssh_certificate_authority_id": self.authority,
                "principals": [],
                "critical_options": {},
                "extensions": {"permit-pty": "", "permit-user-rc": ""},
                "valid_after": "2026-01-01T00:00:00Z",
                "valid_until": "2026-01-02T00:00:00Z",
                "certificate": made["certificate"],
            },
        )
        changed = self.ok("PATCH", f"{PATH}/{made['id']}", {"description": "d"})
        self.assertEqual(self.ok("GET", f"{PATH}/{made['id']}"), {**made, "description": "d"})
        self.assertEqual(self.ok("GET", PATH)["ssh_user_certificates"], [changed])
        self.assertEqual(self.status("DELETE", f"{PATH}/{made['id']}"), 204)

    def test_certificate(self) -> None:
        """What is signed says what was asked for."""
        options = {"source-address": "192.0.2.0/24,2001:db8::1", "force-command": "http --url ü"}
        extensions = {"permit-port-forwarding": "", "acl@example.com": "x"}
        made = self.ok("POST", PATH, self.body(principals=["me"], critical_options=options, extensions=extensions))
        self.assertEqual((made["critical_options"], made["extensions"]), (options, extensions))
        certificate: Any = load_ssh_public_identity(made["certificate"].encode())
        certificate.verify_cert_signature()
        self.assertEqual(certificate.type, SSHCertificateType.USER)
        self.assertEqual(certificate.key_id.decode(), made["id"])
        self.assertEqual(certificate.valid_principals, [b"me"])
        self.assertEqual(certificate.valid_before, START + 24 * 3600)
        encoded = {name.encode(): value.encode() for name, value in options.items()}
        self.assertEqual(certificate.critical_options, encoded)
        self.assertEqual(certificate.extensions, {b"permit-port-forwarding": b"", b"acl@example.com": b"x"})

    def test_bad_options(self) -> None:
        """Options that no server could enforce are refused, as are malformed ones."""
        for options in (
            {"force-comand": "x"},
            {"force-command": ""},
            {"source-address": "example.com"},
            {"source-address": "192.0.2.1/24"},
            {"source-address": "192.0.2.1, 192.0.2.2"},
            {"force-command": "x" * 4097},
            {"force-command": 1},
        ):
            self.assertEqual(self.code(critical_options=options), 215, str(options))
        for extensions in ({"a b": ""}, {"": ""}, {"x" * 65: ""}, {"é": ""}, {str(n): "" for n in range(33)}):
            self.assertEqual(self.code(extensions=extensions), 215, str(extensions))

    def test_acl(self) -> None:
        """What a user may bind here is checked where it is granted."""
        extensions = {"acl@ngrok_twisted": "bind:*.example.com,bind:a=b"}
        self.assertEqual(self.ok("POST", PATH, self.body(extensions=extensions))["extensions"], extensions)
        for text in ("", "bind:", "example.com", "bind:a.example.com,"):
            self.assertEqual(self.code(extensions={"acl@ngrok_twisted": text}), 600, text)

    def test_codes(self) -> None:
        """Bad values have ngrok's codes of user certificates."""
        for body, code in (
            ({"ssh_certificate_authority_id": "x"}, 1951),
            ({"public_key": ""}, 1952),
            ({"public_key": "x"}, 1934),
            ({"valid_until": "2025-01-01T00:00:00Z"}, 1962),
            ({"description": "x" * 256}, 1947),
            ({"metadata": "x" * 4097}, 1948),
        ):
            self.assertEqual(self.code(**body), code, str(body))

    def test_every_problem(self) -> None:
        """Everything that is wrong with a body is told at once, by field."""
        error = self.refused(
            "POST", PATH, self.body(public_key="x", valid_after="x", critical_options={"x": "y"}, principals=["", "a"])
        )
        self.assertEqual(set(error.details), {"public_key", "valid_after", "critical_options.x", "principals[0]"})
