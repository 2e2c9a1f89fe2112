"""
`Pace`: how many streams an agent is sent before it has come to those that it was sent.

Agents of the Go family put a stream into a queue of 128 places until they come to it, and refuse what comes while the queue is
full (agent-protocol.md, section 3.8, L2). They come to streams in the order in which these were announced, and read the first
word of each, for which they give credit at once: so the first frame that comes back on a stream says that it has left the
queue, and all before it with it. As long as fewer are unanswered than the queue has places, none is refused.

How large the queue is nobody says, and an agent that is far away has most of what is unanswered not in its queue but on the
way: so the bound grows by one whenever as many as it allows were answered while it was in use, and halves when the agent
refuses one, as TCP's congestion window does (RFC 5681, section 3.1). What was refused and will be opened again keeps its place
in the count, so that nobody takes it meanwhile; no answer to another one says anything of it.
"""

from __future__ import annotations

from collections import deque

# The least bound: an agent that refuses that few at a time is short of more than places.
LEAST = 8


class Pace:
    """That of one connection. Pure; it only counts."""

    __slots__ = ("_bound", "_most", "_unanswered", "_put_off", "_opened", "_halved_at", "_moved")

    def __init__(self, start: int, most: int) -> None:
        """
        :param start: streams that may be unanswered at first.
        :param most: the bound grows up to this.
        """
        self._bound = float(min(start, most))
        self._most = most
        self._unanswered: deque[int] = deque()
        self._put_off: set[int] = set()
        self._opened = 0
        self._halved_at = 0
        self._moved = False

    @property
    def room(self) -> int:
        """How many more streams may be opened now. Less than nothing after a refusal."""
        return int(self._bound) - len(self._unanswered) - len(self._put_off)

    def opened(self, id: int) -> None:
        """
        A stream is opened.

        :param id: higher than any before.
        """
        self._unanswered.append(id)
        self._opened = id

    def forget(self, id: int) -> None:
        """A stream was given up before the agent heard of it, or heard of it again."""
        self._put_off.discard(id)
        if id in self._unanswered:
            self._unanswered.remove(id)

    def answered(self, id: int) -> bool:
        """
        The agent has come to a stream, and to all before it.

        :return: whether there is room where there was none.
        """
        unanswered = self._unanswered
        if not unanswered or unanswered[0] > id:
            return False
        before, bound = len(unanswered) + len(self._put_off), self._bound
        while unanswered and unanswered[0] <= id:
            unanswered.popleft()
        self._moved = True
        after = len(unanswered) + len(self._put_off)
        if before * 2 > bound < self._most:
            self._bound += (before - after) / bound
        return before + 1 > bound and after + 1 <= self._bound

    def refused(self, id: int) -> bool:
        """
        The agent has no place for a stream. Those that were opened before it could be heard of count as one refusal.

        :return: as `answered`.
        """
        room = self.room
        self.forget(id)
        if id > self._halved_at:
            self._halved_at = self._opened
            self._bound = max(self._bound / 2, float(LEAST))
        return room <= 0 < self.room

    def put_off(self, id: int) -> None:
        """A stream that was refused will be opened again, with another id. `forget` this one then, or if it is given up."""
        self._put_off.add(id)

    def ease(self) -> bool:
        """
        Somebody has waited for a while. If the agent has come to no stream since this was called last, it does not say so
        when it does, and all are taken as answered.

        :return: as `answered`.
        """
        moved, self._moved = self._moved, False
        if moved or not self._unanswered:
            return False
        room = self.room
        self._unanswered.clear()
        return room <= 0 < self.room
