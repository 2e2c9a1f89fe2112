"""
Tests for `ngrok_twisted.policy.document`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.policy.document import PLANNED_ACTIONS, VALUES_MAX, action_kinds, parse_policy
from ngrok_twisted.policy.phases import PHASES
from ngrok_twisted.policy.policy import Policy

DENY = "on_http_request:\n- actions:\n  - type: deny\n"


class DocumentCase(SynchronousTestCase):
    """Helpers."""

    def problems(self, text: str, proto: str = "https", **more: Any) -> list[tuple[str, int, int]]:
        """Path, code and line of each problem."""
        error = self.assertRaises(InvalidConfig, parse_policy, text, proto, **more)
        return [(problem.path, problem.code, problem.line) for problem in error.problems]

    def codes(self, text: str, proto: str = "https", **more: Any) -> list[int]:
        """The code of each problem."""
        return [code for _, code, _ in self.problems(text, proto, **more)]


class ReadTests(DocumentCase):
    """Text becomes a policy."""

    def test_yaml_and_json(self) -> None:
        """The same policy can be written in both, with or without tabs."""
        made = parse_policy(DENY, "https")
        self.assertEqual([action.type for action in made.on_http_request[0].actions], ["deny"])
        data = {"on_http_request": [{"actions": [{"type": "deny"}]}]}
        for indent in (None, "\t"):
            self.assertEqual(parse_policy(json.dumps(data, indent=indent), "https"), made)

    def test_bare_actions(self) -> None:
        """An action without a rule around it is a rule."""
        self.assertEqual(parse_policy("on_http_request:\n- type: deny\n", "https"), parse_policy(DENY, "https"))

    def test_names(self) -> None:
        """Rules may have names, and empty expressions."""
        text = "on_http_request:\n- name: all\n  expressions: []\n  actions:\n  - {type: deny, config: null}\n"
        self.assertEqual(parse_policy(text, "https").on_http_request[0].name, "all")

    def test_empty(self) -> None:
        """A mapping without phases, and phases without rules, are a policy that does nothing."""
        for text in ("{}", "on_http_request:\n", "on_http_request: []\n"):
            self.assertEqual(parse_policy(text, "https"), Policy())

    def test_older_names(self) -> None:
        """Names of 2024 are understood, but not next to those of today."""
        self.assertEqual(parse_policy(DENY.replace("on_http_request", "inbound"), "https"), parse_policy(DENY, "https"))
        made = parse_policy("inbound:\n- type: deny\noutbound:\n- type: whatever\n", "tcp")
        self.assertEqual((len(made.on_tcp_connect), made.on_http_response), (1, ()))
        self.assertEqual(self.codes("inbound: []\non_http_response: []\n"), [2236])

    def test_switched_off(self) -> None:
        """A policy may be switched off as a whole, as edges did it."""
        self.assertEqual(parse_policy("enabled: false\n" + DENY, "https"), Policy())
        self.assertEqual(parse_policy("enabled: true\n" + DENY, "https"), parse_policy(DENY, "https"))
        self.assertEqual(self.codes("enabled: 1\n"), [2236])

    def test_kept(self) -> None:
        """A text is parsed once."""
        self.assertIs(parse_policy(DENY, "https"), parse_policy(DENY, "https"))


class ProblemTests(DocumentCase):
    """What is wrong is told with its place, line and code."""

    def test_not_a_document(self) -> None:
        """What is no mapping in YAML is told so."""
        for text in ("", "a", "[]", "{", "a: &x [*x]", "a: 1\na: 2", '{"a": !!int 1}', "\udc80: 1"):
            self.assertEqual(self.codes(text), [2236], text)
        self.assertEqual(self.codes("a: " + "b" * 1024 * 1024), [2236])
        self.assertEqual(self.codes("[" * 100_000), [2236])
        self.assertEqual(self.codes("a: [" + "1," * VALUES_MAX + "]"), [2236])
        self.assertEqual(self.problems("on_http_request:\n- }\n")[0][2], 2)

    def test_phases(self) -> None:
        """Each protocol has its phases."""
        for text, proto in (
            ("on_http_request: []", "tcp"),
            ("on_http_response: []", "tls"),
            ("on_htp_request: []", "https"),
            ("on_event_stream_message: []", "https"),
        ):
            self.assertEqual(self.codes(text, proto), [2230], text)
        for place, code in (("internal", 2262), ("route", 2248)):
            self.assertEqual(self.codes("on_tcp_connect: []", place=place), [code])
        self.assertEqual(parse_policy("on_tcp_connect: []", "tcp", place="internal"), Policy())

    def test_rules(self) -> None:
        """Rules are mappings with actions."""
        for text, code in (
            ("on_http_request: {}", 2236),
            ("on_http_request: [deny]", 2236),
            ("on_http_request: [{}]", 2206),
            ("on_http_request: [{actions: []}]", 2206),
            ("on_http_request: [{actions: {}}]", 2236),
            ("on_http_request: [{actions: [deny]}]", 2236),
            ("on_http_request: [{name: 1, actions: [{type: deny}]}]", 2236),
            ("on_http_request: [{when: now, actions: [{type: deny}]}]", 2236),
            ("on_http_request: [{actions: [{type: deny, cfg: 1}]}]", 2236),
            ("on_http_request: [{expressions: ['true'], actions: [{type: deny}]}]", 2200),
        ):
            self.assertEqual(self.codes(text), [code], text)

    def test_actions(self) -> None:
        """Actions are known, built, and in a phase and protocol of theirs."""
        for text, proto, code in (
            ("on_http_request: [{type: rate-limit}]", "https", 2201),
            ("on_http_request: [{type: dney}]", "https", 2201),
            ("on_http_response: [{type: deny}]", "https", 2202),
            ("on_tcp_connect: [{type: forward-internal, config: {url: 'tcp://a.internal:1'}}]", "https", 2205),
            ("on_http_request: [{type: deny, config: []}]", "https", 2203),
            ("on_http_request: [{type: deny, config: {status: 1}}]", "https", 2203),
        ):
            self.assertEqual(self.codes(text, proto), [code], text)

    def test_honest(self) -> None:
        """An action that ngrok has and this version has not is told apart from a slip."""
        error = self.assertRaises(InvalidConfig, parse_policy, "on_http_request: [{type: oauth}]", "https")
        self.assertIn("not built", error.problems[0].message)
        error = self.assertRaises(InvalidConfig, parse_policy, "on_http_request: [{type: redirct}]", "https")
        self.assertIn("redirect", error.problems[0].message)

    def test_all_at_once(self) -> None:
        """Every problem is told, each with its line."""
        text = (
            "on_http_request:\n- expressions: ['a']\n  actions:\n  - type: nope\n  - type: deny\n    config: {x: 1}\n"
        )
        self.assertEqual(
            self.problems(text),
            [
                ("on_http_request[0].expressions", 2200, 2),
                ("on_http_request[0].actions[0].type", 2201, 4),
                ("on_http_request[0].actions[1].config.x", 2203, 6),
            ],
        )

    def test_bounds(self) -> None:
        """There is a bound for rules and for actions."""
        one = "{type: restrict-ips, config: {enforce: false}}"
        self.assertEqual(self.codes(f"on_http_request: [{', '.join([one] * 251)}]"), [2264])
        self.assertEqual(self.codes(f"on_http_request: [{{actions: [{', '.join([one] * 51)}]}}]"), [2265])
        parse_policy(f"on_http_request: [{', '.join([one] * 250)}]", "https")


class PageTests(SynchronousTestCase):
    """The page ``docs/traffic-policy.md``."""

    def test_example(self) -> None:
        """Its example can be used as it stands, and each action has its row."""
        page = (Path(__file__).resolve().parents[2] / "docs" / "traffic-policy.md").read_text("utf-8")
        example = page.partition("```yaml\n")[2].partition("```")[0]
        self.assertEqual(len(parse_policy(example, "https", must_end=True).on_http_request), 2)
        for name in action_kinds():
            self.assertIn(f"\n| `{name}`", page)


class KindsTests(SynchronousTestCase):
    """The kinds themselves."""

    def test_places(self) -> None:
        """Each action stands in phases that there are, and is not called planned."""
        for name, kind in action_kinds().items():
            self.assertTrue(set(kind.phases) <= set(PHASES), name)
            self.assertNotIn(name, PLANNED_ACTIONS)
