"""
``/credentials``: authtokens, which agents and SDKs connect with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Collection, Made
from ngrok_twisted.control.api.owners import chosen_owner, shown_owner
from ngrok_twisted.control.api.resources.api_keys import token_of
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate
from ngrok_twisted.errors import Refused
from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.records.credential import Credential

#: ngrok's code: tokens are not chosen by whoever asks for them.
CHOSEN_TOKEN = 638


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialCreate(Texts):
    """
    :ivar acl: what it may bind, such as ``bind:*.example.com``; empty is unrestricted.
    :ivar owner_id: the user or service user it belongs to, or a user's e-mail address; without it the caller.
    :ivar owner_email: the e-mail address of the user it belongs to, in place of ``owner_id``.
    :ivar scim_user_id: nobody has one on this server.
    :ivar precomputed_token: refused: the server makes the token. One of your own is declared in ``config.yaml``.
    """

    acl: tuple[str, ...] = ()
    owner_id: str = ""
    owner_email: str = ""
    scim_user_id: str = ""
    precomputed_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCredential(Texts):
    """
    :ivar token: what agents send: at least 16 printable characters without spaces. It may stand elsewhere, as
        ``env:NAME`` or ``file:PATH``.
    :ivar acl: what it may bind, such as ``bind:*.example.com``; empty is unrestricted.
    :ivar owner_id: the name or id of the service user it belongs to; without it the account's user.
    """

    token: Annotated[str, EXTERNAL] = field(repr=False)
    acl: tuple[str, ...] = ()
    owner_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialUpdate(TextsUpdate):
    """
    :ivar acl: what it may bind; empty is unrestricted.
    """

    acl: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialView(Seen):
    """
    :ivar token: what agents send; only in the answer to its creation, then null.
    :ivar acl: what it may bind; empty is unrestricted.
    :ivar owner_id: the user or service user it belongs to.
    """

    token: str | None = field(default=None, repr=False)
    acl: tuple[str, ...]
    owner_id: str | None


class Credentials(Collection[Credential]):
    """The collection of authtokens."""

    name = "credentials"
    path = "/credentials"
    list_key = "credentials"
    noun = "authtoken"
    record = Credential
    View = CredentialView
    Create = CredentialCreate
    Update = CredentialUpdate
    Declared = DeclaredCredential
    declared_at = "credentials"
    filterable = ("id", "created_at", "description", "metadata", "owner_id", "acl")
    codes = {"{}": 606, "description": 604, "metadata": 605, "acl": 600}

    def make(self, making: Making, body: Any) -> Made[Credential]:
        """Collection."""
        if getattr(body, "precomputed_token", ""):
            raise Refused(
                CHOSEN_TOKEN,
                "precomputed_token: the server makes the token and shows it once; leave this out, or declare a token "
                "of your own under 'credentials' in the server's configuration file.",
            )
        token, hash = token_of(making, body)
        owner_id = chosen_owner(making, body)
        record = Credential(**self.common(making, body), token_hash=hash, acl=body.acl, owner_id=owner_id)
        return Made(record, shown={"token": token})

    def view(self, call: Call, record: Credential) -> CredentialView:
        """Collection."""
        return CredentialView(**self.seen(call, record), acl=record.acl, owner_id=shown_owner(call, record))


credentials = Credentials()
