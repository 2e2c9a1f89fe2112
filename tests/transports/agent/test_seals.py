"""
Tests for `ngrok_twisted.transports.agent.seals`.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis.strategies import text
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.claim import Former
from ngrok_twisted.control.keyring import Keyring
from ngrok_twisted.transports.agent.seals import SEALED_MAX, Held, Known, Seals

KEYRING = Keyring(b"k" * 32)
SEALS = Seals(KEYRING)

HELD = Held(
    account_id="ac_1",
    agent_id="tn_1",
    endpoint_id="ep_1",
    proto="https",
    host="a.example.com",
    port=443,
    random=True,
)
KNOWN = Known(client_id="ts_1", account_id="ac_1")


def held(token: str, seals: Seals = SEALS, **other: str) -> Held | None:
    """What a token proves of the endpoint above."""
    return seals.held(token, **{"account_id": "ac_1", "agent_id": "tn_1", "proto": "https", **other})


class TokenTests(SynchronousTestCase):
    """What is proved of an endpoint."""

    def test_there_and_back(self) -> None:
        """A token proves what it was made of, also after the server was started again."""
        for value in (HELD, replace(HELD, random=False, port=8443, host="*.é.example")):
            self.assertEqual(held(SEALS.token(value)), value)
            self.assertEqual(held(SEALS.token(value), Seals(Keyring(b"k" * 32))), value)

    def test_former(self) -> None:
        """It is what a claim says of before."""
        expected = Former(endpoint_id="ep_1", host="a.example.com", port=443, random=True)
        self.assertEqual(HELD.former, expected)

    def test_others(self) -> None:
        """It proves nothing to another account, for another endpoint or for another protocol."""
        token = SEALS.token(HELD)
        for other in ({"account_id": "ac_2"}, {"agent_id": "tn_2"}, {"proto": "http"}):
            self.assertIsNone(held(token, **other))

    def test_other_key(self) -> None:
        """It proves nothing to a server with another key."""
        self.assertIsNone(held(SEALS.token(HELD), Seals(Keyring(b"l" * 32))))

    def test_secret(self) -> None:
        """Nobody can read in it, and no two are the same."""
        token = SEALS.token(HELD)
        self.assertNotIn("example", token)
        self.assertNotEqual(token, SEALS.token(HELD))
        self.assertLess(len(token), SEALED_MAX)

    def test_changed(self) -> None:
        """A token that was changed anywhere proves nothing."""
        token = SEALS.token(HELD)
        for at in range(0, len(token), 7):
            other = "A" if token[at] != "A" else "B"
            self.assertIsNone(held(token[:at] + other + token[at + 1 :]))
        self.assertIsNone(held(token[:-4]))
        self.assertIsNone(held(token + "A" * SEALED_MAX))

    @given(text())
    def test_anything(self, token: str) -> None:
        """Whatever an agent shows proves nothing, and breaks nothing."""
        self.assertIsNone(held(token))
        self.assertIsNone(held(f"sealed:1:{token}"))
        self.assertFalse(SEALS.knows(token, client_id="ts_1", account_id="ac_1"))

    def test_other_contents(self) -> None:
        """What was sealed for the same place, but by another version of the server, proves nothing."""
        for contents in ("", "{", "[]", "{}", '{"account_id": 1}'):
            self.assertIsNone(held(KEYRING.seal(contents, "agent token 1")))


class CookieTests(SynchronousTestCase):
    """What is proved of a session."""

    def test_proves(self) -> None:
        """A cookie proves the session's name to the account that had it, and to no other."""
        cookie = SEALS.cookie(KNOWN)
        self.assertTrue(SEALS.knows(cookie, client_id="ts_1", account_id="ac_1"))
        self.assertFalse(SEALS.knows(cookie, client_id="ts_2", account_id="ac_1"))
        self.assertFalse(SEALS.knows(cookie, client_id="ts_1", account_id="ac_2"))
        self.assertFalse(SEALS.knows("", client_id="ts_1", account_id="ac_1"))

    def test_not_a_token(self) -> None:
        """Neither kind of seal passes for the other."""
        self.assertFalse(SEALS.knows(SEALS.token(HELD), client_id="ts_1", account_id="ac_1"))
        self.assertIsNone(held(SEALS.cookie(KNOWN)))
