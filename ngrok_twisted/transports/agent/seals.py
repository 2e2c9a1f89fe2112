"""
`Seals`: what an agent keeps for the server, and shows when it comes back.

An agent supplies the ids that it wants to have again, so each of them is a claim. The ``Token`` of a bind's reply and
the ``Cookie`` of a login's reply prove such claims: they are sealed with a key of the server's own, and tell whoever
sees them nothing. A server that has lost its state, but not its key, can give back what the agents had.

Source: specification of the agent protocol, sections 6.1, 6.2 and 7.2.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ngrok_twisted import schema
from ngrok_twisted.claim import Former
from ngrok_twisted.errors import InvalidConfig, StoreUnusable

#: What the two kinds of seals are bound to, so that one does not open as the other. The number is the format's.
_TOKEN, _COOKIE = "agent token 1", "agent cookie 1"

#: Characters of a token or cookie that is looked at. Ours have a few hundred.
SEALED_MAX = 4096


class Keyring(Protocol):
    """What seals: see `ngrok_twisted.control.keyring.Keyring`."""

    def seal(self, text: str, place: str) -> str:
        """Seal a text for one place."""

    def open(self, sealed: str, place: str) -> str:
        """
        :raises StoreUnusable: it was not sealed by this keyring for this place.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """
    What a token proves: an account's agent had this.

    :ivar account_id: the account.
    :ivar agent_id: what the agent calls the endpoint.
    :ivar endpoint_id: its `Endpoint`.
    :ivar proto: its protocol.
    :ivar host: its name, or the TCP host.
    :ivar port: its logical port.
    :ivar random: it was given by chance, and not asked for by name.
    """

    account_id: str
    agent_id: str
    endpoint_id: str
    proto: str
    host: str
    port: int
    random: bool

    @property
    def former(self) -> Former:
        """The same for a claim."""
        return Former(endpoint_id=self.endpoint_id, host=self.host, port=self.port, random=self.random)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """
    What a cookie proves: the server gave this name to a session.

    :ivar client_id: the name.
    :ivar account_id: the account that had logged in.
    """

    client_id: str
    account_id: str


class Seals:
    """
    Makes tokens and cookies, and opens them.
    """

    def __init__(self, keyring: Keyring) -> None:
        """
        :param keyring: the server's; one whose key is forgotten makes everything unproven.
        """
        self._keyring = keyring

    def token(self, held: Held) -> str:
        """The token of a bind's reply."""
        return self._seal(held, _TOKEN)

    def cookie(self, known: Known) -> str:
        """The cookie of a login's reply."""
        return self._seal(known, _COOKIE)

    def held(self, token: str, *, account_id: str, agent_id: str, proto: str) -> Held | None:
        """
        What a token proves of the endpoint that an agent wants to have again.

        :param account_id: the account that has logged in.
        :param agent_id: what the agent calls the endpoint.
        :param proto: of the bind.
        :return: ``None`` if it proves nothing of it.
        """
        held = self._open(Held, token, _TOKEN)
        wanted = (account_id, agent_id, proto)
        return held if held is not None and (held.account_id, held.agent_id, held.proto) == wanted else None

    def knows(self, cookie: str, *, client_id: str, account_id: str) -> bool:
        """
        Whether a cookie proves that a session of the account had this name.
        """
        return self._open(Known, cookie, _COOKIE) == Known(client_id=client_id, account_id=account_id)

    def _seal(self, value: Any, place: str) -> str:
        return self._keyring.seal(json.dumps(asdict(value), separators=(",", ":")), place)

    def _open(self, cls: type, sealed: str, place: str) -> Any:
        if not sealed or len(sealed) > SEALED_MAX:
            return None
        try:
            return schema.parse(cls, json.loads(self._keyring.open(sealed, place)))
        except (StoreUnusable, ValueError, InvalidConfig):
            return None
