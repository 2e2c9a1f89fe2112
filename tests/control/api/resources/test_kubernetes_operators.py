"""
Tests for `ngrok_twisted.control.api.resources.kubernetes_operators`.
"""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding

from ngrok_twisted.records.kubernetes_operator import OperatorAuthority
from tests.control.api.harness import OTHER, OWNER, APITestCase, principal

CLOSE = "on_tcp_connect:\n- actions:\n  - type: deny\n"


def csr(key: Any = None) -> str:
    """A certificate request as the operator makes it."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA512()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


def registration(**more: Any) -> dict[str, Any]:
    """The body of a POST."""
    deployment = {"name": "ngrok", "namespace": "ngrok-operator", "version": "0.22.0", "cluster_name": "c"}
    return {"deployment": deployment, "enabled_features": ["Bindings", "ingress"], "region": "", **more}


class KubernetesOperatorTests(APITestCase):
    """Operators register themselves."""

    def test_life(self) -> None:
        """A registration comes back as it was made, until it is changed and deleted."""
        made = self.ok("POST", "/kubernetes_operators", registration(metadata="m"))
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/kubernetes_operators/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:00Z",
                "description": "",
                "metadata": "m",
                "principal": {"id": OWNER, "uri": ""},
                "enabled_features": ["bindings", "ingress"],
                "region": "global",
                "deployment": registration()["deployment"],
                "binding": None,
            },
        )
        self.api.clock.advance(60)
        path = f"/kubernetes_operators/{made['id']}"
        changed = self.ok("PATCH", path, {"deployment": {"version": "0.23.0"}, "enabled_features": ["gateway"]})
        self.assertEqual(changed["deployment"], {**made["deployment"], "version": "0.23.0"})
        self.assertEqual((changed["enabled_features"], changed["updated_at"]), (["gateway"], "2026-01-01T00:01:00Z"))
        self.assertEqual(self.ok("GET", "/kubernetes_operators")["operators"], [changed])
        self.assertEqual(self.status("DELETE", path), 204)
        self.assertEqual(self.refused("GET", path).status, 404)

    def test_least(self) -> None:
        """The Go client may send no more than an empty deployment."""
        made = self.ok("POST", "/kubernetes_operators", {"deployment": {}})
        self.assertEqual(made["deployment"], {"name": "", "namespace": "", "version": "", "cluster_name": ""})

    def test_certificate(self) -> None:
        """The key of a request gets a client certificate, which stays while the request does."""
        request = csr()
        made = self.ok("POST", "/kubernetes_operators", registration(binding={"csr": request}))
        cert = made["binding"]["cert"]
        found = x509.load_pem_x509_certificate(cert["cert"].encode())
        asked = x509.load_pem_x509_csr(request.encode())
        self.assertEqual(found.public_key(), asked.public_key())
        self.assertEqual(found.subject.rfc4514_string(), f"CN={made['id']}")
        self.assertEqual((cert["not_before"], cert["not_after"]), ("2025-12-31T23:00:00Z", "2027-01-01T00:00:00Z"))
        (authority,) = self.api.control.records.all(OperatorAuthority)
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_pem.encode()))
        self.assertEqual(made["binding"]["endpoint_selectors"], ["true"])

        self.api.clock.advance(60)
        path = f"/kubernetes_operators/{made['id']}"
        same = self.ok("PATCH", path, {"binding": {"csr": request, "endpoint_selectors": ["true"]}})
        self.assertEqual(same["binding"], made["binding"])
        other = self.ok("PATCH", path, {"binding": {"csr": csr(), "ingress_endpoint": "k8s.example.com:443"}})
        self.assertNotEqual(other["binding"]["cert"]["cert"], cert["cert"])
        self.assertEqual(other["binding"]["ingress_endpoint"], "k8s.example.com:443")
        self.assertEqual(len(list(self.api.control.records.all(OperatorAuthority))), 1)
        self.assertIsNone(self.ok("PATCH", path, {"enabled_features": ["ingress"]})["binding"])

    def test_without_request(self) -> None:
        """A binding without a request has no certificate, from the beginning of time."""
        made = self.ok("POST", "/kubernetes_operators", registration(binding={"csr": ""}))
        never = "0001-01-01T00:00:00Z"
        self.assertIsNone(made["binding"])
        made = self.ok("POST", "/kubernetes_operators", registration(binding={"endpoint_selectors": ["true"]}))
        self.assertEqual(made["binding"]["cert"], {"cert": "", "not_before": never, "not_after": never})

    def test_refused(self) -> None:
        """Requests for other keys, unknown features and selectors are refused with their codes."""
        broken = csr().replace("A", "B", 1)
        for body, code in (
            ({"binding": {"csr": "x"}}, 19001),
            ({"binding": {"csr": broken}}, 19001),
            ({"binding": {"csr": csr(ed25519.Ed25519PrivateKey.generate())}}, 19001),
            ({"binding": {"csr": csr(ec.generate_private_key(ec.SECP384R1()))}}, 19001),
            ({"binding": {"csr": "A" * 20000}}, 19001),
            ({"enabled_features": ["moon"]}, 19002),
            ({"enabled_features": ["ingress"], "binding": {"csr": csr()}}, 19002),
            ({"deployment": {"name": "n" * 256}}, 19002),
            ({"binding": {"endpoint_selectors": ["endpoint.port == 1"]}}, 19003),
        ):
            error = self.refused("POST", "/kubernetes_operators", registration(**body))
            self.assertEqual(error.code, code, error.message)

    def test_bound_endpoints(self) -> None:
        """The account's endpoints that are bound to kubernetes are listed with their ports, for operators with bindings."""
        made = self.ok("POST", "/kubernetes_operators", registration(binding={"endpoint_selectors": ["true"]}))
        for url in ("http://web.prod", "tcp://db.prod:5432", "http://app.example.com"):
            bindings = ["kubernetes"] if "prod" in url else []
            self.ok("POST", "/endpoints", {"url": url, "traffic_policy": CLOSE, "bindings": bindings})
        path = f"/kubernetes_operators/{made['id']}/bound_endpoints"
        found = self.ok("GET", path)
        self.assertEqual(
            [(one["proto"], one["public_url"]) for one in found["endpoints"]],
            [("tcp", "tcp://db.prod:5432"), ("http", "http://web.prod:80")],
        )
        self.assertEqual((found["uri"], found["next_page_uri"]), (f"https://api.example.com{path}", None))
        without = self.ok("POST", "/kubernetes_operators", registration())
        self.assertEqual(self.ok("GET", f"/kubernetes_operators/{without['id']}/bound_endpoints")["endpoints"], [])
        self.api.caller = principal(OTHER)
        self.assertEqual(self.refused("GET", path).status, 404)
