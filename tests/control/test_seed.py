"""
Tests of `ngrok_twisted.control.seed`.
"""

from __future__ import annotations

from random import Random
from typing import Any

import yaml

from ngrok_twisted.backends.failover import FailoverConfig
from ngrok_twisted.backends.weighted import WeightedConfig
from ngrok_twisted.control.api.resources.reserved_domains import ReservedDomains
from ngrok_twisted.control.config import AuthorizedKey
from ngrok_twisted.control.names import account_id
from ngrok_twisted.control.seed import with_keys
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, TCPEdge, TLSEdge
from ngrok_twisted.records.ip_restriction import IPRestriction
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.ssh_credential import SSHCredential
from ngrok_twisted.records.tls_certificate import TLSCertificate
from ngrok_twisted.records.user import User
from tests.control.declaring import KEY, OTHER_KEY, ConfigCase, make_pair
from tests.control.test_load import FULL


class DeclareTests(ConfigCase):
    """`declare`, by way of `load`."""

    def setUp(self) -> None:
        super().setUp()
        certificate, self.key = make_pair()
        (self.folder / "shop.pem").write_text(certificate)
        (self.folder / "keys").write_text(f"{OTHER_KEY} you\n{KEY} me again\n")

    def snapshot(self, text: str = FULL % KEY) -> Snapshot:
        """The records of a config."""
        records = self.load(text, {"SHOP_KEY": self.key}).declared.records
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
            {
                "ac",
                "usr",
                "sshcr",
                "cert",
                "rd",
                "ra",
                "bkdtg",
                "bkdhr",
                "bkdfo",
                "bkdwd",
                "edghts",
                "edgtls",
                "edgtcp",
            },
        )
        (edge,) = found.all(HTTPSEdge)
        self.assertEqual({route.id.partition("_")[0] for route in edge.routes}, {"edghtsrt"})

    def test_ids_stay(self) -> None:
        """Ids are what they always were: clients keep them."""
        wanted = {
            "ac_Kz8OB1MUdi8XUvdztX6rcRMKB3J",
            "sshcr_LmAPempM6069pDVMkWQfyLc8e6b",
            "cert_PXysdvCQ7a74Zhvog2KY2DdprsM",
            "rd_2wwJ9Qfb9AnLWl6Ey96odmAu8R9",
            "ra_FyezkZrl4ESfbhghI5p6LCAnwsg",
            "bkdfo_Q88bTZ7QHQhW1xBHHELGOj02K0G",
            "bkdhr_Lntf4te920VB5gEHvNafU1GaqVv",
            "bkdwd_GtgiVoIEWo6yfNp3g6xvon4cr8D",
            "edghts_Bq71ssTSJZSsr34Ex2dsEE8eI4n",
            "edghtsrt_DBU2On5EzszHllljnKsFakE1T2T",
            "edgtcp_7dSjjxDB8Xab3FmJGpOtmJPl9nA",
        }
        tables = self.snapshot().tables.values()
        ids = {record.id for table in tables for record in table.values()}
        ids |= {route.id for edge in self.snapshot().all(HTTPSEdge) for route in edge.routes}
        self.assertEqual(wanted - ids, set())

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
        config = with_keys(self.load(""), [AuthorizedKey(public_key=KEY, comment="é" * 200)])
        (credential,) = [record for record in config.declared.records if isinstance(record, SSHCredential)]
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

    def test_two_accounts(self) -> None:
        """Two accounts may declare the same thing where each may have its own."""
        policies = "ip_policies: [{name: a, rules: []}, {name: b, account: blue, rules: []}]\n"
        restriction = "{type: endpoints, ip_policy_ids: [%s], account: %s}"
        text = f"accounts: [{{name: blue}}]\n{policies}ip_restrictions: [{restriction % ('a', 'default')}, %s]"
        found = list(self.snapshot(text % (restriction % ("b", "blue"))).all(IPRestriction))
        self.assertEqual({record.account_id for record in found}, {account_id(""), account_id("blue")})

    def test_users(self) -> None:
        """Each account has a user, who may have an e-mail address."""
        found = self.snapshot("accounts: [{name: blue, email: Me@example.com}, {name: default, email: op@example.com}]")
        self.assertEqual(
            {(user.account_id, user.email) for user in found.all(User)},
            {(account_id("blue"), "me@example.com"), (account_id(""), "op@example.com")},
        )

    def test_nothing_random(self) -> None:
        """A resource that draws something for a declared record is a defect, and told so at once."""
        self.patch(ReservedDomains, "make", lambda resource, making, body: making.random_bytes(1))
        self.assertRaises(AssertionError, self.load, "reserved_domains: [{domain: a.example}]")


class OnePassTests(ConfigCase):
    """Everything that is wrong is told at once."""

    def test_shape_and_meaning(self) -> None:
        """An item that cannot be read does not keep the others from being judged."""
        self.assertProblem(
            "reserved_domains:\n- {domain: 1}\n- {domain: a_b.example}\n- {domain: a.example, colour: red}\n"
            "- {domain: A.example}\nedges:\n  tls:\n  - hostports: ['else.example:443']\n",
            "2: reserved_domains[0].domain: must be text, not a whole number; put it in quotes",
            "3: reserved_domains[1].domain: 'a_b.example' has an underscore. (ERR_NGROK_438)",
            "4: reserved_domains[2].colour: is not a known key; known here: account, certificate_id, description, domain, "
            "metadata, name, resolves_to",
            "5: reserved_domains[3].domain: a.example is reserved already; see reserved_domains[2] (ERR_NGROK_413)",
            "8: edges.tls[0].hostports[0]: else.example is not reserved: declare it, or *. and its parent, under "
            "reserved_domains (ERR_NGROK_7117)",
        )

    def test_no_blame(self) -> None:
        """Whoever refers to something broken is not to blame, nor is what was left out judged."""
        self.assertProblem(
            "backends:\n  failover:\n  - {name: main, backends: [web]}\n  tunnel_group:\n  - {name: web, labels: 1}\n"
            "reserved_domains:\n- {domain: a.example, account: blu}\n- {domain: b.example, description: 1}\n",
            "5: backends.tunnel_group[0].labels: must be a mapping, not a whole number",
            "7: reserved_domains[0].account: there is no account of this name; declare it under 'accounts'",
            "8: reserved_domains[1].description: must be text, not a whole number; put it in quotes",
        )

    def test_server_first(self) -> None:
        """Where the server's own settings cannot be read, items are read but not judged: they would be judged wrongly."""
        self.assertProblem(
            "domain: 1\nreserved_domains:\n- {domain: a_b.example}\n- {}\n",
            "1: domain: must be text, not a whole number; put it in quotes",
            "4: reserved_domains[1].domain: is required",
        )

    def test_made_wrong(self) -> None:
        """What a resource refuses while it makes a record has its line, and others that refer to it have no problem."""
        problems = self.problems(
            "tls_certificates:\n- name: shop\n  certificate_pem: x\n  private_key_pem: y\n"
            "reserved_domains:\n- {domain: a.example, certificate_id: shop}\n"
        )
        self.assertEqual(
            [problem.split(": ")[:2] for problem in problems],
            [["3", "tls_certificates[0].certificate_pem"], ["4", "tls_certificates[0].private_key_pem"]],
        )


class MutationTests(ConfigCase):
    """Files that somebody spoilt."""

    def test_problems_only(self) -> None:
        """Whatever stands in a file, it is read or refused with problems, each with a line."""
        certificate, key = make_pair()
        (self.folder / "shop.pem").write_text(certificate)
        (self.folder / "keys").write_text(KEY)
        random = Random(1)
        refused = 0
        for _ in range(80):
            data = yaml.safe_load(FULL % KEY)
            for _ in range(random.choice((1, 1, 3))):
                spoil(data, random)
            try:
                self.load(yaml.safe_dump(data, sort_keys=False), {"SHOP_KEY": key})
            except InvalidConfig as error:
                refused += 1
                self.assertTrue(all(problem.line for problem in error.problems), error)
        self.assertGreater(refused, 40)


def spoil(data: Any, random: Random) -> None:
    """Put something odd somewhere into nested data."""
    odd = [None, 1, True, "", "*", ":0", "é", "\0", [], {}, [None], {"a": 1}, "web", "shop", "a.b:443", "x" * 300, 1.5]
    key: Any = random.choice(list(data) if isinstance(data, dict) else range(len(data)))
    if isinstance(data[key], (dict, list)) and data[key] and random.random() < 0.8:
        spoil(data[key], random)
    else:
        data[key] = random.choice(odd)
