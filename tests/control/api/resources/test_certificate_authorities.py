"""
Tests for `ngrok_twisted.control.api.resources.certificate_authorities`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ngrok_twisted.control.api.resources.certificate_authorities import certificate_authorities
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.base import Put
from ngrok_twisted.records.certificate_authority import CertificateAuthority
from ngrok_twisted.records.edge import HTTPSEdge, HTTPSEdgeRoute, Module
from tests.control.api.harness import OTHER, APITestCase, principal
from tests.tls.authority import Made

CA = Made("Staff")

#: Nothing is asked of the call.
CALL: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AsksFor:
    """The settings of a module that names authorities."""

    certificate_authority_ids: tuple[str, ...] = ()


class CertificateAuthorityTests(APITestCase):
    """An authority is uploaded, shown and deleted."""

    def test_life(self) -> None:
        """It comes back with what it says of itself."""
        made = self.ok("POST", "/certificate_authorities", {"ca_pem": CA.pem, "description": "d", "metadata": ""})
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/certificate_authorities/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "d",
                "metadata": "",
                "ca_pem": CA.pem,
                "subject_common_name": "Staff",
                "not_before": f"{CA.certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}",
                "not_after": f"{CA.certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
                "key_usages": ["digital_signature", "key_cert_sign", "crl_sign"],
                "extended_key_usages": [],
            },
        )
        path = f"/certificate_authorities/{made['id']}"
        self.assertEqual(self.ok("PATCH", path, {"description": ""})["description"], "")
        self.assertEqual(self.refused("PATCH", path, {"ca_pem": CA.pem}).code, 214)
        self.assertEqual(self.status("DELETE", path), 204)
        self.assertEqual(self.refused("GET", path).status, 404)

    def test_refused(self) -> None:
        """Exactly one certificate of an authority is taken; each mistake has its code."""
        headers = CA.pem.replace("CERTIFICATE-----\n", "CERTIFICATE-----\nProc-Type: x\n\n", 1)
        for pem, code in (
            ("", 1919),
            (" ", 1919),
            ("hello", 1920),
            ("x" * 350_001, 1921),
            (headers, 1910),
            (CA.key_pem, 1911),
            (CA.pem + CA.key_pem, 1911),
            (CA.pem + Made("Others").pem, 1912),
            (CA.issue("leaf.example").pem, 1913),
            (CA.pem.replace("MII", "MIJ", 1), 1900),
        ):
            error = self.refused("POST", "/certificate_authorities", {"ca_pem": pem})
            self.assertEqual((error.status, error.code, list(error.details)), (400, code, ["ca_pem"]), pem[:60])

    def test_used(self) -> None:
        """An authority that a module of an edge or route asks for stays; the sentence names the edge."""
        id = self.ok("POST", "/certificate_authorities", {"ca_pem": CA.pem})["id"]
        records = self.api.control.records
        record = records.get(CertificateAuthority, id)
        assert record is not None
        asks: Any = {"mutual_tls": Module(config=AsksFor(certificate_authority_ids=("ca_0", id)))}
        for edge in (
            HTTPSEdge(id="edghts_1", modules=asks),
            HTTPSEdge(id="edghts_2", routes=(HTTPSEdgeRoute(modules=asks),)),
        ):
            with self.assertRaises(Refused) as caught:
                certificate_authorities.removed(CALL, record, records.with_changes([Put(edge)]))
            self.assertIn(edge.id, caught.exception.message)
        self.assertEqual(self.status("DELETE", f"/certificate_authorities/{id}"), 204)

    def test_other_account(self) -> None:
        """Authorities of another account are not found."""
        id = self.ok("POST", "/certificate_authorities", {"ca_pem": CA.pem})["id"]
        self.api.caller = principal(OTHER)
        self.assertEqual(self.refused("GET", f"/certificate_authorities/{id}").status, 404)

    def test_texts(self) -> None:
        """Texts have their limits."""
        given = {"ca_pem": CA.pem, "description": "x" * 256, "metadata": "x" * 4097}
        error = self.refused("POST", "/certificate_authorities", given)
        self.assertEqual(error.code, 1914)
        self.assertIn("ERR_NGROK_1915", error.details["metadata"])
