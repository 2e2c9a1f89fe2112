"""
What a credential may bind: its access control list.

A list of rules; an empty one permits everything. A rule is ``*``, or ``bind:`` and a pattern: a name, a wildcard
(``*.example.com``: every name below), a TCP address, a label (``key=value``, a ``*`` on either side), or ``*`` (names
and TCP addresses, but no labels).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Mapping

from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import covers, normalise, split_hostport

#: Characters of one rule: a name, or a label with key and value of 255 each, and room for the prefix.
RULE_MAX = 600

_PREFIX = "bind:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    One rule, taken apart.

    :ivar name: the name or wildcard it permits, empty for none.
    :ivar address: the TCP address it permits, or ``None``.
    :ivar label: the key and value of a label it permits, ``*`` for any; or ``None``.
    :ivar anything: permits every name and every address, random ones too.
    :ivar any_label: permits every label.
    """

    name: str = ""
    address: tuple[str, int] | None = None
    label: tuple[str, str] | None = None
    anything: bool = False
    any_label: bool = False


@lru_cache(maxsize=4096)
def parse_rule(text: str) -> Rule:
    """
    :param text: a rule as the user wrote it.
    :raises Refused: 600, it is not a rule.
    """
    if text == "*":
        return Rule(anything=True, any_label=True)
    if not text.startswith(_PREFIX) or len(text) > RULE_MAX:
        raise Refused(600, "An ACL rule is '*', or 'bind:' and a name, an address or a label.")
    pattern = text[len(_PREFIX) :]
    if pattern == "*":
        return Rule(anything=True)
    if "=" in pattern:
        return Rule(label=_label(pattern))
    try:
        return Rule(address=_exact_address(pattern)) if ":" in pattern else Rule(name=normalise(pattern))
    except Refused as refusal:
        raise Refused(600, f"An ACL rule has a pattern that cannot be used. {refusal.message}") from None


def permits_name(acl: tuple[str, ...], name: str) -> bool:
    """
    :param acl: the rules of a credential; each was parsed when it was written.
    :param name: a normalised name or wildcard.
    """
    return _some(acl, lambda rule: rule.anything or bool(rule.name) and covers(rule.name, name))


def permits_address(acl: tuple[str, ...], host: str, port: int) -> bool:
    """
    :param host: the normalised TCP host.
    :param port: the public TCP port.
    """
    return _some(acl, lambda rule: rule.anything or rule.address == (host, port))


def permits_random_name(acl: tuple[str, ...]) -> bool:
    """Whether a name may be made up for the credential."""
    return _some(acl, lambda rule: rule.anything)


def permits_random_address(acl: tuple[str, ...]) -> bool:
    """Whether a TCP port may be picked for the credential."""
    return _some(acl, lambda rule: rule.anything)


def permits_labels(acl: tuple[str, ...], labels: Mapping[str, str]) -> bool:
    """Whether each of the labels is permitted by some rule."""
    return all(_some(acl, lambda rule: _permits_label(rule, key, value)) for key, value in labels.items())


def require_name(acl: tuple[str, ...], name: str) -> None:
    """:raises Refused: 316, the name is not permitted."""
    if not permits_name(acl, name):
        raise Refused(316, f"This credential may not bind '{name}'. {_permitted(acl)}")


def require_address(acl: tuple[str, ...], host: str, port: int) -> None:
    """:raises Refused: 308, the address is not permitted."""
    if not permits_address(acl, host, port):
        raise Refused(308, f"This credential may not bind the address '{host}:{port}'. {_permitted(acl)}")


def require_random_name(acl: tuple[str, ...]) -> None:
    """:raises Refused: 316, random names are not permitted."""
    if not permits_random_name(acl):
        raise Refused(316, f"This credential may not bind random names: ask for one by name. {_permitted(acl)}")


def require_random_address(acl: tuple[str, ...]) -> None:
    """:raises Refused: 356, random addresses are not permitted."""
    if not permits_random_address(acl):
        raise Refused(356, f"This credential may not bind random TCP addresses. {_permitted(acl)}")


def require_labels(acl: tuple[str, ...], labels: Mapping[str, str]) -> None:
    """:raises Refused: 399, a label is not permitted."""
    if not permits_labels(acl, labels):
        raise Refused(399, f"This credential may not use these labels. {_permitted(acl)}")


def is_narrower(acl: tuple[str, ...], than: tuple[str, ...]) -> bool:
    """
    Whether something that was permitted by one list may not be by another. Told from the rules as written: a rule that
    is gone counts, even if another happens to permit as much.
    """
    if not acl or "*" in acl:
        return False
    return not than or not set(than) <= set(acl)


def _some(acl: tuple[str, ...], permits: object) -> bool:
    return not acl or any(permits(parse_rule(text)) for text in acl)  # type: ignore[operator]


def _permits_label(rule: Rule, key: str, value: str) -> bool:
    if rule.any_label or rule.label is None:
        return rule.any_label
    return rule.label[0] in ("*", key) and rule.label[1] in ("*", value)


def _label(pattern: str) -> tuple[str, str]:
    key, _, value = pattern.partition("=")
    if not key or not value:
        raise Refused(600, "An ACL rule for a label is 'bind:key=value'.")
    return key, value


def _exact_address(pattern: str) -> tuple[str, int]:
    host, port = split_hostport(pattern)
    if host.startswith("*"):
        raise Refused(600, "An ACL rule for an address names one host.")
    return host, port


def _permitted(acl: tuple[str, ...]) -> str:
    return "It may: " + ", ".join(text.removeprefix(_PREFIX) for text in acl) + "."
