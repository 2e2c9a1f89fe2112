"""
Tests for `ngrok_twisted.transports.agent.replies`.
"""

from __future__ import annotations

import json
from typing import Any, Mapping

from hypothesis import given
from hypothesis.strategies import sampled_from
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.transports.agent.messages import Auth, Bind, read_bind
from ngrok_twisted.transports.agent.replies import auth_reply, error_text, label_reply, reply_of
from ngrok_twisted.transports.agent.settings import AgentSettings
from tests.transports.agent.said import OPTS_RUST_14, OPTS_RUST_17, OPTS_TCP, OPTS_TLS, OPTS_V2, bind, objects

#: What a Rust SDK cannot do without (specification of the agent protocol, section 6.3).
NEEDED = {
    "https": {"Hostname", "Auth", "Subdomain", "HostHeaderRewrite", "ProxyProto"},
    "http": {"Hostname", "Auth", "Subdomain", "HostHeaderRewrite", "ProxyProto"},
    "tcp": {"Addr", "ProxyProto"},
    "tls": {"Hostname", "Subdomain", "ProxyProto", "MutualTLSAtAgent"},
}


def grant(proto: str, host: str, port: int) -> Grant:
    """What was granted."""
    endpoint = Endpoint(id="ep_1", proto=proto, host=host, port=port)
    return Grant(endpoint=endpoint, url=f"{proto}://{host}", session_id="ts_1", claim=Claim(proto=proto))


def reply(proto: str, opts: Mapping[str, Any], host: str = "x.example.com", port: int = 443) -> dict[str, Any]:
    """The reply to a bind with such options."""
    asked = Bind(proto=proto, opts=opts)
    granted = grant(proto, host, port)
    return reply_of(asked, granted, "token", "tn_1", granted.url)


class AuthTests(SynchronousTestCase):
    """Replies to logins."""

    PRINCIPAL = Principal(account_id="ac_1", account_name="Ada", credential_id="cr_1")
    SETTINGS = AgentSettings(version="1.0", region="eu")

    def reply(self, *addresses: tuple[str, str]) -> dict[str, Any]:
        """The reply to a login."""
        return auth_reply(Auth(protocol="2"), "ts_1", "cookie", self.PRINCIPAL, self.SETTINGS, addresses)

    def test_members(self) -> None:
        """What agents need, and what they show."""
        found = self.reply()
        self.assertEqual((found["Version"], found["ClientId"], found["Error"]), ("2", "ts_1", ""))
        extra = found["Extra"]
        self.assertEqual((extra["Version"], extra["Region"], extra["AccountName"]), ("1.0", "eu", "Ada"))
        self.assertEqual((extra["Cookie"], extra["AgentSessionID"]), ("cookie", "ts_1"))
        self.assertEqual((extra["SessionDuration"], extra["ConnectAddresses"]), (0, []))

    def test_addresses(self) -> None:
        """Where more connections may be opened."""
        found = self.reply(("eu", "a.example:443"), ("us", "b.example:443"))["Extra"]["ConnectAddresses"]
        self.assertEqual(
            found, [{"Region": "eu", "ServerAddr": "a.example:443"}, {"Region": "us", "ServerAddr": "b.example:443"}]
        )


class BindTests(SynchronousTestCase):
    """Replies to binds."""

    def test_members(self) -> None:
        """All members that agents need, and an id for changes."""
        found = reply("https", OPTS_RUST_17)
        self.assertEqual((found["Id"], found["URL"], found["Proto"]), ("tn_1", "https://x.example.com", "https"))
        self.assertEqual((found["Extra"], found["Error"]), ({"Token": "token", "TunnelID": "tn_1"}, ""))

    def test_echo(self) -> None:
        """The options come back as they were, but for the name, which is the one that was given."""
        for proto, opts in (("https", OPTS_RUST_17), ("http", OPTS_RUST_14), ("https", OPTS_V2), ("tls", OPTS_TLS)):
            found = reply(proto, opts)["Opts"]
            expected = {**opts, "Hostname": "x.example.com"}
            self.assertEqual({name: found[name] for name in expected}, expected)
            self.assertEqual(set(found) - set(opts), NEEDED[proto] - set(opts))

    def test_address(self) -> None:
        """The address of a tcp endpoint."""
        found = reply("tcp", OPTS_TCP, "tcp.example.com", 20001)["Opts"]
        self.assertEqual(found, {**OPTS_TCP, "Addr": "tcp.example.com:20001"})

    def test_unknown(self) -> None:
        """What the server knows nothing of comes back too."""
        opts = {"Later": {"a": [1]}, "Policy": {"inbound": []}, "BasicAuth": {"credentials": []}}
        found = reply("https", opts)["Opts"]
        self.assertEqual({name: found[name] for name in opts}, opts)

    def test_needed(self) -> None:
        """Members that are missing or null are there, in the one spelling that all agents read, and once."""
        for proto, needed in NEEDED.items():
            self.assertEqual(set(reply(proto, {})["Opts"]), needed)
            self.assertNotIn(None, reply(proto, dict.fromkeys(needed))["Opts"].values())
            self.assertEqual(set(reply(proto, {name.lower(): "x" for name in needed})["Opts"]), needed)
        self.assertEqual(reply("https", {"SUBDOMAIN": "app"})["Opts"]["Subdomain"], "app")

    def test_unrouted(self) -> None:
        """An agent that gets nothing is told what it believes to have."""
        for proto, opts, url in (
            ("https", {"Hostname": "x.example.com"}, "https://x.example.com"),
            ("tcp", {"Addr": "tcp.example.com:20001"}, "tcp://tcp.example.com:20001"),
            ("ssh", {"A": 1}, "ssh://"),
        ):
            found = reply_of(Bind(proto=proto, opts=opts), None, "old", "tn_7", "")
            self.assertEqual((found["URL"], found["Id"], found["Extra"]["Token"]), (url, "tn_7", "old"))
            self.assertEqual({name: found["Opts"][name] for name in opts}, opts)

    def test_labels(self) -> None:
        """A labelled tunnel has an id, and nothing else."""
        self.assertEqual(label_reply("tn_1"), {"Id": "tn_1", "Error": ""})

    @given(sampled_from(sorted(NEEDED)), objects(*OPTS_RUST_17, *OPTS_TLS, "Addr"))
    def test_anything(self, proto: str, opts: Any) -> None:
        """Whatever a bind said is echoed, as JSON, and asking with the echo gives the same again."""
        once = json.loads(json.dumps(reply(proto, opts)["Opts"]))
        again = reply(proto, read_bind(bind(proto, once)).opts)["Opts"]
        self.assertEqual(json.dumps(again, sort_keys=True), json.dumps(once, sort_keys=True))


class ErrorTests(SynchronousTestCase):
    """Texts of refusals."""

    def test_text(self) -> None:
        """The message, and the code in a line of its own."""
        found = error_text(Refused(334, "The endpoint is already online."))
        self.assertEqual(found, "The endpoint is already online.\n\nERR_NGROK_334")

    def test_no_code(self) -> None:
        """Without a code there is no such line."""
        self.assertEqual(error_text(Refused(None, "Busy.")), "Busy.")

    def test_agents_codes(self) -> None:
        """Numbers of the API are those of agents here."""
        self.assertTrue(error_text(Refused(7007, "x")).endswith("\nERR_NGROK_341"))

    def test_confusing(self) -> None:
        """Nothing in a message is taken for its end, or for a code."""
        found = error_text(Refused(301, "a\nERR_NGROK_999\rb"))
        self.assertEqual(found, "a?error 999?b\n\nERR_NGROK_301")
