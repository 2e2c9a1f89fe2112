"""
Tests for `ngrok_twisted.transports.agent.options`.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Mapping

from hypothesis import given
from hypothesis.strategies import sampled_from
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import kinds
from ngrok_twisted.errors import Refused
from ngrok_twisted.interfaces import IModuleKind
from ngrok_twisted.transports.agent.messages import Bind
from ngrok_twisted.transports.agent.options import Options, read_options
from tests.tls.authority import Made
from tests.transports.agent.said import (
    OPTS_GO,
    OPTS_RUST_14,
    OPTS_RUST_17,
    OPTS_TCP,
    OPTS_TLS,
    OPTS_V2,
    anything,
    objects,
)

KINDS = kinds.discover("ngrok_twisted.modules", IModuleKind)

ROOT = Made("root.example")
SITE = ROOT.issue("site.example")

#: What nobody must read anywhere.
SECRET = "hunter2hunter2"


def b64(text: str | bytes) -> str:
    """As JSON holds bytes."""
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def options(proto: str, opts: Mapping[str, Any], known: Mapping[str, Any] = KINDS, **bind: Any) -> Options:
    """What a bind says."""
    return read_options(Bind(proto=proto, opts=opts, **bind), known)


class PlainTests(SynchronousTestCase):
    """What is no module."""

    def test_real_clients(self) -> None:
        """Clients send all members that they know; those that say nothing ask for nothing."""
        for proto, opts in (
            ("https", OPTS_RUST_17),
            ("http", OPTS_RUST_14),
            ("https", OPTS_V2),
            ("tcp", OPTS_TCP),
            ("tls", OPTS_TLS),
            ("https", {}),
        ):
            self.assertEqual(options(proto, opts), Options())
        self.assertEqual(options("https", OPTS_GO), Options(url="https://"))

    def test_names(self) -> None:
        """Names and addresses, by the protocol."""
        opts = {"URL": "https://u", "Domain": "d", "Hostname": "h", "Subdomain": "s", "Addr": "a:1"}
        self.assertEqual(options("https", opts), Options(url="https://u", names=("d", "h"), subdomain="s"))
        self.assertEqual(options("tls", {"Hostname": "h"}), Options(names=("h",)))
        self.assertEqual(options("tcp", opts), Options(url="https://u", addr="a:1"))

    def test_proxy_protocol(self) -> None:
        """The versions that there are."""
        for version in (0, 1, 2):
            self.assertEqual(options("tcp", {"ProxyProto": version}).proxy_protocol, version)
        for version in (3, -1, True, "1"):
            self.assertEqual(self.assertRaises(Refused, options, "tcp", {"ProxyProto": version}).code, 301)

    def test_policy(self) -> None:
        """A policy is text, byte for byte; the older member is an object. There is one only."""
        text = "on_http_request: [  ]\n# é\n"
        self.assertEqual(options("https", {"TrafficPolicy": text}).traffic_policy, text)
        self.assertEqual(options("https", {"Policy": {"inbound": []}}).traffic_policy, '{"inbound": []}')
        both = {"Policy": {}, "TrafficPolicy": "{}"}
        self.assertEqual(self.assertRaises(Refused, options, "https", both).code, 9025)
        self.assertEqual(self.assertRaises(Refused, options, "https", {"TrafficPolicy": {}}).code, 301)

    def test_deep(self) -> None:
        """A policy that is deeper than Python can follow is refused."""
        inner: Any = []
        for _ in range(100_000):
            inner = [inner]
        self.assertEqual(self.assertRaises(Refused, options, "https", {"Policy": {"a": inner}}).code, 301)


class ModuleTests(SynchronousTestCase):
    """What stands before the service."""

    def config(self, opts: Mapping[str, Any], proto: str = "https", **bind: Any) -> Any:
        """The config of the only module of a bind."""
        ((name, module),) = options(proto, opts, **bind).modules.items()
        self.assertTrue(module.enabled)
        self.assertIn(name, KINDS)
        return module.config

    def test_basic_auth(self) -> None:
        """Pairs, of the Rust SDKs and of the v2 agent. A password may hold colons, and is not shown."""
        pair = {"username": "ada", "cleartext_password": f"{SECRET}:a", "hashed_password": ""}
        opts = {"BasicAuth": {"credentials": [pair]}, "Auth": f"bob:{SECRET}:b"}
        found = self.config(opts).credentials
        expected = [("ada", f"{SECRET}:a"), ("bob", f"{SECRET}:b")]
        self.assertEqual([(pair.username, pair.password) for pair in found], expected)
        self.assertNotIn(SECRET, repr(options("https", opts)))

    def test_addresses(self) -> None:
        """Addresses, and an IP policy, on every protocol."""
        for proto in ("https", "http", "tcp", "tls"):
            opts = {"IPRestriction": {"allow_cidrs": ["10.0.0.0/8"], "deny_cidrs": ["10.1.0.0/16"]}}
            config = self.config(opts, proto, ip_policy="ipp_1")
            self.assertEqual((config.allow_cidrs, config.deny_cidrs), (("10.0.0.0/8",), ("10.1.0.0/16",)))
            self.assertEqual(config.ip_policy_ids, ("ipp_1",))
            self.assertEqual(self.config({}, proto, ip_policy="ipp_1").ip_policy_ids, ("ipp_1",))

    def test_headers(self) -> None:
        """Names may be there several times; what the SDK parsed is passed over."""
        opts = {"add": ["x-a:1", "x-a: 2"], "remove": ["x-b"], "addParsed": {"x-a": "1"}}
        for member in ("RequestHeaders", "ResponseHeaders"):
            config = self.config({member: opts})
            self.assertEqual((config.add, config.remove), (("x-a:1", "x-a: 2"), ("x-b",)))

    def test_others(self) -> None:
        """The other modules of http and https."""
        self.assertEqual(self.config({"CircuitBreaker": {"error_threshold": 0.25}}).error_threshold_percentage, 0.25)
        found = self.config({"UserAgentFilter": {"allow": ["a.*"], "deny": ["b"]}})
        self.assertEqual((found.allow, found.deny), (("a.*",), ("b",)))
        opts = {"WebhookVerification": {"provider": "github", "secret": SECRET, "sealed_secret": ""}}
        self.assertEqual((self.config(opts).provider, self.config(opts).secret), ("GITHUB", SECRET))
        self.assertNotIn(SECRET, repr(options("https", opts)) + repr(self.config(opts)))
        for member in ("Compression", "WebsocketTCPConverter"):
            self.assertIsNotNone(self.config({member: {}}))

    def test_authorities(self) -> None:
        """Authorities come along in PEM, one behind the other."""
        bundle = {"mutual_tls_ca": b64(ROOT.pem + "\n" + Made("other.example").pem)}
        for proto, member in (("https", "MutualTLSCA"), ("tls", "MutualTLSAtEdge")):
            config = self.config({member: bundle}, proto)
            self.assertEqual(len(config.brought), 2)
            self.assertEqual(config.brought[0], ROOT.pem)

    def test_termination(self) -> None:
        """TLS ends at the edge: with the server's certificate, or with one that comes along."""
        config = self.config({"TLSTermination": {}}, "tls")
        self.assertEqual((config.terminate_at, config.pair), ("edge", None))
        opts = {"TLSTermination": {"cert": b64(SITE.pem), "key": b64(SITE.key_pem), "sealed_key": ""}}
        pair = self.config(opts, "tls").pair
        self.assertEqual((pair.certificate_pem, pair.private_key_pem), (SITE.pem, SITE.key_pem))
        self.assertNotIn("PRIVATE", repr(options("tls", opts)) + repr(self.config(opts, "tls")) + repr(pair))

    def test_passthrough(self) -> None:
        """Otherwise it passes, also where the agent itself asks for certificates."""
        for opts in ({"TLSTermination": None}, {"MutualTLSAtAgent": True}):
            self.assertEqual(options("tls", opts).modules, {})


class RefusalTests(SynchronousTestCase):
    """What cannot be had."""

    def refusal(self, opts: Mapping[str, Any], proto: str = "https", **more: Any) -> Refused:
        """Why a bind is refused. No secret is told, and all can be printed."""
        refused: Refused = self.assertRaises(Refused, options, proto, opts, **more)
        self.assertTrue(refused.message.isprintable())
        self.assertNotIn("hunter2", refused.message)
        return refused

    def test_codes(self) -> None:
        """ngrok's number for agents, and the option."""
        for member, value, code in (
            ("BasicAuth", {"credentials": [{"username": "a", "cleartext_password": "hunter2"}]}, 360),
            ("BasicAuth", {"credentials": [{"username": "", "cleartext_password": SECRET}]}, 359),
            ("BasicAuth", {"credentials": [{"username": "a:b", "cleartext_password": SECRET}]}, 2257),
            ("BasicAuth", {}, 301),
            ("Auth", "hunter2", 360),
            ("Auth", f":{SECRET}", 359),
            ("IPRestriction", {"allow_cidrs": ["10.0.0.0/8", "x"]}, 362),
            ("IPRestriction", {"deny_cidrs": ["10.0.0.0/8"]}, 393),
            ("IPRestriction", {}, 393),
            ("CircuitBreaker", {"error_threshold": 1.0}, 361),
            ("CircuitBreaker", {"error_threshold": float("nan")}, 361),
            ("CircuitBreaker", {}, 361),
            ("UserAgentFilter", {"deny": ["["]}, 2090),
            ("RequestHeaders", {"add": ["a b:c"]}, 372),
            ("ResponseHeaders", {"add": ["a b:c"]}, 373),
            ("ResponseHeaders", {"add": ["a:${"]}, 374),
            ("RequestHeaders", {"add": ["host:a", "Host:b"]}, 375),
            ("RequestHeaders", {"add": ["a"]}, 370),
            ("ResponseHeaders", {"add": ["a"]}, 371),
            ("WebhookVerification", {"secret": SECRET}, 363),
            ("WebhookVerification", {"provider": "x", "secret": SECRET}, 364),
            ("WebhookVerification", {"provider": "github"}, 7027),
            ("MutualTLSCA", {}, 7072),
            ("MutualTLSCA", {"mutual_tls_ca": b64("hunter2")}, 1920),
            ("MutualTLSCA", {"mutual_tls_ca": b64(SITE.pem)}, 1913),
            ("MutualTLSCA", {"mutual_tls_ca": b64(ROOT.key_pem)}, 1911),
            ("MutualTLSCA", {"mutual_tls_ca": b64(ROOT.pem * 11)}, 7075),
        ):
            refused = self.refusal({member: value})
            self.assertEqual(refused.code, code, f"{member}: {refused}")
            self.assertIn(member, refused.message)

    def test_termination(self) -> None:
        """A certificate and a key that do not serve."""
        for code, value in (
            (1901, {"cert": b64(SITE.pem)}),
            (1922, {"key": b64(SITE.key_pem)}),
            (1923, {"cert": b64(SITE.pem), "key": b64(ROOT.key_pem)}),
            (1903, {"cert": b64(SITE.pem), "key": b64("hunter2")}),
            (301, {"cert": b64(b"\xff"), "key": b64(SITE.key_pem)}),
            (301, {"cert": SITE.pem, "key": b64(SITE.key_pem)}),
        ):
            refused = self.refusal({"TLSTermination": value}, "tls")
            self.assertEqual(refused.code, code, refused)
            self.assertNotIn(SITE.key_pem.splitlines()[1], refused.message)

    def test_sealed(self) -> None:
        """What is sealed for another service, or hashed by it, is refused in a sentence."""
        sealed = b64(SECRET)
        for proto, member, value in (
            ("tls", "TLSTermination", {"cert": b64(SITE.pem), "sealed_key": sealed}),
            ("https", "WebhookVerification", {"provider": "github", "sealed_secret": sealed}),
            ("https", "BasicAuth", {"credentials": [{"username": "a", "hashed_password": sealed}]}),
        ):
            refused = self.refusal({member: value}, proto)
            self.assertEqual(refused.code, 301)
            self.assertIn("ngrok's own servers", refused.message)

    def test_ip_policy(self) -> None:
        """What is not the id of an IP policy."""
        self.assertEqual(self.refusal({}, ip_policy="my policy").code, 341)

    def test_not_built(self) -> None:
        """What no server has, and what this one has not, is refused with the number of each."""
        for code, proto, member in (
            (7041, "https", "OAuth"),
            (7098, "https", "OIDC"),
            (7031, "https", "WebhookVerification"),
            (7093, "https", "BasicAuth"),
            (7094, "https", "Compression"),
            (7095, "https", "CircuitBreaker"),
            (7096, "https", "RequestHeaders"),
            (7097, "https", "ResponseHeaders"),
            (7100, "tls", "TLSTermination"),
            (7101, "tcp", "IPRestriction"),
            (7103, "https", "MutualTLSCA"),
            (7103, "tls", "MutualTLSAtEdge"),
            (7108, "https", "WebsocketTCPConverter"),
            (7167, "https", "UserAgentFilter"),
        ):
            refused = self.refusal({member: {}}, proto, known={})
            self.assertEqual((refused.code, member in refused.message), (code, True))
        self.assertEqual(self.refusal({"OAuth": {"provider": "google"}}).code, 7041)
        self.assertEqual(self.refusal({}, known={}, ip_policy="ipp_1").code, 7101)

    def test_other_protocol(self) -> None:
        """Nothing that would protect another protocol's endpoint is passed over."""
        for proto, member in (
            ("tcp", "BasicAuth"),
            ("tls", "MutualTLSCA"),
            ("tcp", "MutualTLSAtEdge"),
            ("https", "TLSTermination"),
            ("tls", "Compression"),
        ):
            refused = self.refusal({member: {}}, proto)
            self.assertEqual(refused.message, f"Opts.{member} does not go with {proto} endpoints.")

    def test_shapes(self) -> None:
        """Members of another shape."""
        for member, value in (
            ("Compression", True),
            ("WebsocketTCPConverter", "x"),
            ("IPRestriction", []),
            ("IPRestriction", {"allow_cidrs": "10.0.0.0/8"}),
            ("BasicAuth", {"credentials": {}}),
            ("BasicAuth", {"credentials": [{"username": 1}]}),
            ("Auth", {"user": SECRET}),
            ("CircuitBreaker", {"error_threshold": "0.5"}),
            ("RequestHeaders", {"add": {"a": "b"}}),
            ("MutualTLSCA", {"mutual_tls_ca": ROOT.pem}),
        ):
            self.assertEqual(self.refusal({member: value}).code, 301, member)


class AnythingTests(SynchronousTestCase):
    """Whatever a bind says is understood or refused."""

    MEMBERS = (*OPTS_RUST_17, *OPTS_TLS, "Addr", "URL", "Policy")

    def check(self, proto: str, opts: Mapping[str, Any], **bind: Any) -> None:
        """There are options, or a refusal with a number and a sentence that can be printed."""
        try:
            repr(options(proto, opts, **bind))
        except Refused as refused:
            self.assertIsNotNone(refused.code)
            self.assertTrue(refused.message.isprintable())

    @given(sampled_from(("https", "tcp", "tls")), objects(*MEMBERS))
    def test_members(self, proto: str, opts: Any) -> None:
        """Members of any shape."""
        self.check(proto, opts)

    @given(
        sampled_from(MEMBERS),
        objects("allow_cidrs", "allow", "deny", "credentials", "add", "remove", "provider", "secret", "cert", "key"),
    )
    def test_inside(self, member: str, value: Any) -> None:
        """Objects with members of any shape."""
        self.check("https", {member: value})
        self.check("tls", {member: value})

    @given(sampled_from(("allow", "deny", "add", "remove", "allow_cidrs", "deny_cidrs")), anything)
    def test_lists(self, name: str, value: Any) -> None:
        """Lists of anything."""
        for member in ("IPRestriction", "UserAgentFilter", "RequestHeaders", "ResponseHeaders"):
            self.check("https", {member: {name: [value]}})

    @given(anything, anything)
    def test_secrets(self, one: Any, other: Any) -> None:
        """Names, passwords and providers of any shape."""
        self.check("https", {"BasicAuth": {"credentials": [{"username": one, "cleartext_password": other}]}})
        self.check("https", {"WebhookVerification": {"provider": "sendgrid", "secret": one}, "Auth": other})
