"""
Tests for `ngrok_twisted.policy.ends`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.document import parse_policy

GOES_ON = "{type: forward-internal, config: {url: 'https://a.internal', on_error: continue}}"
REDIRECT = "{type: redirect, config: {to: /a}}"


class EndsTests(SynchronousTestCase):
    """Policies end where they should."""

    def codes(self, text: str, proto: str = "https", must_end: bool = True) -> list[int]:
        """The codes of what is wrong."""
        try:
            parse_policy(text, proto, must_end=must_end)
        except InvalidConfig as error:
            return [problem.code for problem in error.problems]
        return []

    def test_unreachable(self) -> None:
        """Nothing may stand behind what always ends the phase, in the same rule or a later one."""
        for text in (
            "on_http_request: [{actions: [{type: deny}, {type: deny}]}]",
            "on_http_request: [{type: custom-response}, {type: deny}]",
            "on_tcp_connect: [{type: close-connection}, {type: deny}]",
        ):
            self.assertEqual(self.codes(text, must_end=False), [2207], text)

    def test_reachable(self) -> None:
        """What may go on may stand before others."""
        for first in (REDIRECT, GOES_ON, "{type: restrict-ips}"):
            self.assertEqual(self.codes(f"on_http_request: [{first}, {{type: deny}}]"), [], first)

    def test_phases(self) -> None:
        """Each phase ends for itself."""
        self.assertEqual(self.codes("on_tcp_connect: [{type: deny}]\non_http_request: [{type: deny}]"), [])

    def test_must_end(self) -> None:
        """What has nothing behind it must not let traffic fall through."""
        for text in ("{}", "on_http_request: [{type: restrict-ips}]", f"on_http_request: [{GOES_ON}]"):
            self.assertEqual(self.codes(text), [2235], text)
            self.assertEqual(self.codes(text, must_end=False), [], text)
        self.assertEqual(self.codes("on_http_response: [{type: custom-response}]"), [2235])
        self.assertEqual(self.codes("{}", "tcp"), [2235])

    def test_ends(self) -> None:
        """A redirect counts as an end, and so does the end of the connection."""
        self.assertEqual(self.codes(f"on_http_request: [{REDIRECT}]"), [])
        self.assertEqual(self.codes("on_tcp_connect: [{type: deny}]"), [])
        self.assertEqual(self.codes("on_tcp_connect: [{type: deny}]", "tls"), [])
