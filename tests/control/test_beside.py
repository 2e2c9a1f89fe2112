"""
Tests of `ngrok_twisted.control.beside`, by way of `ngrok_twisted.control.service.Control`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Sequence

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from ngrok_twisted.control.names import account_id
from ngrok_twisted.control.config import AuthorizedKey, reservation_settings
from ngrok_twisted.control.seed import with_keys
from ngrok_twisted.control.service import Control
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.records.base import Put, Record
from ngrok_twisted.records.edge import HTTPSEdge
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.ssh_credential import SSHCredential
from tests.control.declaring import KEY, OTHER_KEY, ConfigCase
from tests.control.test_service import OneSnapshot, RecordingPlane

STORED = ReservedDomain(id=declared_id("rd", "stored", "x"), account_id=account_id(""), domain="shop.example.org")
EDGE = HTTPSEdge(
    id=declared_id("edghts", "stored", "x"), account_id=account_id(""), hostports=("a.shop.example.org:443",)
)


class BesideCase(ConfigCase):
    """A server with a config file and a store."""

    def setUp(self) -> None:
        super().setUp()
        self.plane = RecordingPlane()

    def control(self, text: str, *stored: Record) -> Control:
        """The records of a file beside stored ones."""
        config = self.load(text)
        return Control(
            OneSnapshot(stored),
            self.plane,
            config.declared.records,
            Clock(),
            reservation_settings(config),
            config.declared.origins,
        )

    def started(self, text: str, *stored: Record) -> Control:
        """The same in force."""
        control = self.control(text, *stored)
        self.successResultOf(Deferred.fromCoroutine(control.open()))
        return control

    def refused(self, text: str, *stored: Record) -> list[str]:
        """Why such a server does not start."""
        opened = Deferred.fromCoroutine(self.control(text, *stored).open())
        return self.said(self.failureResultOf(opened, InvalidConfig).value.problems)

    def redeclare(self, control: Control, text: str) -> list[str]:
        """Why another file is refused; empty if it is not."""
        declared = self.load(text).declared
        try:
            control.declare(declared.records, declared.origins)
        except InvalidConfig as error:
            return self.said(error.problems)
        return []

    def said(self, problems: Sequence[Any]) -> list[str]:
        """Problems without the folder."""
        return [str(problem).replace(f"{self.folder}/", "") for problem in problems]


class StartTests(BesideCase):
    """What is stored and what is declared meet at a start."""

    def test_clash(self) -> None:
        """A domain that was reserved over the API cannot be declared: file, line, the stored record and the remedy."""
        self.assertEqual(
            self.refused("reserved_domains:\n- domain: shop.example.org\n", STORED),
            [
                "config.yaml:2: reserved_domains[0].domain: shop.example.org is reserved already; "
                f"in the way is {STORED.id}, which is stored: take this out of the file, or delete {STORED.id} over the API "
                "before it is declared (ERR_NGROK_413)"
            ],
        )

    def test_other_account(self) -> None:
        """Nor one that overlaps a stored one of another account, of which the operator is told."""
        theirs = replace(STORED, account_id=account_id("blue"))
        (said,) = self.refused("accounts: [{name: blue}]\nreserved_domains:\n- domain: a.shop.example.org\n", theirs)
        self.assertTrue(said.startswith("config.yaml:3: reserved_domains[0].domain: a.shop.example.org overlaps"), said)
        self.assertIn(f"delete {STORED.id} over the API", said)

    def test_apart(self) -> None:
        """What does not meet is served together."""
        self.started("reserved_domains: [{domain: else.example.org}]\n", STORED)
        self.assertEqual(len(list(self.plane.applied[-1].all(ReservedDomain))), 2)

    def test_leaning_on_stored(self) -> None:
        """A declared edge may stand on a stored domain's account alone, not on its reservation: files are whole."""
        problems = self.problems("edges: {https: [{hostports: ['shop.example.org:443']}]}\n")
        self.assertIn("is not reserved", problems[0])

    def test_edge_refuses(self) -> None:
        """What the edge cannot serve is told with its line."""
        text = "reserved_domains:\n- domain: shop.example.org\n"
        (record,) = [each for each in self.load(text).declared.records if isinstance(each, ReservedDomain)]
        self.plane.refuse = {record.id: "cannot be served"}
        self.assertEqual(self.refused(text), ["config.yaml:2: reserved_domains[0]: cannot be served"])


class ReloadTests(BesideCase):
    """They meet again when the file is read again."""

    def test_clash(self) -> None:
        """A clash is refused whole, with every problem, and the old records stay."""
        control = self.started("reserved_domains: [{domain: old.example.org}]\n", STORED, EDGE)
        problems = self.redeclare(
            control,
            "reserved_domains:\n- domain: shop.example.org\nedges:\n  tls:\n  - hostports: ['a.shop.example.org:443']\n",
        )
        self.assertEqual([problem.partition(": ")[0] for problem in problems], ["config.yaml:2", "config.yaml:5"])
        self.assertIn(STORED.id, problems[0])
        domains = {record.domain for record in control.records.all(ReservedDomain)}
        self.assertEqual(domains, {"old.example.org", "shop.example.org"})

    def test_still_needed(self) -> None:
        """What a stored record stands on cannot be taken out of the file."""
        text = "reserved_domains: [{domain: '*.shop.example.org'}]\n"
        control = self.started(text, EDGE)
        (problem,) = self.redeclare(control, "")
        self.assertTrue(problem.startswith(f"{EDGE.id}.hostports[0]: "), problem)
        self.assertIn(f"{EDGE.id} is stored and was fine before", problem)
        self.assertEqual(self.redeclare(control, text), [])

    def test_change_under_way(self) -> None:
        """What is just being written over the API counts, though it is not durable yet."""
        control = self.started("")
        store: Any = control._store
        written: Deferred[None] = Deferred()

        async def write(changes: Any, expect: int) -> None:
            await written
            store.listeners[0](store.value.with_changes(changes))

        store.write = write
        changed = Deferred.fromCoroutine(control.change(lambda records: [Put(STORED)]))
        declared = self.load("reserved_domains: [{domain: shop.example.org}]\n").declared
        redeclared = Deferred.fromCoroutine(control.redeclare(declared.records, declared.origins, maybeDeferred))
        self.assertNoResult(redeclared)
        written.callback(None)
        self.successResultOf(changed)
        control._clock.advance(0)
        (problem,) = self.failureResultOf(redeclared, InvalidConfig).value.problems
        self.assertIn(STORED.id, problem.message)

    def test_wrong_before(self) -> None:
        """What was wrong with a stored record before does not keep another file from coming into force."""
        control = self.started("", EDGE)
        self.assertEqual(self.redeclare(control, "reserved_domains: [{domain: new.example.org}]\n"), [])


class KeyTests(BesideCase):
    """Keys in ``authorized_keys`` files."""

    def keys(self, control: Control) -> list[tuple[str, bool, tuple[str, ...]]]:
        """The keys that may connect, whether each is declared, and what it may bind."""
        found = control.records.all(SSHCredential)
        return [(record.public_key, record.declared, record.acl) for record in found]

    def test_stored_too(self) -> None:
        """A key that is stored keeps what was said of it there; the file adds the others."""
        (self.folder / "keys").write_text(f"{KEY}\n{OTHER_KEY}\n")
        stored = SSHCredential(id="sshcr_1", account_id=account_id(""), public_key=KEY, acl=("bind:a.example",))
        control = self.started("ssh: {authorized_keys: keys}\n", stored)
        expected = [(KEY, False, ("bind:a.example",)), (OTHER_KEY, True, ())]
        self.assertEqual(self.keys(control), expected)
        self.assertEqual(self.redeclare(control, "ssh: {authorized_keys: [keys]}\n"), [])
        self.assertEqual(self.keys(control), expected)

    def test_added(self) -> None:
        """A key that is added to the file comes beside the others, unless it is stored."""
        stored = SSHCredential(id="sshcr_1", account_id=account_id(""), public_key=KEY)
        control = self.started("reserved_domains: [{domain: a.example}]\n", stored)
        config = with_keys(self.load(""), [AuthorizedKey(public_key=KEY), AuthorizedKey(public_key=OTHER_KEY)])
        control.declare_also(config.declared.records[-2:], config.declared.origins)
        self.assertEqual(self.keys(control), [(KEY, False, ()), (OTHER_KEY, True, ())])
        self.assertEqual(len(list(control.records.all(ReservedDomain))), 1)

    def test_added_twice(self) -> None:
        """One that cannot be served changes nothing."""
        control = self.started("")
        config = with_keys(self.load(""), [AuthorizedKey(public_key=KEY)])
        again = replace(config.declared.records[-1], id="sshcr_2")
        self.assertRaises(
            InvalidConfig, control.declare_also, [config.declared.records[-1], again], config.declared.origins
        )
        self.assertEqual(self.keys(control), [])

    def test_declared_and_stored(self) -> None:
        """A key of ``ssh_credentials`` is a clash like any other: its rules could not hold."""
        stored = SSHCredential(id=declared_id("sshcr", "x", "y"), account_id=account_id(""), public_key=KEY)
        (said,) = self.refused(f"ssh_credentials:\n- public_key: {KEY}\n", stored)
        self.assertIn("config.yaml:2: ssh_credentials[0].public_key: this key is", said)
