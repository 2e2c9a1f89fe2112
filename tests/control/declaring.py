"""
Config files for tests: written into a folder, loaded, and what is said of them.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, Mapping

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.config import Config
from ngrok_twisted.control.load import load
from ngrok_twisted.errors import InvalidConfig

#: Two keys that exist nowhere else.
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDkpDc4Pw7nsWO6kx6zpqmz/0Phz+pfCAx/gBwAbgWCt"


class ConfigCase(SynchronousTestCase):
    """
    :ivar folder: where ``config.yaml`` is.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)

    def load(self, text: str, environ: Mapping[str, str] | None = None) -> Config:
        """Write the file and load it."""
        (self.folder / "config.yaml").write_text(text)
        return load(self.folder / "config.yaml", environ or {}, self.folder / "home", ipv6=False)

    def problems(self, text: str) -> list[str]:
        """What is wrong with a file: ``line: path: message``."""
        try:
            self.load(text)
        except InvalidConfig as error:
            return [str(problem).removeprefix(f"{self.folder / 'config.yaml'}:") for problem in error.problems]
        return []

    def assertProblem(self, text: str, *problems: str) -> None:
        """The file has exactly these problems."""
        self.assertEqual(self.problems(text), list(problems))


def make_pair(name: str = "shop.example.org") -> tuple[str, str]:
    """
    :return: a certificate that signed itself, and its key, both PEM.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder: Any = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = serialization.PrivateFormat.PKCS8
    return pem.decode(), key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def make_host_key(key: Any = None, password: bytes | None = None) -> str:
    """
    :param key: what to write down; a new ed25519 key if not given.
    :return: a private key as ``ssh-keygen`` writes it.
    """
    key = key or ed25519.Ed25519PrivateKey.generate()
    seal: Any = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return str(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, seal).decode())
