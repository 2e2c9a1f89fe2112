"""
What every kind of event destination is given, and how it says that something did not work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping

from zope.interface import implementer

from ngrok_twisted import kinds
from ngrok_twisted.marks import specs
from ngrok_twisted.observability.event_queue import BatchLimits
from ngrok_twisted.observability.events import Event
from ngrok_twisted.observability.interfaces import IEventDestination, IEventDestinationKind

KINDS = "ngrok_twisted.observability.destinations"

#: Characters of what a target said that are repeated in logs and answers.
_SAID_MAX = 200

#: Statuses below 500 after which the same request may succeed (RFC 9110 section 15.5.9, RFC 6585 section 4).
_PASSING = frozenset({408, 429})


class DestinationRefused(Exception):
    """
    The target will not take events until something is changed.

    :ivar sentence: the cause; it holds no secret.
    :ivar code: ngrok's number, or ``None``.
    """

    def __init__(self, sentence: str, code: int | None = None) -> None:
        self.sentence = sentence
        self.code = code
        super().__init__(sentence)


class DestinationBusy(Exception):
    """
    The target could not be reached, or does not take events right now.

    :ivar sentence: the cause; it holds no secret.
    """

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__(sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationContext:
    """
    :ivar poster: the `ngrok_twisted.observability.posting.Poster` that sends requests.
    :ivar now: gives the seconds since the epoch.
    :ivar in_thread: ``in_thread(function, *arguments)`` gives an awaitable of the result; for what takes milliseconds.
    :ivar environment: the process's variables, where operators leave keys and other addresses.
    :ivar node: this machine's name.
    :ivar account_id: whose destination it is.
    """

    poster: Any
    now: Callable[[], float]
    in_thread: Callable[..., Any]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    node: str = "localhost"
    account_id: str = ""

    def base_url(self, default: str, *variables: str) -> str:
        """
        Where an API is, without a slash at the end.

        :param variables: names of variables that say it is elsewhere; the first that is set counts. A name alone is one of
            https.
        """
        found = (self.environment.get(name, "") for name in variables)
        url = next((url for url in found if url), default).rstrip("/")
        return url if "://" in url else f"https://{url}"


@implementer(IEventDestination)
class NoDestination:
    """
    Stands in for a target to which this server cannot send.

    :ivar refused: why.
    """

    limits = BatchLimits()

    def __init__(self, refused: DestinationRefused) -> None:
        self.refused = refused

    async def send(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """IEventDestination."""
        raise DestinationRefused(self.refused.sentence, self.refused.code)


def make_destination(target: Any, context: DestinationContext) -> Any:
    """
    :param target: an `ngrok_twisted.records.event_destination.EventTarget` that keeps the rules.
    :return: an `IEventDestination`.
    :raises DestinationRefused: this server cannot send there.
    """
    found = kinds.discover(KINDS, IEventDestinationKind)
    cls: Any = type(target)
    for spec in specs(cls):
        config = getattr(target, spec.name)
        if config is not None:
            return found[spec.name](config, context)
    raise DestinationRefused("The destination has no target.")


def judge(status: int, said: str, target: Any = None, code: int | None = None) -> None:
    """
    What a status means for what was sent.

    :param said: what the target said, in its own words.
    :param target: the config, whose secrets must not come back in those words.
    :param code: ngrok's number for a refusal.
    :raises DestinationBusy: it may be sent again.
    :raises DestinationRefused: it is of no use to.
    """
    if 200 <= status < 300:
        return
    words = clean(said, target)
    sentence = f"it answered {status}" + (f": {words}" if words else "")
    if status >= 500 or status in _PASSING:
        raise DestinationBusy(sentence)
    raise DestinationRefused(sentence, code)


def clean(said: str, target: Any = None) -> str:
    """The first line of what a target said, short, printable and without the secrets of its config."""
    line = next((line.strip() for line in said.splitlines() if line.strip()), "")
    for secret in () if target is None else _secrets(target):
        line = line.replace(secret, "…")
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= _SAID_MAX else line[:_SAID_MAX] + "…"


def _secrets(value: Any) -> Iterator[str]:
    cls: Any = type(value)
    for spec in specs(cls):
        inner = getattr(value, spec.name)
        if spec.secret and isinstance(inner, str) and inner:
            yield inner
        elif hasattr(inner, "__dataclass_fields__"):
            yield from _secrets(inner)
