"""
`ModuleContext`: what a module kind is given beside its own config.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Hashable, MutableMapping, TypeVar
from weakref import WeakValueDictionary

from ngrok_twisted.collect import Room
from ngrok_twisted.records.base import Record, Snapshot
from ngrok_twisted.runtime import Runtime

R = TypeVar("R", bound=Record)
T = TypeVar("T")


def _nowhere(account_id: str, proto: str, host: str, port: int) -> None:
    """There are no internal endpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """
    :ivar answer_slack_challenge: whether Slack's challenge to a new URL is answered by the edge, and not by the service.
    :ivar auto_confirm_sns: whether the edge confirms subscriptions to Amazon SNS topics, of the accounts whose numbers are
        the secrets of routes.
    """

    answer_slack_challenge: bool = True
    auto_confirm_sns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleContext:
    """
    :ivar runtime: the reactor and what else a kind may reach.
    :ivar account_id: the account that the edge or endpoint belongs to.
    :ivar records: what references are looked up in; use `find`, so that the edge is remade when what it found changes.
    :ivar used: every record that was found, in the order of the first look-up.
    :ivar internal: finds internal endpoints; see `ngrok_twisted.policy.context.ActionContext`.
    :ivar room: where request bodies are held that a module must see as a whole.
    :ivar webhooks: what the edge does for providers of webhooks, beside verifying.
    :ivar place: the id of the route that the module stands in; empty where nothing is kept.
    :ivar kept: what `keep` keeps, for as long as an edge that is served holds it.
    """

    runtime: Runtime
    account_id: str = ""
    records: Snapshot = Snapshot()
    used: list[Record] = field(default_factory=list)
    internal: Callable[[str, str, str, int], Any] = _nowhere
    room: Room = field(default_factory=Room)
    webhooks: Webhooks = Webhooks()
    place: str = ""
    kept: MutableMapping[Hashable, Any] = field(default_factory=WeakValueDictionary)

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """
        State that outlives the edge: what the module kept under this key when the place was compiled before and is still
        served, or something new.

        :param key: the name of the module's kind, and all of the config that the state depends on.
        :param make: makes what can be referred to weakly.
        """
        if not self.place:
            return make()
        known: T | None = self.kept.get((self.place, key))
        if known is None:
            known = self.kept[self.place, key] = make()
        return known

    def find(self, cls: type[R], id: str) -> R:
        """
        The record of the account that a reference means.

        :raises LookupError: there is none.
        """
        record = self.records.get(cls, id)
        if record is None or record.account_id != self.account_id:
            raise LookupError(f"there is no {cls.family} {id}")
        if record not in self.used:
            self.used.append(record)
        return record

    def find_or(self, absent: R) -> R:
        """
        The record of the account that has the id of ``absent``; where there is none, ``absent`` counts, and the edge is
        remade with every change until there is one.
        """
        try:
            return self.find(type(absent), absent.id)
        except LookupError:
            self.used.append(absent)
            return absent
