"""
``/backends/…``: who answers, one collection for each backend kind. All of it follows from the kinds' configs.
"""

from __future__ import annotations

from dataclasses import MISSING, field, fields, is_dataclass, make_dataclass, replace
from typing import Annotated, Any, Iterable, Iterator, Optional

from ngrok_twisted import kinds
from ngrok_twisted.control.api.bodies import given_values
from ngrok_twisted.control.api.call import Call, Making
from ngrok_twisted.control.api.collection import Collection
from ngrok_twisted.control.api.shapes import EMPTY_KEEPS, Ref, Seen, Texts, TextsUpdate
from ngrok_twisted.control.backend_graph import users
from ngrok_twisted.describe import field_docs
from ngrok_twisted.errors import Refused
from ngrok_twisted.interfaces import IBackendKind
from ngrok_twisted.marks import specs
from ngrok_twisted.records.backend import PREFIXES, Backend
from ngrok_twisted.records.base import Delete, Snapshot

#: ngrok's numbers that are about any backend, and for one that is still needed.
BACKEND_CODES = {"": 6514, "description": 6503, "metadata": 6504}
_REFERENCED = 6502

#: Users of a backend that a refusal names.
_NAMED = 3


class BackendCollection(Collection[Backend]):
    """
    The backends of one kind. What is written and what is shown have the fields of the kind's config.
    """

    record = Backend
    list_key = "backends"
    deprecated = True

    def __init__(self, kind: Any) -> None:
        """
        :param kind: an `IBackendKind`.
        """
        self.kind = kind
        config, stem = kind.Config, kind.Config.__name__.removesuffix("Config") + "Backend"
        self.name = f"{kind.name}_backends"  # type: ignore[misc]
        self.path = f"/backends/{kind.name}"  # type: ignore[misc]
        self.noun = kind.name.replace("_", " ") + " backend"  # type: ignore[misc]
        self.declared_at = f"backends.{kind.name}"  # type: ignore[misc]
        self.codes = {**BACKEND_CODES, **getattr(kind, "codes", {})}  # type: ignore[misc]
        self.Create = _class(f"{stem}Create", Texts, config, _written(config))  # type: ignore[misc]
        self.Update = _class(f"{stem}Update", TextsUpdate, config, _changed(config))  # type: ignore[misc]
        self.View = _class(f"{stem}View", Seen, config, _shown(config))  # type: ignore[misc]

    @property
    def prefix(self) -> str:
        """Collection."""
        return PREFIXES.get(self.kind.name, Backend.prefix)

    def make(self, making: Making, body: Any) -> Backend:
        """Collection."""
        config = self.kind.Config(**{spec.name: getattr(body, spec.name) for spec in specs(self.kind.Config)})
        return Backend(**self.common(making, body), kind=self.kind.name, config=config, name=making.name)

    def changed(self, call: Call, record: Backend, body: Any, records: Snapshot) -> Backend:
        """Collection."""
        given = given_values(body)
        texts = {name: given.pop(name) for name in ("description", "metadata") if name in given}
        return replace(record, **texts, config=replace(record.config, **given))

    def removed(self, call: Call, record: Backend, records: Snapshot) -> tuple[Delete]:
        """Collection."""
        found = sorted(users(records, record.id))
        if found:
            named = ", ".join(found[:_NAMED]) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
            raise Refused(_REFERENCED, f"The backend {record.id} is still used by {named}: change them first.")
        return (Delete(Backend, record.id),)

    def view(self, call: Call, record: Backend) -> Any:
        """Collection."""
        shown = {spec.name: getattr(record.config, spec.name) for spec in specs(self.kind.Config)}
        return self.View(**self.seen(call, record), **shown)

    def owned(self, call: Call, records: Snapshot) -> Iterator[Backend]:
        """Collection."""
        return (record for record in super().owned(call, records) if record.kind == self.kind.name)


class TunnelGroups(BackendCollection):
    """Tunnel groups show who is in them now."""

    def __init__(self, kind: Any) -> None:
        super().__init__(kind)
        more = [("tunnels", tuple[Ref, ...], field())]
        self.View = _class("TunnelGroupBackendView", self.View, _Live, more)  # type: ignore[misc]

    def view(self, call: Call, record: Backend) -> Any:
        """Collection."""
        members = call.parts.tunnels.matching(record.account_id, record.config.labels)
        tunnels = tuple(call.ref("/tunnels", tunnel.id) for tunnel in members)
        return self.View(**self.seen(call, record), labels=record.config.labels, tunnels=tunnels)


class _Live:
    """
    :ivar tunnels: the tunnels that are online and carry all of the labels.
    """


Field = tuple[str, Any, Any]


def _written(config: type) -> Iterator[Field]:
    """The fields of a POST: those of the config."""
    defaults = {item.name: item for item in fields(config)}
    for spec in specs(config):
        item, hint = defaults[spec.name], Annotated[(spec.hint, *spec.marks)] if spec.marks else spec.hint
        if item.default_factory is not MISSING:
            yield spec.name, hint, field(default_factory=item.default_factory, repr=item.repr)
        else:
            yield spec.name, hint, field(default=item.default, repr=item.repr)


def _changed(config: type) -> Iterator[Field]:
    """
    The fields of a PATCH. What cannot be empty is left alone by an empty value, and so is a whole of several fields: some
    client sends both on every update.
    """
    for spec in specs(config):
        marks = (*spec.marks, EMPTY_KEEPS) if spec.required or is_dataclass(spec.hint) else spec.marks
        hint: Any = Optional[spec.hint]
        yield spec.name, Annotated[(hint, *marks)] if marks else hint, field(default=None, repr=not spec.secret)


def _shown(config: type) -> Iterator[Field]:
    """The fields of a view."""
    return ((spec.name, spec.hint, field()) for spec in specs(config) if not spec.secret)


def _class(name: str, base: type, documented: type, made: Iterable[Field]) -> type:
    made = list(made)
    docs = field_docs(documented)
    doc = "".join(f"\n    :ivar {item[0]}: {docs[item[0]]}" for item in made if item[0] in docs) + "\n"
    return make_dataclass(name, made, bases=(base,), frozen=True, slots=True, kw_only=True, namespace={"__doc__": doc})


def _collections() -> Iterator[BackendCollection]:
    special = {"tunnel_group": TunnelGroups}
    for name, kind in kinds.discover("ngrok_twisted.backends", IBackendKind).items():
        yield special.get(name, BackendCollection)(kind)


globals().update({collection.name: collection for collection in _collections()})
