"""
What the rules of all kinds of credentials share.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator

from ngrok_twisted.control.around import Around
from ngrok_twisted.errors import Refused
from ngrok_twisted.iam.owners import owner_of
from ngrok_twisted.iam.permissions import parse_rule
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Problem, Record

#: Rules of one credential: each is looked at for every name that is bound.
ACL_MAX = 1000

#: ngrok's codes: a malformed rule, an owner that is not there.
BAD_RULE, NO_OWNER = 600, 634


def acl_problems(record: Any) -> Iterator[Problem]:
    """What is wrong with the access control list of a credential."""
    if len(record.acl) > ACL_MAX:
        yield Problem("acl", f"has more than {ACL_MAX} rules; a wildcard may stand for many", code=BAD_RULE)
        return
    for number, rule in enumerate(record.acl):
        try:
            parse_rule(rule)
        except Refused as refused:
            yield Problem(f"acl[{number}]", refused.message, code=BAD_RULE)


def owner_problems(record: Any, around: Around) -> Iterator[Problem]:
    """An owner that is named belongs to the account."""
    account = around.records.get(Account, record.account_id)
    if record.owner_id and account is not None and owner_of(around.records, account, record.owner_id) is None:
        yield Problem("owner_id", "there is no user or service user of this name or id in the account", code=NO_OWNER)


def token_problems(record: Any, around: Around, first: Callable[[Around], dict[str, Record]]) -> Iterator[Problem]:
    """
    A token belongs to one record of its family.

    :param first: as for `Around.index`: the first record of each hash.
    """
    other = around.index(first)[record.token_hash]
    if other.id != record.id:
        yield Problem("token", "is declared a second time; give each its own", other=other.id)
