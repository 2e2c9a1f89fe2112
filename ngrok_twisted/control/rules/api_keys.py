"""
What must hold for API keys.
"""

from __future__ import annotations

from typing import Iterator

from zope.interface import implementer

from ngrok_twisted.control.around import Around
from ngrok_twisted.control.rules._credentials import owner_problems, token_problems
from ngrok_twisted.interfaces import IRecordRules
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.base import Problem, Record


@implementer(IRecordRules)
class APIKeyRules:
    """Each has a token of its own, and an owner of its account."""

    name = APIKey.family

    def problems(self, record: APIKey, around: Around) -> Iterator[Problem]:
        """IRecordRules."""
        yield from owner_problems(record, around)
        yield from token_problems(record, around, _first)


def _first(around: Around) -> dict[str, Record]:
    return {key.token_hash: key for key in reversed([*around.records.all(APIKey)])}


rules = APIKeyRules()
