"""
Tests for `ngrok_twisted.control.api.resources.ssh_credentials`.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.control.api.resources.ssh_credentials import DeclaredSSHCredential, key_id, ssh_credentials
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.iam.sessions import NARROWED, Sessions
from ngrok_twisted.records.ssh_credential import SSHCredential
from tests.control.api.harness import ACCOUNT, OTHER, OWNER, APITestCase, principal
from tests.control.api.resources.test_api_keys import making
from tests.iam.keys import blob_of, line, security_key
from tests.iam.sessions import FakeSession

KEY, ANOTHER = line(blob_of("ed25519")), line(blob_of("other ed25519"))


class SSHCredentialTests(APITestCase):
    """SSH keys are made, read, listed, changed and deleted."""

    def test_life(self) -> None:
        """A key comes back as it was written, byte for byte, until it is deleted."""
        written = f"{KEY}  me@home\n"
        made = self.ok("POST", "/ssh_credentials", {"public_key": written, "acl": ["bind:a.b"]})
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/ssh_credentials/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "",
                "metadata": "",
                "public_key": written,
                "acl": ["bind:a.b"],
                "owner_id": OWNER,
            },
        )
        record = self.api.control.records.get(SSHCredential, made["id"])
        assert record is not None
        self.assertEqual(record.public_key, KEY)
        changed = self.ok("PATCH", f"/ssh_credentials/{made['id']}", {"description": "d", "acl": []})
        self.assertEqual(changed, {**made, "description": "d", "acl": []})
        self.assertEqual(self.ok("GET", "/ssh_credentials")["ssh_credentials"], [changed])
        self.assertEqual(self.status("DELETE", f"/ssh_credentials/{made['id']}"), 204)
        self.ok("POST", "/ssh_credentials", {"public_key": KEY})

    def test_types(self) -> None:
        """Security keys are taken, as are all types that may log in."""
        for blob in (security_key("ed25519"), security_key("nistp256"), blob_of("nistp521"), blob_of("rsa")):
            self.ok("POST", "/ssh_credentials", {"public_key": line(blob)})

    def test_bad_keys(self) -> None:
        """A key that is missing or cannot be used is refused with ngrok's codes."""
        for body in ({}, {"public_key": ""}, {"public_key": None}):
            self.assertEqual(self.refused("POST", "/ssh_credentials", body).code, 611)
        for key in (
            "x",
            "ssh-ed25519 x",
            f"command=x {KEY}",
            line(blob_of("dsa")),
            line(blob_of("short rsa")),
            f"{KEY}\n{KEY}",
        ):
            error = self.refused("POST", "/ssh_credentials", {"public_key": key})
            self.assertEqual((error.code, set(error.details)), (612, {"public_key"}))

    def test_unique(self) -> None:
        """A key stands once over all accounts, whatever is written behind it; who has it is not told elsewhere."""
        made = self.ok("POST", "/ssh_credentials", {"public_key": KEY})
        self.assertEqual(self.refused("POST", "/ssh_credentials", {"public_key": f"{KEY} again"}).code, 609)
        self.api.caller = principal(OTHER)
        error = self.refused("POST", "/ssh_credentials", {"public_key": KEY})
        self.assertEqual(error.code, 610)
        self.assertNotIn(made["id"], error.message + repr(error.details))

    def test_declared_meanwhile(self) -> None:
        """A key that the operator declares later is a problem of the file; it may still be changed where it was first."""
        made = self.ok("POST", "/ssh_credentials", {"public_key": KEY})
        declared = SSHCredential(id="sshcr_d", account_id=ACCOUNT, public_key=KEY, declared=True)
        tables = self.api.control.records.tables
        declare = lambda: self.api.control.declare([*tables["accounts"].values(), *tables["users"].values(), declared])
        self.assertEqual([problem.code for problem in self.assertRaises(InvalidConfig, declare).problems], [609])
        self.ok("PATCH", f"/ssh_credentials/{made['id']}", {"description": "d"})

    def test_codes(self) -> None:
        """Rules that cannot be read, texts that are too long and a PATCH of nothing have ngrok's codes."""
        made = self.ok("POST", "/ssh_credentials", {"public_key": KEY})
        for body, code in (
            ({"acl": ["x"]}, 600),
            ({"description": "x" * 256}, 604),
            ({}, 606),
            ({"public_key": ANOTHER}, 214),
        ):
            self.assertEqual(self.refused("PATCH", f"/ssh_credentials/{made['id']}", body).code, code)

    def test_sessions(self) -> None:
        """Tunnels end when their key may bind less or is deleted."""
        first, second = (self.ok("POST", "/ssh_credentials", {"public_key": key}) for key in (KEY, ANOTHER))
        sessions = Sessions()
        self.api.control.subscribe(sessions.update)
        found = [FakeSession(made["id"], made["id"], account_id=ACCOUNT) for made in (first, second)]
        for session in found:
            sessions.track(session)
        self.ok("PATCH", f"/ssh_credentials/{first['id']}", {"acl": ["bind:a.b"]})
        self.assertEqual([session.reasons for session in found], [[NARROWED], []])
        self.ok("DELETE", f"/ssh_credentials/{second['id']}")
        self.assertEqual(len(found[1].reasons), 1)


class DeclaredTests(APITestCase):
    """SSH keys in ``config.yaml``."""

    def make(self, **fields: str) -> SSHCredential:
        """The record of an item."""
        body: Any = DeclaredSSHCredential
        return ssh_credentials.make(making(self.api, "sshcr_1"), body(**fields))

    def test_comment(self) -> None:
        """The key's comment is the description, as far as that may be long, unless there is one."""
        self.assertEqual(self.make(public_key=f"{KEY} me@home").description, "me@home")
        self.assertEqual(self.make(public_key=f"{KEY} me@home", description="d").description, "d")
        self.assertEqual(self.make(public_key=KEY + " " + "\u00e9" * 200).description, "\u00e9" * 127)
        self.assertEqual(self.make(public_key=f"{KEY} me@home").public_key, KEY)

    def test_id(self) -> None:
        """The id follows from the key, whatever its comment, its name and its place."""
        ids = {
            ssh_credentials.declared_id(name, DeclaredSSHCredential(public_key=f"{KEY} {number}"), number)
            for number, name in enumerate(("", "laptop"))
        }
        self.assertEqual(ids, {key_id(KEY)})

    def test_bad_key(self) -> None:
        """An item with a key that cannot be read has an id, so that it can be spoken of, and is refused."""
        body = DeclaredSSHCredential(public_key="x")
        self.assertTrue(ssh_credentials.declared_id("", body, 0).startswith("sshcr_"))
        self.assertEqual(self.assertRaises(InvalidConfig, self.make, public_key="x").problems[0].code, 612)
