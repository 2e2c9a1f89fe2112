"""
What the rules say of records.
"""

from __future__ import annotations

from ngrok_twisted.control.around import Around, all_problems
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Put, Record, Snapshot
from tests.control.api.harness import SETTINGS


def judged(*records: Record) -> list[tuple[str, str, int]]:
    """
    Judge records of the accounts ``ac_1`` and ``ac_2`` in the middle of each other.

    :return: the record's id, the path and the code of each problem.
    """
    accounts = [Account(id=id, name=id) for id in ("ac_1", "ac_2")]
    around = Around(records=Snapshot().with_changes(map(Put, [*accounts, *records])), settings=SETTINGS)
    return [(record.id, problem.path, problem.code) for record, problem in all_problems(records, around)]
