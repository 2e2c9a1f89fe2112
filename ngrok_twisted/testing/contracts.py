"""
Contracts: one suite for every implementation of an interface, the in-memory one included. Only what passes may stand in
for the real thing in other tests.
"""

from __future__ import annotations

from random import Random
from typing import Any, Callable

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import Conflict, StoreUnusable
from ngrok_twisted.interfaces import IStore
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Delete, Put, Record, Snapshot
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.tls_certificate import TLSCertificate

#: Writes of the random walk that compares a store with a plain dictionary.
WALK = 60


def domain(number: int, account_id: str = "ac_1", **fields: Any) -> ReservedDomain:
    """A record to write."""
    return ReservedDomain(id=f"rd_{number}", account_id=account_id, domain=f"d{number}.example.com", **fields)


def make_istore_tests(make: Callable[[TestCase], Callable[[], Any]], durable: bool = True) -> type[TestCase]:
    """
    Make the suite for one kind of store.

    :param make: called with the running test; it gives a callable that makes a store, not yet open. Called again after
        the first store was closed, that callable makes another one over the same records. It may raise
        `twisted.trial.unittest.SkipTest`.
    :param durable: whether records outlive their store object.
    :return: a `TestCase` to derive from.
    """

    class IStoreTests(TestCase):
        """What every `IStore` does."""

        def setUp(self) -> None:
            self.make = make(self)
            self.store = self.make()
            self.addCleanup(lambda: self.store.close())

        async def test_interface(self) -> None:
            """It provides the interface, as the interface says."""
            self.assertTrue(verifyObject(IStore, self.store))

        async def test_new(self) -> None:
            """A new store is empty and at revision 0."""
            snapshot = await self.store.open()
            self.assertEqual((snapshot.revision, list(snapshot.all(ReservedDomain))), (0, []))
            self.assertEqual(await self.store.snapshot(), snapshot)

        async def test_not_open(self) -> None:
            """Before it is opened nothing can be read or written."""
            await self.assertFailure(self.store.snapshot(), StoreUnusable)
            await self.assertFailure(self.store.get(ReservedDomain, "rd_1"), StoreUnusable)
            await self.assertFailure(self.store.find(ReservedDomain), StoreUnusable)
            await self.assertFailure(self.store.write([Put(domain(1))]), StoreUnusable)

        async def test_closed(self) -> None:
            """After it is closed nothing can be read or written, and closing again does no harm."""
            await self.store.open()
            await self.store.close()
            await self.store.close()
            await self.assertFailure(self.store.snapshot(), StoreUnusable)
            await self.assertFailure(self.store.write([Put(domain(1))]), StoreUnusable)

        async def test_put(self) -> None:
            """A record that was written is found by its id, its fields, and in the snapshot; each write counts."""
            await self.store.open()
            snapshot = await self.store.write([Put(domain(1)), Put(domain(2, "ac_2"))])
            self.assertEqual(snapshot.revision, 1)
            self.assertEqual(list(snapshot.all(ReservedDomain)), [domain(1), domain(2, "ac_2")])
            self.assertEqual(await self.store.get(ReservedDomain, "rd_2"), domain(2, "ac_2"))
            self.assertIsNone(await self.store.get(ReservedDomain, "rd_3"))
            self.assertIsNone(await self.store.get(Account, "rd_1"))
            self.assertEqual(await self.store.find(ReservedDomain, account_id="ac_1"), [domain(1)])
            self.assertEqual(await self.store.find(ReservedDomain, account_id="ac_1", domain="x"), [])
            self.assertEqual(await self.store.snapshot(), snapshot)

        async def test_change(self) -> None:
            """A record that is written again keeps its place in the order."""
            await self.store.open()
            await self.store.write([Put(domain(1)), Put(domain(2))])
            snapshot = await self.store.write([Put(domain(1, description="new"))])
            self.assertEqual(list(snapshot.all(ReservedDomain)), [domain(1, description="new"), domain(2)])

        async def test_delete(self) -> None:
            """A deleted record is gone; deleting what is not there is no error."""
            await self.store.open()
            await self.store.write([Put(domain(1)), Put(domain(2))])
            snapshot = await self.store.write([Delete(ReservedDomain, "rd_1"), Delete(ReservedDomain, "rd_9")])
            self.assertEqual(list(snapshot.all(ReservedDomain)), [domain(2)])

        async def test_put_and_delete(self) -> None:
            """Changes of one write happen in their order."""
            await self.store.open()
            snapshot = await self.store.write(
                [Put(domain(1)), Delete(ReservedDomain, "rd_1"), Put(domain(2)), Put(domain(1, description="again"))]
            )
            self.assertEqual(list(snapshot.all(ReservedDomain)), [domain(2), domain(1, description="again")])
            await self.reopen()
            self.assertEqual(await self.records(ReservedDomain), [domain(2), domain(1, description="again")] * durable)

        async def test_conflict(self) -> None:
            """A write that expects an old revision fails and changes nothing; one that expects the newest succeeds."""
            await self.store.open()
            first = await self.store.write([Put(domain(1))])
            await self.store.write([Put(domain(2))], expect=first.revision)
            await self.assertFailure(self.store.write([Put(domain(3))], expect=first.revision), Conflict)
            self.assertEqual(await self.records(ReservedDomain), [domain(1), domain(2)])

        async def test_race(self) -> None:
            """Of several writes at once that expect the same revision, one succeeds."""
            before = await self.store.open()
            results: list[Any] = await gatherResults(
                [
                    self.store.write([Put(domain(number))], expect=before.revision).addErrback(
                        lambda failure: failure.value
                    )
                    for number in range(5)
                ]
            )
            won = [result for result in results if isinstance(result, Snapshot)]
            self.assertEqual([snapshot.revision for snapshot in won], [1])
            self.assertEqual(len(await self.records(ReservedDomain)), 1)

        async def test_old_snapshot(self) -> None:
            """A snapshot never changes, and shares with the next one what stayed the same."""
            await self.store.open()
            old = await self.store.write([Put(Account(id="ac_1")), Put(domain(1))])
            new = await self.store.write([Delete(ReservedDomain, "rd_1")])
            self.assertEqual(list(old.all(ReservedDomain)), [domain(1)])
            self.assertIs(new.tables["accounts"], old.tables["accounts"])

        async def test_subscribe(self) -> None:
            """Who subscribed gets each new snapshot once, in order, until the subscription ends."""
            await self.store.open()
            seen: list[int] = []
            end = self.store.subscribe(lambda snapshot: seen.append(snapshot.revision))
            await gatherResults([self.store.write([Put(domain(number))]) for number in range(4)])
            end()
            end()
            await self.store.write([Put(domain(9))])
            self.assertEqual(seen, [1, 2, 3, 4])

        async def test_subscriber_writes(self) -> None:
            """A subscriber may write: the others hear of the first change before the second."""
            await self.store.open()
            done: Deferred[Any] = Deferred()
            seen: list[int] = []

            def react(snapshot: Snapshot) -> None:
                if snapshot.revision == 1:
                    self.store.write([Put(domain(2))]).chainDeferred(done)

            self.store.subscribe(react)
            self.store.subscribe(lambda snapshot: seen.append(snapshot.revision))
            await self.store.write([Put(domain(1))])
            await done
            self.assertEqual(seen, [1, 2])

        async def test_subscriber_fails(self) -> None:
            """A subscriber that raises harms neither the write nor the other subscribers."""
            await self.store.open()
            seen: list[int] = []
            self.store.subscribe(lambda snapshot: 1 / 0)
            self.store.subscribe(lambda snapshot: seen.append(snapshot.revision))
            await self.store.write([Put(domain(1))])
            self.assertEqual(seen, [1])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

        async def test_declared(self) -> None:
            """Records that come from the configuration are never stored."""
            await self.store.open()
            with self.assertRaises(ValueError):
                self.store.write([Put(domain(1)), Put(domain(2, declared=True))])
            self.assertEqual(await self.records(ReservedDomain), [])

        async def test_cancelled(self) -> None:
            """A write whose caller has gone away happens whole or not at all, and later writes go on."""
            await self.store.open()
            waiting = self.store.write([Put(domain(1))])
            waiting.addErrback(lambda failure: None)
            waiting.cancel()
            snapshot = await self.store.write([Put(domain(2))])
            kept = await self.records(ReservedDomain)
            self.assertEqual(list(snapshot.all(ReservedDomain)), kept)
            await self.reopen()
            self.assertEqual(await self.records(ReservedDomain), kept * durable)

        async def test_reopened(self) -> None:
            """What was written is there after the store was closed and opened again, secrets and order included."""
            await self.store.open()
            pair = TLSCertificate(id="cert_1", certificate_pem="public", private_key_pem="private \u2603 \udcff")
            await self.store.write([Put(domain(2, metadata="\x00 \u2603")), Put(pair), Put(domain(1))])
            before = await self.store.snapshot()
            after = await self.reopen()
            self.assertEqual(after, before if durable else Snapshot())

        async def test_walk(self) -> None:
            """Over a long run of random changes it holds what a dictionary would hold."""
            random = Random(20)
            await self.store.open()
            model: dict[str, Record] = {}
            for step in range(WALK):
                changes: list[Put | Delete] = []
                for _ in range(random.randrange(4)):
                    record = domain(random.randrange(8), description=str(step))
                    if random.random() < 0.6:
                        model[record.id] = record
                        changes.append(Put(record))
                    else:
                        model.pop(record.id, None)
                        changes.append(Delete(ReservedDomain, record.id))
                snapshot = await self.store.write(changes)
                self.assertEqual(list(snapshot.all(ReservedDomain)), list(model.values()))
            self.assertEqual(snapshot.revision, WALK)
            await self.reopen()
            self.assertEqual(await self.records(ReservedDomain), list(model.values()) * durable)

        async def reopen(self) -> Snapshot:
            """Close the store and open another over the same records."""
            await self.store.close()
            self.store = self.make()
            opened: Snapshot = await self.store.open()
            return opened

        async def records(self, cls: type[Record]) -> list[Record]:
            """All records of a class."""
            return list((await self.store.snapshot()).all(cls))

    return IStoreTests
