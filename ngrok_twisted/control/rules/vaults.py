"""
What must hold for vaults.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.vault import Vault

_NAME = re.compile(r"[A-Za-z0-9_/.]+\Z")


@implementer(IRecordRules)
class VaultRules:
    """Names have few characters and are unique in their account."""

    name = Vault.family

    def problems(self, record: Vault, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        if not _NAME.match(record.name):
            yield Problem("name", "may hold only letters, digits, '_', '/' and '.'", code=23000)
        if len(around.index(_by_name)[record.account_id, record.name]) > 1:
            yield Problem("name", f"there is a vault named {record.name} already", code=23004)


def _by_name(around: Around) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for vault in around.records.all(Vault):
        found[vault.account_id, vault.name].append(vault.id)
    return found


rules = VaultRules()
