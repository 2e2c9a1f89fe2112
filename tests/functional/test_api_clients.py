"""
ngrok's own API clients, unmodified, through every method they have.
"""

from __future__ import annotations

from typing import Any, ClassVar, Mapping

from tests.control.api.ngrok import RESOURCES
from tests.functional.api_client import Complaint, OfficialClient
from tests.functional.api_plan import MODULES, filled, steps
from tests.functional.case import EdgeTestCase
from tests.functional.edge import DOMAIN

API_KEY = "an-operator-made-this-key-for-tests"

#: What a client cannot send, by its own fault: JavaScript's changes the keys of maps, which are ids here.
DEFECTS = frozenset({("javascript", "weighted_backends")})

#: Modules that this version refuses, with a sentence that says so.
UNBUILT: frozenset[str] = frozenset(
    {
        "https_edge_route_oauth",
        "https_edge_route_saml",
        "https_edge_route_oidc",
    }
)


class _ClientCase(EdgeTestCase):
    """What the three clients have in common."""

    language: ClassVar[str] = ""
    config = {
        "api_keys": [{"name": "tests", "token": API_KEY}],
        "reserved_domains": [{"domain": "*.example.org"}],
    }
    seconds = 180

    def setUp(self) -> None:
        super().setUp()
        if not self.language:
            return
        self.client = OfficialClient(self.language, self.edge, API_KEY)
        self.addCleanup(self.client.close)
        self.ids: dict[str, str] = {}
        self.wrong: list[str] = []

    def call(self, resource: str, action: str, given: Mapping[str, Any]) -> Any:
        """
        One call by ngrok's names; ``None`` where this client has no such method.

        :raises Complaint: it did not work.
        """
        methods = {method["action"]: method["clients"] for method in RESOURCES[resource]["methods"]}
        name = methods.get(action, {}).get(self.language)
        return None if name is None else self.client(name, filled(given, self.ids))

    def has(self, resource: str, action: str) -> bool:
        """Whether this client has a method."""
        methods = {method["action"]: method["clients"] for method in RESOURCES[resource]["methods"]}
        return self.language in methods.get(action, {})

    def attempt(self, resource: str, action: str, given: Mapping[str, Any]) -> Any:
        """As `call`; what does not work is noted."""
        try:
            return self.call(resource, action, given)
        except Complaint as complaint:
            self.wrong.append(str(complaint))
            return None

    def walk(self) -> None:
        """Make everything, look at it, change it, try every module, and delete it all."""
        made = []
        for step in steps(f"{self.language}", DOMAIN):
            if not self.has(step.resource, "create") or (self.language, step.resource) in DEFECTS:
                continue
            result = self.attempt(step.resource, "create", {**step.parent, **step.create})
            if result is None:
                continue
            self.ids[step.resource] = result.get("id") or result["type"]
            self.compare(step.resource, filled(step.create, self.ids), result)
            made.append(step)
            where = self.where(step)
            self.attempt(step.resource, "get", where)
            if step.update:
                changed = self.attempt(step.resource, "update", {**where, **step.update})
                if changed is not None and self.language != "python":
                    self.compare(step.resource, step.update, changed)
            self.listed(step)
        self.modules()
        for step in reversed(made):
            if self.has(step.resource, "delete"):
                self.attempt(step.resource, "delete", self.where(step))
                self.gone(step)

    def where(self, step: Any) -> dict[str, str]:
        """The arguments that name what a step made."""
        key = "type" if step.resource == "event_sources" else "id"
        return {**filled(step.parent, self.ids), key: self.ids[step.resource]}

    def compare(self, resource: str, given: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """What comes back is what was sent, where it comes back at all."""
        for name, value in given.items():
            if name in result and isinstance(value, (str, int, bool)) and result[name] != value:
                if name not in ("public_key", "valid_until"):
                    self.wrong.append(f"{resource}: {name} is {result[name]!r} and not {value!r}")

    def listed(self, step: Any) -> None:
        """What was made is in the list."""
        if self.has(step.resource, "list"):
            items = self.attempt(step.resource, "list", filled(step.parent, self.ids)) or []
            items = items.get("sources", []) if isinstance(items, dict) else items
            if self.ids[step.resource] not in [item.get("id") or item.get("type") for item in items]:
                self.wrong.append(f"{step.resource}: what was made is not in the list")

    def gone(self, step: Any) -> None:
        """What was deleted is not found, in the way this client tells it."""
        try:
            self.call(step.resource, "get", self.where(step))
        except Complaint as complaint:
            if complaint.status != 404:
                self.wrong.append(f"after the deletion: {complaint}")
        else:
            if self.has(step.resource, "get"):
                self.wrong.append(f"{step.resource}: what was deleted is still there")

    def modules(self) -> None:
        """Every module is put, read and deleted; those that are not built are refused."""
        put_modules = []
        for resource, settings in MODULES.items():
            edge = resource.partition("_edge")[0] + "_edges"
            where = {"id": f"${edge}"}
            if "_route_" in resource:
                where = {"edge_id": "$https_edges", "id": "$https_edge_routes"}
            if not self.has(resource, "replace"):
                continue
            if resource in UNBUILT:
                self.refused(resource, {**where, "module": settings})
                continue
            put = self.attempt(resource, "replace", {**where, "module": settings})
            if put is not None and put.get("enabled") is not True:
                self.wrong.append(f"{resource}: a module that was put is not enabled: {put}")
            self.attempt(resource, "get", where)
            put_modules.append((resource, where))
        for resource, where in reversed(put_modules):
            self.attempt(resource, "delete", where)

    def refused(self, resource: str, given: Mapping[str, Any]) -> None:
        """A module that is not built is refused, and says why."""
        try:
            self.call(resource, "replace", given)
        except Complaint as complaint:
            if "not built" not in str(complaint) and self.language != "python":
                self.wrong.append(f"{resource}: {complaint}")
        else:
            self.wrong.append(f"{resource}: it is not built, and was accepted")


class PythonTests(_ClientCase):
    """PyPI ngrok-api."""

    language = "python"

    def test_everything(self) -> None:
        """Every method of the Python client works."""
        self.walk()
        self.assertEqual(self.wrong, [])


class JavaScriptTests(_ClientCase):
    """npm @ngrok/ngrok-api."""

    language = "javascript"

    def test_everything(self) -> None:
        """Every method of the JavaScript client works."""
        self.walk()
        self.assertEqual(self.wrong, [])


class GoTests(_ClientCase):
    """ngrok-api-go."""

    language = "go"

    def test_everything(self) -> None:
        """Every method of the Go client works."""
        self.walk()
        self.assertEqual(self.wrong, [])
