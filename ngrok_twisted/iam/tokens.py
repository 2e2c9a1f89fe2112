"""
Tokens: the secrets of API keys and authtokens. They are made here, read here, and kept as hashes only.

A token that we make is ``<27>_<21>``: the KSUID of its record's id, and 125 unguessable bits. One that the operator
declares may look like anything. SHA-256 without salt will do for the first, which nobody can guess; the hash of a
declared one is kept in memory only.
"""

from __future__ import annotations

import re
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Callable, Generic, TypeVar

from ngrok_twisted.records.base import Record, Snapshot

R = TypeVar("R", bound=Record)

#: Base62 characters of the secret part, as in ngrok's tokens: 125 bits.
SECRET_LENGTH = 21

#: Characters of a declared token: fewer could be guessed, more would not fit into a header of everybody's proxies.
TOKEN_MIN, TOKEN_MAX = 16, 512

# 24 bytes are 67 bits more than the secret has, so that no character is likelier than another.
_DRAWN_BYTES = 24
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_OURS = re.compile(r"[0-9A-Za-z]{27}_[0-9A-Za-z]{21}\Z")
_USABLE = re.compile(r"[\x21-\x7e]{%d,%d}\Z" % (TOKEN_MIN, TOKEN_MAX))

#: What an unknown token is compared with, so that it takes as long as a known one.
_NO_HASH = sha256(b"").hexdigest()


def new_token(id: str, random_bytes: Callable[[int], bytes]) -> tuple[str, str]:
    """
    Make a token for a new record.

    :param id: the record's id.
    :param random_bytes: gives that many unguessable bytes.
    :return: the token, to be shown once, and its hash, to be kept.
    """
    number = int.from_bytes(random_bytes(_DRAWN_BYTES), "big")
    secret = []
    for _ in range(SECRET_LENGTH):
        number, digit = divmod(number, 62)
        secret.append(_ALPHABET[digit])
    token = f"{id.rpartition('_')[2]}_{''.join(secret)}"
    return token, token_hash(token)


def token_hash(token: str) -> str:
    """The hash of a token, in hexadecimal digits."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def matches(token: str, hash: str) -> bool:
    """Whether a token is the one of this hash; in constant time."""
    return compare_digest(token_hash(token), hash)


def looks_made(token: str) -> bool:
    """Whether a text has the form of the tokens that we make."""
    return bool(_OURS.match(token))


def declared_hash(token: str) -> str:
    """
    The hash of a token that an operator declares.

    :raises ValueError: nobody could or should use it; the message is a sentence without the token.
    """
    token = token.strip()
    if not _USABLE.match(token):
        raise ValueError(
            f"must be {TOKEN_MIN} to {TOKEN_MAX} printable ASCII characters without spaces, hard to guess; "
            "'openssl rand -hex 24' makes one"
        )
    return token_hash(token)


class TokenTable(Generic[R]):
    """
    Finds the record of a token. The table is made anew only when a record of the class changed.
    """

    def __init__(self, records: Callable[[], Snapshot], cls: type[R]) -> None:
        """
        :param records: gives the current records.
        :param cls: a class of records with ``token_hash``.
        """
        self._records = records
        self._cls = cls
        self._table: Any = None
        self._by_hash: dict[str, R] = {}

    def find(self, token: str) -> R | None:
        """
        The record of this token, or ``None``. How long it takes tells nothing of a record: the look-up is by a hash
        that no caller can steer, and the comparison takes the same time for all.
        """
        record = self._current().get(token_hash(token))
        hash: str = getattr(record, "token_hash", _NO_HASH)
        return record if matches(token, hash) else None

    def _current(self) -> dict[str, R]:
        records = self._records()
        table = records.tables.get(self._cls.family)
        if table is not self._table:
            # A token that stands twice belongs to the record that was there first.
            later_first = reversed([*records.all(self._cls)])
            self._by_hash = {record.token_hash: record for record in later_first}  # type: ignore[attr-defined]
            self._table = table
        return self._by_hash
