"""
What must hold for authtokens.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.rules._credentials import acl_problems, owner_problems, token_problems
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem, Record
from ngrok_twisted.records.credential import Credential


@implementer(IRecordRules)
class CredentialRules:
    """Each has a token of its own, an owner of its account, and rules that can be read."""

    name = Credential.family

    def problems(self, record: Credential, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        yield from acl_problems(record)
        yield from owner_problems(record, around)
        yield from token_problems(record, around, _first)


def _first(around: Around) -> dict[str, Record]:
    return {credential.token_hash: credential for credential in reversed([*around.records.all(Credential)])}


rules = CredentialRules()
