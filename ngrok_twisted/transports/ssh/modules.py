"""
From flags to what stands before a service: the modules of an endpoint, and its traffic policy.

A module kind that says what flags mean has a function ``from_flags``; for the others each flag is a field of their config.

Pure. Whether the records that modules name exist is for the reservations to say.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from typing import Any, Mapping

from ngrok_twisted.claim import Claim
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.policy.document import parse_policy, told
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.edge import Module, module
from ngrok_twisted.transports.ssh.flags import BY_NAME
from ngrok_twisted.transports.ssh.words import PARSE_ERROR

NOT_HERE = 1109
#: ngrok's numbers: a module looks into TLS that passes the edge; a policy is given in two ways.
NOT_TERMINATED, TWO_POLICIES = 7062, 9025

#: Flags that are a field of their module's config.
_FIELDS = {
    "cidr-allow": "allow_cidrs",
    "cidr-deny": "deny_cidrs",
    "mutual-tls-cas": "certificate_authority_ids",
    "terminate-at": "terminate_at",
    "verify-webhook": "provider",
    "verify-webhook-secret": "secret",
}

#: ngrok has other numbers for what agents ask for than for what its API is told: the same mistake in both.
_AGENTS_CODES = {7011: 361, 7023: 372, 7024: 374, 7029: 363, 7030: 364}
#: Those that differ for the headers of responses.
_RESPONSE_CODES = {**_AGENTS_CODES, 7023: 373}

#: The ways to give a policy, in the order of `ngrok_twisted.transports.ssh.flags.FLAGS`.
POLICY_FLAGS = ("traffic-policy", "traffic-policy-url", "traffic-policy-file")

#: The module that a policy takes the place of: it stands in an endpoint's own field.
_POLICY = "traffic_policy"

#: Problems that one refusal tells; whoever mends three sees the next.
_TOLD = 3


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
    try:
        if hasattr(kind, "from_flags"):
            return module(kind.from_flags(flags))
        return module(kind.Config(**{_FIELDS[name]: value for name, value in flags.items() if name in _FIELDS}))
    except InvalidConfig as error:
        raise _refused(tuple(flags), error.problems) from None


def _refused(flags: tuple[str, ...], problems: tuple[Problem, ...]) -> Refused:
    code = next((problem.code for problem in problems if problem.code), PARSE_ERROR)
    codes = _RESPONSE_CODES if flags[0].startswith("response-") else _AGENTS_CODES
    return Refused(codes.get(code, code), _line(" ".join(_of_flag(flags, problem) for problem in problems[:_TOLD])))


def _line(text: str) -> str:
    """One line of a message, part of which are the words of a document or a flag."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _of_flag(flags: tuple[str, ...], problem: Problem) -> str:
    """A problem of a config in the words of the flag that it came from."""
    steps = [step for step in re.split(r"[.\[\]]+", problem.path) if step]
    number = next((f" no. {int(step) + 1}" for step in steps if step.isdigit()), "")
    inner = f"{steps[-1]} " if len(steps) > 1 and not steps[-1].isdigit() else ""
    return f"The value{number} of --{_flag_of(steps[:1], flags)} cannot be used: {inner}{problem.message}."


def _flag_of(steps: list[str], flags: tuple[str, ...]) -> str:
    field = steps[0] if steps else ""
    return next((flag for flag in flags if _FIELDS.get(flag) == field or flag.endswith(f"-{field}")), flags[0])


# -- what goes with which URL ------------------------------------------------------------------------------------------


def fitted(claim: Claim) -> Claim:
    """
    A claim with those of its modules that have something to do there.

    :raises Refused: one of them cannot do its work there, or the traffic policy is none for such a URL.
    """
    if claim.force_https:
        return replace(claim, modules={}, traffic_policy="")
    _check_handshake(claim)
    if claim.traffic_policy:
        _check_policy(claim)
    return claim


def _check_handshake(claim: Claim) -> None:
    handshake = [name for name in ("mutual_tls", "tls_termination") if name in claim.modules]
    if not handshake:
        return
    flag = "--mutual-tls-cas" if handshake[0] == "mutual_tls" else "--terminate-at"
    if claim.proto == "http":
        raise Refused(NOT_HERE, f"{flag} does not go with http: URLs, where there is no handshake. Publish https only.")
    if claim.binding != "public":
        raise Refused(NOT_HERE, f"{flag} does not go with internal endpoints, which have no handshakes of their own.")
    if claim.proto == "tls" and "tls_termination" not in claim.modules:
        raise Refused(NOT_TERMINATED, f"{flag} needs TLS to end at the edge: add --terminate-at edge.")


# -- traffic policies --------------------------------------------------------------------------------------------------


def policy_text(options: Mapping[str, Any]) -> str:
    """
    The traffic policy of a command, not yet judged; empty for none.

    :raises Refused: it is given in two ways, or is not the Base64 that it says.
    """
    given = [flag for flag in POLICY_FLAGS if flag in options]
    if len(given) > 1:
        raise Refused(TWO_POLICIES, f"--{given[0]} and --{given[1]} both give a traffic policy. Use one of them.")
    text = str(options.get("traffic-policy", ""))
    if not text.startswith("base64:"):
        return text
    try:
        return b64decode(text.removeprefix("base64:"), validate=True).decode("utf-8")
    except ValueError:  # of either
        raise Refused(PARSE_ERROR, "The value of --traffic-policy is not Base64 of UTF-8 text.") from None


def _check_policy(claim: Claim) -> None:
    place = claim.binding if claim.binding == "internal" else ""
    try:
        parse_policy(claim.traffic_policy, claim.proto, place=place)
    except InvalidConfig as error:
        lines = "; ".join(_of_policy(problem) for problem in error.problems[:_TOLD])
        raise Refused(PARSE_ERROR, _line(f"The traffic policy cannot be used: {lines}.")) from None


def _of_policy(problem: Problem) -> str:
    return told(problem) + (f" (ERR_NGROK_{problem.code})" if problem.code else "")
