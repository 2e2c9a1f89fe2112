"""
What must hold for SSH credentials.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.rules._credentials import acl_problems, owner_problems
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.ssh_credential import SSHCredential

#: ngrok's codes: the key is in this account already, or in another one.
TAKEN_HERE, TAKEN_ELSEWHERE = 609, 610


@implementer(IRecordRules)
class SSHCredentialRules:
    """A key says who connects, so that it stands once over all accounts."""

    name = SSHCredential.family

    def problems(self, record: SSHCredential, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        yield from acl_problems(record)
        yield from owner_problems(record, around)
        # Only the later of two is in the wrong: the earlier one may still be changed, and goes on to let its owner in.
        other = around.index(_first)[record.public_key]
        if other.id != record.id:
            yield _taken(record, other)


def _taken(record: SSHCredential, other: SSHCredential) -> Problem:
    if record.account_id == other.account_id:
        message = f"this key is {other.id} already; change that one, or delete it first"
        return Problem("public_key", message, code=TAKEN_HERE, other=other.id)
    return Problem("public_key", "this key is used by another account", code=TAKEN_ELSEWHERE, other=other.id)


def _first(around: Around) -> dict[str, SSHCredential]:
    return {credential.public_key: credential for credential in reversed([*around.records.all(SSHCredential)])}


rules = SSHCredentialRules()
