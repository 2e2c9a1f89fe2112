"""
`APIKeys`: from the ``Authorization`` header of a call to who makes it.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any, Callable

from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.owners import principal_of
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.iam.tokens import TokenTable, looks_made
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.credential import Credential

#: ngrok's codes, in the order of what is checked.
MISSING, UNREADABLE, NO_KEY, UNKNOWN, AUTHTOKEN, KEY_ID = 200, 201, 202, 203, 206, 208

#: Characters of a header that is looked at: a token of the longest kind as Basic, with room to spare.
HEADER_MAX = 2048

_KEY_ID = re.compile(APIKey.prefix + r"_[0-9A-Za-z]{27}\Z")


class APIKeys:
    """
    Knows API keys by their tokens. What is refused tells nothing about other keys, accounts or users.
    """

    def __init__(
        self,
        records: Callable[[], Snapshot],
        clock: Any,
        used: Callable[[str, float], None] = lambda id, seconds: None,
    ) -> None:
        """
        :param records: gives the current records.
        :param clock: an ``IReactorTime``.
        :param used: called with the id of a key that let somebody in, and with the seconds since the epoch.
        """
        self._records = records
        self._clock = clock
        self._used = used
        self._keys = TokenTable(records, APIKey)
        self._authtokens = TokenTable(records, Credential)

    def principal_for(self, authorization: str | None) -> Principal:
        """
        Who makes a call.

        :param authorization: the value of the header, ``None`` if there is none.
        :raises Refused: 200 no header, 201 not understood, 202 no API key at all, 203 an unknown or revoked one, 205
            the account is suspended, 206 an authtoken, 208 the id of a key, 636 the key's owner is disabled.
        """
        refused = []
        for token in _tokens(authorization):
            key = self._keys.find(token)
            if key is not None:
                return self._let_in(key)
            refused.append(self._refusal(token))
        # Of two texts the one that comes nearest to a key is what its sender meant.
        raise min(refused, key=lambda refusal: _NEAREST.index(refusal.code or 0))

    def _let_in(self, key: APIKey) -> Principal:
        try:
            principal = principal_of(self._records(), key)
        except LookupError:
            raise _unknown() from None
        self._used(key.id, self._clock.seconds())
        return principal

    def _refusal(self, token: str) -> Refused:
        if self._authtokens.find(token) is not None:
            return Refused(AUTHTOKEN, "This is an authtoken, which lets agents in. The API needs an API key.")
        if _KEY_ID.match(token):
            return Refused(KEY_ID, "This is the id of an API key. Send the token that was shown when the key was made.")
        if looks_made(token):
            return _unknown()
        return Refused(NO_KEY, "What was sent does not look like an API key.")


#: Codes by how near the text was to a key that works.
_NEAREST = (AUTHTOKEN, KEY_ID, UNKNOWN, NO_KEY)


def _unknown() -> Refused:
    return Refused(UNKNOWN, "This API key is unknown: it was deleted, or belongs to another server.")


def _tokens(authorization: str | None) -> list[str]:
    """What may be a key: one text, or user and password. At least one."""
    if not authorization or not authorization.strip():
        raise Refused(MISSING, "There is no API key: send the header 'Authorization: Bearer <API key>'.")
    scheme, _, value = authorization[: HEADER_MAX + 1].strip().partition(" ")
    found: list[str] = []
    if len(authorization) <= HEADER_MAX:
        if scheme.lower() == "bearer":
            found = [value.strip()]
        elif scheme.lower() == "basic":
            found = _basic(value.strip())
    found = [token for token in found if token]
    if not found:
        raise Refused(
            UNREADABLE, "The Authorization header must be 'Bearer <API key>', or Basic with the key as password."
        )
    return found


def _basic(value: str) -> list[str]:
    """User and password (RFC 7617), or nothing."""
    try:
        user, _, password = b64decode(value, validate=True).decode("utf-8").partition(":")
    except (Base64Error, ValueError):
        return []
    return [password, user]
