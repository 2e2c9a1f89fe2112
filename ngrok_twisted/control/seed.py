"""
From a config to the records it declares: names become ids, each resource of the API makes its records, and every record is
judged among the others. Nothing is read and nothing is random, so that all is the same after every restart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Iterable, Iterator, Mapping

from ngrok_twisted.control.addresses import with_ports
from ngrok_twisted.control.api.call import Making
from ngrok_twisted.control.api.collection import Made
from ngrok_twisted.control.around import Around, all_problems
from ngrok_twisted.control.config import AccountItem, AuthorizedKey, Config, reservation_settings
from ngrok_twisted.control.first_key import First
from ngrok_twisted.control.lists import Item, Read, lists
from ngrok_twisted.control.names import DEFAULT_ACCOUNT, Names, Resolving, account_id
from ngrok_twisted.control.origins import KEYS_PATH, Declared, Origins, inside, once
from ngrok_twisted.document import Positions, join
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.iam.tokens import declared_hash
from ngrok_twisted.records.account import Account
from ngrok_twisted.records.base import Problem, Put, Record, Snapshot
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.user import default_user
from ngrok_twisted.schema import suggestion

#: Bytes of a description; the comment of a key in ``authorized_keys`` may be longer.
DESCRIPTION_MAX = 255


def declare(config: Config, read: Read, positions: Positions) -> tuple[Declared, list[Problem]]:
    """
    Make every record, and judge it.

    :param config: the server's own settings, accounts and keys.
    :param read: the items of the lists.
    :param positions: the lines of the file.
    :return: the records, accounts first, and everything that is wrong with them.
    """
    seed = _Seed(config, positions)
    seed.accounts(config)
    seed.firsts(config.firsts)
    seed.items(read)
    seed.keys(config.keys)
    found = [*seed.problems, *seed.judged()]
    return Declared(tuple(seed.made), Origins(seed.paths, positions, seed.names)), found


def with_keys(config: Config, keys: Iterable[AuthorizedKey]) -> Config:
    """
    The config with more keys from ``authorized_keys`` files, and their records.

    :raises InvalidConfig: something is wrong with them.
    """
    keys = tuple(keys)
    seed = _Seed(config, Positions())
    seed.again(config.declared)
    seed.keys(keys)
    if seed.problems:
        raise InvalidConfig(seed.problems)
    declared = Declared(tuple(seed.made), replace(config.declared.origins, paths=seed.paths))
    return replace(config, keys=config.keys + keys, declared=declared)


def with_firsts(config: Config, tokens: Mapping[First, str]) -> Config:
    """
    The config with the tokens in the state directory, and their records.
    """
    seed = _Seed(config, Positions())
    seed.again(config.declared)
    seed.firsts(tokens)
    return replace(config, firsts=tokens, declared=replace(config.declared, records=tuple(seed.made)))


class _Seed:
    """
    The records so far.

    :ivar made: every record, in order.
    :ivar paths: where each comes from, by its id.
    :ivar names: what the file calls each, if it does.
    :ivar problems: what stood in the way of making one.
    """

    def __init__(self, config: Config, positions: Positions) -> None:
        self.made: list[Record] = []
        self.paths: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self._ids: set[str] = set()
        self.problems: list[Problem] = []
        self._settings = reservation_settings(config)
        self._positions = positions
        self._tables: dict[str, dict[str, Record]] = {}
        # One value for all: it is only looked at, and grows with the records.
        self._records = Snapshot(tables=self._tables)
        self._doubtful: set[str] = set()

    def add(self, record: Record, path: str) -> None:
        """Take a record in."""
        self.made.append(record)
        self._ids.add(record.id)
        if path:
            self.paths[record.id] = path
        self._tables.setdefault(record.family, {})[record.id] = record

    def again(self, declared: Declared) -> None:
        """Take records in that were made before."""
        for record in declared.records:
            self.add(record, declared.origins.paths.get(record.id, ""))

    def accounts(self, config: Config) -> None:
        """The default account and the others, each with its default user."""
        items = {DEFAULT_ACCOUNT: ("", AccountItem(name=DEFAULT_ACCOUNT))}
        for number, item in enumerate(config.accounts):
            items[item.name] = join("accounts", number), item
        for name, (path, item) in items.items():
            account = Account(
                id=account_id(name),
                name=name,
                description=item.description,
                suspended=item.suspended,
                declared=True,
            )
            self.add(account, path)
            self.add(default_user(account, item.email), path)

    def firsts(self, tokens: Mapping[First, str]) -> None:
        """What lets somebody in at a server without a config file; a token is empty where none was made yet."""
        for first, token in tokens.items():
            if token and first.id not in self._ids:
                record = first.cls(
                    id=first.id,
                    account_id=account_id(""),
                    description="made at the first start",
                    declared=True,
                    token_hash=declared_hash(token),
                )
                self.add(record, "")

    def items(self, read: Read) -> None:
        """Every item that could be read."""
        self._doubtful |= read.doubtful
        items = with_ports(read.items, self._settings, self.problems)
        names, resolving = Names(items), Resolving()
        self.names.update((item.id, item.name) for item in items if item.id and item.name)
        self.problems += self._owners(items)
        self.problems += _same_names(items)
        for item in items:
            if item.body is not None:
                body = names.resolved(item, resolving)
                self._make(item, self._free_id(item), body)
        self.problems += resolving.problems
        # Whoever refers to something broken is not to blame.
        for path, other in resolving.places.items():
            if other is None or other.id not in self._ids:
                self._doubtful.add(path)

    def keys(self, keys: Iterable[AuthorizedKey]) -> None:
        """The keys of ``authorized_keys`` files; one that is declared too keeps its rules."""
        list_ = lists()["ssh_credentials"]
        for key in keys:
            body = list_.body(public_key=key.public_key, description=_short(key.comment))
            id = list_.resource.declared_id("", body, 0)
            known = self._tables.get(list_.resource.record.family, {}).get(id)
            if known is None:
                self._make(Item(list=list_, path=KEYS_PATH, id=id, body=body), id, body)
            elif known.account_id != account_id(""):
                owner = self._records.get(Account, known.account_id)
                owner_name = "of somebody else" if owner is None else owner.name
                said = (
                    f"the key in {key.source} is declared by {self.paths.get(id, 'another')} for the account {owner_name}; "
                    "take it out of one"
                )
                self.problems.append(Problem(KEYS_PATH, said, code=610))

    def _owners(self, items: Iterable[Item]) -> Iterator[Problem]:
        known = {record.name for record in self._records.all(Account)}
        for item in items:
            if item.account and item.account not in known:
                self._doubtful.add(item.path)
                close = suggestion(item.account, known) or "; declare it under 'accounts'"
                yield Problem(join(item.path, "account"), f"there is no account of this name{close}")

    def _free_id(self, item: Item) -> str:
        """The item's id; where another one has it already, be it of another account or a mistake, one that nobody has."""
        prefix, place = item.list.resource.prefix, item.list.place
        other = declared_id(prefix, f"{place}@{item.account}", item.id)
        choices = (item.id, other, declared_id(prefix, place + "#", item.path))
        return next(id for id in choices if id not in self._ids)

    def _make(self, item: Item, id: str, body: Any) -> None:
        making = Making(
            id=id,
            account_id=account_id(item.account),
            declared=True,
            name=item.name,
            records=self._records,
            settings=self._settings,
            inner_id=lambda prefix, key: declared_id(prefix, id, key),
            random_bytes=_nothing_random,
        )
        try:
            made = item.list.resource.make(making, body)
        except Refused as refused:
            self.problems.append(Problem(item.path, refused.message, code=refused.code or 0))
        except InvalidConfig as error:
            origins = Origins({id: item.path}, self._positions, self.names)
            self.problems += [origins.locate(id, each) for each in error.problems]
        else:
            made = made if isinstance(made, Made) else Made(made)
            self.add(made.record, item.path)
            for change in made.also:
                if isinstance(change, Put):
                    self.add(change.record, inside(item.path, made.places.get(change.record.id, "")))

    def judged(self) -> Iterator[Problem]:
        """Everything that is wrong with a record among the others."""
        around = Around(records=self._records, settings=self._settings)
        origins = Origins(self.paths, self._positions, self.names)
        for record, problem in once(all_problems(self.made, around), self.made):
            located = origins.locate(record.id, problem)
            if not self._is_doubtful(located.path):
                yield located

    def _is_doubtful(self, path: str) -> bool:
        """Whether something at this path, or around it, is wrong already."""
        while path:
            if path in self._doubtful:
                return True
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return False


def _same_names(items: Iterable[Item]) -> Iterator[Problem]:
    """Items of one name. Where the API has a name of its own, the rules of its records count."""
    seen: dict[tuple[str, str], str] = {}
    for item in items:
        if item.name and not item.list.names_itself:
            other = seen.setdefault((item.list.space, item.name), item.path)
            if other != item.path:
                yield Problem(join(item.path, "name"), f"is the name of {other} already; names are unique in a list")


def _short(comment: str) -> str:
    """A comment as a description."""
    return comment.encode("utf-8")[:DESCRIPTION_MAX].decode("utf-8", "ignore")


def _nothing_random(count: int) -> bytes:
    raise AssertionError("a declared record is the same at every start: nothing about it may be random")
