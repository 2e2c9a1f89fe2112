"""
A real browser opens the URL: headless Chromium, which accepts just the key of the name's certificate.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess

from tests.functional.case import EdgeTestCase
from tests.functional.clients import open_tls
from tests.functional.edge import Edge
from tests.functional.tools import program

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)


class BrowserCase(EdgeTestCase):
    """Chromium, and the edge that it visits."""

    def dump(self, url: str) -> str:
        """
        :return: the document that the browser has made of the page.
        """
        host = url.partition("://")[2].partition(":")[0]
        flags = [
            f"--user-data-dir={self.edge.directory}/chromium",
            f"--ignore-certificate-errors-spki-list={key_pin(self.edge, host)}",
            "--host-resolver-rules=MAP *.edge.localhost 127.0.0.1",
            "--virtual-time-budget=5000",
        ]
        command = [program("chromium"), *FLAGS, *flags, "--dump-dom", url]
        done = subprocess.run(command, capture_output=True, timeout=60, text=True)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        return done.stdout


def key_pin(edge: Edge, host: str) -> str:
    """The SHA-256 of the public key of this name's certificate, in base64, as Chromium wants it."""
    with open_tls(edge, host) as connection:
        certificate = connection.getpeercert(True)
    openssl = program("openssl")
    words = [openssl, "x509", "-inform", "der", "-pubkey", "-noout"]
    public = subprocess.run(words, input=certificate, check=True, capture_output=True, timeout=20).stdout
    binary = [openssl, "pkey", "-pubin", "-outform", "der"]
    key = subprocess.run(binary, input=public, check=True, capture_output=True, timeout=20).stdout
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


class BrowserTests(BrowserCase):
    """What a user sees."""

    def test_page(self) -> None:
        """The page of the local service is shown."""
        self.assertIn("hello from web", self.dump(self.publish(self.web())))

    def test_offline(self) -> None:
        """The offline page is shown as a page, with its code."""
        shown = self.dump(self.edge.url("not-there"))
        self.assertIn("ERR_NGROK_3200", shown)
        self.assertIn("<body", shown)
