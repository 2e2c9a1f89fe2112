"""
Certificates over the API: uploaded, attached, replaced, and an ECDSA and an RSA one for the same name, as
``openssl s_client`` and ``curl`` see them.
"""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.functional.case import EdgeTestCase
from tests.functional.tools import program
from tests.tls.authority import Made

API_KEY = "an-operator-made-this-key-for-certificates"


class CertificatesTests(EdgeTestCase):
    """What visitors are shown follows the records at once."""

    config = {"api_keys": [{"name": "tests", "token": API_KEY}]}

    def setUp(self) -> None:
        """An authority with an intermediate, and a domain of the test's own."""
        super().setUp()
        self.root = Made("Tests")
        self.middle = self.root.issue("Middle", ca=True)
        self.name = self.new_name().partition(".")[0] + ".certificates.example.net"
        self.domain = self.api("POST", "/reserved_domains", {"domain": self.name})
        self.addCleanup(self.api, "DELETE", f"/reserved_domains/{self.domain['id']}")

    def api(self, verb: str, path: str, body: Any = None) -> Any:
        """The answer of the management API."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.edge.api}{path}",
            None if body is None else json.dumps(body).encode(),
            {"authorization": f"Bearer {API_KEY}", "ngrok-version": "2", "content-type": "application/json"},
            method=verb,
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def upload(self, *made: Made, chain: str = "") -> str:
        """The id of a certificate, or of a bundle of several."""
        body = {
            "certificate_pem": "".join(each.pem for each in made) + chain,
            "private_key_pem": "".join(each.key_pem for each in made),
        }
        return str(self.api("POST", "/tls_certificates", body)["id"])

    def attach(self, id: str) -> None:
        """Have the domain show this certificate."""
        self.api("PATCH", f"/reserved_domains/{self.domain['id']}", {"certificate_id": id})

    def shown(self, *words: str) -> tuple[str, str]:
        """The key of the leaf that a visitor is shown, and how it verified."""
        command = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{self.edge.https}", "-servername", self.name]
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(self.root.pem)
        command += ["-CAfile", path, "-verify_hostname", self.name, *words]
        said = subprocess.run(command, input=b"", capture_output=True, timeout=20).stdout.decode()
        kind = re.search(r"^Peer signature type: (\S+)", said, re.MULTILINE)
        verified = re.search(r"^Verification(?: error)?: (.+)", said, re.MULTILINE)
        return kind[1] if kind else "", verified[1] if verified else ""

    def test_at_once(self) -> None:
        """A certificate is shown as soon as it is attached, and until it is detached; an upload changes nothing."""
        first = self.upload(self.root.issue(self.name, rsa.generate_private_key(65537, 2048)))
        self.assertNotEqual(self.shown()[1], "OK")
        self.attach(first)
        self.assertEqual(self.shown(), ("RSA-PSS", "OK"))
        self.attach(self.upload(self.middle.issue(self.name), chain=self.middle.pem))
        self.assertEqual(self.shown(), ("ECDSA", "OK"))
        self.api("DELETE", f"/reserved_domains/{self.domain['id']}/certificate")
        self.assertNotEqual(self.shown()[1], "OK")

    def test_side_by_side(self) -> None:
        """One name has an ECDSA and an RSA certificate; each visitor is shown the one that it can verify."""
        rsa_made = self.root.issue(self.name, rsa.generate_private_key(65537, 2048))
        ecdsa_made = self.middle.issue(self.name)
        self.attach(self.upload(rsa_made, ecdsa_made, chain=self.middle.pem))
        for words, kind in (
            (("-tls1_3", "-sigalgs", "ECDSA+SHA256"), "ECDSA"),
            (("-tls1_3", "-sigalgs", "RSA-PSS+SHA256"), "RSA-PSS"),
            (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"), "ECDSA"),
            (("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-sigalgs", "RSA+SHA256"), "RSA"),
        ):
            self.assertEqual(self.shown(*words), (kind, "OK"), words)

    def test_visit(self) -> None:
        """A request to an agent's endpoint on the name passes with the uploaded certificate."""
        self.attach(self.upload(self.middle.issue(self.name), chain=self.middle.pem))
        self.publish(self.web("shop"), self.name)
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(self.root.pem)
        where = f"{self.name}:{self.edge.https}"
        command = [
            program("curl"),
            "-sS",
            "--cacert",
            path,
            "--resolve",
            f"{where}:127.0.0.1",
            f"https://{where}/",
            "-i",
        ]
        done = subprocess.run(command, capture_output=True, timeout=20, check=True)
        self.assertIn(b"x-service: shop", done.stdout.lower())
