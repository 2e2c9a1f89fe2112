"""
Tests of `ngrok_twisted.backends.http_response`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.schema import parse


class ConfigTests(SynchronousTestCase):
    """What may be answered."""

    def problems(self, **data: object) -> list[str]:
        """What is wrong with an answer."""
        try:
            parse(HTTPResponseConfig, data)
        except InvalidConfig as error:
            return [str(problem) for problem in error.problems]
        return []

    def test_allowed(self) -> None:
        """Whatever HTTP can carry, an empty value and text beyond ASCII included."""
        headers = {"content-type": "text/plain", "X_a.b": "", "x-name": "Zoë\tO", "location": "/a b"}
        for status in (200, 204, 503, 599):
            self.assertEqual(self.problems(status_code=status, headers=headers), [])

    def test_status(self) -> None:
        """Statuses that are none, or no final answer, are refused."""
        for status in (0, -1, 100, 101, 199, 600, 1000):
            self.assertEqual(
                self.problems(status_code=status), ["status_code: must be from 200 to 599 (ERR_NGROK_6517)"]
            )

    def test_header_names(self) -> None:
        """Names with other characters than tokens have are refused."""
        for name in ("", "b ad", "é", "a:b", "a\r\nb"):
            [problem] = self.problems(headers={name: "x"})
            self.assertIn("is not the name of a header", problem)

    def test_header_values(self) -> None:
        """A value cannot end its line, nor hold what a receiver would strip."""
        for value in ("a\r\nevil: 1", "a\nb", "a\0", "\x7f", " a", "a ", "\t"):
            self.assertEqual(
                self.problems(headers={"x": value}),
                ["headers.x: must be one line of text without spaces around it (ERR_NGROK_6523)"],
            )

    def test_framing(self) -> None:
        """How the answer is framed is not for the config to say."""
        for name in ("Content-Length", "transfer-encoding", "Connection", "upgrade"):
            self.assertEqual(
                self.problems(headers={name: "5"}),
                [f"headers.{name}: is set by the server; take it out (ERR_NGROK_6522)"],
            )

    def test_case(self) -> None:
        """Names become lower-case, and are there once."""
        self.assertEqual(HTTPResponseConfig(headers={"X-Name": "A"}).headers, {"x-name": "A"})
        self.assertEqual(
            self.problems(headers={"x": "1", "X": "2"}),
            ["headers.X: is there twice, in different case (ERR_NGROK_6522)"],
        )

    def test_size(self) -> None:
        """A body of more than 64 KiB, and one that is no Unicode text, are refused; so are values and many headers."""
        self.assertEqual(self.problems(body="é" * 32768), [])
        said = ["body: must be Unicode text of at most 65536 bytes (ERR_NGROK_6516)"]
        for body in ("é" * 32768 + "x", "\ud800"):
            self.assertEqual(self.problems(body=body), said)
        for value in ("x" * 8193, "\ud800"):
            [problem] = self.problems(headers={"a": value})
            self.assertIn("6523", problem)
        self.assertEqual(len(self.problems(headers={f"x-{n}": "" for n in range(101)})), 1)

    def test_all_at_once(self) -> None:
        """Every problem is reported."""
        self.assertEqual(len(self.problems(status_code=1, headers={"a b": "", "te": "", "x": "\n"})), 4)
