"""
The API without HTTP: real routes, resources, rules and `Control` over a memory store, on a clock that tests advance.
"""

from __future__ import annotations

from typing import Any, Iterable

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import schema
from ngrok_twisted.control.api.call import Call, Parts
from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.method import Query
from ngrok_twisted.control.api.routes import Routes, all_methods
from ngrok_twisted.control.ownership import ReservationSettings
from ngrok_twisted.control.service import Control
from ngrok_twisted.control.stores.memory import MemoryStore
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.iam.sessions import Sessions
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Problem, Record, Snapshot
from ngrok_twisted.records.ids import NewIds, declared_id
from ngrok_twisted.records.user import default_user
from ngrok_twisted.tunnels import Tunnels

#: The moment at which tests begin: 2026-01-01 in UTC.
START = 1_767_225_600.0

ACCOUNT, OTHER = (declared_id("ac", "accounts", name) for name in ("default", "other"))
OWNER, OTHER_OWNER = (declared_id("usr", "users", name) for name in ("default", "other"))
BASE_URL = "https://api.example.com"

SETTINGS = ReservationSettings(
    base_domain="example.com",
    tcp_host="tcp.example.com",
    tcp_ports=range(20000, 20010),
    open_account_ids=frozenset({ACCOUNT}),
)


def principal(account_id: str = ACCOUNT, **more: Any) -> Principal:
    """A caller with an API key of this account."""
    name, owner_id = ("other", OTHER_OWNER) if account_id == OTHER else ("default", OWNER)
    given = {"credential_id": declared_id("ak", "api_keys", account_id), "owner_id": owner_id, "account_name": name}
    return Principal(account_id=account_id, **{**given, **more})


class WillingPlane:
    """An edge plane that serves everything."""

    def __init__(self) -> None:
        self.applied = Snapshot()

    def check(self, snapshot: Snapshot) -> list[Problem]:
        """IEdgePlane."""
        return []

    def apply(self, snapshot: Snapshot) -> None:
        """IEdgePlane."""
        self.applied = snapshot


class APIHarness:
    """
    Calls methods as the HTTP side would.

    :ivar control: the real thing.
    :ivar caller: the `Principal` of the calls; tests may replace it.
    :ivar peer_host: the IP address that they come from, likewise.
    """

    def __init__(self, declared: Iterable[Record] = (), plane: Any = None, **parts: Any) -> None:
        """
        :param declared: records of a config, beside the two accounts.
        :param parts: takes the place of fields of `Parts`.
        """
        self.clock = Clock()
        self.clock.advance(START)
        accounts = [Account(id=id, name=name, declared=True) for id, name in ((ACCOUNT, "default"), (OTHER, "other"))]
        users = [default_user(account) for account in accounts]
        self.plane = WillingPlane() if plane is None else plane
        self.control = Control(MemoryStore(), self.plane, [*accounts, *users, *declared], self.clock, SETTINGS)
        opened: list[Any] = []
        Deferred.fromCoroutine(self.control.open()).addBoth(opened.append)
        assert opened == [None], opened
        self.caller = principal()
        self.peer_host = ""
        self.tunnels = Tunnels()
        self.sessions = Sessions()
        given: dict[str, Any] = {
            "records": lambda: self.control.records,
            "change": self.control.change,
            "live": lambda: self.control.live,
            "tunnels": self.tunnels,
            "sessions": self.sessions,
            "settings": SETTINGS,
            "now": self.clock.seconds,
            "new_id": NewIds(self.clock.seconds),
            "random_bytes": lambda count: bytes(range(count)),
        }
        self.parts = Parts(**{**given, **parts})
        self.routes = Routes(all_methods())

    def send(self, verb: str, path: str, data: Any = None, query: Query = Query()) -> Deferred[tuple[int, Any]]:
        """
        Perform a method.

        :return: a Deferred that fires with the status and the JSON of the answer, or fails with an `APIError`.
        """
        found = self.routes.find(verb, path)
        assert found is not None, f"there is no {verb} {path}"
        method, params = found
        call = Call(
            parts=self.parts,
            principal=self.caller,
            base_url=BASE_URL,
            params=params,
            query=query,
            data={} if data is None else data,
            peer_host=self.peer_host,
        )

        def shown(answer: Any) -> tuple[int, Any]:
            return answer.status, None if answer.body is None else schema.dump(answer.body)

        return _awaited(method.perform, call).addCallback(shown)


def _awaited(perform: Any, call: Call) -> Deferred[Any]:
    async def performed() -> Any:
        answer = perform(call)
        return await answer if hasattr(answer, "__await__") else answer

    return Deferred.fromCoroutine(performed())


class APITestCase(SynchronousTestCase):
    """Sends requests to a harness and compares what comes back."""

    def setUp(self) -> None:
        self.api = APIHarness()

    def ok(self, verb: str, path: str, data: Any = None, **query: Any) -> Any:
        """The JSON of an answer to a request that succeeds."""
        return self.successResultOf(self.api.send(verb, path, data, Query(**query)))[1]

    def status(self, verb: str, path: str, data: Any = None) -> int:
        """The status of a request that succeeds."""
        status: int = self.successResultOf(self.api.send(verb, path, data))[0]
        return status

    def refused(self, verb: str, path: str, data: Any = None, **query: Any) -> APIError:
        """The error of a request that is refused."""
        error = self.failureResultOf(self.api.send(verb, path, data, Query(**query)), APIError).value
        assert isinstance(error, APIError)
        return error
