"""
What must hold for secrets in vaults.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.rules.vaults import name_problems
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.secret import Secret
from ngrok_twisted.records.vault import Vault

#: Bytes of a value: room for any key, certificate chain or token.
VALUE_MAX = 65_536

_CHARACTERS, _EMPTY, _LONG, _NO_VALUE, _LARGE, _TAKEN, _NO_VAULT = 24000, 24001, 24002, 24003, 24004, 24005, 24006


@implementer(IRecordRules)
class SecretRules:
    """Names have few characters and are unique in their vault, which belongs to the same account."""

    name = Secret.family

    def problems(self, record: Secret, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        yield from name_problems(record.name, _EMPTY, _CHARACTERS, _LONG)
        other = min(around.index(_by_name)[record.vault_id, record.name] - {record.id}, default="")
        if other:
            yield Problem("name", f"the vault has a secret named {record.name} already", code=_TAKEN, other=other)
        if not record.value:
            yield Problem("value", "must not be empty", code=_NO_VALUE)
        if len(record.value.encode("utf-8", "surrogatepass")) > VALUE_MAX:
            yield Problem("value", f"is longer than {VALUE_MAX} bytes", code=_LARGE)
        vault = around.records.get(Vault, record.vault_id)
        if vault is None or vault.account_id != record.account_id:
            yield Problem("vault_id", f"there is no vault {record.vault_id}", code=_NO_VAULT)


def _by_name(around: Around) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in around.records.all(Secret):
        found[record.vault_id, record.name].add(record.id)
    return found


rules = SecretRules()
