"""
``/app/sessions``: the browsers of people who signed in to an endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass

from ngrok_twisted.control.api.absent import AbsentThings
from ngrok_twisted.control.api.shapes import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAgent:
    """
    :ivar raw: the header as it was sent.
    :ivar browser_name: the browser.
    :ivar browser_version: its version.
    :ivar device_type: the class of the device.
    :ivar os_name: the operating system.
    :ivar os_version: its version.
    """

    raw: str
    browser_name: str
    browser_version: str
    device_type: str
    os_name: str
    os_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """
    :ivar country_code: ISO 3166.
    :ivar latitude: degrees.
    :ivar longitude: degrees.
    :ivar lat_long_radius_km: how exact that is, in kilometres.
    """

    country_code: str | None
    latitude: float | None
    longitude: float | None
    lat_long_radius_km: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """
    :ivar user_agent: the browser.
    :ivar ip_address: where it was.
    :ivar location: where that is.
    """

    user_agent: UserAgent
    ip_address: str
    location: Location | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSessionView:
    """
    :ivar id: the public id.
    :ivar uri: where it is.
    :ivar public_url: the URL that was visited.
    :ivar browser_session: the browser.
    :ivar application_user: who signed in.
    :ivar created_at: when; RFC 3339, UTC.
    :ivar last_active: when it was seen last.
    :ivar expires_at: when the session ends.
    :ivar endpoint: the endpoint, if an agent opened it.
    :ivar edge: the edge, if it is one.
    :ivar route: the edge's route.
    """

    id: str
    uri: str
    public_url: str
    browser_session: BrowserSession
    application_user: Ref | None
    created_at: str
    last_active: str
    expires_at: str
    endpoint: Ref | None
    edge: Ref | None
    route: Ref | None


class ApplicationSessions(AbsentThings):
    """Nobody can sign in while there is no module for it."""

    name = "application_sessions"
    path = "/app/sessions"
    list_key = "application_sessions"
    noun = "application session"
    why = "There are none: this version has no module that lets people sign in."
    View = ApplicationSessionView


application_sessions = ApplicationSessions()
