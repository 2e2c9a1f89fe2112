"""
Tests for `ngrok_twisted.control.api.access`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api import access
from ngrok_twisted.control.api.access import Access, AccessLimits
from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.records.base import Snapshot


class Keys:
    """
    Knows one key an account.

    :ivar asked: what it was asked for.
    """

    def __init__(self) -> None:
        self.good = {"Bearer one": "ac_1", "Bearer two": "ac_2"}
        self.asked: list[str | None] = []

    def principal_for(self, authorization: str | None) -> Principal:
        self.asked.append(authorization)
        if authorization not in self.good:
            raise Refused(200 if authorization is None else 203, "no")
        return Principal(account_id=self.good[authorization], account_name="", credential_id="ak_1")


class AccessTests(SynchronousTestCase):
    """Who is let in."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.keys = Keys()
        self.shut_out: set[tuple[str, str]] = set()
        self.access = self.make()

    def make(self, **limits: int) -> Access:
        """Doors with these limits."""
        admitted = lambda records, account_id, host: (account_id, host) not in self.shut_out
        return Access(Snapshot, self.keys, admitted, self.clock, AccessLimits(**limits))

    def enter(self, *values: str, host: str = "192.0.2.1") -> str:
        """The account that gets in."""
        return self.access.enter([value.encode() for value in values], host).account_id

    def refused(self, *values: str, **more: Any) -> tuple[int | None, int, int | None]:
        """Code, status and the seconds to wait of a refusal."""
        error = self.assertRaises(APIError, self.enter, *values, **more)
        return error.code, error.status, error.retry_after

    def test_keys(self) -> None:
        """A good key lets in; none, a wrong one and two are refused."""
        self.assertEqual(self.enter("Bearer one"), "ac_1")
        self.assertEqual(self.refused(), (200, 403, None))
        self.assertEqual(self.refused("Bearer x"), (203, 403, None))
        self.assertEqual(self.refused("Bearer one", "Bearer two"), (201, 403, None))
        self.assertEqual(self.keys.asked, ["Bearer one", None, "Bearer x"])

    def test_bytes(self) -> None:
        """Any bytes can be sent."""
        self.assertRaises(APIError, self.access.enter, [b"\xff\x80"], "192.0.2.1")

    def test_failures(self) -> None:
        """After too many wrong keys from an address none is looked at any more, for a minute from the first."""
        self.access = self.make(failures_per_minute=2)
        self.refused("Bearer x")
        self.clock.advance(20)
        self.refused("Bearer y")
        del self.keys.asked[:]
        self.assertEqual(self.refused("Bearer one"), (226, 429, 40))
        self.assertEqual(self.keys.asked, [])
        self.assertEqual(self.enter("Bearer one", host="192.0.2.2"), "ac_1")
        self.clock.advance(40)
        self.assertEqual(self.enter("Bearer one"), "ac_1")

    def test_proven(self) -> None:
        """A key that was good before gets in from such an address nevertheless, until it is refused itself."""
        self.access = self.make(failures_per_minute=1)
        self.enter("Bearer one")
        self.refused("Bearer x")
        self.assertEqual(self.enter("Bearer one"), "ac_1")
        self.assertEqual(self.refused("Bearer two")[0], 226)
        del self.keys.good["Bearer one"]
        self.assertEqual(self.refused("Bearer one")[0], 203)
        self.assertEqual(self.refused("Bearer one")[0], 226)

    def test_proven_bound(self) -> None:
        """Of the good ones only so many are remembered."""
        self.patch(access, "PROVEN_MAX", 1)
        self.access = self.make(failures_per_minute=1)
        self.enter("Bearer one")
        self.enter("Bearer two")
        self.refused("Bearer x")
        self.assertEqual(self.refused("Bearer one")[0], 226)
        self.assertEqual(self.enter("Bearer two"), "ac_2")

    def test_requests(self) -> None:
        """An account has its share of a minute, whatever key and address it uses."""
        self.access = self.make(requests_per_minute=2)
        self.enter("Bearer one")
        self.clock.advance(10)
        self.enter("Bearer one", host="192.0.2.2")
        self.assertEqual(self.refused("Bearer one"), (226, 429, 50))
        self.assertEqual(self.enter("Bearer two"), "ac_2")
        self.clock.advance(50)
        self.assertEqual(self.enter("Bearer one"), "ac_1")

    def test_public(self) -> None:
        """What needs no key is given to each address so many times a minute."""
        for _ in range(access.PUBLIC_PER_MINUTE):
            self.access.enter_public("192.0.2.1")
        error = self.assertRaises(APIError, self.access.enter_public, "192.0.2.1")
        self.assertEqual((error.code, error.status, error.retry_after), (226, 429, 60))
        self.access.enter_public("192.0.2.2")

    def test_restriction(self) -> None:
        """An address that the account's IP restrictions shut out is refused."""
        self.shut_out.add(("ac_1", "192.0.2.1"))
        self.assertEqual(self.refused("Bearer one"), (220, 403, None))
        self.assertEqual(self.enter("Bearer two"), "ac_2")

    def test_at_once(self) -> None:
        """Only so many calls of one account are worked on at a time."""
        self.patch(access, "AT_ONCE_MAX", 1)
        with self.access.working("ac_1"):
            with self.access.working("ac_2"):
                pass
            error = self.assertRaises(APIError, self.access.working("ac_1").__enter__)
            self.assertEqual((error.code, error.status, error.retry_after), (225, 429, 1))
        with self.access.working("ac_1"):
            pass

    def test_at_once_after_failure(self) -> None:
        """A call that fails is over, too."""
        self.patch(access, "AT_ONCE_MAX", 1)
        for _ in range(3):
            with self.assertRaises(ZeroDivisionError):
                with self.access.working("ac_1"):
                    1 / 0
