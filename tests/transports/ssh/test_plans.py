"""Tests of `ngrok_twisted.transports.ssh.plans`."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.ssh.plans import given_plan, silent_plan
from ngrok_twisted.transports.ssh.settings import GatewaySettings
from tests.transports.ssh.gateways import PRINCIPAL

SETTINGS = GatewaySettings()


def connection(forced: str | None = None, username: bytes = b"v2") -> SimpleNamespace:
    """A connection whose certificate forces this command."""
    return SimpleNamespace(principal=replace(PRINCIPAL, command=forced), username=username)


class GivenTests(SynchronousTestCase):
    """The plan of a session."""

    def test_given(self) -> None:
        """What the client asks for; a shell implies a command."""
        self.assertEqual(given_plan(connection(), SETTINGS, b"tcp")[0].verb, "tcp")
        self.assertEqual(given_plan(connection(), SETTINGS, None)[0].verb, "")

    def test_forced(self) -> None:
        """A forced command takes the place of all others, of a shell, and of a bad one."""
        for command in (b"tcp", b"nonsense", None):
            self.assertEqual(given_plan(connection("http"), SETTINGS, command)[0].verb, "http")
        self.assertEqual(given_plan(connection(""), SETTINGS, b"tcp")[0].verb, "")

    def test_forced_nonsense(self) -> None:
        """A forced command that is none here is refused, whatever the client asks for."""
        self.assertRaises(Refused, given_plan, connection("/bin/sh"), SETTINGS, b"http")

    def test_version(self) -> None:
        """The user name must be a known version, forced or not."""
        for forced in (None, "http"):
            self.assertRaises(Refused, given_plan, connection(forced, b"v99"), SETTINGS, b"http")


class SilentTests(SynchronousTestCase):
    """The plan of a client that says nothing."""

    def test_implied(self) -> None:
        """The port says what is meant."""
        self.assertEqual([part.verb for part in silent_plan(connection(), SETTINGS, False)], [""])

    def test_required(self) -> None:
        """Where a command is required, the code says whether there was a session."""
        strict = GatewaySettings(require_command=True)
        for in_session, code in ((False, 1111), (True, 1107)):
            error = self.assertRaises(Refused, silent_plan, connection(), strict, in_session)
            self.assertEqual(error.code, code)
        self.assertEqual(silent_plan(connection("http"), strict, False)[0].verb, "http")

    def test_forced(self) -> None:
        """A forced command runs also for those who ask for none, if it publishes anything."""
        self.assertEqual(silent_plan(connection("tls"), SETTINGS, False)[0].verb, "tls")
        self.assertRaises(Refused, silent_plan, connection("status"), SETTINGS, False)
