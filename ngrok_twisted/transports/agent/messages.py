"""
What agents ask for: the JSON requests as values. Each reader takes the object that was read from the stream, and gives
a value whose members all have the right shape, or refuses.

What a bind asks for in its ``Opts`` is read by `ngrok_twisted.transports.agent.options`.

Source: specification of the agent protocol, sections 4.1 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.agent.members import Members

#: ngrok's numbers: a bad login, a bad interval or tolerance of heartbeats, nobody speaks the same version, a bad bind.
BAD_AUTH, BAD_INTERVAL, BAD_TOLERANCE, NO_COMMON_VERSION, BAD_BIND = 109, 111, 112, 811, 301

#: Any other request that cannot be read.
BAD_REQUEST = 801

#: ngrok's numbers: metadata, a description and a name that are too long.
LONG_METADATA, LONG_TEXT = 100, 301

#: The versions of the protocol that are spoken here, best first. What differs between them is not seen on the wire.
VERSIONS = ("3", "2")

SECOND = 1.0
_NANOSECONDS = 1_000_000_000  # of one second

#: What agents do that do not say how often they send a heartbeat, and how much later one may come.
DEFAULT_INTERVAL, DEFAULT_TOLERANCE = 10 * SECOND, 15 * SECOND

#: What agents may say: a shorter interval is work without use, a longer one finds the dead too late.
INTERVAL_MIN, INTERVAL_MAX = 0.1 * SECOND, 3600 * SECOND
TOLERANCE_MAX = 3600 * SECOND

#: Bytes of metadata, of a description and of a name: ngrok's limits for every resource.
METADATA_MAX = 4096
DESCRIPTION_MAX = NAME_MAX = 255

#: Characters of what an agent calls itself, and of what it calls an endpoint, which is in front of each stream to that.
#: Ours have 30.
CLIENT_ID_MAX = 255
ID_MAX = 64

#: Characters of what an agent says of itself and of its service. It is only shown, so the rest is cut off.
SHOWN_MAX = 255
FORWARDS_TO_MAX = 2048

#: The number of the last connection that an agent may open beside its first.
LEG_MAX = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """
    The first request of a connection.

    :ivar protocol: the version of the protocol that both speak.
    :ivar client_id: on a reconnect what the server called the session; else empty. A claim to be verified.
    :ivar authtoken: the user's token, any text.
    :ivar cookie: of the last reply to such a request; empty on the first connection.
    :ivar version: of the outermost program.
    :ivar client_type: such as ``ngrok-python``, or the application's own name; empty for ngrok's own agent.
    :ivar user_agent: what its parts call themselves.
    :ivar os: the operating system.
    :ivar metadata: of the session, opaque.
    :ivar interval: seconds between two heartbeats of the agent.
    :ivar tolerance: seconds that one may be late.
    :ivar stop_unsupported: why the agent cannot be stopped from here; empty if it can, ``None`` if it is too old.
    :ivar restart_unsupported: the same of starting it again.
    :ivar update_unsupported: the same of updating it.
    :ivar leg: which of the agent's connections it is, from 0.
    """

    protocol: str
    client_id: str = ""
    authtoken: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)
    version: str = ""
    client_type: str = ""
    user_agent: str = ""
    os: str = ""
    metadata: str = ""
    interval: float = DEFAULT_INTERVAL
    tolerance: float = DEFAULT_TOLERANCE
    stop_unsupported: str | None = None
    restart_unsupported: str | None = None
    update_unsupported: str | None = None
    leg: int = 0

    @property
    def agent_version(self) -> str:
        """What the agent calls itself and its version, for listings."""
        return " ".join(word for word in (self.client_type, self.version) if word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """
    The wish for an endpoint.

    :ivar proto: ``http``, ``https``, ``tcp``, ``tls`` or something else, lower case.
    :ivar id: on a reconnect what the server called the endpoint's tunnel; else empty. A claim to be verified.
    :ivar token: of the reply to the first bind; empty on a first bind.
    :ivar opts: by protocol, as it came; goes into the reply. There may be passwords in it.
    :ivar forwards_to: what the agent says of the service; may be empty.
    :ivar forwards_proto: what the service speaks: empty, ``http1`` or ``http2``, if nothing is wrong with it.
    :ivar ip_policy: the id of an IP policy, or empty.
    :ivar metadata: opaque.
    :ivar bindings: at most one.
    :ivar pooling: may share its URL.
    :ivar name: for listings.
    :ivar description: for people.
    """

    proto: str
    id: str = ""
    token: str = field(default="", repr=False)
    opts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    forwards_to: str = ""
    forwards_proto: str = ""
    ip_policy: str = ""
    metadata: str = ""
    bindings: tuple[str, ...] = ()
    pooling: bool = False
    name: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbind:
    """
    An endpoint or a labelled tunnel is no longer served.

    :ivar id: what the agent calls it.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTunnelWithLabel:
    """
    The wish for a labelled tunnel. On a reconnect it is the very same.

    :ivar labels: at least one pair.
    :ivar forwards_to: as of `Bind`.
    :ivar forwards_proto: as of `Bind`.
    :ivar metadata: opaque.
    """

    labels: Mapping[str, str]
    forwards_to: str = ""
    forwards_proto: str = ""
    metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchTunnelState:
    """
    Changes to an endpoint; ``None`` leaves something as it is.

    :ivar id: what the reply to its bind called ``TunnelID``.
    :ivar name: for listings.
    :ivar description: for people.
    :ivar metadata: opaque.
    :ivar pooling: may share its URL.
    :ivar traffic_policy: YAML or JSON; empty for none.
    """

    id: str
    name: str | None = None
    description: str | None = None
    metadata: str | None = None
    pooling: bool | None = None
    traffic_policy: str | None = field(default=None, repr=False)


# -- readers -----------------------------------------------------------------------------------------------------------


def read_auth(message: Any) -> Auth:
    """
    :raises Refused: 109 if a member has the wrong shape, 100, 111, 112, or 811 if no version offered is spoken here.
    """
    members = Members(message, BAD_AUTH)
    extra = members.inner("Extra")
    leg = extra.whole("LegNumber")
    if not 0 <= leg <= LEG_MAX:
        raise extra.refused("LegNumber", f"must be from 0 to {LEG_MAX}")
    interval, tolerance = _heartbeats(extra)
    return Auth(
        protocol=_agreed(members.texts("Version")),
        client_id=_id(members, "ClientId", CLIENT_ID_MAX),
        authtoken=extra.text("Authtoken"),
        cookie=extra.text("Cookie"),
        version=_shown(extra, "Version"),
        client_type=_shown(extra, "ClientType"),
        user_agent=_shown(extra, "UserAgent"),
        os=_shown(extra, "OS"),
        metadata=_metadata(extra) or "",
        interval=interval,
        tolerance=tolerance,
        stop_unsupported=extra.optional_text("StopUnsupportedError"),
        restart_unsupported=extra.optional_text("RestartUnsupportedError"),
        update_unsupported=extra.optional_text("UpdateUnsupportedError"),
        leg=leg,
    )


def read_bind(message: Any) -> Bind:
    """
    :raises Refused: 301 if a member has the wrong shape, or 100.
    """
    members = Members(message, BAD_BIND)
    extra = members.inner("Extra")
    return Bind(
        proto=members.text("Proto").lower(),
        id=_id(members, "Id", ID_MAX),
        token=extra.text("Token"),
        opts=members.mapping("Opts"),
        forwards_to=members.text("ForwardsTo", FORWARDS_TO_MAX),
        forwards_proto=members.text("ForwardsProto"),
        ip_policy=extra.text("IPPolicyRef"),
        metadata=_metadata(extra) or "",
        bindings=extra.texts("Bindings"),
        pooling=extra.flag("PoolingEnabled"),
        name=_line(extra, "Name", NAME_MAX) or "",
        description=_line(extra, "Description", DESCRIPTION_MAX) or "",
    )


def read_unbind(message: Any) -> Unbind:
    """
    :raises Refused: 801 if a member has the wrong shape.
    """
    return Unbind(id=Members(message, BAD_REQUEST).text("Id"))


def read_labelled(message: Any) -> StartTunnelWithLabel:
    """
    :raises Refused: 301 if a member has the wrong shape, or 100.
    """
    members = Members(message, BAD_BIND)
    return StartTunnelWithLabel(
        labels=members.pairs("Labels"),
        forwards_to=members.text("ForwardsTo", FORWARDS_TO_MAX),
        forwards_proto=members.text("ForwardsProto"),
        metadata=_metadata(members) or "",
    )


def read_patch(message: Any) -> PatchTunnelState:
    """
    :raises Refused: 801 if a member has the wrong shape, 100 or 301 if one is too long.
    """
    members = Members(message, BAD_REQUEST)
    return PatchTunnelState(
        id=members.text("TunnelId"),
        name=_line(members, "Name", NAME_MAX),
        description=_line(members, "Description", DESCRIPTION_MAX),
        metadata=_metadata(members),
        pooling=members.flag("PoolingEnabled") if "PoolingEnabled" in members else None,
        traffic_policy=members.optional_text("TrafficPolicy"),
    )


def read_outcome(message: Any) -> str:
    """
    An agent's reply to a command.

    :return: why it did not follow, empty if it does. A reply that cannot be read is such a reason.
    """
    try:
        return Members(message, BAD_REQUEST).text("Error", SHOWN_MAX)
    except Refused as refused:
        return refused.message


# -- members that several have -----------------------------------------------------------------------------------------


def _agreed(offered: tuple[str, ...]) -> str:
    for version in offered:
        if version in VERSIONS:
            return version
    raise Refused(NO_COMMON_VERSION, f"The agent speaks none of the protocol's versions {' and '.join(VERSIONS)}.")


def _heartbeats(extra: Members) -> tuple[float, float]:
    """Seconds of the interval and of the tolerance; 0 and nothing stand for the defaults."""
    interval, tolerance = extra.whole("HeartbeatInterval"), extra.whole("HeartbeatTolerance")
    lowest, highest, latest = (int(bound * _NANOSECONDS) for bound in (INTERVAL_MIN, INTERVAL_MAX, TOLERANCE_MAX))
    if interval and not lowest <= interval <= highest:
        bounds = f"{INTERVAL_MIN:g} to {INTERVAL_MAX:g} seconds"
        raise Refused(BAD_INTERVAL, f"The heartbeat interval must be from {bounds}.")
    if not 0 <= tolerance <= latest:
        raise Refused(BAD_TOLERANCE, f"The heartbeat tolerance must be from 0 to {TOLERANCE_MAX:g} seconds.")
    return interval / _NANOSECONDS or DEFAULT_INTERVAL, tolerance / _NANOSECONDS or DEFAULT_TOLERANCE


def _id(members: Members, name: str, most: int) -> str:
    """What the server once said, or another one."""
    found = members.text(name)
    if len(found) > most or not found.isprintable():
        raise members.refused(name, f"must be one line of at most {most} characters")
    return found


def _shown(members: Members, name: str) -> str:
    """Text that an agent says of itself: one line for logs and listings."""
    text = members.text(name, SHOWN_MAX)
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


def _metadata(members: Members) -> str | None:
    found = members.optional_text("Metadata")
    if found is not None and len(found.encode()) > METADATA_MAX:
        raise Refused(LONG_METADATA, f"The metadata is longer than {METADATA_MAX} bytes.")
    return found


def _line(members: Members, name: str, most: int) -> str | None:
    found = members.optional_text(name)
    if found is not None and (len(found.encode()) > most or not found.isprintable()):
        raise Refused(LONG_TEXT, f"{name} must be one line of at most {most} bytes.")
    return found
