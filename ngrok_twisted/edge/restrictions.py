"""
The ``endpoints`` restrictions of accounts, before the modules of any edge: who may visit what an account has in public.
"""

from __future__ import annotations

from twisted.logger import Logger

from ngrok_twisted.errors import EdgeError
from ngrok_twisted.restrictions import Restrictions

_log = Logger()


class Restricted(EdgeError):
    """The visitor's address may not reach anything of this account."""

    code = 3205
    status = 403
    sentence = "Your IP address may not visit this site."


class EndpointRestrictions(Restrictions):
    """
    The restrictions of the type ``endpoints``, asked at every request and for every stream.
    """

    def __init__(self) -> None:
        super().__init__("endpoints")

    def require(self, account_id: str, host: str) -> None:
        """
        :param host: the visitor's IP address.
        :raises Restricted: it may not visit the account's endpoints.
        """
        if account_id in self._gates and self.turn_away(account_id, host):
            raise Restricted()

    def closes(self, account_id: str, host: str) -> bool:
        """
        Whether a stream from this address is to be closed at once; if so, that is logged.

        :param host: the visitor's IP address.
        """
        turned_away = self.turn_away(account_id, host)
        if turned_away:
            _log.info("a connection from {peer} was closed by the account's restriction of endpoints", peer=host)
        return turned_away
