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
        for status in (200, 204, 503, 999):
            self.assertEqual(self.problems(status_code=status, headers=headers), [])

    def test_status(self) -> None:
        """Statuses that are none, or no final answer, are refused."""
        for status in (0, -1, 100, 101, 199, 1000):
            self.assertEqual(
                self.problems(status_code=status), ["status_code: must be from 200 to 999 (ERR_NGROK_6517)"]
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
                self.problems(headers={"x": value}), ["headers.x: must be one line of text without spaces around it"]
            )

    def test_framing(self) -> None:
        """How the answer is framed is not for the config to say."""
        for name in ("Content-Length", "transfer-encoding", "Connection", "upgrade"):
            self.assertEqual(self.problems(headers={name: "5"}), [f"headers.{name}: is set by the server; take it out"])

    def test_all_at_once(self) -> None:
        """Every problem is reported."""
        self.assertEqual(len(self.problems(status_code=1, headers={"a b": "", "te": "", "x": "\n"})), 4)
