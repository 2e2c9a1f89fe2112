"""
Orders that somebody of the account gives to an agent over the API: stop, restart, update.

Source: specification of the agent protocol, sections 6.1 and 8.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from twisted.internet.error import TimeoutError

from ngrok_twisted.errors import Overloaded, Refused, TunnelLost
from ngrok_twisted.transports.agent.commands import Unanswered
from ngrok_twisted.transports.agent.legs import Leg
from ngrok_twisted.transports.agent.messages import Auth, read_outcome
from ngrok_twisted.transports.agent.typed import StreamReset, StreamType

SECONDS = 1.0

#: For an agent to answer. Some never do, for want of something to be called (specification, section 8.2).
ANSWER_TIMEOUT = 3 * SECONDS

#: ngrok's number for an agent that was lost meanwhile.
LOST = 810


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    :ivar type: of its stream.
    :ivar impossible: ngrok's number for an agent that takes no such order.
    :ivar failed: ngrok's number for an agent that could not follow it.
    :ivar words: what is done to the agent.
    """

    type: StreamType
    impossible: int
    failed: int
    words: str


ORDERS = {
    "restart": Order(type=StreamType.RESTART, impossible=804, failed=808, words="be restarted"),
    "stop": Order(type=StreamType.STOP, impossible=805, failed=807, words="be stopped"),
    "update": Order(type=StreamType.UPDATE, impossible=806, failed=809, words="be updated"),
}


async def give(command: str, version: str, auth: Auth, legs: Sequence[Leg]) -> None:
    """
    Tell an agent to do something, and wait until it says that it will.

    :param command: one of `ORDERS`.
    :param version: for ``update``: the version to move to; empty for the newest.
    :param auth: says what the agent can.
    :param legs: the connections to it; the first is used.
    :raises Refused: as `ngrok_twisted.interfaces.IAgentSession.order` says.
    """
    order = ORDERS[command]
    _check(order, _reason(command, auth))
    if not legs:
        raise Refused(LOST, "The agent is no longer connected.")
    message = {"Version": version, "PermitMajorVersion": bool(version)} if command == "update" else {}
    try:
        reply = await legs[0].connection.command(order.type, message, ANSWER_TIMEOUT)
    except TunnelLost:
        raise Refused(LOST, f"The agent was lost before it said that it will {order.words}.") from None
    except TimeoutError:
        raise Refused(order.failed, f"The agent did not say that it will {order.words}.") from None
    except (Unanswered, StreamReset, Overloaded) as error:
        raise Refused(order.failed, f"The agent did not say that it will {order.words}: {error}") from None
    problem = read_outcome(reply)
    if problem:
        raise Refused(order.failed, f"The agent will not {order.words}: {problem}")


def _reason(command: str, auth: Auth) -> str | None:
    reasons = {
        "restart": auth.restart_unsupported,
        "stop": auth.stop_unsupported,
        "update": auth.update_unsupported,
    }
    return reasons[command]


def _check(order: Order, reason: str | None) -> None:
    if reason is None:
        raise Refused(order.impossible, f"This agent cannot {order.words} from here: it is too old.")
    if reason:
        raise Refused(order.impossible, f"This agent cannot {order.words} from here: {reason}")
