"""
What may be configured of headers that are added and removed: which names, which values, and how many.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar, Iterable, Iterator, Mapping

from ngrok_twisted.document import join
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.template import parse_template
from ngrok_twisted.records.base import Problem

#: Headers that one module adds, and that it removes (specification of edges, section 7.6).
HEADERS_MAX = 10

#: Bytes of a name and of a value, as in Traffic Policy; ngrok publishes none.
NAME_MAX, VALUE_MAX = 256, 4096

# ngrok's numbers: too many headers, a bad name, a bad value, a name twice, a name and a value that are too long, a header
# that is needed.
_TOO_MANY, _BAD_NAME, _BAD_VALUE, _TWICE, _LONG_NAME, _LONG_VALUE, _NEEDED = 7015, 7023, 7024, 7069, 7105, 7106, 7164

# RFC 9110 section 5.6.2: token. Section 5.5: a value holds no control characters but tabs, and no space around it. Lone
# surrogates are no text.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?![ \t])[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*(?<![ \t])")

# How a message is put on a connection (RFC 9110 sections 7.6.1, 8.6 and 10.1.1) is the server's own to say.
_FRAMING = frozenset(
    "connection content-length expect http2-settings keep-alive te trailer transfer-encoding upgrade".split()
)

#: One header to add: where it was written, its name and its value.
Added = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """
    What differs between requests and responses.

    :ivar untouchable: names that are neither added nor removed, besides those that frame messages.
    :ivar not_added: names that are not added.
    :ivar needed: names that there is always exactly one of: adding one takes the place of what was there, and they are
        removed only if they are added too.
    :ivar forms: what values look like, by names.
    """

    untouchable: frozenset[str] = frozenset()
    not_added: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()
    forms: Mapping[str, re.Pattern[bytes]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderMap:
    """
    Headers to add and to remove, as the API has them.

    :cvar side: where.
    :ivar add: names to values.
    :ivar remove: names.
    """

    side: ClassVar[Side] = Side()

    add: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """
        Names of headers that are added become lower case.

        :raises InvalidConfig: with everything that is wrong.
        """
        _check([*header_problems(self.side, self.added(), self.remove), *_repeated(self.added())])
        object.__setattr__(self, "add", {name.lower(): value for name, value in self.add.items()})

    def added(self) -> list[Added]:
        """What is added."""
        return [(join("add", name[:60]), name, value) for name, value in self.add.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderLines:
    """
    Headers to add and to remove, as flags have them: a name may be added several times.

    :cvar side: where.
    :ivar add: ``name: value`` each.
    :ivar remove: names.
    """

    side: ClassVar[Side] = Side()

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with everything that is wrong.
        """
        lines = enumerate(self.add)
        _check(
            [
                *(_no_colon(number) for number, line in lines if ":" not in line),
                *header_problems(self.side, self.added(), self.remove),
            ]
        )

    def added(self) -> list[Added]:
        """What is added."""
        parted = [(number, line.partition(":")) for number, line in enumerate(self.add)]
        return [(join("add", number), name.strip(), value.strip()) for number, (name, _, value) in parted]


def _no_colon(number: int) -> Problem:
    return Problem(join("add", number), "must be written as 'name: value'", code=_BAD_NAME)


def _check(problems: Iterable[Problem]) -> None:
    found = list(problems)
    if found:
        raise InvalidConfig(found)


def header_problems(side: Side, added: list[Added], remove: tuple[str, ...]) -> Iterator[Problem]:
    """Everything that is wrong with what a module was told to do."""
    for path, count in (("add", len(added)), ("remove", len(remove))):
        if count > HEADERS_MAX:
            yield Problem(path, f"holds more than {HEADERS_MAX} headers", code=_TOO_MANY)
    for path, name, value in added:
        yield from _name_problems(side, path, name)
        if name.lower() in side.not_added:
            yield Problem(path, "cannot be added; take it out", code=_BAD_NAME)
        yield from _value_problems(path, value, side.forms.get(name.lower()))
    yield from _repeated([item for item in added if item[1].lower() in side.needed])
    names = {name.lower() for _, name, _ in added}
    for number, name in enumerate(remove):
        path = join("remove", number)
        yield from _name_problems(side, path, name)
        if name.lower() in side.needed - names:
            yield Problem(path, f"{name} cannot be removed unless another one is added", code=_NEEDED)


def _repeated(added: list[Added]) -> Iterator[Problem]:
    seen: set[str] = set()
    for path, name, _ in added:
        if name.lower() in seen:
            yield Problem(path, "is there already, perhaps in another case", code=_TWICE)
        seen.add(name.lower())


def _name_problems(side: Side, path: str, name: str) -> Iterator[Problem]:
    folded = name.lower()
    if len(name) > NAME_MAX:
        yield Problem(path, f"is longer than {NAME_MAX} characters", code=_LONG_NAME)
    elif not _NAME.fullmatch(name):
        yield Problem(path, f"{name[:60]!r} is not the name of a header", code=_BAD_NAME)
    elif folded in _FRAMING or folded in side.untouchable or folded.startswith("proxy-"):
        yield Problem(path, f"{folded} is not to be changed; take it out", code=_BAD_NAME)


def _value_problems(path: str, value: str, form: re.Pattern[bytes] | None) -> Iterator[Problem]:
    if len(value.encode("utf-8", "surrogatepass")) > VALUE_MAX:
        yield Problem(path, f"is longer than {VALUE_MAX} bytes", code=_LONG_VALUE)
        return
    if not _VALUE.fullmatch(value):
        yield Problem(path, "must be one line of text without spaces around it", code=_BAD_VALUE)
        return
    try:
        template = parse_template(value)
    except ValueError as error:
        yield Problem(path, str(error), code=_BAD_VALUE)
        return
    if form is not None and not template.references and not form.fullmatch(value.encode()):
        yield Problem(path, f"{value[:60]!r} is not a value of this header", code=_BAD_VALUE)
