"""
Tests for `ngrok_twisted.transports.ssh.forward`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.errors import Refused
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.transports.ssh.bind import Wish
from ngrok_twisted.transports.ssh.forward import Forward, State, allocate, title


def forward(address: bytes, port: int, public: int | None = 443) -> Forward:
    """A forward with a grant."""
    made = Forward(Wish(address=address, port=port))
    endpoint = None if public is None else Endpoint(id="ep_1", proto="https", host="a.example.com", port=public)
    claim = Claim(proto="https", labels={"a": "b", "c": "d"})
    made.grants = [Grant(endpoint=endpoint, url="", session_id="ts_1", claim=claim)]
    return made


class AllocateTests(SynchronousTestCase):
    """`allocate`."""

    def test_requested(self) -> None:
        """A requested port is kept."""
        self.assertEqual(allocate(forward(b"", 8443), []), 8443)

    def test_public(self) -> None:
        """For 0 it is the public port; 443 for a labelled tunnel."""
        self.assertEqual(allocate(forward(b"", 0, 20007), []), 20007)
        self.assertEqual(allocate(forward(b"", 0, None), []), 443)

    def test_taken(self) -> None:
        """Numbers of forwards that the client could mistake for this one are passed over, and only those."""
        mine = forward(b"localhost", 0)
        dead = forward(b"", 445)
        dead.state = State.DEAD
        others = [mine, forward(b"", 443), forward(b"::", 444), forward(b"name", 445), dead]
        self.assertEqual(allocate(mine, others), 445)

    def test_wraps(self) -> None:
        """Behind the last port comes the first."""
        self.assertEqual(allocate(forward(b"x", 0, 65535), [forward(b"x", 65535)]), 1)


class AnswerTests(SynchronousTestCase):
    """The answer to the client."""

    def test_once(self) -> None:
        """It is given once."""
        made = forward(b"", 443)
        answer = made.answer
        assert answer is not None
        made.succeed()
        made.fail(Refused(None, "too late"))
        self.assertEqual(self.successResultOf(answer), 443)

    def test_title(self) -> None:
        """A labelled tunnel is shown by its labels."""
        self.assertEqual(title(forward(b"", 0, None).grants[0]), "labels a=b,c=d")
        self.assertEqual(forward(b"\xff\x1b", 443).shown()[0].address, "\N{REPLACEMENT CHARACTER}" * 2)

    def test_password(self) -> None:
        """A password in the bind address is not repeated."""
        made = forward(b"ada:secret@app", 443)
        self.assertEqual(made.shown()[0].address, "app")
        self.assertNotIn("secret", repr(made.wish))
