"""
Tests of `ngrok_twisted.control.entitlement`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.claim import Claim
from ngrok_twisted.control.entitlement import Entitlement
from ngrok_twisted.control.holdings import Holding, granted
from ngrok_twisted.control.ownership import Place
from ngrok_twisted.errors import Refused
from ngrok_twisted.modules.mutual_tls import MutualTLSConfig
from ngrok_twisted.records.base import Put, Record, Snapshot
from ngrok_twisted.records.edge import module
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain
from tests.control.agents import FakeSession
from tests.control.test_ownership import SETTINGS, Edge

HTTPS, TCP = Claim(proto="https"), Claim(proto="tcp")
APP, PLAIN_APP = Place("", "app.base.example", 443), Place("", "app.base.example", 80)
PORT = Place("", "tcp.base.example", 2001)
CLOUD = Endpoint(id="ep_1", account_id="mine", proto="https", host=APP.host, port=443, type="cloud")


class EntitlementTests(SynchronousTestCase):
    """Who may have a place now."""

    def setUp(self) -> None:
        """Nothing is configured, and nobody is online."""
        self.records = Snapshot()
        self.online: dict[Place, list[Holding]] = {}
        self.entitlement = Entitlement(SETTINGS, lambda: self.records, lambda place: self.online.get(place, ()))

    def write(self, *records: Record) -> None:
        """Exactly these records are in force."""
        self.records = Snapshot().with_changes(map(Put, records))

    def verdict(self, account_id: str, claim: Claim, place: Place, random: bool = False) -> int | None:
        """The code of the refusal; ``None`` if the account may have it."""
        try:
            self.entitlement.require(account_id, claim, place, random)
        except Refused as refused:
            return refused.code
        return None

    def test_name(self) -> None:
        """A name is judged by what is reserved; a drawn one only by whether somebody else has reserved just that."""
        nested = Place("", "a.b.base.example", 443)
        self.assertIsNone(self.verdict("mine", HTTPS, APP))
        self.assertEqual([self.verdict("mine", HTTPS, nested, random) for random in (False, True)], [354, None])
        self.write(ReservedDomain(id="1", account_id="mine", domain=APP.host))
        for random in (False, True):
            self.assertIsNone(self.verdict("mine", HTTPS, APP, random))
            self.assertEqual(self.verdict("theirs", HTTPS, APP, random), 320)

    def test_address(self) -> None:
        """So is an address."""
        self.assertEqual([self.verdict("mine", TCP, PORT, random) for random in (False, True)], [1116, None])
        self.write(ReservedAddr(id="1", account_id="mine", host=PORT.host, port=PORT.port))
        for random in (False, True):
            self.assertIsNone(self.verdict("mine", TCP, PORT, random))
            self.assertEqual(self.verdict("theirs", TCP, PORT, random), 309)

    def test_edge(self) -> None:
        """What an edge has is its alone, and its name is its account's on both ports of browsers."""
        self.write(Edge(id="1", account_id="mine", hostports=(f"{APP.host}:443",)))
        self.assertEqual(self.verdict("mine", HTTPS, APP), 381)
        self.assertIsNone(self.verdict("mine", Claim(proto="http"), PLAIN_APP))
        self.assertEqual(self.verdict("theirs", Claim(proto="http"), PLAIN_APP), 320)

    def test_cloud_endpoint(self) -> None:
        """A cloud endpoint shares its place only with those that pool, and its name with its account."""
        self.write(replace(CLOUD, pooling_enabled=True))
        self.assertEqual(self.verdict("mine", HTTPS, APP), 334)
        self.assertIsNone(self.verdict("mine", replace(HTTPS, pooling=True), APP))
        self.assertEqual(self.verdict("theirs", Claim(proto="http"), PLAIN_APP), 320)

    def test_online(self) -> None:
        """A name that is online on one port is its account's on the other."""
        session = FakeSession("ts_1", account="mine")
        self.online[APP] = [Holding(granted(session, HTTPS, CLOUD, ""), session, APP)]
        self.assertIsNone(self.verdict("mine", Claim(proto="http"), PLAIN_APP, random=True))
        self.assertEqual(self.verdict("theirs", Claim(proto="http"), PLAIN_APP, random=True), 320)

    def test_internal(self) -> None:
        """Nobody reserves internal names."""
        self.assertIsNone(self.verdict("mine", HTTPS, Place("mine", "a.internal", 443)))
        self.assertIsNone(self.verdict("mine", TCP, Place("mine", "a.internal", 1)))

    def test_modules(self) -> None:
        """What modules name must be there."""
        modules = {"mutual_tls": module(MutualTLSConfig(certificate_authority_ids=("ca_1",)))}
        self.assertEqual(self.verdict("mine", replace(HTTPS, modules=modules), APP), 7072)

    def test_owned(self) -> None:
        """The index follows the records, and is made once for each of their states."""
        self.assertFalse(self.entitlement.owned().is_reserved(APP.host))
        self.write(ReservedDomain(id="1", account_id="mine", domain=APP.host))
        self.assertTrue(self.entitlement.owned().is_reserved(APP.host))
        self.assertIs(self.entitlement.owned(), self.entitlement.owned())
