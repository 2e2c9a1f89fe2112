"""
Tests for `ngrok_twisted.control.api.resources.event_subscriptions` and ``event_sources``.
"""

from tests.control.api.harness import OTHER, APITestCase, principal
from tests.control.api.resources.test_event_destinations import DATADOG

CREATED, DELETED = {"type": "ip_policy_created.v0"}, {"type": "ip_policy_deleted.v0"}


class EventSubscriptionTests(APITestCase):
    """Subscriptions hold event types and destinations."""

    def setUp(self) -> None:
        super().setUp()
        self.destination = self.ok("POST", "/event_destinations", {"target": {"datadog": DATADOG}})["id"]
        body = {"sources": [CREATED], "destination_ids": [self.destination]}
        self.made = self.ok("POST", "/event_subscriptions", body)
        self.path = f"/event_subscriptions/{self.made['id']}"
        self.sources = f"{self.path}/sources"

    def types(self) -> list[str]:
        """The event types of the subscription now."""
        return [source["type"] for source in self.ok("GET", self.path)["sources"]]

    def test_view(self) -> None:
        """Sources and destinations come back with their URLs."""
        base = "https://api.example.com"
        self.assertEqual(self.made["sources"], [{**CREATED, "uri": f"{base}{self.sources}/ip_policy_created.v0"}])
        uri = f"{base}/event_destinations/{self.destination}"
        self.assertEqual(self.made["destinations"], [{"id": self.destination, "uri": uri}])

    def test_update(self) -> None:
        """Sources that were given replace the old ones; an empty list of them changes nothing."""
        self.ok("PATCH", self.path, {"sources": [DELETED]})
        self.assertEqual(self.types(), ["ip_policy_deleted.v0"])
        self.ok("PATCH", self.path, {"sources": [], "description": "d", "destination_ids": []})
        self.assertEqual(self.types(), ["ip_policy_deleted.v0"])
        self.assertEqual(self.ok("GET", self.path)["destinations"], [])

    def test_refused(self) -> None:
        """Unknown types, types that stand twice and foreign destinations are refused."""
        for body, code in (
            ({"sources": [{"type": "ip_policy_painted.v0"}]}, 238),
            ({"sources": [CREATED, CREATED]}, 5127),
            ({"destination_ids": ["ed_" + "0" * 27]}, 5103),
        ):
            self.assertEqual(self.refused("POST", "/event_subscriptions", body).code, code, body)
        self.api.caller = principal(OTHER)
        body = {"destination_ids": [self.destination]}
        self.assertEqual(self.refused("POST", "/event_subscriptions", body).code, 5103)

    def test_sources(self) -> None:
        """A source is added, read, left as it is by a change without a body, and taken out."""
        added = self.ok("POST", self.sources, {**DELETED, "subscription_id": self.made["id"]})
        self.assertEqual(added["type"], "ip_policy_deleted.v0")
        self.assertEqual(self.types(), ["ip_policy_created.v0", "ip_policy_deleted.v0"])
        one = f"{self.sources}/ip_policy_deleted.v0"
        self.assertEqual(self.ok("GET", one), added)
        self.assertEqual(self.ok("PATCH", one), added)
        self.assertEqual(self.status("DELETE", one), 204)
        listed = self.ok("GET", self.sources)
        self.assertEqual(set(listed), {"sources", "uri"})
        self.assertEqual([source["type"] for source in listed["sources"]], ["ip_policy_created.v0"])

    def test_bad_sources(self) -> None:
        """A source is refused that is unknown, there already, or wants a selection that nobody makes."""
        self.assertEqual(self.refused("POST", self.sources, {"type": "x"}).code, 238)
        self.assertEqual(self.refused("POST", self.sources, {}).code, 238)
        self.assertEqual(self.refused("POST", self.sources, CREATED).code, 5127)
        self.assertEqual(self.refused("POST", self.sources, {**DELETED, "filter": "true"}).code, 5402)
        self.assertEqual(self.refused("POST", self.sources, {**DELETED, "fields": ["a"]}).code, 5401)
        gone = self.refused("GET", f"{self.sources}/ip_policy_deleted.v0")
        self.assertEqual((gone.status, gone.code), (404, 5125))
        self.assertEqual(self.refused("GET", "/event_subscriptions/esb_" + "0" * 27 + "/sources").status, 404)
