"""
Filters of lists: a subset of CEL over one variable, ``obj``, which is the object as the caller sees it::

    obj.created_at > timestamp(time.now).subtract("7d") && !("bind:*" in obj.acl) && size(obj.description) > 0

There are ``! && || < <= == != >= >``, ``in`` with a list, parentheses, ``size``, ``timestamp`` with ``add`` and
``subtract``, and ``startsWith``, ``contains`` and ``endsWith`` on fields that are not ids. Fields that an object lacks
are null. An expression is read once, by a parser without backtracking, into functions that look at one object each; its
size, its depth and its costly parts are bounded.

Source: the specification of the API, section 3; CEL's language definition for syntax and precedence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping

from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.filter_values import (
    Moment,
    Object,
    at,
    comparison,
    duration,
    moment,
    one_of,
    size,
    within,
)
from ngrok_twisted.control.api.filter_words import BadFilter, Word, words
from ngrok_twisted.schema import suggestion

#: ngrok's code.
BAD_FILTER = 250

#: Characters of a filter: a hundred ids and what stands around them.
TEXT_MAX = 4096

#: How deep parentheses, negations, calls and lists may stand in each other. CEL asks for 12 and more.
DEPTH_MAX = 24

#: Comparisons: each is made for each item of the account, while nobody else is served. A list of texts counts as one.
COMPARISONS_MAX = 100

#: Searches in texts and lists of an item: either may be long, and each search reads all of it.
SEARCHES_MAX = 8

#: Field paths to what a filter may write for some of their values, in place of the values themselves.
Spellings = Mapping[str, Mapping[str, str]]

_SEARCHES: Mapping[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "contains": str.__contains__,
    "endsWith": str.endswith,
}


def compile_filter(
    text: str, fields: tuple[str, ...], now: float, spellings: Spellings | None = None
) -> Callable[[Object], bool]:
    """
    :param text: the expression.
    :param fields: the paths that it may ask for; what is below them may be asked for too.
    :param now: seconds since the epoch, for ``time.now``.
    :param spellings: other words for values of some fields, such as ``{"type": {"agent": "ephemeral"}}``.
    :return: tells of one object, as it is shown, whether it is wanted.
    :raises APIError: 250, it cannot be used; the message says where and why.
    """
    try:
        if len(text) > TEXT_MAX:
            raise BadFilter(TEXT_MAX, f"a filter has at most {TEXT_MAX} characters")
        wanted = _Parser(text, fields, now, spellings or {}).whole()
    except BadFilter as bad:
        message = f"The filter cannot be used. At character {bad.place + 1}: {bad.message}."
        raise APIError(BAD_FILTER, message) from None
    return lambda shown: wanted(shown) is True


@dataclass(frozen=True, slots=True)
class _Part:
    """
    A part of an expression.

    :ivar type: what it gives: ``bool``, ``text``, ``number``, ``null``, ``list``, ``time``; ``any`` for a field.
    :ivar of: gives its value for an object.
    :ivar place: where it begins.
    :ivar field: the path, if it is nothing but a field.
    :ivar literal: whether it stands for itself.
    """

    type: str
    of: Callable[[Object], Any]
    place: int
    field: str = ""
    literal: bool = False


class _Parser:
    """Reads one expression, by recursive descent: a method for each level of precedence."""

    def __init__(self, text: str, fields: tuple[str, ...], now: float, spellings: Spellings) -> None:
        self._words = [*words(text), _END, _END]
        self._next = 0
        self._depth = 0
        self._comparisons = 0
        self._searches = 0
        self._fields = fields
        self._now = now
        self._spellings = spellings

    def whole(self) -> Callable[[Object], Any]:
        """The function of the whole expression."""
        part = self._either()
        if self._peek.kind != "end":
            raise BadFilter(self._peek.place, f"{self._shown(self._peek)} does not belong here")
        return self._condition(part).of

    # -- words ---------------------------------------------------------------------------------------------------------

    @property
    def _peek(self) -> Word:
        return self._words[self._next]

    def _take(self) -> Word:
        word = self._words[self._next]
        self._next += word.kind != "end"
        return word

    def _takes(self, *signs: str) -> str:
        """Take the next word if it is one of these signs, or the name ``in``; say which."""
        word = self._peek
        if word.value in signs and (word.kind == "sign" or word.kind == "name" and word.value == "in"):
            return str(self._take().value)
        return ""

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise BadFilter(self._peek.place, f"there must be '{sign}' and not {self._shown(self._peek)}")

    @staticmethod
    def _shown(word: Word) -> str:
        if word.kind == "end":
            return "the end"
        return ascii(word.value)[:40] if word.kind == "text" else f"'{str(word.value)[:40]}'"

    def _deeper(self, place: int) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise BadFilter(place, f"a filter is at most {DEPTH_MAX} levels deep")

    # -- levels of precedence, loosest first ---------------------------------------------------------------------------

    def _either(self) -> _Part:
        return self._joined("||", self._all, lambda parts: lambda shown: any(part(shown) is True for part in parts))

    def _all(self) -> _Part:
        return self._joined(
            "&&", self._relation, lambda parts: lambda shown: all(part(shown) is True for part in parts)
        )

    def _joined(self, sign: str, inner: Callable[[], _Part], join: Callable[[list[Any]], Any]) -> _Part:
        first = inner()
        parts = [first]
        while self._takes(sign):
            parts.append(inner())
        if len(parts) == 1:
            return first
        return _Part("bool", join([self._condition(part).of for part in parts]), first.place)

    def _relation(self) -> _Part:
        left = self._negated()
        place = self._peek.place
        sign = self._takes("==", "!=", "<", "<=", ">", ">=", "in")
        if not sign:
            return left
        right = self._negated()
        if self._peek.kind == "sign" and self._peek.value in ("==", "!=", "<", "<=", ">", ">="):
            raise BadFilter(self._peek.place, "comparisons do not stand side by side; use parentheses")
        return self._membership(left, right) if sign == "in" else self._comparison(left, sign, right, place)

    def _negated(self) -> _Part:
        place = self._peek.place
        if not self._takes("!"):
            return self._member()
        self._deeper(place)
        inner = self._condition(self._negated()).of
        self._depth -= 1
        return _Part("bool", lambda shown: inner(shown) is not True, place)

    def _member(self) -> _Part:
        part = self._primary()
        while self._takes("."):
            part = self._called(part, self._take())
        if self._peek.value == "[" and self._peek.kind == "sign":
            raise BadFilter(self._peek.place, "nothing is looked up by an index here")
        return part

    # -- what comparisons mean -----------------------------------------------------------------------------------------

    def _condition(self, part: _Part) -> _Part:
        if part.type not in ("bool", "any"):
            raise BadFilter(part.place, "there must be a condition, and this is none; compare it with something")
        return part

    def _comparison(self, left: _Part, sign: str, right: _Part, place: int) -> _Part:
        self._count(1, place)
        left, right = self._spelled(left, right), self._spelled(right, left)
        types = {left.type, right.type} - {"any"}
        if sign not in ("==", "!=") and types & {"bool", "null", "list"}:
            raise BadFilter(place, f"'{sign}' compares numbers, texts and timestamps")
        if len(types) == 2 and "null" not in types:
            raise BadFilter(place, "these two can never be the same: they are of different types")
        return _Part("bool", comparison(sign, left.of, right.of), left.place)

    def _membership(self, left: _Part, right: _Part) -> _Part:
        if right.type not in ("list", "any"):
            raise BadFilter(right.place, "behind 'in' there must be a list, or a field that is one")
        if left.type == "list":
            raise BadFilter(left.place, "a list is not looked for in a list")
        left, right = self._spelled(left, right), self._spelled(right, left)
        a, b = left.of, right.of
        if right.literal:
            items = b({})
            texts = all(isinstance(item, str) for item in items)
            self._count(1 if texts else len(items), right.place)
            return _Part("bool", one_of(a, items) if texts else lambda shown: within(a(shown), items), left.place)
        self._search_more(right.place)
        return _Part("bool", lambda shown: within(a(shown), b(shown)), left.place)

    def _count(self, comparisons: int, place: int) -> None:
        self._comparisons += comparisons
        if self._comparisons > COMPARISONS_MAX:
            raise BadFilter(place, f"a filter makes at most {COMPARISONS_MAX} comparisons; 'in' with a list is one")

    def _search_more(self, place: int) -> None:
        self._searches += 1
        if self._searches > SEARCHES_MAX:
            raise BadFilter(place, f"a filter searches texts and lists at most {SEARCHES_MAX} times")

    def _spelled(self, part: _Part, other: _Part) -> _Part:
        """A literal beside a field, with the words of the filter in place as the field's values."""
        known = self._spellings.get(other.field)
        if not known or not part.literal:
            return part
        value = part.of({})
        meant = [known.get(item, item) if isinstance(item, str) else item for item in _listed(value)]
        return _literal(part.type, meant if isinstance(value, list) else meant[0], part.place)

    # -- the smallest parts --------------------------------------------------------------------------------------------

    def _primary(self) -> _Part:
        word = self._take()
        if word.kind in ("text", "number"):
            return _literal(word.kind, word.value, word.place)
        if word.kind == "name":
            return self._named(word)
        if word.value in ("(", "["):
            self._deeper(word.place)
            part = self._either() if word.value == "(" else self._list(word.place)
            self._expect(")" if word.value == "(" else "]")
            self._depth -= 1
            return part
        if word.value == "-" and self._peek.kind == "number":
            return _literal("number", -self._take().value, word.place)
        raise BadFilter(word.place, f"there must be a field, a value or a parenthesis and not {self._shown(word)}")

    def _list(self, place: int) -> _Part:
        values: list[Any] = []
        while self._peek.value != "]" or self._peek.kind != "sign":
            item = self._member()
            if not item.literal or item.type == "list":
                raise BadFilter(item.place, "a list holds texts, numbers, timestamps, true, false and null")
            values.append(item.of({}))
            if not self._takes(","):
                break
        return _literal("list", values, place)

    def _named(self, word: Word) -> _Part:
        if word.value in _CONSTANTS:
            type_, value = _CONSTANTS[word.value]
            return _literal(type_, value, word.place)
        if word.value == "obj":
            return self._field(word.place)
        if word.value not in ("size", "timestamp"):
            close = suggestion(word.value, ("obj", "size", "timestamp", "true", "false", "null"))
            raise BadFilter(word.place, f"'{word.value[:40]}' is not known; fields are written obj.name{close}")
        self._deeper(word.place)
        self._expect("(")
        part = self._sized(self._either(), word.place) if word.value == "size" else self._timestamp(word.place)
        self._expect(")")
        self._depth -= 1
        return part

    def _field(self, place: int) -> _Part:
        names: list[str] = []
        while self._is_step():
            self._take()
            names.append(str(self._take().value))
        path = ".".join(names)
        if not path:
            raise BadFilter(place, "'obj' needs a field, such as obj.id")
        if not any(path == field or path.startswith(field + ".") for field in self._fields):
            close = suggestion(path, self._fields) or f"; there are {', '.join(self._fields)}"
            raise BadFilter(place, f"a filter cannot ask for 'obj.{path[:60]}'{close}")
        of = (lambda shown: shown.get(path)) if len(names) == 1 else (lambda shown: at(shown, names))
        return _Part("any", of, place, field=path)

    def _is_step(self) -> bool:
        """Whether a dot and a name come next, and not a call."""
        dot, name, behind = ((word.kind, word.value) for word in self._words[self._next : self._next + 3])
        return dot == ("sign", ".") and name[0] == "name" and behind != ("sign", "(")

    def _timestamp(self, place: int) -> _Part:
        word = self._take()
        if word.kind == "text":
            found = moment(word.value)
            if found is None:
                raise BadFilter(word.place, "this is not a time such as 2026-01-31T12:00:00Z (RFC 3339)")
            return _literal("time", found, place)
        if (word.kind, word.value) == ("name", "time") and self._takes(".") and self._take().value == "now":
            return _literal("time", Moment(self._now), place)
        raise BadFilter(word.place, "timestamp takes a text in quotes, or time.now")

    # -- functions of a value ------------------------------------------------------------------------------------------

    def _called(self, part: _Part, name: Word) -> _Part:
        self._deeper(name.place)
        if name.kind != "name" or name.value not in ("size", "add", "subtract", *_SEARCHES):
            raise BadFilter(name.place, f"there is no function {self._shown(name)}")
        self._expect("(")
        if name.value == "size":
            made = self._sized(part, part.place)
        elif name.value in _SEARCHES:
            made = self._search(part, name)
        else:
            made = self._shifted(part, name)
        self._expect(")")
        self._depth -= 1
        return made

    def _sized(self, part: _Part, place: int) -> _Part:
        if part.type not in ("any", "text", "list"):
            raise BadFilter(part.place, "size takes a text, a list or a field")
        of = part.of
        return _Part("number", lambda shown: size(of(shown)), place)

    def _shifted(self, part: _Part, name: Word) -> _Part:
        word = self._take()
        seconds = duration(word.value) if word.kind == "text" else None
        if part.type != "time":
            raise BadFilter(name.place, f"'{name.value}' belongs to a timestamp")
        if seconds is None:
            raise BadFilter(word.place, 'there must be a duration in quotes, such as "7d" or "24h"')
        before: Moment = part.of({})
        return _literal("time", Moment(before.seconds + (seconds if name.value == "add" else -seconds)), part.place)

    def _search(self, part: _Part, name: Word) -> _Part:
        self._search_more(name.place)
        if not part.field or _is_id(part.field):
            raise BadFilter(name.place, f"'{name.value}' belongs to a field that is no id")
        word = self._take()
        if word.kind != "text":
            raise BadFilter(word.place, "there must be a text in quotes")
        of, matches, sought = part.of, _SEARCHES[name.value], str(word.value)

        def found(shown: Object) -> bool:
            value = of(shown)
            return isinstance(value, str) and matches(value, sought)

        return _Part("bool", found, part.place)


_CONSTANTS: Mapping[str, tuple[str, Any]] = {"true": ("bool", True), "false": ("bool", False), "null": ("null", None)}

#: Behind the last word, so that one may look two words ahead.
_END = Word("end", "", 0)


def _literal(type_: str, value: Any, place: int) -> _Part:
    return _Part(type_, lambda shown: value, place, literal=True)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_id(field: str) -> bool:
    """Whether values of a field are random, so that parts of them mean nothing."""
    name = field.rpartition(".")[2]
    return name == "id" or name.endswith("_id") or name in ("created_by", "last_updated_by", "serial_number")
