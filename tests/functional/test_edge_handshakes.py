"""
TLS as visitors of edges meet it: versions, client certificates, resumption and what changes while they are connected. The
visitor is ``openssl s_client`` where it must be old, broken or stubborn.
"""

from __future__ import annotations

import re
import ssl
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.functional.clients import Answer, keep_open, open_tcp, open_tls
from tests.functional.management import Refusal
from tests.functional.service import Service, echo
from tests.functional.test_live_changes import LiveCase
from tests.functional.tools import program
from tests.tls.authority import Made, key_pem

VERSIONS = {"1.0": "-tls1", "1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3"}

#: TLS 1.0 and 1.1 sign with SHA-1, which OpenSSL's clients do not do any more unless they are told to.
OLD = ("-cipher", "DEFAULT:@SECLEVEL=0")

#: TLS alerts (RFC 8446 section 6): the handshake failed for want of something, the certificate is bad, of no use here,
#: expired, of an unknown authority, not signed by who it says; the version; there is no certificate.
FAILURE, BAD, UNSUPPORTED, EXPIRED, UNKNOWN_CA, FORGED, VERSION, REQUIRED = 40, 42, 43, 45, 48, 51, 70, 116


class HandshakeCase(LiveCase):
    """An authority, and what OpenSSL's client says."""

    def setUp(self) -> None:
        """Make an authority and a backend."""
        super().setUp()
        self.root = Made("Root")
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.backend = self.static(self.web())

    def file(self, *texts: str) -> str:
        """The path of a file with these texts."""
        path = self.folder / str(len(list(self.folder.iterdir())))
        path.write_text("".join(texts))
        return str(path)

    def authority(self, made: Made) -> str:
        """A certificate authority of the API."""
        return self.api.make("/certificate_authorities", ca_pem=made.pem)

    def require(self, edge: str, *authorities: Made) -> None:
        """Ask the edge's visitors for certificates."""
        ids = [self.authority(each) for each in authorities]
        self.api("PUT", f"{edge}/mutual_tls", {"certificate_authority_ids": ids})

    def client(self, name: str, *words: str, host: str = "") -> Said:
        """One visit, with a request if the handshake is done."""
        command = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{self.edge.https}", "-servername", name]
        request = f"GET / HTTP/1.1\r\nHost: {host or name}\r\nConnection: close\r\n\r\n".encode()
        done = subprocess.run([*command, *words, "-ign_eof"], input=request, capture_output=True, timeout=30)
        return Said((done.stdout + done.stderr).decode(errors="replace"))

    def with_certificate(self, made: Made, *chain: Made) -> list[str]:
        """The words that show a certificate."""
        words = ["-cert", self.file(made.pem), "-key", self.file(made.key_pem)]
        return words + (["-cert_chain", self.file(*(each.pem for each in chain))] if chain else [])


class Said:
    """
    What OpenSSL's client says.

    :ivar status: the HTTP status; 0 without an answer.
    :ivar alert: the number of the alert that it was sent; 0 for none.
    :ivar resumed: whether an older session was taken up again.
    :ivar version: such as ``TLSv1.3``.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        status = re.search(r"HTTP/1\.1 (\d+)", text)  # s_client has its own words in the same line, at times
        alert = re.search(r"alert number (\d+)", text)
        version = re.search(r"^(?:New|Reused), (\S+),", text, re.MULTILINE)
        self.status = int(status[1]) if status else 0
        self.alert = int(alert[1]) if alert else 0
        self.resumed = "\nReused, " in text
        self.version = version[1] if version else ""

    def __repr__(self) -> str:
        return "\n".join(re.findall(r"^.*(?:error|alert|HTTP/|Reused|New, ).*$", self.text, re.MULTILINE))


def leaf(signer: Made, *purposes: x509.ObjectIdentifier, days: tuple[int, int] = (-1, 30)) -> Made:
    """A visitor's certificate: for these purposes, or any, between two days from now."""
    made = object.__new__(Made)
    made.key = ec.generate_private_key(ec.SECP256R1())
    made.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "visitor")])
    begin, end = (datetime.now(timezone.utc) + timedelta(days=day) for day in days)
    builder = x509.CertificateBuilder(signer.name, made.name, made.key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(end)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), False)
    made.certificate = builder.sign(signer.key, SHA256())
    made.pem = made.certificate.public_bytes(Encoding.PEM).decode()
    made.key_pem = key_pem(made.key)
    return made


class VersionTests(HandshakeCase):
    """``tls_termination``."""

    def test_minimum(self) -> None:
        """Each minimum lets in those who speak it or a newer version, on HTTPS and on TLS edges; others read why not."""
        stream = {"backend_id": self.static(self.serve(Service(echo)))}
        for minimum in VERSIONS:
            https, tls = self.domain(), self.domain()
            edge, _ = self.https_edge(https, self.backend)
            self.api("PUT", f"{edge}/tls_termination", {"min_version": minimum})
            ends = {"terminate_at": "edge", "min_version": minimum}
            self.api.make("/edges/tls", hostports=[f"{tls}:443"], backend=stream, tls_termination=ends)
            for version, word in VERSIONS.items():
                for name in (https, tls):
                    said = self.shake(name, word)
                    self.assertEqual(said.alert, 0 if version >= minimum else VERSION, (minimum, version, said))
                    self.assertEqual("BEGIN CERTIFICATE" in said.text, version >= minimum, (minimum, version, said))

    def shake(self, name: str, word: str) -> Said:
        """A handshake with one version, and nothing more."""
        command = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{self.edge.https}", "-servername", name]
        done = subprocess.run([*command, word, *OLD], input=b"", capture_output=True, timeout=30)
        return Said((done.stdout + done.stderr).decode(errors="replace"))

    def test_changed_while_connected(self) -> None:
        """Who is connected by an older version is answered once more and sent away, and comes back by the newer one."""
        name = self.domain()
        edge, _ = self.https_edge(name, self.backend)
        context = ssl.create_default_context(cafile=str(self.edge.ca))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        old = open_tls(self.edge, name, context=context)
        connection = keep_open(self.edge, name)
        connection.sock = old
        for minimum, status, close in (("1.2", 200, None), ("1.3", 421, "close")):
            self.api("PUT", f"{edge}/tls_termination", {"min_version": minimum})
            connection.request("GET", "/", headers={"Host": name})
            answer = Answer(connection.getresponse())
            self.assertEqual((answer.status, answer.headers.get("connection")), (status, close))
        self.assertRaises(ssl.SSLError, open_tls, self.edge, name, context=context)
        self.assertEqual(self.client(name).status, 200)

    def test_ed25519(self) -> None:
        """A certificate that a visitor cannot verify is an alert for it, and no trouble for others."""
        name = self.domain()
        self.https_edge(name, self.backend)
        made = self.root.issue(name, ed25519.Ed25519PrivateKey.generate())
        certificate = self.api.make("/tls_certificates", certificate_pem=made.pem, private_key_pem=made.key_pem)
        domains = self.api("GET", "/reserved_domains")["reserved_domains"]
        (id,) = [domain["id"] for domain in domains if domain["domain"] == name]
        self.api("PATCH", f"/reserved_domains/{id}", {"certificate_id": certificate})
        self.assertEqual(self.client(name, "-sigalgs", "ECDSA+SHA256:RSA+SHA256").alert, FAILURE)
        self.assertEqual(self.client(name).status, 200)


class MutualTLSTests(HandshakeCase):
    """``mutual_tls``."""

    def setUp(self) -> None:
        """An edge that asks for certificates."""
        super().setUp()
        self.name = self.domain()
        self.path, _ = self.https_edge(self.name, self.backend)
        self.require(self.path, self.root)

    def test_certificates(self) -> None:
        """Good certificates pass, alone or with the issuers between; everybody else is sent the alert that says why."""
        middle = self.root.issue("Middle", ca=True)
        ends = self.root.issue("visitor")
        cases = [
            (self.with_certificate(leaf(self.root)), 0),
            (self.with_certificate(leaf(self.root, ExtendedKeyUsageOID.CLIENT_AUTH)), 0),
            (self.with_certificate(leaf(middle), middle), 0),
            (self.with_certificate(leaf(middle)), UNKNOWN_CA),
            (self.with_certificate(leaf(ends), ends), UNKNOWN_CA),
            (self.with_certificate(leaf(Made("Other"))), UNKNOWN_CA),
            (self.with_certificate(leaf(Made("Root"))), FORGED),
            (self.with_certificate(leaf(self.root, days=(-9, -1))), EXPIRED),
            (self.with_certificate(leaf(self.root, days=(1, 9))), BAD),
            (self.with_certificate(leaf(self.root, ExtendedKeyUsageOID.SERVER_AUTH)), UNSUPPORTED),
            ([], REQUIRED),
        ]
        for words, alert in cases:
            for version in ("1.2", "1.3"):
                said = self.client(self.name, VERSIONS[version], *words)
                wanted = FAILURE if alert == REQUIRED and version == "1.2" else alert
                self.assertEqual((said.alert, said.status), (wanted, 0 if alert else 200), (words, version, said))

    def test_no_way_round(self) -> None:
        """Neither another name in the handshake, nor none, nor plain HTTP leads to what is behind it."""
        other = self.domain()
        self.https_edge(other, self.backend)
        self.assertEqual(self.client(other, host=self.name).status, 421)
        self.assertEqual(self.client("unknown.example.net", host=self.name).status, 421)
        nameless = [
            program("openssl"),
            "s_client",
            "-connect",
            f"127.0.0.1:{self.edge.https}",
            "-noservername",
            "-ign_eof",
        ]
        request = f"GET / HTTP/1.1\r\nHost: {self.name}\r\nConnection: close\r\n\r\n".encode()
        done = subprocess.run(nameless, input=request, capture_output=True, timeout=30)
        self.assertEqual(Said(done.stdout.decode(errors="replace")).status, 421)
        plain = keep_open(self.edge, self.name, plain=True)
        plain.request("GET", "/")
        self.assertEqual(Answer(plain.getresponse()).status, 307)

    def test_kept_alive(self) -> None:
        """A connection from before the edge asked for certificates, or from when it trusted others, does not pass."""
        name = self.domain()
        path, _ = self.https_edge(name, self.backend)
        kept = keep_open(self.edge, name)
        kept.request("GET", "/", headers={"Host": name})
        self.assertEqual(Answer(kept.getresponse()).status, 200)
        self.require(path, self.root)
        kept.request("GET", "/", headers={"Host": name})
        answer = Answer(kept.getresponse())
        self.assertEqual((answer.status, answer.headers.get("connection")), (421, "close"))

        context = ssl.create_default_context(cafile=str(self.edge.ca))
        made = leaf(self.root)
        context.load_cert_chain(self.file(made.pem), self.file(made.key_pem))
        kept.sock = context.wrap_socket(open_tcp(self.edge.https), server_hostname=name)
        kept.request("GET", "/", headers={"Host": name})
        self.assertEqual(Answer(kept.getresponse()).status, 200)
        self.require(path, Made("Other"))
        kept.request("GET", "/", headers={"Host": name})
        self.assertEqual(Answer(kept.getresponse()).status, 421)

    def test_resumption(self) -> None:
        """
        A session is resumed where nothing about the handshake has changed; one from before certificates were asked for, or
        from another edge, is none, and where certificates are asked for there are none at all.
        """
        for number, version in enumerate(("1.2", "1.3")):
            name, other = self.domain(), self.domain()
            path, _ = self.https_edge(name, self.backend)
            self.https_edge(other, self.backend)
            session = str(self.folder / f"session{number}")
            save, use = ("-sess_out", session, VERSIONS[version]), ("-sess_in", session, VERSIONS[version])
            words = self.with_certificate(leaf(self.root))
            refused = REQUIRED if version == "1.3" else FAILURE

            self.assertEqual(self.client(name, *save).status, 200)
            self.api("PATCH", path, {"metadata": "another"})
            self.assertTrue(self.client(name, *use).resumed)
            self.require(path, self.root)
            self.assertEqual(self.client(name, *use).alert, refused)
            self.assertEqual(self.client(other, *save).status, 200)
            self.assertEqual(self.client(name, *use).alert, refused)
            Path(session).unlink()
            self.assertEqual(self.client(name, *save, *words).status, 200)
            self.assertFalse(Path(session).exists() and self.client(name, *use, *words).resumed)
            self.assertFalse(self.client(name, *words).resumed)
            self.require(path, Made("Other"))
            said = self.client(name, *words)
            self.assertEqual((said.alert, said.resumed), (UNKNOWN_CA, False))
            self.api("DELETE", f"{path}/mutual_tls")
            self.assertEqual(self.client(name).status, 200)

    def test_authority_in_use(self) -> None:
        """An authority that an edge asks for cannot be deleted; the edge goes on to trust it."""
        id = self.api("GET", self.path)["mutual_tls"]["certificate_authorities"][0]["id"]
        with self.assertRaises(Refusal):
            self.api("DELETE", f"/certificate_authorities/{id}")
        self.assertEqual(self.client(self.name, *self.with_certificate(leaf(self.root))).status, 200)
