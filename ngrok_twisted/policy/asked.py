"""
What agents ask to stand before their services, judged: modules and a traffic policy, against the URL that they are for.

Every transport reads its agents' wishes in its own way, such as flags of a command. From there on the same is asked of
all.

Pure. Whether the records that modules name exist is for the reservations to say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Iterable, Sequence

from ngrok_twisted.claim import Claim
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.policy.document import parse_policy, told
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.edge import Module, module

#: ngrok's numbers: a module looks into TLS that passes the edge; a policy is given in two ways.
NOT_TERMINATED, TWO_POLICIES = 7062, 9025

#: ngrok has other numbers for what agents ask for than for what its API is told: the same mistake in both.
_AGENTS_CODES = {7007: 341, 7011: 361, 7023: 372, 7024: 374, 7029: 363, 7030: 364, 7069: 375}
#: Those that differ for the headers of responses.
_RESPONSE_CODES = {7023: 373}

#: Problems that one refusal tells; whoever mends three sees the next.
_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """
    How one transport speaks with its users.

    :ivar not_here: the number for a wish that does not go with the URL.
    :ivar mutual_tls: what the wish for certificates of visitors is called.
    :ivar tls_termination: what the wish for TLS at the edge is called.
    :ivar terminate: what to do for TLS to end at the edge.
    :ivar policy: the number for a traffic policy that cannot be used, and those of its problems then stand in the
        message; ``None`` for the number of its first problem.
    :ivar no_policy: the number in place of that of a problem that has none.
    """

    not_here: int
    mutual_tls: str
    tls_termination: str
    terminate: str
    policy: int | None
    no_policy: int


def agents_code(code: int, kind: str = "") -> int:
    """
    ngrok's number for a mistake of an agent.

    :param code: the number for the same mistake over the API.
    :param kind: the name of the module kind that found it.
    """
    if kind == "response_headers":
        code = _RESPONSE_CODES.get(code, code)
    return _AGENTS_CODES.get(code, code)


def asked_module(kind: Any, make: Callable[[], Any], said: Callable[[Problem], str], otherwise: int) -> Module:
    """
    A module that an agent asks for.

    :param kind: the module's kind.
    :param make: gives its config.
    :param said: what the agent's user reads of one problem. It must not repeat a secret.
    :param otherwise: the number to refuse with where no problem has one.
    :raises Refused: the config cannot be used.
    """
    try:
        return module(make())
    except InvalidConfig as error:
        code = next((problem.code for problem in error.problems if problem.code), otherwise)
        raise Refused(agents_code(code, kind.name), _sentences(map(said, error.problems[:_TOLD]))) from None


def fitted(claim: Claim, words: Words) -> Claim:
    """
    A claim with those of its modules that have something to do there.

    :raises Refused: one of them cannot do its work there, or the traffic policy is none for such a URL.
    """
    if claim.force_https:
        return replace(claim, modules={}, traffic_policy="")
    _check_handshake(claim, words)
    if claim.traffic_policy:
        check_policy(claim.traffic_policy, claim.proto, claim.binding, words)
    return claim


def check_policy(text: str, proto: str, binding: str, words: Words) -> None:
    """
    :param proto: of the endpoint that the policy is for.
    :param binding: of the same.
    :raises Refused: the text is no traffic policy for such an endpoint.
    """
    try:
        parse_policy(text, proto, place=binding if binding == "internal" else "")
    except InvalidConfig as error:
        raise _policy_refused(error.problems, words) from None


def _check_handshake(claim: Claim, words: Words) -> None:
    handshake = [name for name in ("mutual_tls", "tls_termination") if name in claim.modules]
    if not handshake:
        return
    wish = words.mutual_tls if handshake[0] == "mutual_tls" else words.tls_termination
    if claim.proto == "http":
        message = f"{wish} does not go with http: URLs, where there is no handshake. Publish https only."
        raise Refused(words.not_here, message)
    if claim.binding != "public":
        message = f"{wish} does not go with internal endpoints, which have no handshakes of their own."
        raise Refused(words.not_here, message)
    if claim.proto == "tls" and "tls_termination" not in claim.modules:
        raise Refused(NOT_TERMINATED, f"{wish} needs TLS to end at the edge: {words.terminate}.")


def _policy_refused(problems: Sequence[Problem], words: Words) -> Refused:
    numbered = words.policy is not None
    lines = "; ".join(_of_policy(problem, numbered) for problem in problems[:_TOLD])
    first = next((problem.code for problem in problems if problem.code), words.no_policy)
    code = first if words.policy is None else words.policy
    return Refused(code, one_line(f"The traffic policy cannot be used: {lines}."))


def _of_policy(problem: Problem, numbered: bool) -> str:
    return told(problem) + (f" (ERR_NGROK_{problem.code})" if numbered and problem.code else "")


def _sentences(texts: Iterable[str]) -> str:
    return one_line(" ".join(texts))


def one_line(text: str) -> str:
    """One line of a message, part of which are the words of a document or a user."""
    return "".join(character if character.isprintable() else "?" for character in text)
