"""
``/ssh_credentials``: SSH keys that may connect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Collection
from ngrok_twisted.control.api.owners import chosen_owner, shown_owner
from ngrok_twisted.control.api.shapes import Seen, Texts, TextsUpdate
from ngrok_twisted.control.around import DESCRIPTION_MAX
from ngrok_twisted.control.authorized_keys import canonical
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.iam.key_formats import one_line
from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.ssh_credential import SSHCredential

#: ngrok's code: the public key cannot be read.
UNREADABLE = 612


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHCredentialCreate(Texts):
    """
    :ivar public_key: one line of an ``authorized_keys`` file, without options; RFC 4716 and PEM will do too. No other
        credential of this server may have the same key.
    :ivar acl: what the key may bind, such as ``bind:*.example.com``; empty is unrestricted.
    :ivar owner_id: the user or service user it belongs to; without it the caller.
    :ivar owner_email: the e-mail address of the user it belongs to, in place of ``owner_id``.
    :ivar scim_user_id: nobody has one on this server.
    """

    public_key: str
    acl: tuple[str, ...] = ()
    owner_id: str = ""
    owner_email: str = ""
    scim_user_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSSHCredential(Texts):
    """
    :ivar public_key: one line of an ``authorized_keys`` file, without options. It may stand elsewhere. Its comment
        becomes the description, unless there is one.
    :ivar acl: what the key may bind, such as ``bind:*.example.com``; empty is unrestricted.
    :ivar owner_id: the name or id of the service user it belongs to; without it the account's user.
    """

    public_key: Annotated[str, EXTERNAL]
    acl: tuple[str, ...] = ()
    owner_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHCredentialUpdate(TextsUpdate):
    """
    :ivar acl: what the key may bind; empty is unrestricted.
    """

    acl: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHCredentialView(Seen):
    """
    :ivar public_key: as it was given.
    :ivar acl: what the key may bind; empty is unrestricted.
    :ivar owner_id: the user or service user it belongs to.
    """

    public_key: str
    acl: tuple[str, ...]
    owner_id: str | None


class SSHCredentials(Collection[SSHCredential]):
    """The collection of SSH keys."""

    name = "ssh_credentials"
    path = "/ssh_credentials"
    list_key = "ssh_credentials"
    noun = "credential for SSH"
    record = SSHCredential
    View = SSHCredentialView
    Create = SSHCredentialCreate
    Update = SSHCredentialUpdate
    Declared = DeclaredSSHCredential
    declared_at = "ssh_credentials"
    filterable = ("id", "created_at", "description", "metadata", "owner_id", "acl")
    codes = {"{}": 606, "description": 604, "metadata": 605, "acl": 600, "public_key": 611}

    def declared_id(self, name: str, body: Any, number: int) -> str:
        """Collection. The key says all: moved to another file, or named otherwise, it is the same credential."""
        try:
            key = canonical(one_line(body.public_key))[0]
        except ValueError:
            return super().declared_id(name, body, number)
        return key_id(key)

    def make(self, making: Making, body: Any) -> SSHCredential:
        """Collection."""
        try:
            key, comment = canonical(one_line(body.public_key))
        except ValueError as error:
            raise InvalidConfig([Problem("public_key", str(error), code=UNREADABLE)]) from None
        common = self.common(making, body)
        if making.declared:
            common["description"] = body.description or _short(comment)
        # Clients compare what comes back with what they sent, comment, line end and all.
        written = "" if making.declared or body.public_key == key else body.public_key
        owner_id = chosen_owner(making, body)
        return SSHCredential(**common, public_key=key, written=written, acl=body.acl, owner_id=owner_id)

    def view(self, call: Call, record: SSHCredential) -> SSHCredentialView:
        """Collection."""
        return SSHCredentialView(
            **self.seen(call, record),
            public_key=record.written or record.public_key,
            acl=record.acl,
            owner_id=shown_owner(call, record),
        )


def key_id(public_key: str) -> str:
    """
    The id of the declared credential of a key.

    :param public_key: as `canonical` gives it.
    """
    return declared_id(SSHCredential.prefix, SSHCredential.family, public_key)


def _short(comment: str) -> str:
    """A comment as a description."""
    return comment.encode("utf-8")[:DESCRIPTION_MAX].decode("utf-8", "ignore")


ssh_credentials = SSHCredentials()
