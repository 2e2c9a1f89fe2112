"""
Tests for `ngrok_twisted.control.api.resources.tls_certificates`.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from twisted.internet.task import Clock

from ngrok_twisted import schema
from ngrok_twisted.control.api.resources.tls_certificates import TLSCertificateCreate
from ngrok_twisted.tls.certificates import Certificates
from tests.control.api.harness import OTHER, APITestCase, principal
from tests.tls.authority import Made, key_pem
from tests.tls.test_certificates import FakeIssuer

ROOT = Made("root.example")
MIDDLE = ROOT.issue("middle.example", ca=True)
LEAF = MIDDLE.issue("leaf.example")
RSA = rsa.generate_private_key(65537, 2048)


def body(made: Made, *chain: Made, **more: Any) -> dict[str, Any]:
    """What is posted for a certificate with its chain."""
    pem = "".join(each.pem for each in (made, *chain))
    return {"certificate_pem": pem, "private_key_pem": made.key_pem, **more}


class LifeTests(APITestCase):
    """A certificate is uploaded, shown, attached and deleted."""

    def test_life(self) -> None:
        """It comes back with what it says of itself, and without its key."""
        given = body(LEAF, MIDDLE, description="d", metadata="m")
        made = self.ok("POST", "/tls_certificates", given)
        not_before, not_after = [made.pop(name) for name in ("not_before", "not_after")]
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/tls_certificates/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "d",
                "metadata": "m",
                "certificate_pem": given["certificate_pem"],
                "subject_common_name": "leaf.example",
                "subject_alternative_names": {"dns_names": ["leaf.example"], "ips": []},
                "issued_at": None,
                "key_usages": ["digital_signature"],
                "extended_key_usages": [],
                "private_key_type": "ecdsa",
                "issuer_common_name": "middle.example",
                "serial_number": f"{LEAF.certificate.serial_number:x}",
                "subject_organization": "",
                "subject_organizational_unit": "",
                "subject_locality": "",
                "subject_province": "",
                "subject_country": "",
            },
        )
        self.assertEqual(not_before, f"{LEAF.certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}")
        self.assertEqual(not_after, f"{LEAF.certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")
        path = f"/tls_certificates/{made['id']}"
        self.assertEqual(self.ok("PATCH", path, {"metadata": ""})["metadata"], "")
        self.assertNotIn("PRIVATE KEY", str(self.ok("GET", "/tls_certificates")))
        self.assertEqual(self.status("DELETE", path), 204)
        error = self.refused("GET", path)
        self.assertEqual((error.status, error.code), (404, 1965))

    def test_immutable(self) -> None:
        """Only the texts can be changed."""
        id = self.ok("POST", "/tls_certificates", body(LEAF))["id"]
        for name in ("certificate_pem", "private_key_pem"):
            self.assertEqual(self.refused("PATCH", f"/tls_certificates/{id}", {name: LEAF.pem}).code, 214)

    def test_key_types(self) -> None:
        """RSA, ECDSA and Ed25519 keys are taken in each of their forms, and told apart."""
        for key, formats, named in (
            (RSA, (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL), "rsa"),
            (ec.generate_private_key(ec.SECP384R1()), (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL), "ecdsa"),
            (ed25519.Ed25519PrivateKey.generate(), (PrivateFormat.PKCS8,), "ed25519"),
        ):
            made = ROOT.issue("leaf.example", key)
            for format in formats:
                given = {**body(made), "private_key_pem": key_pem(key, format)}
                self.assertEqual(self.ok("POST", "/tls_certificates", given)["private_key_type"], named)

    def test_two_types(self) -> None:
        """A bundle with a chain for each type of key describes the first."""
        first, second = ROOT.issue("leaf.example", RSA), LEAF
        pem = first.pem + second.pem + MIDDLE.pem
        given = {"certificate_pem": pem, "private_key_pem": second.key_pem + first.key_pem}
        made = self.ok("POST", "/tls_certificates", given)
        self.assertEqual((made["private_key_type"], made["issuer_common_name"]), ("rsa", "root.example"))
        self.assertEqual(made["certificate_pem"], pem)

    def test_attached(self) -> None:
        """A certificate that a domain shows cannot be deleted; one that was detached can."""
        id = self.ok("POST", "/tls_certificates", body(LEAF))["id"]
        domain = self.ok("POST", "/reserved_domains", {"domain": "leaf.example", "certificate_id": id})
        error = self.refused("DELETE", f"/tls_certificates/{id}")
        self.assertEqual((error.status, error.code), (400, 1966))
        self.assertIn("leaf.example", error.message)
        self.ok("DELETE", f"/reserved_domains/{domain['id']}/certificate")
        self.ok("DELETE", f"/tls_certificates/{id}")

    def test_other_account(self) -> None:
        """Certificates of another account are not found."""
        id = self.ok("POST", "/tls_certificates", body(LEAF))["id"]
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ok("GET", "/tls_certificates")["tls_certificates"], [])
        self.assertEqual(self.refused("GET", f"/tls_certificates/{id}").status, 404)


class RefusedTests(APITestCase):
    """What is no pair."""

    def test_each(self) -> None:
        """Each mistake has its code, at the field where it was made."""
        request = LEAF.pem.replace("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE REQUEST-----").replace(
            "-----END CERTIFICATE-----", "-----END CERTIFICATE REQUEST-----"
        )
        good = body(LEAF)
        for change, code, field in (
            ({"certificate_pem": "hello"}, 1900, "certificate_pem"),
            ({"private_key_pem": ""}, 1901, "private_key_pem"),
            ({"private_key_pem": key_pem(LEAF.key, password=b"x")}, 1902, "private_key_pem"),
            ({"private_key_pem": "hello"}, 1903, "private_key_pem"),
            ({"certificate_pem": request}, 1911, "certificate_pem"),
            ({"certificate_pem": ""}, 1922, "certificate_pem"),
            ({"private_key_pem": ROOT.key_pem}, 1923, "private_key_pem"),
            ({"private_key_pem": LEAF.pem}, 1924, "private_key_pem"),
            ({"certificate_pem": LEAF.key_pem}, 1925, "certificate_pem"),
            ({"certificate_pem": LEAF.pem + ROOT.pem}, 1926, "certificate_pem"),
        ):
            error = self.refused("POST", "/tls_certificates", {**good, **change})
            self.assertEqual((error.status, error.code, list(error.details)), (400, code, [field]))
            self.assertNotIn(LEAF.key_pem[40:80], str(error.details))

    def test_both(self) -> None:
        """Everything is told at once."""
        given = {"certificate_pem": "x", "private_key_pem": "x", "color": "red"}
        self.assertEqual(set(self.refused("POST", "/tls_certificates", given).details), {"color"})
        del given["color"]
        error = self.refused("POST", "/tls_certificates", given)
        self.assertEqual(set(error.details), {"certificate_pem", "private_key_pem"})

    def test_texts(self) -> None:
        """Texts have their limits."""
        given = body(LEAF, description="x" * 256, metadata="x" * 4097)
        error = self.refused("POST", "/tls_certificates", given)
        self.assertEqual(error.code, 1916)
        self.assertIn("ERR_NGROK_1917", error.details["metadata"])


class ShownTests(APITestCase):
    """What handshakes show."""

    def setUp(self) -> None:
        """The edge's certificates follow the records."""
        super().setUp()
        issuer = FakeIssuer()
        issuer.issue(("first",))
        clock = Clock()
        clock.advance(issuer.born)
        self.certificates = Certificates(issuer, "example.com", clock)
        self.api.control.subscribe(self.certificates.update)

    def shown(self) -> str:
        """The leaf that a visitor of the name is shown."""
        return self.certificates.pair_for("shop.example").certificate_pem

    def test_at_once(self) -> None:
        """An upload changes nothing; what is attached is shown in the next handshake, until it is detached."""
        before = self.shown()
        first, second = Made("shop.example"), Made("shop.example")
        ids = [self.ok("POST", "/tls_certificates", body(made))["id"] for made in (first, second)]
        self.assertEqual(self.shown(), before)
        domain = self.ok("POST", "/reserved_domains", {"domain": "shop.example", "certificate_id": ids[0]})
        self.assertEqual(self.shown(), first.pem)
        context = self.certificates.context_for("shop.example")
        self.ok("PATCH", f"/reserved_domains/{domain['id']}", {"certificate_id": ids[1]})
        self.assertEqual(self.shown(), second.pem)
        self.assertIsNot(self.certificates.context_for("shop.example"), context)
        self.ok("DELETE", f"/reserved_domains/{domain['id']}/certificate")
        self.assertEqual(self.shown(), before)


class DeclaredTests(APITestCase):
    """Certificates of a configuration."""

    def test_elsewhere(self) -> None:
        """Both texts may stand in files of their own."""
        read = {"file:a.pem": LEAF.pem, "file:a.key": LEAF.key_pem}.__getitem__
        data = {"certificate_pem": "file:a.pem", "private_key_pem": "file:a.key"}
        given = schema.parse(TLSCertificateCreate, data, external=read)
        self.assertEqual((given.certificate_pem, given.private_key_pem), (LEAF.pem, LEAF.key_pem))
        self.assertNotIn("PRIVATE KEY", repr(given))
