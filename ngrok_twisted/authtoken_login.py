"""
`Authtoken`: what an agent shows at its login that does not speak SSH; and `LoginRefused`, a refusal that says why. The
transport and the checkers both speak of them.
"""

from __future__ import annotations

from twisted.cred.credentials import ICredentials
from twisted.cred.error import UnauthorizedLogin
from zope.interface import Attribute, implementer

from ngrok_twisted.errors import Refused


class IAuthtoken(ICredentials):
    """What an agent shows that does not speak SSH."""

    token = Attribute("``str``: the authtoken, as it was sent.")


@implementer(IAuthtoken)
class Authtoken:
    """An authtoken that was sent; its text is in no ``repr``."""

    def __init__(self, token: str) -> None:
        self.token = token


class LoginRefused(UnauthorizedLogin):
    """
    A login that is refused for a reason the agent's user may know.

    :ivar refused: the `Refused`, with ngrok's code.
    """

    def __init__(self, refused: Refused) -> None:
        self.refused = refused
        super().__init__(refused.message)
