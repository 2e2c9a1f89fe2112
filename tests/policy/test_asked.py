"""
Tests for `ngrok_twisted.policy.asked`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.claim import Claim
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.policy.asked import Words, agents_code, asked_module, check_policy, fitted, one_line
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.edge import Module, module

WORDS = Words(
    not_here=1,
    mutual_tls="asking for certificates",
    tls_termination="ending TLS",
    terminate="end TLS",
    policy=None,
    no_policy=9026,
)

DENY = '{"on_tcp_connect": [{"actions": [{"type": "deny"}]}]}'


@dataclass(frozen=True)
class Config:
    """There is nothing to set."""


class Kind:
    """A module kind; the tests need its name alone."""

    name = "compression"


class ResponseHeaders:
    """Another one."""

    name = "response_headers"


MODULE = module(Config())


class CodeTests(SynchronousTestCase):
    """Numbers of agents' mistakes."""

    def test_codes(self) -> None:
        """Some differ from those of the API, and for headers by their side."""
        for code, kind, expected in (
            (7023, "request_headers", 372),
            (7023, "response_headers", 373),
            (7024, "response_headers", 374),
            (7007, "", 341),
            (359, "basic_auth", 359),
        ):
            self.assertEqual(agents_code(code, kind), expected)


class ModuleTests(SynchronousTestCase):
    """Modules that agents ask for."""

    def refusal(self, kind: Any, *problems: Problem) -> Refused:
        """Why a config with these problems is refused."""

        def make() -> Any:
            raise InvalidConfig(problems)

        refused: Refused = self.assertRaises(
            Refused, asked_module, kind, make, lambda problem: f"{problem.message}.", 1110
        )
        return refused

    def test_good(self) -> None:
        """A config becomes a module that is on."""
        made = asked_module(Kind, Config, str, 0)
        self.assertIsInstance(made, Module)
        self.assertEqual((made.config, made.enabled), (Config(), True))

    def test_refused(self) -> None:
        """The first number counts, as agents have it; three problems are told, on one line that can be printed."""
        refused = self.refusal(Kind, Problem("", "one\n"), Problem("", "two", code=7011), *[Problem("", "three")] * 2)
        self.assertEqual((refused.code, refused.message), (361, "one?. two. three."))
        self.assertEqual(self.refusal(ResponseHeaders, Problem("", "x", code=7023)).code, 373)

    def test_no_number(self) -> None:
        """Without a number there is the transport's own."""
        self.assertEqual(self.refusal(Kind, Problem("", "x")).code, 1110)


class FittedTests(SynchronousTestCase):
    """What goes with which URL."""

    def test_redirect(self) -> None:
        """A URL that only redirects has nothing before it."""
        claim = Claim(proto="http", force_https=True, modules={"mutual_tls": MODULE}, traffic_policy="nonsense")
        self.assertEqual(fitted(claim, WORDS), Claim(proto="http", force_https=True))

    def test_nothing(self) -> None:
        """Where nothing is asked for nothing is wrong."""
        for proto in ("https", "http", "tls", "tcp"):
            claim = Claim(proto=proto, modules={"ip_restriction": MODULE})
            self.assertIs(fitted(claim, WORDS), claim)

    def test_handshakes(self) -> None:
        """A handshake must be there, and be the edge's own; the refusal calls the wish what its user does."""
        mutual, both = {"mutual_tls": MODULE}, {"mutual_tls": MODULE, "tls_termination": MODULE}
        for claim in (Claim(proto="https", modules=mutual), Claim(proto="tls", modules=both)):
            self.assertIs(fitted(claim, WORDS), claim)
        for code, what, claim in (
            (1, "asking for certificates", Claim(proto="http", modules=mutual)),
            (1, "asking for certificates", Claim(proto="https", binding="internal", modules=mutual)),
            (
                7062,
                "asking for certificates needs TLS to end at the edge: end TLS.",
                Claim(proto="tls", modules=mutual),
            ),
            (1, "ending TLS", Claim(proto="tls", binding="internal", modules={"tls_termination": MODULE})),
        ):
            refused = self.assertRaises(Refused, fitted, claim, WORDS)
            self.assertEqual(refused.code, code)
            self.assertTrue(refused.message.startswith(what), refused.message)

    def test_policy(self) -> None:
        """A policy must be one for such a URL."""
        claim = Claim(proto="tcp", traffic_policy=DENY)
        self.assertIs(fitted(claim, WORDS), claim)
        refused = self.assertRaises(
            Refused, fitted, Claim(proto="https", binding="internal", traffic_policy=DENY), WORDS
        )
        self.assertEqual(refused.code, 2262)


class PolicyTests(SynchronousTestCase):
    """Traffic policies that are none."""

    def refusal(self, text: str, words: Words = WORDS) -> Refused:
        """Why a policy is refused."""
        refused: Refused = self.assertRaises(Refused, check_policy, text, "https", "public", words)
        self.assertTrue(refused.message.isprintable())
        return refused

    def test_own_number(self) -> None:
        """The number of the first problem is that of the refusal, and is not repeated in its message."""
        refused = self.refusal('{"on_http_requests": []}')
        self.assertEqual(refused.code, 2230)
        self.assertIn("on_http_requests", refused.message)
        self.assertNotIn("ERR_NGROK", refused.message)

    def test_other_number(self) -> None:
        """Where all refusals have one number, those of the problems stand in the message."""
        refused = self.refusal('{"on_http_requests": []}', replace(WORDS, policy=1110))
        self.assertEqual(refused.code, 1110)
        self.assertIn("(ERR_NGROK_2230)", refused.message)

    def test_unprintable(self) -> None:
        """A document's own words are repeated as far as they can be printed."""
        self.refusal('{"\\u001b[31m": []}')

    def test_line(self) -> None:
        """What cannot be printed becomes a question mark."""
        self.assertEqual(one_line("a\nb\x1b é"), "a?b? é")
