"""
Tests for `ngrok_twisted.transports.agent.bind`.
"""

from __future__ import annotations

from typing import Any, Mapping

from hypothesis import given
from hypothesis.strategies import sampled_from, text
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import kinds
from ngrok_twisted.claim import Claim, Former
from ngrok_twisted.errors import Refused
from ngrok_twisted.interfaces import IModuleKind
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.transports.agent.bind import amended_claim, claim_of, labelled_claim_of
from ngrok_twisted.transports.agent.messages import PatchTunnelState, StartTunnelWithLabel, read_bind, read_labelled
from ngrok_twisted.transports.agent.settings import AgentSettings
from tests.transports.agent.said import (
    OPTS_GO,
    OPTS_RUST_14,
    OPTS_RUST_17,
    OPTS_TCP,
    OPTS_TLS,
    OPTS_V2,
    anything,
    bind,
    bind_v2,
    objects,
)

SETTINGS = AgentSettings(
    base_domain="example.com",
    tcp_host="tcp.example.com",
    module_kinds=kinds.discover("ngrok_twisted.modules", IModuleKind),
)

POLICY = '{"on_http_request": [{"actions": [{"type": "deny"}]}]}'


def claim(proto: str, opts: Mapping[str, Any], former: Former | None = None, **extra: Any) -> Claim:
    """What a bind asks for."""
    return claim_of(read_bind(bind(proto, opts, **extra)), SETTINGS, former)


def named(proto: str = "https", **opts: Any) -> tuple[str | None, str | None, int | None]:
    """The host, the label and the port that options ask for."""
    found = claim(proto, opts)
    return found.host, found.label, found.port


class RealTests(SynchronousTestCase):
    """What real clients ask for."""

    def test_any(self) -> None:
        """Any name or address, where none is given."""
        for proto, opts in (
            ("https", OPTS_RUST_17),
            ("https", OPTS_GO),
            ("http", OPTS_RUST_14),
            ("tls", OPTS_TLS),
            ("tcp", OPTS_TCP),
        ):
            self.assertEqual(claim(proto, opts), Claim(proto=proto, forwards_to="http://127.0.0.1:8000/"))
        self.assertEqual(claim_of(read_bind(bind_v2("http", OPTS_V2)), SETTINGS), Claim(proto="http"))

    def test_names(self) -> None:
        """A name, in the member that each client has for it."""
        for opts in (
            {**OPTS_RUST_17, "Domain": "app.example.org"},
            {**OPTS_RUST_14, "Hostname": "App.Example.ORG."},
            {**OPTS_V2, "Hostname": "app.example.org"},
            {"URL": "https://app.example.org"},
        ):
            self.assertEqual(named(**opts), ("app.example.org", None, None))
        self.assertEqual(named(**{**OPTS_V2, "Subdomain": "App"}), (None, "app", None))

    def test_again(self) -> None:
        """After a reconnect the assigned name stands beside what was asked for first."""
        former = Former(endpoint_id="ep_1", host="x.example.com", port=443, random=True)
        for opts in (
            {**OPTS_RUST_17, "Hostname": "x.example.com"},
            {"URL": "https://", "Hostname": "x.example.com"},
            {"Subdomain": "x", "Hostname": "x.example.com"},
            {"Domain": "X", "Hostname": "x.example.com"},
        ):
            found = claim("https", opts, former)
            self.assertIs(found.former, former)
            self.assertIn((found.host, found.label), (("x.example.com", None), (None, "x")))
        self.assertEqual(named("tcp", Addr="tcp.example.com:20001", URL="tcp://"), ("tcp.example.com", None, 20001))

    def test_second_of_v2(self) -> None:
        """The v2 agent asks for http by the name that it was given for https."""
        opts = {**OPTS_V2, "Hostname": "3f5a.example.com"}
        found = claim_of(read_bind(bind_v2("http", opts)), SETTINGS)
        self.assertEqual(found, Claim(proto="http", host="3f5a.example.com"))


class NameTests(SynchronousTestCase):
    """Names in all their forms."""

    def refusal(self, proto: str = "https", **opts: Any) -> int | None:
        """The number that options are refused with."""
        refused: Refused = self.assertRaises(Refused, claim, proto, opts)
        return refused.code

    def test_forms(self) -> None:
        """Wildcards, names in other scripts, and names without a dot, which are under the base domain."""
        self.assertEqual(named(Domain="*.shop.example.org"), ("*.shop.example.org", None, None))
        self.assertEqual(named(Domain="bücher.example.org"), ("xn--bcher-kva.example.org", None, None))
        self.assertEqual(named(Domain="bücher"), (None, "xn--bcher-kva", None))
        self.assertEqual(named(Subdomain="a.b"), ("a.b.example.com", None, None))
        self.assertEqual(named("tls", Hostname="db"), (None, "db", None))

    def test_urls(self) -> None:
        """A URL may lack any part."""
        for url, expected in (
            ("https://", (None, None, None)),
            ("app", (None, "app", None)),
            ("app.example.org", ("app.example.org", None, None)),
            ("https://app.example.org:443", ("app.example.org", None, 443)),
        ):
            self.assertEqual(named(URL=url), expected)

    def test_same(self) -> None:
        """The same name may be given several times, in several ways; different ones may not."""
        same = {"URL": "https://app.example.com", "Domain": "APP", "Hostname": "app.example.com.", "Subdomain": "app"}
        self.assertEqual(claim("https", same).host, "app.example.com")
        for opts in (
            {"Domain": "a.example.org", "Hostname": "b.example.org"},
            {"Domain": "a", "Subdomain": "b"},
            {"URL": "https://a.example.org", "Subdomain": "a"},
        ):
            self.assertEqual(self.refusal(**opts), 9021)

    def test_bad(self) -> None:
        """Each fault has ngrok's number."""
        for code, opts in (
            (355, {"Domain": "a_b.example.org"}),
            (326, {"Hostname": "a b.example.org"}),
            (326, {"Subdomain": "https://a"}),
            (331, {"Domain": "127.0.0.1"}),
            (9036, {"URL": "tcp://a.example.org"}),
            (9036, {"URL": "ftp://a.example.org"}),
            (9037, {"URL": "https://a.example.org/x"}),
            (9038, {"URL": "https://a.example.org/"}),
            (9030, {"URL": "https://a.example.org:0"}),
            (9033, {"URL": "https://a.example.org:x"}),
            (9034, {"URL": "https://[x"}),
        ):
            self.assertEqual(self.refusal(**opts), code, opts)

    def test_internal(self) -> None:
        """A name that ends so is internal by itself, with any port; a public name is not made internal."""
        found = claim("http", {"URL": "http://api.internal:8080"})
        self.assertEqual((found.host, found.port, found.binding), ("api.internal", 8080, "internal"))
        self.assertEqual(claim("tls", {"Domain": "db.internal"}, Bindings=["internal"]).binding, "internal")
        self.assertEqual(claim("tcp", {"Addr": "db.internal:5432"}).binding, "internal")
        self.assertEqual(claim("https", {"Domain": "a.example.org"}, Bindings=["Internal"]).binding, "internal")

    def test_bindings(self) -> None:
        """One of those that there are."""
        self.assertEqual(claim("https", {}, Bindings=["public"]).binding, "public")
        self.assertEqual(claim("https", {}, Bindings=["kubernetes"]).binding, "kubernetes")
        for code, bindings in ((15005, ["private"]), (15006, ["public", "public"]), (15006, ["public", "internal"])):
            refused = self.assertRaises(Refused, claim, "https", {}, Bindings=bindings)
            self.assertEqual(refused.code, code)


class AddressTests(SynchronousTestCase):
    """Addresses of tcp endpoints."""

    def test_forms(self) -> None:
        """A host and a port, either of them, or none."""
        for addr, host, port in (
            ("", None, None),
            ("tcp.example.com:20001", "tcp.example.com", 20001),
            ("TCP.example.com:20001", "tcp.example.com", 20001),
            ("20001", None, 20001),
            (":20001", None, 20001),
            ("0", None, None),
            (":0", None, None),
            (":", None, None),
            ("tcp.example.com:0", None, None),
            ("tcp.example.com", None, None),
            ("0.tcp.ngrok.io:0", None, None),
            ("0.tcp.ngrok.io", None, None),
            ("0.tcp.ngrok.io:12345", "0.tcp.ngrok.io", 12345),
            ("other.example.org", "other.example.org", None),
            ("other.example.org:0", "other.example.org", None),
            ("svc.internal:5432", "svc.internal", 5432),
        ):
            self.assertEqual(named("tcp", Addr=addr), (host, None, port), addr)

    def test_urls(self) -> None:
        """The same as a URL, and beside the address that was assigned."""
        for url, host, port in (
            ("tcp://", None, None),
            ("tcp://tcp.example.com:20001", "tcp.example.com", 20001),
            ("tcp://tcp.example.com", None, None),
            ("tcp://:20001", None, 20001),
            ("db.internal:5432", "db.internal", 5432),
        ):
            self.assertEqual(named("tcp", URL=url), (host, None, port), url)
        same = {"URL": "tcp://:20001", "Addr": "tcp.example.com:20001"}
        self.assertEqual(claim("tcp", same).port, 20001)

    def test_bad(self) -> None:
        """What is no address, or two."""
        for code, opts in (
            (9033, {"Addr": "tcp.example.com:x"}),
            (9030, {"Addr": "tcp.example.com:65536"}),
            (9030, {"Addr": "99999"}),
            (9033, {"Addr": "١٢"}),
            (326, {"Addr": "[::1]:80"}),
            (9036, {"URL": "https://tcp.example.com:1"}),
            (9021, {"URL": "tcp://tcp.example.com:20001", "Addr": "tcp.example.com:20002"}),
        ):
            refused = self.assertRaises(Refused, claim, "tcp", opts)
            self.assertEqual(refused.code, code, opts)

    @given(text(max_size=20))
    def test_anything(self, addr: str) -> None:
        """Any text is an address, or refused."""
        try:
            found = claim("tcp", {"Addr": addr})
        except Refused:
            return
        self.assertTrue(found.port is None or 0 < found.port < 65536)


class ClaimTests(SynchronousTestCase):
    """What else a claim carries."""

    def test_everything(self) -> None:
        """All that a bind says arrives, and nothing of it is shown that may be secret."""
        opts = {"Auth": "ada:hunter2hunter2", "ProxyProto": 2, "TrafficPolicy": POLICY}
        extra: dict[str, Any] = {"Metadata": "m", "PoolingEnabled": True, "Name": "n", "Description": "d"}
        found = claim("https", opts, **extra)
        self.assertEqual((found.metadata, found.pooling, found.name, found.description), ("m", True, "n", "d"))
        self.assertEqual(found.upstream, Upstream(proxy_protocol=2))
        self.assertEqual(found.forwards_to, "http://127.0.0.1:8000/")
        self.assertEqual((set(found.modules), found.traffic_policy), ({"basic_auth"}, POLICY))
        self.assertEqual((found.takeover, found.slot), ("auto", None))
        self.assertNotIn("hunter2", repr(found))

    def test_upstream(self) -> None:
        """What the service speaks. Agents rewrite the host themselves."""
        for said, protocol in (("", "http1"), ("http1", "http1"), ("http2", "http2"), ("HTTP2", "http2")):
            message = bind("https", {"HostHeaderRewrite": True, "LocalURLScheme": "https"})
            found = claim_of(read_bind({**message, "ForwardsProto": said}), SETTINGS)
            self.assertEqual(found.upstream, Upstream(protocol=protocol))
        refused = self.assertRaises(
            Refused, claim_of, read_bind({**bind("https", {}), "ForwardsProto": "h3"}), SETTINGS
        )
        self.assertEqual(refused.code, 15003)

    def test_protocols(self) -> None:
        """Those that there are."""
        for code, proto in ((394, ""), (332, "ssh"), (332, "udp"), (332, "labels")):
            refused = self.assertRaises(Refused, claim, proto, {})
            self.assertEqual(refused.code, code)

    def test_handshakes(self) -> None:
        """A handshake that there is not cannot be asked for."""
        authority = {"mutual_tls_ca": ""}
        self.assertEqual(self.assertRaises(Refused, claim, "https", {"MutualTLSCA": authority}).code, 7072)
        opts = {"TLSTermination": {}, "Domain": "db.internal"}
        refused = self.assertRaises(Refused, claim, "tls", opts)
        self.assertEqual(refused.code, 301)
        self.assertTrue(refused.message.startswith("TLS termination does not go with internal endpoints"))

    def test_policy(self) -> None:
        """A policy that cannot be used is refused with the number of its fault, whatever it looks like."""
        for code, proto, policy in (
            (2236, "https", "garbage"),
            (2236, "https", "{"),
            (2230, "https", '{"on_http_requests": []}'),
            (2201, "https", '{"on_http_request": [{"actions": [{"type": "x"}]}]}'),
            (2230, "tcp", POLICY),
        ):
            refused = self.assertRaises(Refused, claim, proto, {"TrafficPolicy": policy})
            self.assertEqual(refused.code, code)
            self.assertNotIn("ERR_NGROK", refused.message)

    @given(sampled_from(("https", "tcp", "tls", "http")), objects(*OPTS_RUST_17, *OPTS_TLS, "Addr", "URL"), anything)
    def test_anything(self, proto: str, opts: Any, extra: Any) -> None:
        """Whatever a bind says becomes a claim, or is refused with a number and a sentence that can be printed."""
        try:
            repr(claim_of(read_bind({"Proto": proto, "Opts": opts, "Extra": {"Bindings": extra}}), SETTINGS))
        except Refused as refused:
            self.assertIsNotNone(refused.code)
            self.assertTrue(refused.message.isprintable())

    @given(sampled_from(("Domain", "Hostname", "Subdomain", "URL")), text(max_size=40))
    def test_any_name(self, member: str, name: str) -> None:
        """Any text is a name, or refused."""
        for proto in ("https", "tls"):
            try:
                claim(proto, {member: name})
            except Refused as refused:
                self.assertIsNotNone(refused.code)


class LabelTests(SynchronousTestCase):
    """Labelled tunnels."""

    def test_claim(self) -> None:
        """All that is said arrives."""
        message = {"Labels": {"edge": "x"}, "ForwardsTo": "here", "ForwardsProto": "http2", "Metadata": "m"}
        expected = Claim(
            proto="labels",
            labels={"edge": "x"},
            forwards_to="here",
            metadata="m",
            upstream=Upstream(protocol="http2"),
        )
        self.assertEqual(labelled_claim_of(read_labelled(message)), expected)

    def test_refused(self) -> None:
        """No labels, or such as no tunnel carries."""
        for code, labels in ((394, {}), (6531, {"a\n": "b="}), (6509, {"": "x"})):
            refused = self.assertRaises(Refused, labelled_claim_of, StartTunnelWithLabel(labels=labels))
            self.assertEqual(refused.code, code)
            self.assertTrue(refused.message.isprintable())


class AmendedTests(SynchronousTestCase):
    """Changes to what was claimed."""

    BEFORE = Claim(proto="https", name="n", description="d", metadata="m", pooling=True, traffic_policy=POLICY)

    def test_changes(self) -> None:
        """What is given changes, also to nothing; the rest stays."""
        self.assertEqual(amended_claim(self.BEFORE, PatchTunnelState(id="tn_1")), self.BEFORE)
        patch = PatchTunnelState(id="tn_1", name="", description="e", metadata="", pooling=False, traffic_policy="")
        self.assertEqual(amended_claim(self.BEFORE, patch), Claim(proto="https", description="e"))
        bare = Claim(proto="http", host="a.example.org", metadata="m")
        found = amended_claim(bare, PatchTunnelState(id="tn_1", traffic_policy=POLICY))
        self.assertEqual((found.host, found.metadata, found.traffic_policy), ("a.example.org", "m", POLICY))

    def test_policy(self) -> None:
        """A policy must be one for the endpoint."""
        patch = PatchTunnelState(id="tn_1", traffic_policy=POLICY)
        refused = self.assertRaises(Refused, amended_claim, Claim(proto="tcp"), patch)
        self.assertEqual(refused.code, 2230)
