"""
Records as text for a store: JSON in the shape of `ngrok_twisted.schema`, with every secret sealed.
"""

from __future__ import annotations

import json
from typing import TypeVar

from ngrok_twisted import schema
from ngrok_twisted.control.keyring import Keyring
from ngrok_twisted.errors import InvalidConfig, StoreUnusable
from ngrok_twisted.records.base import Record

R = TypeVar("R", bound=Record)


def encode(record: Record, keyring: Keyring) -> str:
    """
    :return: one line of JSON from which `decode` makes an equal record.
    """
    place = f"{record.family}/{record.id}"
    return json.dumps(schema.dump(record, seal=lambda text: keyring.seal(text, place)), separators=(",", ":"))


def decode(cls: type[R], id: str, text: str, keyring: Keyring) -> R:
    """
    :param id: where the text was found; the record must say the same.
    :raises StoreUnusable: it is not what `encode` wrote, or another version wrote it.
    """
    place = f"{cls.family}/{id}"
    try:
        record = schema.parse(cls, json.loads(text), path=place, stored=True, reveal=lambda it: keyring.open(it, place))
    except (ValueError, InvalidConfig) as error:
        raise StoreUnusable(f"a stored record cannot be read, it may be from another version: {error}") from None
    if record.id != id:
        raise StoreUnusable(f"the stored record {place} says that it is {record.id!r}; restore a backup")
    return record
