"""
Which fields of a dataclass hold ids of records: their names say so.

``<noun>_id`` and ``<noun>_ids`` mean records of the family whose name is the noun's plural (``ip_policy_ids`` means
``ip_policies``); a list of texts, or a mapping, with the very name of a family means its records (``backends``). Names of no
family, such as ``client_id``, are not references.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Iterator, Mapping, get_args, get_origin

from ngrok_twisted import kinds
from ngrok_twisted.document import join
from ngrok_twisted.marks import specs, unwrap
from ngrok_twisted.records.base import Snapshot


@dataclass(frozen=True, slots=True)
class Reference:
    """
    :ivar field: the field's name.
    :ivar family: the family of the records that it means.
    :ivar many: whether it holds any number of ids.
    """

    field: str
    family: str
    many: bool

    @property
    def shown(self) -> str:
        """What the API calls the field in answers: ``backend`` for ``backend_id``, ``ip_policies`` for ``ip_policy_ids``."""
        return self.family if self.many else self.field.removesuffix("_id")

    def ids(self, value: Any) -> tuple[tuple[str, str], ...]:
        """
        The ids in a value of the dataclass, each with its path there.
        """
        held = getattr(value, self.field)
        if isinstance(held, AbstractMapping):
            return tuple((join(self.field, id), id) for id in held)
        if isinstance(held, tuple):
            return tuple((join(self.field, number), id) for number, id in enumerate(held))
        return ((self.field, held),) if held else ()


@lru_cache(maxsize=None)
def references(cls: type) -> tuple[Reference, ...]:
    """The fields of a dataclass that hold ids, in order."""
    return tuple(_references(cls))


def _references(cls: type) -> Iterator[Reference]:
    families = kinds.records()
    for spec in specs(cls):
        noun, _, tail = spec.name.rpartition("_")
        hint = unwrap(spec.hint)[0]
        if tail == "id" and _plural(noun) in families:
            yield Reference(spec.name, _plural(noun), False)
        elif tail == "ids" and _plural(noun) in families:
            yield Reference(spec.name, _plural(noun), True)
        elif spec.name in families and (get_origin(hint) is AbstractMapping or get_args(hint)[:1] == (str,)):
            yield Reference(spec.name, spec.name, True)


def lost_references(modules: Mapping[str, Any], account_id: str, records: Snapshot) -> Iterator[tuple[str, str, str]]:
    """
    What modules refer to that the account does not have: the module kind's name, the field and the id.

    :param modules: by the names of their kinds, as on an edge.
    """
    for name, module in modules.items():
        cls: type = type(module.config)
        for reference in references(cls):
            known = kinds.records()[reference.family]
            for _, id in reference.ids(module.config):
                record = records.get(known, id)
                if record is None or record.account_id != account_id:
                    yield name, reference.field, id


def _plural(noun: str) -> str:
    return noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
