"""
What must hold for vaults.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.vault import Vault

#: Characters of the name of a vault or a secret.
NAME_MAX = 255

_NAME = re.compile(r"[A-Za-z0-9_/.]+\Z")

_CHARACTERS, _EMPTY, _LONG, _TAKEN = 23000, 23001, 23002, 23004


@implementer(IRecordRules)
class VaultRules:
    """Names have few characters and are unique in their account."""

    name = Vault.family

    def problems(self, record: Vault, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        yield from name_problems(record.name, _EMPTY, _CHARACTERS, _LONG)
        other = min(around.index(_by_name)[record.account_id, record.name] - {record.id}, default="")
        if other:
            yield Problem("name", f"there is a vault named {record.name} already", code=_TAKEN, other=other)


def name_problems(name: str, empty: int, characters: int, long: int) -> Iterator[Problem]:
    """
    What is wrong with the name of a vault or a secret, which have the same alphabet.

    :param empty: ngrok's code for no name; the others are for one with other characters, and for one that is too long.
    """
    if not name:
        yield Problem("name", "must not be empty", code=empty)
    elif len(name) > NAME_MAX:
        yield Problem("name", f"is longer than {NAME_MAX} characters", code=long)
    elif not _NAME.match(name):
        yield Problem("name", "may hold only letters, digits, '_', '/' and '.'", code=characters)


def _by_name(around: Around) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for vault in around.records.all(Vault):
        found[vault.account_id, vault.name].add(vault.id)
    return found


rules = VaultRules()
