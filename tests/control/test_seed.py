"""
Tests of `ngrok_twisted.control.seed`.
"""

from __future__ import annotations

from dataclasses import replace

from ngrok_twisted.backends.failover import FailoverConfig
from ngrok_twisted.backends.weighted import WeightedConfig
from ngrok_twisted.control.config import AuthorizedKey
from ngrok_twisted.control.names import account_id
from ngrok_twisted.control.seed import declared
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, TCPEdge, TLSEdge
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.ssh_credential import SSHCredential
from ngrok_twisted.records.tls_certificate import TLSCertificate
from tests.control.declaring import KEY, OTHER_KEY, ConfigCase, make_pair
from tests.control.test_load import FULL


class DeclaredTests(ConfigCase):
    """`declared`."""

    def setUp(self) -> None:
        super().setUp()
        certificate, self.key = make_pair()
        (self.folder / "shop.pem").write_text(certificate)
        (self.folder / "keys").write_text(f"{OTHER_KEY} you\n{KEY} me again\n")

    def snapshot(self, text: str = FULL % KEY) -> Snapshot:
        """The records of a config."""
        records = declared(self.load(text, {"SHOP_KEY": self.key}))
        self.assertEqual(len({record.id for record in records}), len(records))
        self.assertTrue(all(record.declared for record in records))
        return Snapshot().with_changes(map(Put, records))

    def test_references(self) -> None:
        """Names have become ids, in every kind of record."""
        found = self.snapshot()
        ids = {backend.name: backend.id for backend in found.all(Backend)}
        configs = {backend.name: backend.config for backend in found.all(Backend)}
        self.assertEqual(configs["main"], FailoverConfig(backends=(ids["web"], ids["sorry"])))
        self.assertEqual(configs["split"], WeightedConfig(backends={ids["web"]: 90, ids["canary"]: 10}))
        (edge,) = found.all(HTTPSEdge)
        self.assertEqual(
            [route.backend for route in edge.routes],
            [BackendRef(backend_id=ids["sorry"]), BackendRef(backend_id=ids["main"])],
        )
        self.assertEqual([tls.backend for tls in found.all(TLSEdge)], [BackendRef(backend_id=ids["web"])])
        (certificate,) = found.all(TLSCertificate)
        self.assertEqual([item.certificate_id for item in found.all(ReservedDomain)], ["", certificate.id])

    def test_prefixes(self) -> None:
        """Ids start as ngrok's do."""
        found = self.snapshot()
        prefixes = {record.id.partition("_")[0] for table in found.tables.values() for record in table.values()}
        self.assertEqual(
            prefixes,
            {"ac", "sshcr", "cert", "rd", "ra", "bkdtg", "bkdhr", "bkdfo", "bkdwd", "edghts", "edgtls", "edgtcp"},
        )
        (edge,) = found.all(HTTPSEdge)
        self.assertEqual({route.id.partition("_")[0] for route in edge.routes}, {"edghtsrt"})

    def test_stable(self) -> None:
        """Nothing changes when the file is read again, nor the ids when something is added before the rest."""
        self.assertEqual(self.snapshot(), self.snapshot())
        longer = (FULL % KEY).replace("tunnel_group: [", "tunnel_group: [{name: new, labels: {a: b}}, ")
        before = {record.id for table in self.snapshot().tables.values() for record in table.values()}
        after = {record.id for table in self.snapshot(longer).tables.values() for record in table.values()}
        self.assertEqual((before - after, len(after - before)), (set(), 1))

    def test_addresses(self) -> None:
        """Addresses have a port, chosen where none is named, and the edge keeps its hostport."""
        found = self.snapshot()
        named, chosen = found.all(ReservedAddr)
        self.assertEqual((named.host, named.port), ("tcp.example.com", 20010))
        self.assertTrue(20000 <= chosen.port <= 29999)
        self.assertEqual([edge.hostports for edge in found.all(TCPEdge)], [("tcp.example.com:20010",)])

    def test_credentials(self) -> None:
        """A key that is declared keeps its rules, whatever authorized_keys says; comments become descriptions."""
        credentials = list(self.snapshot().all(SSHCredential))
        self.assertEqual(
            [(item.public_key, item.acl, item.description) for item in credentials],
            [(KEY, ("bind:app.example.com",), "me"), (OTHER_KEY, (), "you")],
        )

    def test_long_comment(self) -> None:
        """A comment that is too long for a description is cut between characters."""
        config = replace(self.load(""), keys=(AuthorizedKey(public_key=KEY, comment="é" * 200),))
        (credential,) = [record for record in declared(config) if isinstance(record, SSHCredential)]
        self.assertEqual(credential.description, "é" * 127)

    def test_accounts(self) -> None:
        """There is always a default account; others own what names them."""
        found = self.snapshot(
            "accounts: [{name: blue}]\nreserved_domains: [{domain: A.example, account: blue}, {domain: b.example}]"
        )
        self.assertEqual([account.name for account in found.all(Account)], ["default", "blue"])
        self.assertEqual(
            [(item.domain, item.account_id) for item in found.all(ReservedDomain)],
            [("a.example", account_id("blue")), ("b.example", account_id(""))],
        )
