"""
``/self``: who the caller is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.resources.api_keys import APIKeyView, api_keys
from ngrok_twisted.control.api.shapes import timestamp
from ngrok_twisted.iam.api_keys import UNKNOWN
from ngrok_twisted.iam.owners import owner_of
from ngrok_twisted.interfaces import IAPIResource
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.service_user import ServiceUser

#: The version of the API that every client must speak.
API_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """
    :ivar id: the public id.
    :ivar name: for people.
    :ivar created_at: RFC 3339, UTC.
    :ivar suspended: none of its credentials lets anybody in.
    :ivar enforce_sso: always false: this server has no single sign-on for its users.
    :ivar min_api_version: the oldest version of the API that may be used.
    :ivar min_agent_version: always empty: agents of any version may connect.
    :ivar user_mfa_required: always false: users do not log in with passwords.
    :ivar traffic_full_capture: always false: bodies of requests are not kept.
    """

    id: str
    name: str
    created_at: str
    suspended: bool
    enforce_sso: bool = False
    min_api_version: int = API_VERSION
    min_agent_version: str = ""
    user_mfa_required: bool = False
    traffic_full_capture: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfView:
    """
    :ivar api_key: the key of this call; its token is null.
    :ivar account: the key's account.
    :ivar user: the e-mail address or name of the key's owner.
    """

    api_key: APIKeyView
    account: AccountView
    user: str


@implementer(IAPIResource)
class Self:
    """The resource at ``/self``."""

    name = "self"

    def methods(self) -> Iterator[Method]:
        """IAPIResource."""
        yield Method(
            verb="GET",
            path="/self",
            action="get",
            perform=self._get,
            summary="Read who the caller is.",
            answer=SelfView,
        )

    def _get(self, call: Call) -> Answer:
        key = call.records.get(APIKey, call.principal.credential_id)
        account = call.records.get(Account, call.account_id)
        if key is None or account is None:
            raise APIError(UNKNOWN, "This API key was deleted a moment ago.")
        shown = AccountView(
            id=account.id, name=account.name, created_at=timestamp(account.created_at), suspended=account.suspended
        )
        return Answer(200, SelfView(api_key=api_keys.view(call, key), account=shown, user=_user(call, account, key)))


def _user(call: Call, account: Account, key: APIKey) -> str:
    owner = owner_of(call.records, account, key.owner_id)
    if owner is None:
        return ""
    return owner.name if isinstance(owner, ServiceUser) else owner.shown


self_ = Self()
