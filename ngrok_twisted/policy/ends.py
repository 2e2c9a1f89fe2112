"""
Where a policy ends: what behind an end is never run, and whether there is an end at all.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from ngrok_twisted.document import join
from ngrok_twisted.policy.phases import HTTP, ON_HTTP_REQUEST, ON_TCP_CONNECT, PHASES, Ending
from ngrok_twisted.policy.policy import Action, Policy
from ngrok_twisted.records.base import Problem

UNREACHABLE, FALLS_THROUGH = 2207, 2235


def ending_problems(policy: Policy, proto: str, must_end: bool, kinds: Mapping[str, Any]) -> Iterator[Problem]:
    """
    :param must_end: there is nothing behind the policy that traffic could be forwarded to.
    :param kinds: the action kinds, by name.
    """
    for phase in PHASES:
        yield from _unreachable(policy, phase, kinds)
    phases = (ON_TCP_CONNECT, ON_HTTP_REQUEST) if proto in HTTP else (ON_TCP_CONNECT,)
    if must_end and not any(_may_end(policy, phase, kinds) for phase in phases):
        message = f"lets traffic fall through, but nothing is behind it: end {phases[-1]} with an action that answers"
        yield Problem("", f"{message}, such as {_answers(phases[-1], proto, kinds)}", code=FALLS_THROUGH)


def _actions(policy: Policy, phase: str) -> Iterator[tuple[str, Action]]:
    for number, rule in enumerate(getattr(policy, phase)):
        for position, action in enumerate(rule.actions):
            yield join(join(join(phase, number), "actions"), position), action


def _unreachable(policy: Policy, phase: str, kinds: Mapping[str, Any]) -> Iterator[Problem]:
    ended_by = ""
    for path, action in _actions(policy, phase):
        if ended_by:
            yield Problem(path, f"is never run, because {ended_by} always ends the phase before it", code=UNREACHABLE)
            return
        if kinds[action.type].ends(action.config) is Ending.ALWAYS:
            ended_by = action.type


def _may_end(policy: Policy, phase: str, kinds: Mapping[str, Any]) -> bool:
    """
    Whether the last action ends the phase. A redirect counts, although one to the same URL goes on: ngrok's own clients
    use it so, and the request is answered with 6029 then.
    """
    last = [action for _, action in _actions(policy, phase)][-1:]
    return any(kinds[action.type].ends(action.config) is not Ending.NEVER for action in last)


def _answers(phase: str, proto: str, kinds: Mapping[str, Any]) -> str:
    names = [
        name for name, kind in kinds.items() if proto in kind.phases.get(phase, ()) and kind.ending is not Ending.NEVER
    ]
    return ", ".join(names)
