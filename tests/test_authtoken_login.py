"""
Tests of `ngrok_twisted.authtoken_login`.
"""

from __future__ import annotations

from twisted.cred.error import UnauthorizedLogin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.authtoken_login import Authtoken, IAuthtoken, LoginRefused
from ngrok_twisted.errors import Refused


class LoginTests(SynchronousTestCase):
    """`Authtoken` and `LoginRefused`."""

    def test_secret(self) -> None:
        """The token is there for the checker, and in nothing that could be logged."""
        credentials = Authtoken("very-secret")
        verifyObject(IAuthtoken, credentials)
        self.assertEqual(credentials.token, "very-secret")
        self.assertNotIn("very-secret", f"{credentials} {credentials!r}")

    def test_reason(self) -> None:
        """A refusal is one for every portal, and says why to those who ask."""
        error = LoginRefused(Refused(107, "unknown"))
        self.assertIsInstance(error, UnauthorizedLogin)
        self.assertEqual((error.refused.code, str(error)), (107, "unknown"))
