"""
Modules as the API shows them: what is written with ids is read with references. All of it follows from the kinds and the
names of their fields, so that a new kind needs nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, is_dataclass, make_dataclass, replace
from functools import lru_cache
from typing import Any, Iterable, Mapping

from ngrok_twisted.control.api.bodies import STATE, state_type
from ngrok_twisted.control.api.call import Call
from ngrok_twisted.control.api.shapes import Ref
from ngrok_twisted.describe import field_docs
from ngrok_twisted.marks import specs
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.edge import PLANNED, BackendRef, Module, config_type, module_kinds, module_type
from ngrok_twisted.records.references import references

#: ngrok's numbers for a module that cannot stand here, and for a backend that is not there.
UNSUPPORTED, UNKNOWN_BACKEND = 7021, 6501

#: The places with a backend of their own; an https edge's are those of its routes.
WITH_BACKEND = frozenset({"route", "tls", "tcp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """
    What an edge or a route may have one of: a module, or its backend.

    :ivar name: the key in bodies, and the end of the path.
    :ivar body: the class of what is written; ``None`` for a module that is not built into this version.
    :ivar view: the class of what is shown, likewise.
    :ivar codes: ngrok's numbers for bad values of the fields of ``body``.
    :ivar doc: a sentence about it.
    """

    name: str
    body: type | None
    view: type | None
    codes: Mapping[str, int]
    doc: str

    def get(self, holder: Any) -> Any:
        """What an edge or route has here, or ``None``."""
        return holder.backend if self.body is BackendRef else holder.modules.get(self.name)

    def put(self, holder: Any, value: Any) -> Any:
        """
        :param value: what it has from now on; ``None`` takes it away.
        :return: the edge or route after that.
        """
        if self.body is BackendRef:
            return replace(holder, backend=value)
        modules = {name: module for name, module in holder.modules.items() if name != self.name}
        return replace(holder, modules=modules if value is None else {**modules, self.name: value})


@lru_cache(maxsize=None)
def slots(place: str) -> Mapping[str, Slot]:
    """
    Everything that may stand in one place, by name.

    :param place: ``route``, ``https``, ``tls`` or ``tcp``.
    """
    found = {}
    if place in WITH_BACKEND:
        codes = {"backend_id": UNKNOWN_BACKEND}
        view = view_type(BackendRef)
        found["backend"] = Slot(name="backend", body=BackendRef, view=view, codes=codes, doc="Who answers.")
    for name, kind in module_kinds(place).items():
        config = config_type(kind, place)
        found[name] = Slot(
            name=name,
            body=module_type(config),
            view=view_type(config),
            codes=getattr(kind, "codes", {}),
            doc=_first_sentence(kind),
        )
    for name in sorted(PLANNED[place] - found.keys()):
        found[name] = Slot(name=name, body=None, view=None, codes={}, doc="Not built into this version.")
    return found


def slot_codes(place: str, prefix: str = "") -> dict[str, int]:
    """ngrok's numbers for everything that may stand in one place, by paths in the body of an edge or route."""
    found = {}
    for name, slot in slots(place).items():
        if slot.body is None:
            found[prefix + name] = UNSUPPORTED
        found.update({f"{prefix}{name}.{field}": code for field, code in slot.codes.items()})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class OldPolicy:
    """
    What ``policy`` was before it was called ``traffic_policy``: clients still expect the key, which is null.

    :ivar enabled: whether traffic goes through it.
    :ivar value: the document.
    """

    enabled: bool
    value: str


# -- what is shown -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=None)
def view_type(config: type) -> type:
    """
    The class of what is shown for a config: ``enabled``, and its fields with references in the place of ids.
    """
    docs, notes = field_docs(config), ["enabled: whether traffic goes through it."]
    made: list[tuple[str, Any]] = [("enabled", bool)]
    known = {reference.field: reference for reference in references(config)}
    for spec in specs(config):
        if spec.name == "enabled":
            continue
        reference = known.get(spec.name)
        name = spec.name if reference is None else reference.shown
        hint: Any = spec.hint
        if reference is not None:
            hint = tuple[Ref, ...] if reference.many else Ref if spec.required else Ref | None
        made.append((name, hint))
        notes.append(f"{name}: {docs.get(spec.name, '')}")
    if (state := state_type(config)) is not None:
        made.append((STATE, state | None))
        notes.append(f"{STATE}: how it does on this server; null while it is not in use. Read-only: ignored in bodies.")
    doc = "".join(f"\n    :ivar {note}" for note in notes) + "\n"
    name = config.__name__.removesuffix("Config") + "View"
    return make_dataclass(name, made, frozen=True, slots=True, kw_only=True, namespace={"__doc__": doc})


def view(call: Call, value: Module | BackendRef, place: str = "") -> Any:
    """
    A module or backend as the caller sees it.

    :param place: the id of what it stands in.
    """
    config: Any = value.config if isinstance(value, Module) else value
    cls: Any = type(config)
    known = {reference.field: reference for reference in references(cls)}
    shown: dict[str, Any] = {"enabled": value.enabled}
    for spec in specs(cls):
        reference = known.get(spec.name)
        if reference is not None:
            refs = tuple(record_ref(call, reference.family, id) for _, id in reference.ids(config))
            shown[reference.shown] = refs if reference.many else next(iter(refs), None)
        elif spec.name != "enabled":
            shown[spec.name] = without_secrets(getattr(config, spec.name), spec.secret)
    if state_type(cls) is not None:
        kept = call.parts.more.get("kept", {})
        shown[STATE] = config.state(kept, place, call.parts.now()) if value.enabled else None
    return view_type(cls)(**shown)


def record_ref(call: Call, family: str, id: str) -> Ref:
    """A reference to a record; backends are found under their kinds."""
    if family != Backend.family:
        return call.ref(f"/{family}", id)
    record = call.records.get(Backend, id)
    return call.ref(f"/backends/{record.kind}", id) if record is not None else Ref(id=id)


def without_secrets(value: Any, secret: bool = False) -> Any:
    """
    The same value, with an empty text for every secret: a module may be read by many who were never told its secrets.
    """
    if isinstance(value, str):
        return "" if secret else value
    if isinstance(value, tuple):
        return tuple(without_secrets(item, secret) for item in value)
    if isinstance(value, AbstractMapping):
        return {key: without_secrets(item, secret) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type) and not hasattr(value, "from_text"):
        inner = {spec.name: secret or spec.secret for spec in specs(type(value))}
        return replace(value, **{name: without_secrets(getattr(value, name), hide) for name, hide in inner.items()})
    return value


def holder_view_type(name: str, base: type, place: str, more: Iterable[tuple[str, Any, str]] = ()) -> Any:
    """
    The class of what is shown for an edge or a route: the fields of ``base``, ``more``, and one for each slot.

    :param more: further fields: name, type and meaning.
    """
    made, notes = [], []
    for field, hint, doc in more:
        made.append((field, hint))
        notes.append(f"{field}: {doc}")
    for slot in slots(place).values():
        made.append((slot.name, None if slot.view is None else slot.view | None))
        notes.append(f"{slot.name}: {slot.doc} Null if it is not set.")
    doc = "".join(f"\n    :ivar {note}" for note in notes) + "\n"
    namespace = {"__doc__": doc}
    return make_dataclass(name, made, bases=(base,), frozen=True, slots=True, kw_only=True, namespace=namespace)


def holder_views(call: Call, place: str, holder: Any) -> dict[str, Any]:
    """What is shown for everything that an edge or a route may have, by name."""
    shown = {}
    for name, slot in slots(place).items():
        value = None if slot.body is None else slot.get(holder)
        shown[name] = None if value is None else view(call, value, holder.id)
    return shown


def given_slots(holder: Any, body: Any) -> Any:
    """
    The edge or route after a PATCH: what the body has takes the place of the old whole, and the rest stays.
    """
    holder = replace(holder, modules={**holder.modules, **body.modules})
    backend = getattr(body, "backend", None)
    return holder if backend is None else replace(holder, backend=backend)


def _first_sentence(kind: Any) -> str:
    return " ".join((kind.__doc__ or "").split()).partition(". ")[0].rstrip(".") + "."
