"""
`RudeCase`: a server, a hostile agent of one account, and an honest one of another that must hardly notice.
"""

from __future__ import annotations

import re
import time
from typing import Any, ClassVar

from tests.functional.case import EdgeTestCase
from tests.functional.clients import fetch
from tests.functional.edge import AUTHTOKEN, Edge
from tests.functional.rude_agent import HonestAgent, RudeAgent, known
from tests.functional.steady import Steady

#: The authtoken of another account than that of `AUTHTOKEN`.
THEIRS = "2tests0authtoken0of0the0other_4Kd8sQw7Zx1Lm5Vt3Bn6R"

#: Seconds that others may wait at most, whatever a hostile agent does, on a busy machine.
STALL_MAX = 1.5

#: A password that agents use; it is never in the log.
SECRET = "a-secret-word"

_honest: dict[Edge, HonestAgent] = {}


class Watching(Steady):
    """
    Asks the honest agent again and again.

    :ivar slowest: seconds that the slowest answer took.
    """

    def __init__(self, edge: Edge, host: str) -> None:
        super().__init__()
        self.slowest = 0.0
        self._edge, self._url = edge, f"https://{host}/"

    def step(self) -> None:
        """One request, on a connection of its own."""
        begun = time.monotonic()
        answer = fetch(self._edge, self._url)
        assert answer.body == b"ok", answer
        self.slowest = max(self.slowest, time.monotonic() - begun)
        time.sleep(0.05)


class RudeCase(EdgeTestCase):
    """Besides the canary of SSH there is an honest agent of another account, which must answer all the time."""

    config: ClassVar[dict[str, Any]] = {
        "accounts": [{"name": "theirs"}],
        "credentials": [
            {"name": "agents", "token": AUTHTOKEN},
            {"name": "theirs", "token": THEIRS, "account": "theirs"},
        ],
        "agent": {"max_endpoints_per_session": 20, "max_binds_per_minute": 60, "max_sessions_per_credential": 40},
    }

    def setUp(self) -> None:
        super().setUp()
        if self.edge not in _honest:
            _honest[self.edge] = HonestAgent(self.edge, THEIRS)
            _honest[self.edge].start()
        self.honest = _honest[self.edge]
        self.watching = Watching(self.edge, self.honest.host)
        self.watching.start()
        self.addCleanup(self.check_others)

    def check_others(self) -> None:
        """Nobody had to wait, and nothing secret is in the log."""
        self.watching.end()
        self.assertEqual(self.honest.trouble, "")
        self.assertLess(self.watching.slowest, STALL_MAX)
        log = self.edge.log()
        for secret in (AUTHTOKEN, THEIRS, self.honest.agent.cookie, SECRET):
            self.assertNotIn(secret, log)
        self.assertNotRegex(log, r"[\x00-\x08\x0b-\x1f\x7f]")

    def agent(self, token: str = AUTHTOKEN, **login: Any) -> RudeAgent:
        """One that has logged in; it hangs up after the test."""
        agent = known(self.edge, token, **login)
        self.addCleanup(agent.close)
        return agent

    def stranger(self, front: bool = False) -> RudeAgent:
        """One that has not."""
        agent = RudeAgent(self.edge, front=front)
        self.addCleanup(agent.close)
        return agent


def code(reply: Any) -> str:
    """ngrok's number of a refusal; the text where there is none, empty if nothing was refused."""
    text: str = reply["Error"]
    found = re.search(r"\n\nERR_NGROK_(\d+)$", text)
    return found[1] if found else text
