"""
From flags to what stands before a service: the modules of an endpoint, and its traffic policy.

A module kind that says what flags mean has a function ``from_flags``; for the others each flag is a field of their config.

Pure. Whether the records that modules name exist is for the reservations to say.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, Mapping

from ngrok_twisted.claim import Claim
from ngrok_twisted.errors import Refused
from ngrok_twisted.policy import asked
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.edge import Module
from ngrok_twisted.transports.ssh.flags import BY_NAME
from ngrok_twisted.transports.ssh.words import PARSE_ERROR

NOT_HERE = 1109

#: Flags that are a field of their module's config.
_FIELDS = {
    "cidr-allow": "allow_cidrs",
    "cidr-deny": "deny_cidrs",
    "mutual-tls-cas": "certificate_authority_ids",
    "terminate-at": "terminate_at",
    "verify-webhook": "provider",
    "verify-webhook-secret": "secret",
}

#: The ways to give a policy, in the order of `ngrok_twisted.transports.ssh.flags.FLAGS`.
POLICY_FLAGS = ("traffic-policy", "traffic-policy-url", "traffic-policy-file")

#: The module that a policy takes the place of: it stands in an endpoint's own field.
_POLICY = "traffic_policy"

_WORDS = asked.Words(
    not_here=NOT_HERE,
    mutual_tls="--mutual-tls-cas",
    tls_termination="--terminate-at",
    terminate="add --terminate-at edge",
    policy=PARSE_ERROR,
    no_policy=PARSE_ERROR,
)


def modules_of(options: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[str, Module]:
    """
    The modules that a command's options ask for.

    :param options: flag names to values.
    :param kinds: the module kinds of this server, by name.
    :raises Refused: a value cannot be used. The message never repeats a secret.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, value in options.items():
        needs = BY_NAME[name].needs
        if needs and needs != _POLICY:
            found.setdefault(needs, {})[name] = value
    return {name: _module(kinds[name], flags) for name, flags in found.items()}


def _module(kind: Any, flags: Mapping[str, Any]) -> Module:
    return asked.asked_module(
        kind, lambda: _config(kind, flags), lambda problem: _of_flag(tuple(flags), problem), PARSE_ERROR
    )


def _config(kind: Any, flags: Mapping[str, Any]) -> Any:
    if hasattr(kind, "from_flags"):
        return kind.from_flags(flags)
    return kind.Config(**{_FIELDS[name]: value for name, value in flags.items() if name in _FIELDS})


def _of_flag(flags: tuple[str, ...], problem: Problem) -> str:
    """A problem of a config in the words of the flag that it came from."""
    steps = [step for step in re.split(r"[.\[\]]+", problem.path) if step]
    number = next((f" no. {int(step) + 1}" for step in steps if step.isdigit()), "")
    inner = f"{steps[-1]} " if len(steps) > 1 and not steps[-1].isdigit() else ""
    return f"The value{number} of --{_flag_of(steps[:1], flags)} cannot be used: {inner}{problem.message}."


def _flag_of(steps: list[str], flags: tuple[str, ...]) -> str:
    field = steps[0] if steps else ""
    return next((flag for flag in flags if _FIELDS.get(flag) == field or flag.endswith(f"-{field}")), flags[0])


def fitted(claim: Claim) -> Claim:
    """
    A claim with those of its modules that have something to do there.

    :raises Refused: one of them cannot do its work there, or the traffic policy is none for such a URL.
    """
    return asked.fitted(claim, _WORDS)


# -- traffic policies --------------------------------------------------------------------------------------------------


def policy_text(options: Mapping[str, Any]) -> str:
    """
    The traffic policy of a command, not yet judged; empty for none.

    :raises Refused: it is given in two ways, or is not the Base64 that it says.
    """
    given = [flag for flag in POLICY_FLAGS if flag in options]
    if len(given) > 1:
        raise Refused(asked.TWO_POLICIES, f"--{given[0]} and --{given[1]} both give a traffic policy. Use one of them.")
    text = str(options.get("traffic-policy", ""))
    if not text.startswith("base64:"):
        return text
    try:
        return b64decode(text.removeprefix("base64:"), validate=True).decode("utf-8")
    except ValueError:  # of either
        raise Refused(PARSE_ERROR, "The value of --traffic-policy is not Base64 of UTF-8 text.") from None
