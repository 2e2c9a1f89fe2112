"""
``/app/users``: the people who signed in to an endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass

from ngrok_twisted.control.api.absent import AbsentThings


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """
    :ivar name: the provider's name.
    :ivar url: the provider's URL.
    """

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationUserView:
    """
    :ivar id: the public id.
    :ivar uri: where it is.
    :ivar identity_provider: where they signed in.
    :ivar provider_user_id: who they are there.
    :ivar username: what they are called there.
    :ivar email: their e-mail address.
    :ivar name: their name.
    :ivar created_at: when they were seen first; RFC 3339, UTC.
    :ivar last_active: when they were seen last.
    :ivar last_login: when they signed in last.
    """

    id: str
    uri: str
    identity_provider: IdentityProvider
    provider_user_id: str
    username: str
    email: str
    name: str
    created_at: str
    last_active: str
    last_login: str


class ApplicationUsers(AbsentThings):
    """Nobody can sign in while there is no module for it."""

    name = "application_users"
    path = "/app/users"
    list_key = "application_users"
    noun = "application user"
    why = "There are none: this version has no module that lets people sign in."
    View = ApplicationUserView


application_users = ApplicationUsers()
