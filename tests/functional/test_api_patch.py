"""
What PATCH means, for every field of every resource: absent and null leave it, and empty clears it unless some client sends an
empty value with every update.
"""

from __future__ import annotations

from typing import Any, Iterator

from tests.control.api.ngrok import RESOURCES
from tests.control.api.test_conformance import UNUSED
from tests.functional.api_caller import create_path
from tests.functional.api_plan import steps
from tests.functional.attack_case import AttackCase
from tests.functional.edge import DOMAIN

#: What is shown of a field under another name than it is written.
SHOWN = {"destination_ids": "destinations", "ip_policy_ids": "ip_policies"}

#: Fields that are never empty: an empty value is the default, which they have here.
DEFAULTED = frozenset({"format", "bindings"})

#: What goes with a field that is cleared: an operator without its features has no binding.
DEPENDS = {"enabled_features": "binding"}

_EMPTY = {"string": "", "array": [], "map": {}}


class PatchTests(AttackCase):
    """On one of everything."""

    def fields(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Where each thing is, and each field of its PATCH."""
        ids = self.filled(self.ours, self.tag)
        for step in steps(self.tag, DOMAIN):
            for method in RESOURCES[step.resource]["methods"]:
                if method["action"] == "update":
                    item = f"{create_path(step.resource, step.parent, ids)}/{ids[step.resource]}"
                    yield from ((item, field) for field in method["request_fields"] if field["name"] not in UNUSED)

    def patched(self, item: str, name: str, value: Any) -> tuple[int, Any, Any]:
        """The status, what was there before and what is there after a change of one field; without the time of it."""
        before = self.ours("GET", item)[1]
        # a field beside it, since a body without any value is refused
        status, _ = self.ours("PATCH", item, {"metadata": before["metadata"], name: value})
        after = self.ours("GET", item)[1]
        return status, *({key: shown for key, shown in data.items() if key != "updated_at"} for data in (before, after))

    def test_null(self) -> None:
        """Null leaves each field as it is."""
        for item, field in self.fields():
            if "metadata" in self.ours("GET", item)[1] and field["name"] != "metadata":
                status, before, after = self.patched(item, field["name"], None)
                self.assertEqual((status, after), (200, before), (item, field["name"]))

    def test_empty(self) -> None:
        """An empty value leaves what ngrok says it leaves, and clears the rest, or is refused with nothing changed."""
        unchanged = set()
        for item, field in self.fields():
            name, kind = field["name"], field["type"].partition("<")[0]
            if kind not in _EMPTY or "metadata" not in self.ours("GET", item)[1]:
                continue
            status, before, after = self.patched(item, name, _EMPTY[kind])
            if field.get("empty_means") == "unchanged" or name in DEFAULTED:
                unchanged.add(name)
                self.assertEqual((status, after), (200, before), (item, name))
            elif status == 200:
                shown = SHOWN.get(name, name)
                self.assertFalse(after.get(shown), (item, name))
                others = dict.fromkeys((shown, DEPENDS.get(name, shown)))
                self.assertEqual({**after, **others}, {**before, **others}, (item, name))
            else:
                self.assertNotIn(name, ("description", "metadata"), item)
                self.assertEqual((status, after), (400, before), (item, name))
        self.assertLessEqual({"match", "sources", "labels", "address", "backends", "ip_policy_ids"}, unchanged)
