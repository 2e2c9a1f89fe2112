"""
From the text of a traffic policy, YAML or JSON, to a `Policy`. Every problem is reported with its line and ngrok's code.

What this version cannot run is refused here, and never passed over: expressions, templates, and actions that are not built.
"""

from __future__ import annotations

from functools import lru_cache
from keyword import iskeyword
from typing import Any, Iterator, Mapping

from ngrok_twisted import kinds, schema
from ngrok_twisted.document import Positions, join, load_yaml
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.ends import ending_problems
from ngrok_twisted.policy.interfaces import IActionKind
from ngrok_twisted.policy.phases import HTTP, ON_TCP_CONNECT, PHASES, PLANNED_PHASES, PROTOCOLS, older_names
from ngrok_twisted.policy.policy import Action, Policy, Rule
from ngrok_twisted.records.base import Problem

#: Bytes of one document.
DOCUMENT_MAX = 1024 * 1024

#: Values of one document after its aliases are expanded: eighty for each of as many rules as there may be. A value takes up to
#: twenty microseconds, and everybody waits meanwhile.
VALUES_MAX = 20_000

#: Rules of one policy, and actions of one rule; ngrok publishes no numbers.
RULES_MAX, ACTIONS_MAX = 250, 50

#: Policies kept parsed: each is read by the API first and by the edge right after it. They may be of 1 MiB each.
_KEPT = 64

#: Actions that ngrok has besides those in ``actions/``.
PLANNED_ACTIONS = frozenset(
    {
        "add-headers",
        "ai-gateway",
        "basic-auth",
        "circuit-breaker",
        "compress-response",
        "http-request",
        "jwt-validation",
        "log",
        "oauth",
        "openid-connect",
        "owasp-crs-request",
        "owasp-crs-response",
        "rate-limit",
        "remove-headers",
        "request-body-find-replace",
        "response-body-find-replace",
        "saml",
        "set-vars",
        "sse-find-replace",
        "terminate-tls",
        "url-rewrite",
        "verify-webhook",
    }
)

EXPRESSION, UNKNOWN_ACTION, WRONG_PHASE, UNREADABLE_CONFIG, BAD_CONFIG = 2200, 2201, 2202, 2203, 2204
WRONG_PROTOCOL, NO_ACTION, UNKNOWN_PHASE, NOT_A_DOCUMENT = 2205, 2206, 2230, 2236
TOO_MANY_RULES, TOO_MANY_ACTIONS = 2264, 2265

#: Places whose requests come from elsewhere: what they are called, and the code for a rule about their connections.
NO_CONNECTION: Mapping[str, tuple[str, int]] = {
    "internal": ("internal http and https endpoints", 2262),
    "route": ("routes of an edge", 2248),
}

_NOT_BUILT = "is not built into this version"


def action_kinds() -> Mapping[str, Any]:
    """The action kinds there are, by name."""
    return kinds.discover("ngrok_twisted.actions", IActionKind)


@lru_cache(maxsize=_KEPT)
def parse_policy(text: str, proto: str, *, place: str = "", must_end: bool = False) -> Policy:
    """
    :param text: the document.
    :param proto: of the endpoint that it belongs to: ``https``, ``http``, ``tls`` or ``tcp``.
    :param place: ``internal`` for an internal endpoint, ``route`` for a route of an https edge: their traffic does not come
        from connections of their own.
    :param must_end: there is nothing behind the policy that traffic could be forwarded to.
    :raises InvalidConfig: with every problem found.
    """
    data, positions = _read(text)
    reading = _Reading(proto, place)
    policy = reading.policy(data)
    found = reading.problems or list(ending_problems(policy, proto, must_end, action_kinds()))
    if found:
        raise InvalidConfig(positions.locate(problem) for problem in found)
    return policy


def _read(text: str) -> tuple[dict[str, Any], Positions]:
    """
    :raises InvalidConfig: it is no mapping in YAML or JSON.
    """
    if len(text.encode("utf-8", "surrogatepass")) > DOCUMENT_MAX:
        raise InvalidConfig([Problem("", f"is larger than {DOCUMENT_MAX // 1024 // 1024} MiB", code=NOT_A_DOCUMENT)])
    try:
        data, positions = load_yaml(text, most=VALUES_MAX)
    except InvalidConfig as error:
        found = [Problem(one.path, one.message, one.line, code=NOT_A_DOCUMENT) for one in error.problems]
        raise InvalidConfig(found) from None
    if not isinstance(data, dict):
        message = "must be a mapping of phases, such as on_http_request, to rules"
        raise InvalidConfig([Problem("", message, code=NOT_A_DOCUMENT)])
    return data, positions


def told(problem: Problem) -> str:
    """A problem of a policy in one sentence, for whoever does not show lines and places of its own."""
    line = f"line {problem.line}: " if problem.line else ""
    return line + (f"{problem.path}: {problem.message}" if problem.path else problem.message)


class _Reading:
    """One run of `parse_policy`: it gathers problems instead of stopping at the first."""

    def __init__(self, proto: str, place: str) -> None:
        self.problems: list[Problem] = []
        self._proto = proto
        self._place = place
        self._rules = 0

    def _problem(self, path: str, message: str, code: int) -> None:
        self.problems.append(Problem(path, message, code=code))

    def policy(self, data: dict[str, Any]) -> Policy:
        """The policy, which is of no use if there are problems."""
        older = older_names(self._proto)
        if any(key in older for key in data) and any(key in PHASES for key in data):
            self._problem("", "mixes phases of today with inbound and outbound; use those of today", NOT_A_DOCUMENT)
        enabled = data.get("enabled")
        if enabled is not None and not isinstance(enabled, bool):
            self._problem("enabled", "must be true or false", NOT_A_DOCUMENT)
        phases: dict[str, tuple[Rule, ...]] = {}
        for key, value in data.items():
            phase = older.get(key, key)
            if phase and key != "enabled" and self._is_phase(key, phase):
                phases[phase] = tuple(self._rules_of(phase, key, value))
        if self._rules > RULES_MAX:
            self._problem("", f"has more than {RULES_MAX} rules", TOO_MANY_RULES)
        return Policy() if enabled is False else Policy(**phases)

    def _is_phase(self, key: str, phase: str) -> bool:
        known = [name for name in PHASES if self._proto in PROTOCOLS[name]]
        if phase in PLANNED_PHASES:
            self._problem(key, f"this phase {_NOT_BUILT}; take it out", UNKNOWN_PHASE)
        elif phase not in known:
            close = schema.suggestion(key, known) or f"; there are {', '.join(known)}"
            self._problem(key[:60], f"is not a phase of {self._proto} endpoints{close}", UNKNOWN_PHASE)
        elif phase == ON_TCP_CONNECT and self._place in NO_CONNECTION and self._proto in HTTP:
            what, code = NO_CONNECTION[self._place]
            self._problem(key, f"{what} have no connections of their own", code)
        else:
            return True
        return False

    def _rules_of(self, phase: str, path: str, data: Any) -> Iterator[Rule]:
        if data is None:
            return
        if not isinstance(data, list):
            self._problem(path, "must be a list of rules", NOT_A_DOCUMENT)
            return
        self._rules += len(data)
        for number, item in enumerate(data):
            inner = join(path, number)
            if not isinstance(item, dict):
                self._problem(inner, "must be a rule: a mapping with actions", NOT_A_DOCUMENT)
            elif "type" in item and "actions" not in item:
                yield Rule("", tuple(self._action(phase, inner, item)))
            else:
                yield self._rule(phase, inner, item)

    def _rule(self, phase: str, path: str, data: dict[str, Any]) -> Rule:
        for key in data:
            if key not in ("name", "expressions", "actions"):
                self._problem(
                    join(path, key[:60]), "is not a key of a rule; there are name, expressions, actions", 2236
                )
        name, expressions, actions = data.get("name"), data.get("expressions"), data.get("actions")
        if not isinstance(name, (str, type(None))):
            self._problem(join(path, "name"), "must be text", NOT_A_DOCUMENT)
        if expressions not in (None, []):
            message = f"expressions are written in CEL, which {_NOT_BUILT}: only rules without expressions are run"
            self._problem(join(path, "expressions"), message, EXPRESSION)
        if actions in (None, []):
            self._problem(path, "has no actions", NO_ACTION)
            actions = []
        elif not isinstance(actions, list):
            self._problem(join(path, "actions"), "must be a list", NOT_A_DOCUMENT)
            actions = []
        if len(actions) > ACTIONS_MAX:
            self._problem(path, f"has more than {ACTIONS_MAX} actions", TOO_MANY_ACTIONS)
        made = [
            action
            for number, item in enumerate(actions)
            for action in self._action(phase, join(join(path, "actions"), number), item)
        ]
        return Rule(name or "", tuple(made))

    def _action(self, phase: str, path: str, data: Any) -> Iterator[Action]:
        """The action, if there is nothing wrong with it."""
        if not isinstance(data, dict) or not isinstance(data.get("type"), str):
            self._problem(path, "must be an action: a mapping with a type and perhaps a config", NOT_A_DOCUMENT)
            return
        for key in data:
            if key not in ("type", "config"):
                self._problem(join(path, key[:60]), "is not a key of an action; there are type and config", 2236)
        kind = self._kind(phase, join(path, "type"), data["type"])
        if kind is None:
            return
        place = join(path, "config")
        try:
            config = parse_config(kind.Config, data.get("config"), place)
        except InvalidConfig as error:
            self.problems += error.problems
            return
        self.problems += kind.problems(config, place, phase, self._proto)
        yield Action(kind.name, config)

    def _kind(self, phase: str, path: str, name: str) -> Any:
        known = action_kinds()
        kind = known.get(name)
        if kind is None:
            close = schema.suggestion(name, known) or f"; there are {', '.join(known)}"
            what = (
                f"the action {name} {_NOT_BUILT}" if name in PLANNED_ACTIONS else f"is not the type of an action{close}"
            )
            self._problem(path, what, UNKNOWN_ACTION)
        elif phase not in kind.phases:
            self._problem(path, f"{name} cannot stand in {phase}, only in {' and '.join(kind.phases)}", WRONG_PHASE)
        elif self._proto not in kind.phases[phase]:
            self._problem(path, f"{name} cannot stand in {phase} of {self._proto} endpoints", WRONG_PROTOCOL)
        else:
            return kind
        return None


def parse_config(cls: type, data: Any, path: str) -> Any:
    """
    The config of one action. A key that Python reserves, such as ``from``, is a field with ``_`` behind it.

    :raises InvalidConfig: with every problem found.
    """
    if isinstance(data, dict):
        data = {key + "_" if iskeyword(key) else key: value for key, value in data.items()}
    try:
        return schema.parse(cls, {} if data is None else data, path=path)
    except InvalidConfig as error:
        raise InvalidConfig(_told(problem) for problem in error.problems) from None


def _told(problem: Problem) -> Problem:
    head, dot, last = problem.path.rpartition(".")
    path = head + dot + (last[:-1] if last.endswith("_") and iskeyword(last[:-1]) else last)
    code = problem.code or (UNREADABLE_CONFIG if problem.kind else BAD_CONFIG)
    return Problem(path, problem.message, code=code)
