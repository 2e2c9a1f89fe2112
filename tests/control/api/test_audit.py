"""
Tests for `ngrok_twisted.control.api.audit`.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.control.api.audit import Audit, _audited, _resources, event_principal
from ngrok_twisted.event_types import AUDITED, ROUTES
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.service_user import ServiceUser
from tests.control.api.harness import ACCOUNT, BASE_URL, OWNER, APIHarness, APITestCase, principal


class Publisher:
    """
    Keeps what is published.

    :ivar published: the type, the account, the object and the principal of each event.
    :ivar unwanted: types that nobody subscribed to.
    """

    def __init__(self) -> None:
        self.published: list[tuple[str, str, Any, Any]] = []
        self.unwanted: frozenset[str] = frozenset()

    def wants(self, account_id: str, type: str) -> bool:
        """As the real one's."""
        return type not in self.unwanted

    def publish(self, type: str, account_id: str, object: Any, principal: Any) -> None:
        """As the real one's."""
        self.published.append((type, account_id, object, principal))


class AuditTests(APITestCase):
    """Calls and the events that follow from them."""

    def setUp(self) -> None:
        self.publisher = Publisher()
        self.api = APIHarness(audit=Audit(self.publisher))

    def events(self) -> list[tuple[str, Any]]:
        """The types and objects since the last time."""
        published, self.publisher.published = self.publisher.published, []
        return [(type, object) for type, _, object, _ in published]

    def types(self) -> list[str]:
        """The types since the last time."""
        return [type for type, _ in self.events()]

    def test_life(self) -> None:
        """What is made, changed and deleted is told as the API shows it: as it is, and at last as it was."""
        made = self.ok("POST", "/vaults", {"name": "a"})
        self.assertEqual(self.events(), [("vault_created.v0", made)])
        changed = self.ok("PATCH", f"/vaults/{made['id']}", {"description": "d"})
        self.assertEqual(self.events(), [("vault_updated.v0", changed)])
        self.ok("DELETE", f"/vaults/{made['id']}")
        self.assertEqual(self.events(), [("vault_deleted.v0", changed)])

    def test_who(self) -> None:
        """Events say whose API key it was."""
        self.ok("POST", "/vaults", {"name": "a"})
        ((_, account_id, _, who),) = self.publisher.published
        key = declared_id("ak", "api_keys", ACCOUNT)
        self.assertEqual(account_id, ACCOUNT)
        self.assertEqual(
            who,
            {
                "id": OWNER,
                "subject": "default",
                "source": "API",
                "credential": {"id": key, "uri": f"{BASE_URL}/api_keys/{key}"},
            },
        )

    def test_nothing(self) -> None:
        """What is refused, or changes nothing, or is only read, is not told."""
        made = self.ok("POST", "/vaults", {"name": "a"})
        self.events()
        self.refused("POST", "/vaults", {"name": "a"})
        self.ok("GET", f"/vaults/{made['id']}")
        self.ok("PATCH", f"/reserved_domains/{self.domain()}", {"description": ""})
        self.assertEqual(self.types(), ["domain_created.v0"])

    def domain(self) -> str:
        """The id of a new domain."""
        id: str = self.ok("POST", "/reserved_domains", {"domain": "a.example.org"})["id"]
        return id

    def test_secrets(self) -> None:
        """A token that an answer shows once is in no event; nor is a secret's value or a destination's key."""
        token = self.ok("POST", "/credentials")["token"]
        self.assertTrue(token)
        vault = self.ok("POST", "/vaults", {"name": "a"})["id"]
        self.ok("POST", "/vault_secrets", {"name": "s", "value": "hush", "vault_id": vault})
        target = {"datadog": {"api_key": "hush-hush"}}
        self.ok("POST", "/event_destinations", {"target": target})
        events = self.events()
        self.assertIsNone(events[0][1]["token"])
        self.assertEqual(len(events), 4)
        for text in (token, "hush"):
            self.assertNotIn(text, repr(events))

    def test_parts_go_along(self) -> None:
        """What goes along with something is told too, with what it belonged to at that time."""
        policy = self.ok("POST", "/ip_policies")["id"]
        rule = self.ok("POST", "/ip_policy_rules", {"ip_policy_id": policy, "cidr": "192.0.2.0/24", "action": "allow"})
        self.assertEqual(self.types(), ["ip_policy_created.v0", "ip_policy_rule_created.v0"])
        self.ok("DELETE", f"/ip_policies/{policy}")
        told = dict(self.events())
        self.assertEqual(told.keys(), {"ip_policy_deleted.v0", "ip_policy_rule_deleted.v0"})
        self.assertEqual(told["ip_policy_rule_deleted.v0"], rule)

    def test_routes(self) -> None:
        """A route is told as a route, its edge only where that changed itself; what is set in a route changes the route."""
        edge = self.ok("POST", "/edges/https")["id"]
        path = f"/edges/https/{edge}/routes"
        route = self.ok("POST", path, {"match_type": "path_prefix", "match": "/"})
        self.assertEqual(self.types(), ["edge_https_created.v0", "edge_route_created.v0"])
        group = self.ok("POST", "/backends/tunnel_group", {"labels": {"a": "b"}})["id"]
        self.ok("PUT", f"{path}/{route['id']}/backend", {"backend_id": group})
        _, (type, told) = self.events()
        self.assertEqual((type, told["backend"]["backend"]["id"]), ("edge_route_updated.v0", group))
        self.ok("PUT", f"/edges/https/{edge}/tls_termination", {"min_version": "1.3"})
        self.assertEqual(self.types(), ["edge_https_updated.v0"])
        self.ok("DELETE", f"/edges/https/{edge}")
        self.assertEqual(self.types(), ["edge_route_deleted.v0", "edge_https_deleted.v0"])

    def test_kinds(self) -> None:
        """Backends of all kinds, and users under both names, are told under one."""
        group = self.ok("POST", "/backends/tunnel_group", {"labels": {"a": "b"}})["id"]
        self.ok("POST", "/backends/weighted", {"backends": {group: 1}})
        self.ok("POST", "/bot_users", {"name": "b"})
        events = self.events()
        self.assertEqual(
            [type for type, _ in events], ["backend_created.v0", "backend_created.v0", "bot_user_created.v0"]
        )
        self.assertEqual(events[1][1]["backends"], {group: 1})

    def test_unwanted(self) -> None:
        """What nobody subscribed to is not even made."""
        self.publisher.unwanted = frozenset({"vault_created.v0"})
        self.ok("POST", "/vaults", {"name": "a"})
        self.assertEqual(self.events(), [])

    def test_fault(self) -> None:
        """Whoever changes something does not suffer from a fault in what tells of it; the log names the call."""
        self.publisher.publish = lambda *_: 1 / 0  # type: ignore[assignment]
        self.assertEqual(self.status("POST", "/vaults", {"name": "a"}), 201)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_complete(self) -> None:
        """Every type of audit event has a resource that stands for it, and no two stand for one record."""
        shown = [resource.name for resource in _audited()]
        self.assertEqual(sorted([*shown, ROUTES]), sorted(AUDITED))
        self.assertEqual(len(_resources()), len(shown))


class PrincipalTests(APITestCase):
    """Who it was."""

    def test_service_user(self) -> None:
        """A service user is known by its name; nobody by none."""
        robot = ServiceUser(id="service_1", account_id=ACCOUNT, name="robot")
        records = Snapshot().with_changes([Put(robot)])
        told = event_principal(records, principal(owner_id="service_1"), "Agent", "u")
        self.assertEqual((told["id"], told["subject"], told["source"]), ("service_1", "robot", "Agent"))
        told = event_principal(records, principal(owner_id=""), "Agent", "u")
        self.assertEqual((told["id"], told["subject"]), (None, ""))
