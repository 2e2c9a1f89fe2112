"""
Templates of the header modules: texts with ``${…}`` in them, each of which names a variable and perhaps a way into it.

There are no expressions here: ``${req.method}``, ``${.conn.client_ip}`` (the older spelling, with a dot before it),
``${req.headers['x-tenant'][0]}``, ``${req.cookies.theme[0].value}``, ``${conn.tls.client.subject.organization[0]}``. Whatever is
not there, at the time or at all, is an empty text. ``$${`` stands for ``${`` itself.

Everything that can go wrong with a template does so in `parse_template`; `Template.render` never raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping, Sequence

from ngrok_twisted.policy.facts import Facts
from ngrok_twisted.policy.texts import to_text
from ngrok_twisted.policy.variables import VARIABLES, Variable

#: Characters of one rendered text: what is longer is cut off there. Most servers take no head that is longer than half of it.
RENDERED_MAX = 16 * 1024

#: References of one template whose values may be long all at once: a head's size each, at most.
FEW = 8

_MARK = re.compile(r"\$\$\{|\$\{")
_STEP = r"\.[A-Za-z_][A-Za-z0-9_-]*|\[[ ]*(?:-?[0-9]{1,9}|'[^']*'|\"[^\"]*\")[ ]*\]"
_REFERENCE = re.compile(rf"[ ]*\.?([A-Za-z_][A-Za-z0-9_]*)((?:{_STEP})*)[ ]*\}}")
_STEPS = re.compile(_STEP)

# What a header's value must not hold (RFC 9110 section 5.5): a space is what the standard puts in the place of each.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Reference:
    """
    What stands between ``${`` and ``}``.

    :ivar name: as it was written, without space around it.
    :ivar variable: what it means; ``None`` if there is no such variable.
    :ivar steps: the way into the variable's value: keys and positions.
    """

    name: str
    variable: Variable | None
    steps: tuple[str | int, ...] = ()

    @property
    def known(self) -> bool:
        """Whether there is such a variable, and something in it that the steps could lead to."""
        return self.variable is not None and (self.variable.deep or not self.steps)

    def value(self, facts: Facts) -> Any:
        """What it means now; ``None`` if there is nothing."""
        if self.variable is None:
            return None
        value = self.variable.read(facts)
        for step in self.steps:
            value = _step_into(value, step)
        return value


def _step_into(value: Any, step: str | int) -> Any:
    if isinstance(value, AbstractMapping):
        return value.get(step)
    if isinstance(value, (list, tuple)) and isinstance(step, int) and -len(value) <= step < len(value):
        return value[step]
    return None


class Template:
    """
    :ivar parts: literal texts, and references.
    """

    __slots__ = ("parts", "_reads", "_pattern")

    def __init__(self, parts: tuple[str | Reference, ...]) -> None:
        self.parts = parts
        # Most templates hold a few plain variables: they are read in one go, and put where they belong in another.
        self._reads = tuple(map(_reader, self.references))
        self._pattern = "".join(part.replace("%", "%%") if isinstance(part, str) else "%s" for part in parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.parts == self.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    @property
    def references(self) -> tuple[Reference, ...]:
        """Everything that is worked out at run time."""
        return tuple(part for part in self.parts if isinstance(part, Reference))

    def render(self, facts: Facts) -> str:
        """
        The text, at most `RENDERED_MAX` characters of it. It never raises.
        """
        reads = self._reads
        if len(reads) > FEW:
            return self._bounded(facts)
        try:
            values = [read(facts) for read in reads]
        except Exception:
            return self._bounded(facts)
        text = self._pattern % tuple([value if type(value) is str else to_text(value) for value in values])
        return text if len(text) <= RENDERED_MAX else text[:RENDERED_MAX]

    def _bounded(self, facts: Facts) -> str:
        """The same part by part: nothing is made that would be cut off, and what cannot be had is left out."""
        texts: list[str] = []
        left = RENDERED_MAX
        for part in self.parts:
            text = part if isinstance(part, str) else to_text(_value_of(part, facts))
            texts.append(text)
            left -= len(text)
            if left <= 0:
                break
        return "".join(texts)[:RENDERED_MAX]


def _reader(reference: Reference) -> Callable[[Facts], Any]:
    """What gives the value of a reference."""
    return reference.value if reference.variable is None or reference.steps else reference.variable.read


def _value_of(reference: Reference, facts: Facts) -> Any:
    """A variable whose value cannot be had (a certificate that is broken inside, a channel that is gone) is empty."""
    try:
        return reference.value(facts)
    except Exception:
        return None


def parse_template(text: str, variables: Mapping[str, Variable] = VARIABLES) -> Template:
    """
    :param variables: those that there are, by name.
    :raises ValueError: a ``${`` has no end, or what is between is not the name of a variable; the message is a sentence.
    """
    parts: list[str | Reference] = []
    position = 0
    while (mark := _MARK.search(text, position)) is not None:
        parts.append(text[position : mark.start()])
        if mark[0] == "$${":
            parts.append("${")
            position = mark.end()
            continue
        match = _REFERENCE.match(text, mark.end())
        if match is None:
            raise ValueError(_complaint(text[mark.start() :]))
        steps = (match[1], *map(_step, _STEPS.findall(match[2])))
        parts.append(resolve(match[0].strip(" }"), steps, variables))
        position = match.end()
    parts.append(text[position:])
    return Template(tuple(_joined(parts)))


def _complaint(rest: str) -> str:
    if "}" not in rest:
        return "holds ${ without an end; write $${ for the characters themselves"
    return (
        f"holds {rest[: rest.index('}') + 1][:60]!r}, which is not a variable: a name such as req.method, then perhaps "
        "fields (.name), positions ([0]) and keys (['name'])"
    )


def _step(text: str) -> str | int:
    if text.startswith("."):
        return text[1:]
    inner = text[1:-1].strip(" ")
    return inner[1:-1] if inner[0] in "'\"" else int(inner)


def resolve(name: str, steps: Sequence[str | int], variables: Mapping[str, Variable]) -> Reference:
    """
    Find the variable with the longest name that the steps begin with: ``req.url.path`` comes before ``path`` of ``req.url``.
    """
    for count in range(len(steps), 0, -1):
        variable = variables.get(".".join(map(str, steps[:count])))
        if variable is not None:
            rest = steps[count:]
            return Reference(name, variable, tuple(map(_folded, rest)) if variable.folded else tuple(rest))
    return Reference(name, None)


def _folded(step: str | int) -> str | int:
    return step.lower() if isinstance(step, str) else step


def _joined(parts: list[str | Reference]) -> Iterator[str | Reference]:
    """The parts without empty texts, and neighbouring texts as one."""
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        if any(texts):
            yield "".join(texts)
        texts.clear()
        yield part
    if any(texts):
        yield "".join(texts)


def field_value(text: str) -> bytes:
    """
    A text as the value of a header: control characters become spaces, and there is no space around it. Bytes that came
    in a message and are not UTF-8 leave as they were.
    """
    if not text.isprintable():
        text = _CONTROLS.sub(" ", text)
    text = text.strip(" \t")
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")
