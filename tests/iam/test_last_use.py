"""
Tests for `ngrok_twisted.iam.last_use`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogPublisher, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.iam.last_use import AT_ONCE, PAUSE, WRITE_INTERVAL, LastUse
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Delete, Put
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.records.service_user import ServiceUser
from ngrok_twisted.records.ssh_credential import SSHCredential
from tests.control.api.harness import ACCOUNT, START, APIHarness


class LastUseTests(SynchronousTestCase):
    """`LastUse`, over a real `Control`."""

    def setUp(self) -> None:
        """A credential of each family, and a declared one."""
        declared = Credential(id="cr_d", account_id=ACCOUNT, token_hash="d", declared=True)
        self.api = APIHarness([declared])
        self.change(
            Put(APIKey(id="ak_1", account_id=ACCOUNT, token_hash="1")),
            Put(Credential(id="cr_1", account_id=ACCOUNT, token_hash="2")),
            Put(SSHCredential(id="sshcr_1", account_id=ACCOUNT, public_key="k")),
        )
        self.writes = 0
        self.last_use = LastUse(lambda: self.api.control.records, self.counted, self.api.clock)
        self.last_use.startService()

    def change(self, *changes: Put | Delete) -> None:
        """Change records."""
        self.successResultOf(Deferred.fromCoroutine(self.api.control.change(lambda records: changes)))

    def counted(self, build: Any) -> Any:
        """`Control.change`, counted."""
        self.writes += 1
        return self.api.control.change(build)

    def use(self, *ids: str) -> None:
        """Use credentials now."""
        for id in ids:
            self.last_use.used(id, self.api.clock.seconds())

    def written(self) -> dict[str, float]:
        """When each credential was used, in seconds since the beginning, as the records say."""
        records = self.api.control.records
        found = [*records.all(APIKey), *records.all(Credential), *records.all(SSHCredential)]
        return {record.id: record.last_used_at - START for record in found if record.last_used_at}

    def test_batch(self) -> None:
        """Uses of a minute are one write, with the last time of each."""
        self.use("ak_1", "cr_1")
        self.api.clock.advance(10.5)
        self.use("ak_1", "sshcr_1", "ak_1")
        self.assertEqual((self.writes, self.written()), (0, {}))
        self.api.clock.advance(WRITE_INTERVAL - 10.5)
        self.assertEqual((self.writes, self.written()), (1, {"ak_1": 10.0, "cr_1": 0.0, "sshcr_1": 10.0}))

    def test_seldom(self) -> None:
        """However often a credential is used, there is one write a minute; without uses there is none."""
        for _ in range(600):
            self.use("ak_1")
            self.api.clock.advance(0.5)
        self.assertEqual(self.writes, 300 // WRITE_INTERVAL)
        self.api.clock.advance(WRITE_INTERVAL)
        before = self.writes
        self.api.clock.advance(10 * WRITE_INTERVAL)
        self.assertEqual(self.writes, before)

    def test_declared(self) -> None:
        """The last use of a declared credential is kept in memory."""
        self.use("cr_d")
        self.api.clock.advance(WRITE_INTERVAL)
        self.assertEqual(self.written(), {})
        self.assertEqual(self.last_use.times, {"cr_d": START})

    def test_deleted(self) -> None:
        """Of a credential that was deleted meanwhile nothing is written and nothing is kept."""
        self.use("ak_1", "cr_1")
        self.change(Delete(APIKey, "ak_1"))
        self.api.clock.advance(WRITE_INTERVAL)
        self.assertIsNone(self.api.control.records.get(APIKey, "ak_1"))
        self.assertEqual(set(self.last_use.times), {"cr_1"})

    def test_disabled(self) -> None:
        """A credential that may not be used any more does not keep the others from being written."""
        bot = ServiceUser(id="service_1", account_id=ACCOUNT, name="ci")
        self.change(Put(bot), Put(Credential(id="cr_2", account_id=ACCOUNT, token_hash="3", owner_id=bot.id)))
        self.use("cr_1", "cr_2")
        self.change(Delete(ServiceUser, bot.id))
        self.api.clock.advance(WRITE_INTERVAL)
        self.assertEqual(set(self.last_use.times), {"cr_1", "cr_2"})
        self.assertEqual(self.written(), {"cr_1": 0.0})

    def test_failure(self) -> None:
        """A write that fails is logged; the next use is written again."""
        failing: list[Any] = [ValueError("full")]

        async def change(build: Any) -> Any:
            build(self.api.control.records)
            if failing:
                raise failing.pop()
            self.writes += 1

        last_use = LastUse(lambda: self.api.control.records, change, self.api.clock)
        last_use.startService()
        for _ in range(2):
            last_use.used("ak_1", self.api.clock.seconds())
            self.api.clock.advance(WRITE_INTERVAL)
        self.assertEqual(self.writes, 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_many(self) -> None:
        """Those of a crowd are written a few at a time, with pauses in which others are served."""
        ids = [f"cr_{number}" for number in range(100, 100 + 2 * AT_ONCE + 1)]
        self.change(*(Put(Credential(id=id, account_id=ACCOUNT, token_hash=id)) for id in ids))
        self.use(*ids)
        self.api.clock.advance(WRITE_INTERVAL)
        self.assertEqual((self.writes, len(self.written())), (1, AT_ONCE))
        self.api.clock.advance(PAUSE)
        self.api.clock.advance(PAUSE)
        self.assertEqual((self.writes, self.written()), (3, dict.fromkeys(ids, 0.0)))
        self.assertEqual(self.api.clock.getDelayedCalls(), [])

    def test_stop_with_many(self) -> None:
        """When the server stops the rest of a crowd is written at once."""
        ids = [f"cr_{number}" for number in range(100, 100 + 3 * AT_ONCE)]
        self.change(*(Put(Credential(id=id, account_id=ACCOUNT, token_hash=id)) for id in ids))
        self.use(*ids)
        self.api.clock.advance(WRITE_INTERVAL)
        self.successResultOf(self.last_use.stopService())
        self.assertEqual(self.written(), dict.fromkeys(ids, 0.0))

    def test_stop(self) -> None:
        """What is still to be written when the server stops is written then."""
        self.use("ak_1")
        self.successResultOf(self.last_use.stopService())
        self.assertEqual(self.written(), {"ak_1": 0.0})
        self.assertEqual(self.api.clock.getDelayedCalls(), [])

    def test_stop_while_writing(self) -> None:
        """A write that is under way is waited for."""
        slow: Deferred[None] = Deferred()

        async def change(build: Any) -> Any:
            await slow

        last_use = LastUse(lambda: self.api.control.records, change, self.api.clock)
        last_use.startService()
        last_use.used("ak_1", 1.0)
        self.api.clock.advance(WRITE_INTERVAL)
        stopped = last_use.stopService()
        self.assertNoResult(stopped)
        slow.callback(None)
        self.successResultOf(stopped)

    def test_log(self) -> None:
        """The first use since the start is a line in the log, with the time since the use before."""
        publisher = globalLogPublisher
        events: list[dict[str, Any]] = []
        assert isinstance(publisher, LogPublisher)
        publisher.addObserver(events.append)
        self.addCleanup(publisher.removeObserver, events.append)
        self.change(Put(APIKey(id="ak_1", account_id=ACCOUNT, token_hash="1", last_used_at=START - 90.0)))
        self.use("ak_1", "ak_1", "cr_1")
        said = [
            (event["id"], event["before"]) for event in events if event.get("log_namespace", "").endswith("LastUse")
        ]
        self.assertEqual(said, [("ak_1", "it was used last 90 seconds ago"), ("cr_1", "no use before is known")])
