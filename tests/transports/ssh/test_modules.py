"""
Tests for `ngrok_twisted.transports.ssh.modules`.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import kinds
from ngrok_twisted.claim import Claim
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.interfaces import IModuleKind
from ngrok_twisted.records.base import Problem
from ngrok_twisted.transports.ssh.command import parse
from ngrok_twisted.transports.ssh.modules import fitted, modules_of, policy_text

KINDS = kinds.discover("ngrok_twisted.modules", IModuleKind)


def options(command: str) -> Any:
    """The options of a command."""
    return parse(command.encode(), modules=KINDS)[0].options


def modules(command: str) -> Any:
    """The modules of a command."""
    return modules_of(options(command), KINDS)


class FlagTests(SynchronousTestCase):
    """Flags become modules."""

    def config(self, command: str) -> Any:
        """The config of the only module of a command."""
        ((name, module),) = modules(command).items()
        self.assertTrue(module.enabled)
        self.assertIsInstance(KINDS[name].name, str)
        return module.config

    def test_none(self) -> None:
        """Other flags ask for none; a policy is no module here."""
        self.assertEqual(modules("http --name x --compression=false --traffic-policy {}"), {})

    def test_addresses(self) -> None:
        """The two lists of CIDR blocks are one module."""
        config = self.config("tcp --cidr-allow 10.0.0.0/8,192.0.2.1 --cidr-allow ::/0 --cidr-deny 10.1.0.0/16")
        self.assertEqual(config.allow_cidrs, ("10.0.0.0/8", "192.0.2.1", "::/0"))
        self.assertEqual(config.deny_cidrs, ("10.1.0.0/16",))

    def test_handshake(self) -> None:
        """Where TLS ends, and whose certificates are asked for."""
        self.assertEqual(self.config("http --mutual-tls-cas ca_1,ca_2").certificate_authority_ids, ("ca_1", "ca_2"))
        self.assertEqual(self.config("tls --terminate-at edge").terminate_at, "edge")
        self.assertEqual(modules("tls --terminate-at upstream"), {})

    def test_webhook(self) -> None:
        """A provider and its secret, which is not shown."""
        config = self.config("http --verify-webhook github --verify-webhook-secret 0123456789")
        self.assertEqual((config.provider, config.secret), ("GITHUB", "0123456789"))
        self.assertNotIn("0123456789", repr(modules("http --verify-webhook github --verify-webhook-secret 0123456789")))

    def test_file_is_text(self) -> None:
        """No value is read from the server's own files or environment."""
        config = self.config("http --verify-webhook github --verify-webhook-secret file:/etc/passwd")
        self.assertEqual(config.secret, "file:/etc/passwd")

    def test_own_words(self) -> None:
        """Kinds that know flags read them."""
        pairs = self.config("http --auth ada:12345678 --basic-auth bob:a:23456789").credentials
        self.assertEqual(
            [(pair.username, pair.password) for pair in pairs], [("ada", "12345678"), ("bob", "a:23456789")]
        )
        self.assertEqual(self.config("http --circuit-breaker 0.25").error_threshold_percentage, 0.25)
        self.assertEqual(self.config("http --ua-filter-deny (a),b").deny, ("(a)", "b"))
        self.assertEqual(self.config("http --request-header-add a: b c").add, ("a: b c",))
        self.assertEqual(self.config("http --response-header-remove a --response-header-remove b").remove, ("a", "b"))
        for flag in ("compression", "websocket-tcp-converter"):
            self.assertIsNotNone(self.config(f"http --{flag}"))

    def test_every_kind(self) -> None:
        """Every flag of a kind that there is arrives there: nothing is dropped."""
        self.assertEqual(
            set(
                modules(
                    "http --compression --auth a:12345678 --cidr-allow ::/0 --mutual-tls-cas ca_1 --ua-filter-allow x"
                )
            ),
            {"compression", "basic_auth", "ip_restriction", "mutual_tls", "user_agent_filter"},
        )


class RefusalTests(SynchronousTestCase):
    """What cannot be used."""

    def refusal(self, command: str) -> Refused:
        """Why a command is refused."""
        refused: Refused = self.assertRaises(Refused, modules, command)
        self.assertTrue(refused.message.isprintable())
        return refused

    def test_codes(self) -> None:
        """ngrok's number for agents, and the flag."""
        for command, code, flag in (
            ("http --cidr-allow x", 362, "cidr-allow"),
            ("http --cidr-allow ::/0 --cidr-deny x", 362, "cidr-deny"),
            ("http --cidr-deny ::/0", 393, ""),
            ("http --auth :12345678", 359, "basic-auth"),
            ("http --auth a:1234567", 360, "basic-auth"),
            ("http --circuit-breaker 1", 361, "circuit-breaker"),
            ("http --circuit-breaker inf", 361, "circuit-breaker"),
            ("http --ua-filter-allow a --ua-filter-deny [", 2090, "ua-filter-deny"),
            ("http --request-header-add 'a b: c'", 372, "request-header-add"),
            ("http --response-header-add 'a b: c'", 373, "response-header-add"),
            ("http --response-header-add 'a: ${'", 374, "response-header-add"),
            ("http --verify-webhook x --verify-webhook-secret y", 364, "verify-webhook"),
            ("http --verify-webhook github", 7027, "verify-webhook"),
        ):
            refused = self.refusal(command)
            self.assertEqual(refused.code, code, command)
            self.assertIn(f"--{flag}", refused.message)

    def test_which(self) -> None:
        """The value of several is named by its place, and its part by name; the password is not repeated."""
        message = self.refusal("http --auth a:12345678 --auth b:hunter2").message
        self.assertEqual(
            message, "The value no. 2 of --basic-auth cannot be used: password must have 8 to 128 characters."
        )

    def test_no_number(self) -> None:
        """Without a number it is a parse error; three problems are told, on one line."""

        @dataclass(frozen=True)
        class Kind:
            name = "compression"

            @staticmethod
            def from_flags(flags: Any) -> Any:
                raise InvalidConfig([Problem("", f"is no. {number}\n") for number in range(4)])

        refused = self.assertRaises(Refused, modules_of, {"compression": True}, {"compression": Kind})
        self.assertEqual(refused.code, 1110)
        self.assertEqual(refused.message.count("--compression"), 3)
        self.assertTrue(refused.message.isprintable())


class FitTests(SynchronousTestCase):
    """What goes with which URL."""

    def fit(self, command: str, **claim: Any) -> Claim:
        """A claim with the modules and the policy of a command."""
        made = Claim(**claim, modules=modules(command), traffic_policy=policy_text(options(command)))
        return fitted(made)

    def test_redirect(self) -> None:
        """A URL that only redirects has none."""
        claim = self.fit("http --auth a:12345678 --traffic-policy nonsense", proto="http", force_https=True)
        self.assertEqual((claim.modules, claim.traffic_policy), ({}, ""))

    def test_handshake(self) -> None:
        """A handshake must be there, and be the edge's own."""
        command = "http --mutual-tls-cas ca_1"
        self.assertEqual(set(self.fit(command, proto="https").modules), {"mutual_tls"})
        for code, what, claim in (
            (1109, command, {"proto": "http"}),
            (1109, command, {"proto": "https", "binding": "internal"}),
            (7062, "tls --mutual-tls-cas ca_1", {"proto": "tls"}),
            (1109, "tls --terminate-at edge", {"proto": "tls", "binding": "internal"}),
        ):
            self.assertEqual(self.assertRaises(Refused, self.fit, what, **claim).code, code)
        both = self.fit("tls --mutual-tls-cas ca_1 --terminate-at edge", proto="tls")
        self.assertEqual(set(both.modules), {"mutual_tls", "tls_termination"})

    def test_policy(self) -> None:
        """A policy must be one for this kind of URL; the refusal says what is wrong, and under which number."""
        rule = '{"on_tcp_connect": [{"type": "deny"}]}'
        self.assertEqual(self.fit(f"tcp --traffic-policy {rule}", proto="tcp").traffic_policy, rule)
        refused = self.assertRaises(Refused, self.fit, 'tcp --traffic-policy {"on_http_request":[]}', proto="tcp")
        self.assertEqual(refused.code, 1110)
        self.assertIn("on_http_request", refused.message)
        self.assertIn("ERR_NGROK_2230", refused.message)
        self.assertRaises(Refused, self.fit, f"http --traffic-policy {rule}", proto="https", binding="internal")

    def test_unprintable(self) -> None:
        """A document's own words reach a terminal only as far as they can be printed."""
        policy = b64encode('{"\\u001b[31m": []}'.encode()).decode()
        refused = self.assertRaises(Refused, self.fit, f"http --traffic-policy base64:{policy}", proto="https")
        self.assertTrue(refused.message.isprintable())


class PolicyTextTests(SynchronousTestCase):
    """Policies that are typed."""

    def test_forms(self) -> None:
        """As it is, or in Base64."""
        self.assertEqual(policy_text(options("http")), "")
        self.assertEqual(policy_text(options("http --traffic-policy '{\"a\": 1}'")), '{"a": 1}')
        self.assertEqual(policy_text({"traffic-policy": "base64:YTogw6k="}), "a: é")
        for bad in ("base64:é", "base64:YQ", "base64:/w=="):
            self.assertEqual(self.assertRaises(Refused, policy_text, {"traffic-policy": bad}).code, 1110)

    def test_two(self) -> None:
        """In one place only."""
        for more in ("--traffic-policy-url http://a.example", "--policy-file -"):
            refused = self.assertRaises(Refused, policy_text, options(f"http --traffic-policy {{}} {more}"))
            self.assertEqual(refused.code, 9025)
