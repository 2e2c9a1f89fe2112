"""
``/api_keys``: what clients call this API with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Collection, Made
from ngrok_twisted.control.api.owners import chosen_owner, shown_owner
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.iam.tokens import declared_hash, new_token
from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class APIKeyCreate(Texts):
    """
    :ivar owner_id: the user or service user it belongs to; without it the caller.
    :ivar owner_email: the e-mail address of the user it belongs to, in place of ``owner_id``.
    """

    owner_id: str = ""
    owner_email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredAPIKey(Texts):
    """
    :ivar token: what clients send: at least 16 printable characters without spaces. It may stand elsewhere, as
        ``env:NAME`` or ``file:PATH``.
    :ivar owner_id: the name or id of the service user it belongs to; without it the account's user.
    """

    token: Annotated[str, EXTERNAL] = field(repr=False)
    owner_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class APIKeyUpdate(TextsUpdate):
    __doc__ = TextsUpdate.__doc__


@dataclass(frozen=True, slots=True, kw_only=True)
class APIKeyView(Seen):
    """
    :ivar token: what clients send; only in the answer to its creation, then null.
    :ivar owner_id: the user or service user it belongs to.
    """

    token: str | None = field(default=None, repr=False)
    owner_id: str | None


class APIKeys(Collection[APIKey]):
    """The collection of API keys."""

    name = "api_keys"
    path = "/api_keys"
    list_key = "keys"
    noun = "API key"
    record = APIKey
    View = APIKeyView
    Create = APIKeyCreate
    Update = APIKeyUpdate
    Declared = DeclaredAPIKey
    declared_at = "api_keys"
    filterable = ("id", "created_at", "description", "metadata", "owner_id")
    codes = {"{}": 606, "description": 604, "metadata": 605}

    def make(self, making: Making, body: Any) -> Made[APIKey]:
        """Collection."""
        token, hash = token_of(making, body)
        record = APIKey(**self.common(making, body), token_hash=hash, owner_id=chosen_owner(making, body))
        return Made(record, shown={"token": token})

    def view(self, call: Call, record: APIKey) -> APIKeyView:
        """Collection."""
        return APIKeyView(**self.seen(call, record), owner_id=shown_owner(call, record))


def token_of(making: Making, body: Any) -> tuple[str | None, str]:
    """
    The token of a new record, ``None`` if it was declared; and its hash.

    :raises InvalidConfig: the declared token is of no use.
    """
    if not making.declared:
        return new_token(making.id, making.random_bytes)
    try:
        return None, declared_hash(body.token)
    except ValueError as error:
        raise InvalidConfig([Problem("token", str(error))]) from None


api_keys = APIKeys()
