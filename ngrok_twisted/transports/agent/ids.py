"""
`AgentIds`: the numbers that an agent gives its streams. Pure. Source: agent-protocol.md, section 3.3.
"""

from __future__ import annotations

from ngrok_twisted.transports.agent.frames import ErrorCode, MuxError

# The first id of the agent is 3: 1 is never used.
FIRST_OF_AGENT = 3

# Ids of the agent that were left out and may still come. Agents number a stream when it is made and announce it with its
# first bytes, so that two that are made together may come in either order.
MAX_LATE = 128


class AgentIds:
    """Those of one connection that were used."""

    __slots__ = ("_highest", "_late")

    def __init__(self) -> None:
        self._highest = FIRST_OF_AGENT - 2
        self._late: dict[int, None] = {}

    def use(self, id: int) -> None:
        """
        The agent opens a stream.

        :raises MuxError: it cannot have this id.
        """
        if not id & 1 or id < FIRST_OF_AGENT:
            raise MuxError(ErrorCode.PROTOCOL_ERROR, f"a stream with the id {id} is not the agent's to open")
        if id > self._highest:
            late = self._late
            for left_out in range(max(self._highest + 2, id - 2 * MAX_LATE), id, 2):
                late[left_out] = None
            while len(late) > MAX_LATE:
                del late[next(iter(late))]
            self._highest = id
        elif id in self._late:
            del self._late[id]
        else:
            raise MuxError(ErrorCode.PROTOCOL_ERROR, f"the stream id {id} was used before")
