"""Tests of `ngrok_twisted.transports.ssh.hostkeys`."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from unittest import skipUnless

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.keys import Key
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.transports.ssh.hostkeys import certified_keys, load_or_make
from tests.iam.keys import make_key


class HostKeysTests(SynchronousTestCase):
    """Made once, kept private."""

    def setUp(self) -> None:
        self.directory = FilePath(self.mktemp())

    def test_made_once(self) -> None:
        """The first start makes an Ed25519 and an RSA key; the next finds them."""
        first = load_or_make(self.directory)
        self.assertEqual([key.sshType() for key in first], [b"ssh-ed25519", b"ssh-rsa"])
        self.assertEqual(first[1].size(), 3072)
        self.assertEqual([key.blob() for key in load_or_make(self.directory)], [key.blob() for key in first])
        self.assertEqual(len(self.directory.children()), 2)

    def test_private(self) -> None:
        """Nobody else can read them."""
        load_or_make(self.directory)
        for path in self.directory.children():
            self.assertEqual(stat.S_IMODE(os.stat(path.path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.directory.path).st_mode), 0o700)

    @skipUnless(shutil.which("ssh-keygen"), "ssh-keygen is not installed")
    def test_openssh_reads_them(self) -> None:
        """``ssh-keygen -y`` prints their public halves."""
        for key, path in zip(load_or_make(self.directory), ("ssh_host_ed25519_key", "ssh_host_rsa_key")):
            printed = subprocess.run(
                ["ssh-keygen", "-y", "-f", self.directory.child(path).path], capture_output=True, check=True
            ).stdout
            self.assertEqual(printed.split()[1], key.public().toString("OPENSSH").split()[1])

    def test_refused(self) -> None:
        """Keys that others can read, public keys, weak ones, garbage and missing ones are named, all at once."""
        load_or_make(self.directory)
        open_key = self.directory.child("ssh_host_ed25519_key")
        files = {
            "public": Key.fromFile(open_key.path).public().toString("OPENSSH"),
            "weak": Key(rsa.generate_private_key(65537, 1024)).toString("OPENSSH"),
            "odd": Key(ec.generate_private_key(ec.SECP521R1())).toString("OPENSSH"),
            "garbage": b"hello",
        }
        paths = [self.directory.child("missing"), self.directory, open_key]
        for name, content in files.items():
            path = self.directory.child(name)
            path.setContent(content)
            path.chmod(0o600)
            paths.append(path)
        open_key.chmod(0o644)
        error = self.assertRaises(InvalidConfig, load_or_make, self.directory, paths)
        self.assertEqual([problem.path for problem in error.problems], [path.path for path in paths])
        self.assertIn("0644", str(error))

    def test_damaged(self) -> None:
        """A key of our own that is damaged, or has got a passphrase, is refused like any other."""
        load_or_make(self.directory)
        path = self.directory.child("ssh_host_rsa_key")
        whole = path.getContent()
        locked = Key.fromString(whole).toString("OPENSSH", subtype="v1", passphrase=b"secret")
        for content, why in ((whole[:300] + whole[400:], "damaged"), (b"", "damaged"), (locked, "passphrase")):
            path.setContent(content)
            path.chmod(0o600)
            error = self.assertRaises(InvalidConfig, load_or_make, self.directory)
            self.assertIn(why, str(error))

    def test_named(self) -> None:
        """Keys that the operator names are used, and none is made beside them."""
        load_or_make(self.directory)
        other = FilePath(self.mktemp())
        keys = load_or_make(other, [self.directory.child("ssh_host_rsa_key")])
        self.assertEqual([key.sshType() for key in keys], [b"ssh-rsa"])
        self.assertFalse(other.exists())


class CertifiedKeysTests(SynchronousTestCase):
    """Host keys with certificates."""

    def test_algorithms(self) -> None:
        """Each certified key is offered under the names of its signatures, and shows the certificate in place of the key."""
        keys = {bytes(key.sshType()): key for key in map(make_key, ("ed25519", "rsa", "nistp256"))}
        blobs = [keys[kind].public().blob() for kind in (b"ssh-ed25519", b"ssh-rsa")]
        found = certified_keys(keys, {blob: b"certificate of " + blob for blob in blobs})
        self.assertEqual(
            list(found),
            [
                b"ssh-ed25519-cert-v01@openssh.com",
                b"rsa-sha2-512-cert-v01@openssh.com",
                b"rsa-sha2-256-cert-v01@openssh.com",
            ],
        )
        for name, certified in found.items():
            plain = name.removesuffix(b"-cert-v01@openssh.com")
            key = keys[b"ssh-rsa" if plain.startswith(b"rsa") else plain]
            self.assertEqual(certified.blob(), b"certificate of " + key.public().blob())
            signature = certified.sign(b"data", signatureType=name)
            self.assertEqual(getNS(signature)[0], plain)
            self.assertTrue(key.public().verify(signature, b"data"))
