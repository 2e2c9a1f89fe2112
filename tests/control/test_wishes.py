"""
Tests of `ngrok_twisted.control.wishes`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.claim import Claim, Former
from ngrok_twisted.control.ownership import Place, ReservationSettings
from ngrok_twisted.control.wishes import (
    amended,
    amended_claim,
    check_permission,
    check_references,
    endpoint_of,
    former_place,
    is_by_chance,
    url_of,
    wanted_place,
)
from ngrok_twisted.errors import Refused
from ngrok_twisted.modules.mutual_tls import MutualTLSConfig
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.certificate_authority import CertificateAuthority
from ngrok_twisted.records.edge import module
from tests.control.agents import FakeSession

SETTINGS = ReservationSettings(
    base_domain="base.example",
    tcp_host="tcp.base.example",
    tcp_ports=range(2000, 2010),
    public_ports={"https": 8443, "tls": 443, "http": None},
)


class FormerTests(SynchronousTestCase):
    """What a claim had before."""

    def former(self, proto: str, host: str, port: int, random: bool = True, **claim: Any) -> Claim:
        """A claim with proof."""
        return Claim(proto=proto, former=Former(endpoint_id="ep_1", host=host, port=port, random=random), **claim)

    def test_by_chance(self) -> None:
        """A claim that names nothing, or just what it had by chance, takes what it is given."""
        place = Place("", "a.base.example", 443)
        had = self.former("https", "a.base.example", 443)
        self.assertTrue(is_by_chance(Claim(proto="https"), None))
        self.assertTrue(is_by_chance(had, None))
        self.assertTrue(is_by_chance(had, place))
        self.assertFalse(is_by_chance(Claim(proto="https"), place))
        self.assertFalse(is_by_chance(had, Place("", "b.base.example", 443)))
        self.assertFalse(is_by_chance(had, Place("ac_1", "a.base.example", 443)))
        self.assertFalse(is_by_chance(self.former("https", "a.base.example", 443, random=False), place))

    def test_place(self) -> None:
        """Only what the like of is still drawn is given again."""
        for proto, host, port, given in (
            ("https", "a.base.example", 443, True),
            ("http", "a.base.example", 443, False),
            ("https", "a.b.base.example", 443, False),
            ("https", "base.example", 443, False),
            ("https", "a.old.example", 443, False),
            ("https", "tcp.base.example", 443, False),
            ("tcp", "tcp.base.example", 2001, True),
            ("tcp", "tcp.base.example", 1999, False),
            ("tcp", "tcp.old.example", 2001, False),
        ):
            found = former_place(self.former(proto, host, port), SETTINGS)
            self.assertEqual(found, Place("", host, port) if given else None, (proto, host, port))
        self.assertIsNone(former_place(self.former("https", "a.base.example", 443, random=False), SETTINGS))
        self.assertIsNone(former_place(Claim(proto="https"), SETTINGS))


class AmendedTests(SynchronousTestCase):
    """What may change while it is online."""

    def test_amended(self) -> None:
        """Texts, pooling and the policy; nothing else."""
        before = Claim(proto="https", host="a.example", slot="0", forwards_to="x")
        wanted = Claim(proto="tcp", description="d", metadata="m", name="n", pooling=True, traffic_policy="{}")
        claim = amended_claim(before, wanted)
        self.assertEqual((claim.proto, claim.host, claim.slot, claim.forwards_to), ("https", "a.example", "0", "x"))
        old = endpoint_of(before, Place("", "a.example", 443), FakeSession("ts_1"), "ep_1", 5.0)
        new = endpoint_of(claim, Place("", "a.example", 443), FakeSession("ts_1"), "ep_1", 5.0)
        self.assertEqual(amended(old, claim, 7.0), replace(new, updated_at=7.0))
        self.assertEqual((new.description, new.metadata, new.name), ("d", "m", "n"))
        self.assertEqual((new.pooling_enabled, new.traffic_policy), (True, "{}"))


class WantedPlaceTests(SynchronousTestCase):
    """`wanted_place`."""

    def place(self, proto: str, **claim: Any) -> Place | None:
        """What account ``a`` wants by this claim."""
        return wanted_place(Claim(proto=proto, **claim), "a", SETTINGS)

    def refused(self, code: int | None, proto: str, **claim: Any) -> None:
        """The claim means no place."""
        self.assertEqual(self.assertRaises(Refused, self.place, proto, **claim).code, code, claim)

    def test_names(self) -> None:
        """Names, labels and none; the logical port is 443 whatever visitors dial."""
        self.assertEqual(self.place("https", host="App.Example.com."), Place("", "app.example.com", 443))
        self.assertEqual(self.place("tls", host="*.app.example.com"), Place("", "*.app.example.com", 443))
        self.assertEqual(self.place("https", label="app"), Place("", "app.base.example", 443))
        self.assertEqual(self.place("https", label="app", port=8443), Place("", "app.base.example", 443))
        self.assertIsNone(self.place("https"))
        self.assertIsNone(self.place("https", port=0))

    def test_bad_names(self) -> None:
        """What is not one name is refused."""
        self.refused(326, "https", label="a.b")
        self.refused(355, "https", label="a_b")
        self.refused(327, "https", label="")
        self.refused(9021, "https", host="a.example", label="a")
        self.refused(347, "https", host="xn--zzzzzzzzzzzzzz9.example")

    def test_bad_ports(self) -> None:
        """A public name has the port of its scheme."""
        self.refused(9035, "https", host="a.example", port=444)
        self.refused(9035, "https", port=80)

    def test_unknown(self) -> None:
        """Protocols and bindings that do not exist, or that nobody listens for, are refused."""
        self.refused(332, "udp")
        self.refused(15005, "https", binding="kubernetes")
        self.refused(None, "http")

    def test_addresses(self) -> None:
        """A TCP address has a host and a port, or neither; a port alone is on the TCP host."""
        self.assertIsNone(self.place("tcp"))
        self.assertIsNone(self.place("tcp", port=0))
        self.assertEqual(self.place("tcp", port=2001), Place("", "tcp.base.example", 2001))
        self.assertEqual(self.place("tcp", host="Other.example", port=1), Place("", "other.example", 1))
        self.refused(1117, "tcp", host="tcp.base.example")

    def test_ip_host(self) -> None:
        """A TCP host that is an address is understood."""
        settings = ReservationSettings(base_domain="b.example", tcp_host="127.0.0.1", tcp_ports=range(1))
        claim = Claim(proto="tcp", host="127.0.0.1", port=2000)
        self.assertEqual(wanted_place(claim, "a", settings), Place("", "127.0.0.1", 2000))

    def test_internal(self) -> None:
        """Internal endpoints are the account's, on any port; the binding is understood from the name."""
        for claim in ({"binding": "internal"}, {}):
            self.assertEqual(self.place("https", host="x.internal", **claim), Place("a", "x.internal", 443))
            self.assertEqual(self.place("http", host="x.internal", **claim), Place("a", "x.internal", 80))
            self.assertEqual(self.place("tcp", host="x.internal", port=5, **claim), Place("a", "x.internal", 5))
        self.assertEqual(self.place("https", host="*.a.internal", port=1234), Place("a", "*.a.internal", 1234))
        self.refused(9028, "https", binding="internal")
        self.refused(9029, "https", binding="internal", host="a.example")
        self.refused(9031, "https", host="a.b.c.d.e.internal")
        self.assertIsNotNone(self.place("https", host="b.c.d.e.internal"))
        self.refused(18003, "tcp", host="x.internal")


class UrlTests(SynchronousTestCase):
    """`url_of`."""

    def test_urls(self) -> None:
        """The port is shown where it is not the scheme's own."""
        for proto, place, url in (
            ("https", Place("", "a.example", 443), "https://a.example:8443"),
            ("tls", Place("", "a.example", 443), "tls://a.example"),
            ("tcp", Place("", "a.example", 2000), "tcp://a.example:2000"),
            ("tcp", Place("", "a.example", 443), "tcp://a.example:443"),
            ("https", Place("a", "a.internal", 443), "https://a.internal"),
            ("http", Place("a", "a.internal", 80), "http://a.internal"),
            ("http", Place("a", "a.internal", 443), "http://a.internal:443"),
        ):
            self.assertEqual(url_of(proto, place, SETTINGS), url)


class PermissionTests(SynchronousTestCase):
    """`check_permission`."""

    def test_codes(self) -> None:
        """Each kind of wish asks for its own permission."""
        acl = ("bind:a.example",)
        for proto, place, code in (
            ("https", None, 316),
            ("tcp", None, 356),
            ("tcp", Place("", "a.example", 1), 308),
            ("https", Place("", "b.example", 443), 316),
            ("tcp", Place("ac", "b.internal", 1), 316),
        ):
            refusal = self.assertRaises(Refused, check_permission, Claim(proto=proto), acl, place)
            self.assertEqual(refusal.code, code)
            check_permission(Claim(proto=proto), (), place)
        check_permission(Claim(proto="https"), acl, Place("", "a.example", 443))


class EndpointTests(SynchronousTestCase):
    """What a claim becomes."""

    GUARDED = Claim(
        proto="https",
        modules={"mutual_tls": module(MutualTLSConfig(certificate_authority_ids=("ca_1",)))},
        traffic_policy="{}",
    )

    def test_endpoint(self) -> None:
        """The endpoint has the modules and the policy of the claim, and shows neither."""
        endpoint = endpoint_of(self.GUARDED, Place("", "a.example", 443), FakeSession("ts_1"), "ep_1", 5.0)
        self.assertEqual((endpoint.modules, endpoint.traffic_policy), (self.GUARDED.modules, "{}"))
        self.assertEqual(
            (endpoint.id, endpoint.host, endpoint.port, endpoint.created_at), ("ep_1", "a.example", 443, 5.0)
        )
        self.assertEqual((endpoint.binding, endpoint.session_id), ("public", "ts_1"))
        self.assertNotIn("ca_1", repr(endpoint))
        inside = endpoint_of(self.GUARDED, Place("ac_1", "a.internal", 443), FakeSession("ts_1"), "ep_1", 5.0)
        self.assertEqual(inside.binding, "internal")

    def test_references(self) -> None:
        """What its modules name must be the account's own; the code is ngrok's for that field."""
        records = Snapshot().with_changes([Put(CertificateAuthority(id="ca_1", account_id="ac_1", ca_pem=""))])
        check_references(self.GUARDED, "ac_1", records)
        for account_id, known in (("ac_2", records), ("ac_1", Snapshot())):
            refused = self.assertRaises(Refused, check_references, self.GUARDED, account_id, known)
            self.assertEqual(
                (refused.code, refused.message), (7072, "Your account has no certificate authority 'ca_1'.")
            )
