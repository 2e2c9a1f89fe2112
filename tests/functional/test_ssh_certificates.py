"""
SSH certificates with the real OpenSSH: issued over the API and read by ``ssh-keygen``, presented by the server, shown by users.
"""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
import tempfile
from functools import lru_cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.functional.case import EdgeTestCase
from tests.functional.clients import SSH
from tests.functional.edge import Edge, make_key
from tests.functional.tools import program

API_KEY = "an-operator-made-this-key-for-ssh-certificates"


@lru_cache(maxsize=None)
def declared_key() -> Path:
    """The private key of the declared authority, made once for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="authority-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_key(folder / "ca")


def authorities() -> list[dict[str, str]]:
    """What ``config.yaml`` declares."""
    return [{"name": "ours", "private_key": f"file:{declared_key()}"}]


#: What the client says when it has new keys.
EXCHANGED = "SSH2_MSG_NEWKEYS received"

FORWARDING = {"permit-port-forwarding": ""}


class CertificateCase(EdgeTestCase):
    """An edge that takes user certificates, with an authority whose key the operator has."""

    config = {
        "api_keys": [{"name": "tests", "token": API_KEY}],
        "ssh": {"user_certificates": True},
    }

    def make_edge(self) -> Edge:
        """EdgeTestCase."""
        return Edge({**self.config, "ssh_certificate_authorities": authorities()})

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="certificates-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def api(self, verb: str, path: str, body: Any = None) -> Any:
        """One call of the API; it succeeds."""
        connection = HTTPConnection("127.0.0.1", self.edge.api, timeout=30)
        fields = {"authorization": f"Bearer {API_KEY}", "ngrok-version": "2", "content-type": "application/json"}
        connection.request(verb, path, None if body is None else json.dumps(body), fields)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self.assertLess(answer.status, 300, text)
        return json.loads(text) if text else None

    def authority(self, **body: Any) -> Any:
        """A new authority."""
        return self.api("POST", "/ssh_certificate_authorities", body)

    def keygen(self, *words: str | Path) -> str:
        """What ``ssh-keygen`` prints."""
        command = [program("ssh-keygen"), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def host_key(self, kind: str = "ed25519") -> str:
        """A public host key of the server, as an operator finds it."""
        return self.keygen("-y", "-f", self.edge.state / "ssh" / f"ssh_host_{kind}_key").strip()


class IssuedTests(CertificateCase):
    """What the API issues, OpenSSH can read and finds well signed."""

    def test_every_kind(self) -> None:
        """Authorities and keys of all types; ``ssh-keygen -L`` checks the signature before it prints."""
        bodies: list[dict[str, Any]] = [
            {},
            {"private_key_type": "ecdsa", "elliptic_curve": "nistp384"},
            {"private_key_type": "rsa", "key_size": 4096},
        ]
        for body in bodies:
            authority = self.authority(**body)
            (self.folder / "ca.pub").write_text(authority["public_key"])
            fingerprint = self.keygen("-l", "-f", self.folder / "ca.pub").split()[1]
            for kind in ("ed25519", "ecdsa", "rsa"):
                key = make_key(self.folder / f"{kind}-{authority['id']}", kind)
                ids = {
                    "ssh_certificate_authority_id": authority["id"],
                    "public_key": key.with_suffix(".pub").read_text(),
                }
                self.shown(fingerprint, "/ssh_host_certificates", {**ids, "principals": ["a.example.com"]})
                self.shown(fingerprint, "/ssh_user_certificates", {**ids, "principals": ["ann", "bob"]})

    def shown(self, fingerprint: str, path: str, body: dict[str, Any]) -> None:
        """Compare what ``ssh-keygen`` reads with what was asked for."""
        made = self.api("POST", path, body)
        file = self.folder / "x-cert.pub"
        file.write_text(made["certificate"] + "\n")
        text = self.keygen("-L", "-f", file)
        self.assertIn(fingerprint, text)
        self.assertIn(f'Key ID: "{made["id"]}"', text)
        for name in (*body["principals"], *made.get("extensions", ())):
            self.assertIn(f"   {name}\n", text)


class HostTests(CertificateCase):
    """What the server presents."""

    def setUp(self) -> None:
        super().setUp()
        self.ca = self.authority()
        self.known = self.folder / "known_hosts"
        self.known.write_text(f"@cert-authority * {self.ca['public_key']}\n")

    def certify(self, kind: str = "ed25519", **body: Any) -> str:
        """Have a host key certified."""
        wanted = {"ssh_certificate_authority_id": self.ca["id"], "public_key": self.host_key(kind), **body}
        id: str = self.api("POST", "/ssh_host_certificates", {"principals": ["127.0.0.1"], **wanted})["id"]
        self.addCleanup(self.forget, id)
        return id

    def forget(self, id: str) -> None:
        """Delete a certificate, if it is still there."""
        if any(item["id"] == id for item in self.api("GET", "/ssh_host_certificates")["ssh_host_certificates"]):
            self.api("DELETE", f"/ssh_host_certificates/{id}")

    def strict(self, *options: str) -> SSH:
        """A client that trusts nothing but the authority."""
        trust = (f"UserKnownHostsFile={self.known}", "StrictHostKeyChecking=yes", *options)
        # The first value of an option counts, so that these go before the usual ones.
        words = [word for option in trust for word in ("-o", option)]
        agent = SSH(self.edge, [f"{self.new_name()}:443:127.0.0.1:1"], "http", first=words)
        self.addCleanup(agent.close)
        return agent

    def test_trusted(self) -> None:
        """A client that knows the authority connects without a question, until the certificate is deleted."""
        self.strict().wait_for("Host key verification failed")
        id = self.certify()
        self.strict().url()
        self.forget(id)
        self.strict().wait_for("Host key verification failed")
        self.certify()
        self.strict().url()

    def test_every_algorithm(self) -> None:
        """Both host keys can be certified; RSA signs with SHA-2 of either length."""
        self.certify("rsa")
        self.certify("ed25519")
        for name in ("ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"):
            self.strict(f"HostKeyAlgorithms={name}-cert-v01@openssh.com").url()

    def test_wrong_name(self) -> None:
        """The client holds the certificate against the name that it connects to."""
        self.certify(principals=["other.example.com"])
        self.strict().wait_for("Host key verification failed")

    def test_rekey(self) -> None:
        """A connection that lives by a certificate exchanges keys again, even when the certificate is gone by then."""
        id = self.certify()
        agent = self.strict("RekeyLimit=1G 1", "ServerAliveInterval=1", "LogLevel=DEBUG1")
        agent.url()
        self.forget(id)
        seen = agent.err.count(EXCHANGED)
        self.eventually(lambda: agent.err.count(EXCHANGED) >= seen + 2, "two more exchanges of keys")
        self.assertIsNone(agent.process.poll(), agent.said())

    def test_without(self) -> None:
        """Clients that know nothing of authorities see the plain keys."""
        self.certify()
        self.ssh(f"{self.new_name()}:443:127.0.0.1:1", command="http").url()
        plain = self.ssh(
            f"{self.new_name()}:443:127.0.0.1:1", command="http", options=["-o", "HostKeyAlgorithms=ssh-ed25519"]
        )
        plain.url()


class UserTests(CertificateCase):
    """Who gets in with a certificate."""

    def setUp(self) -> None:
        super().setUp()
        self.key = make_key(self.folder / "user")

    def connect(self, *words: str, **more: Any) -> SSH:
        """A client with the user's key and certificate."""
        certificate = ["-o", f"CertificateFile={self.folder / 'user-cert.pub'}"]
        agent = SSH(
            self.edge,
            [f"{self.new_name()}:443:127.0.0.1:1"],
            *(words or ("http",)),
            key=self.key,
            options=[*certificate, *more.get("options", ())],
        )
        self.addCleanup(agent.close)
        return agent

    def denied(self, reason: str) -> None:
        """Nobody is let in, and the operator can read why."""
        before = len(self.edge.log())
        self.connect().wait_for("Permission denied")
        said = lambda: [line for line in self.edge.log()[before:].splitlines() if "ssh certificate refused" in line]
        self.eventually(lambda: any(reason in line for line in said()), f"{reason!r} in the log: {said()}")

    def sign(self, *options: str, authority: Path | None = None) -> None:
        """Have the user's key certified with ``ssh-keygen``."""
        self.keygen("-q", "-s", authority or declared_key(), "-I", "a laptop", *options, self.key.with_suffix(".pub"))

    def issue(self, **body: Any) -> Any:
        """Have the user's key certified over the API."""
        key = self.key.with_suffix(".pub").read_text()
        ca = body.pop("ssh_certificate_authority_id", None) or self.authority()["id"]
        wanted = {"ssh_certificate_authority_id": ca, "public_key": key, "extensions": FORWARDING, **body}
        made = self.api("POST", "/ssh_user_certificates", wanted)
        (self.folder / "user-cert.pub").write_text(made["certificate"] + "\n")
        return made

    def test_issued(self) -> None:
        """A certificate from the API lets in until its record is deleted, which ends what was begun with it."""
        made = self.issue()
        agent = self.connect()
        agent.url()
        self.assertIn(made["id"], self.edge.log())
        self.api("DELETE", f"/ssh_user_certificates/{made['id']}")
        self.assertNotEqual(agent.exit_code(), 0)
        self.denied("its record was deleted")

    def test_signed_elsewhere(self) -> None:
        """So does one that the operator has signed with the key of a declared authority."""
        self.sign("-n", "default")
        self.connect().url()
        self.sign()
        self.connect().url()

    def test_every_kind_of_key(self) -> None:
        """RSA and ECDSA keys log in as well."""
        for kind in ("rsa", "ecdsa"):
            self.key = make_key(self.folder / f"user-{kind}", kind)
            self.sign("-n", "default")
            (self.folder / f"user-{kind}-cert.pub").rename(self.folder / "user-cert.pub")
            self.connect().url()

    def test_refused(self) -> None:
        """What must not let in does not."""
        for options, reason in (
            (("-n", "root"), "principals"),
            (("-n", "default", "-V", "20200101:20200102"), "expired"),
            (("-n", "default", "-V", "+1d:+2d"), "not valid yet"),
            (("-n", "default", "-O", "clear"), "permit-port-forwarding"),
            (("-n", "default", "-O", "source-address=192.0.2.0/24"), "source-address"),
            (("-n", "default", "-O", "critical:x@example.com=y"), "critical option"),
        ):
            self.sign(*options)
            self.denied(reason)

    def test_other_authority(self) -> None:
        """An authority that is none of the server's is nobody's."""
        self.sign("-n", "default", authority=make_key(self.folder / "rogue"))
        self.denied("not signed by")

    def test_source_address(self) -> None:
        """From where it is allowed, it lets in."""
        self.sign("-n", "default", "-O", "source-address=127.0.0.0/8")
        self.connect().url()

    def test_force_command(self) -> None:
        """A forced command runs in place of the one that was asked for, and in place of none."""
        self.sign("-n", "default", "-O", "force-command=http --output json")
        agent = self.connect("tls")
        agent.wait_for('"proto": ?"https?"')
        self.sign("-n", "default", "-O", "force-command=/bin/sh")
        self.connect("http").wait_for("ERR_NGROK_1108")

    def test_acl(self) -> None:
        """An extension limits the names."""
        self.issue(extensions={**FORWARDING, "acl@ngrok_twisted": "bind:only.example.com"})
        self.connect().wait_for("ERR_NGROK_316")


class SwitchedOffTests(CertificateCase):
    """Certificates are not accepted unless the operator says so."""

    config = {"ssh": {"user_certificates": False}}

    def test_off(self) -> None:
        """A certificate is no help, and the plain key is asked for as ever."""
        key = make_key(self.folder / "user")
        self.keygen("-q", "-s", declared_key(), "-I", "x", "-n", "default", key.with_suffix(".pub"))
        agent = SSH(self.edge, [], key=key)
        self.addCleanup(agent.close)
        agent.wait_for("Permission denied")
