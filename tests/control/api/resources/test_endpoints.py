"""
Tests for `ngrok_twisted.control.api.resources.endpoints`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from ngrok_twisted.records.base import Put
from ngrok_twisted.records.edge import HTTPSEdge
from ngrok_twisted.records.endpoint import Endpoint, Upstream
from ngrok_twisted.records.reserved_addr import ReservedAddr
from ngrok_twisted.records.reserved_domain import ReservedDomain
from tests.control.api.harness import ACCOUNT, OTHER, OWNER, APITestCase, principal

DENY = "on_http_request:\n- actions:\n  - type: deny\n"
CLOSE = "on_tcp_connect:\n- actions:\n  - type: deny\n"

KSUID = "2" * 27


def cloud(url: str = "https://app.example.com", policy: str = DENY, **more: Any) -> dict[str, Any]:
    """The body of a POST."""
    return {"url": url, "type": "cloud", "traffic_policy": policy, **more}


class EndpointsCase(APITestCase):
    """Helpers."""

    def live(self, **more: Any) -> Endpoint:
        """An agent's endpoint that is online."""
        given: dict[str, Any] = {
            "id": f"ep_{KSUID}",
            "account_id": ACCOUNT,
            "created_at": 1_767_225_600.0,
            "proto": "https",
            "host": "agent.example.com",
            "port": 443,
            "session_id": f"ts_{KSUID}",
            "owner_id": OWNER,
        }
        endpoint = Endpoint(**{**given, **more})
        published = self.api.control.publish(endpoint)
        self.api.clock.advance(0)
        self.successResultOf(published)
        return endpoint

    def write(self, *records: Any) -> None:
        """Store records."""
        change = self.api.control.change(lambda _: [Put(record) for record in records])
        self.successResultOf(Deferred.fromCoroutine(change))

    def ids(self, **query: Any) -> list[str]:
        """The ids in a list."""
        return [endpoint["id"] for endpoint in self.ok("GET", "/endpoints", **query)["endpoints"]]


class CloudEndpointTests(EndpointsCase):
    """Cloud endpoints are made, read, changed and deleted."""

    def test_life(self) -> None:
        """A cloud endpoint comes back as it was made, with every field, until it is changed and deleted."""
        policy = "# mine\n" + DENY + "\n"
        made = self.ok("POST", "/endpoints", cloud("https://App.Example.com:443", policy, metadata="m", bindings=[]))
        id = made["id"]
        self.assertEqual(
            made,
            {
                "id": id,
                "uri": f"https://api.example.com/endpoints/{id}",
                "region": "global",
                "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:00Z",
                "public_url": "https://app.example.com",
                "proto": "https",
                "scheme": "https",
                "hostport": "app.example.com:443",
                "host": "app.example.com",
                "port": 443,
                "type": "cloud",
                "metadata": "m",
                "description": "",
                "domain": None,
                "tcp_addr": None,
                "tunnel": None,
                "edge": None,
                "upstream_url": "",
                "upstream_protocol": "",
                "url": "https://app.example.com",
                "principal": {"id": OWNER, "uri": ""},
                "traffic_policy": policy,
                "bindings": ["public"],
                "tunnel_session": None,
                "name": "",
                "pooling_enabled": False,
                "pools": [],
            },
        )
        self.api.clock.advance(60)
        changed = self.ok(
            "PATCH", f"/endpoints/{id}", {"metadata": "", "url": "https://b.example.com", "bindings": None}
        )
        self.assertEqual((changed["url"], changed["metadata"]), ("https://b.example.com", ""))
        self.assertEqual(changed["updated_at"], "2026-01-01T00:01:00Z")
        self.assertEqual(self.ok("GET", f"/endpoints/{id}"), changed)
        self.assertEqual(self.status("DELETE", f"/endpoints/{id}"), 204)
        self.assertEqual(self.refused("GET", f"/endpoints/{id}").status, 404)

    def test_served(self) -> None:
        """The edge is given the endpoint with the change."""
        id = self.ok("POST", "/endpoints", cloud())["id"]
        record = self.api.plane.applied.get(Endpoint, id)
        assert record is not None
        self.assertEqual((record.type, record.host, record.traffic_policy), ("cloud", "app.example.com", DENY))

    def test_without_type(self) -> None:
        """Terraform leaves the type out."""
        body = cloud()
        del body["type"]
        self.assertEqual(self.ok("POST", "/endpoints", body)["type"], "cloud")

    def test_random(self) -> None:
        """A scheme alone gets a random name."""
        self.assertEqual(self.ok("POST", "/endpoints", cloud("https://"))["url"], "https://000102030405.example.com")

    def test_internal(self) -> None:
        """An internal name is the account's own, may have any port, and makes the binding."""
        made = self.ok("POST", "/endpoints", cloud("svc.internal"))
        self.assertEqual((made["url"], made["bindings"], made["domain"]), ("https://svc.internal", ["internal"], None))
        self.ok("POST", "/endpoints", cloud("http://svc.internal:1234"))
        self.api.caller = principal(OTHER)
        self.ok("POST", "/endpoints", cloud("https://svc.internal"))

    def test_kubernetes(self) -> None:
        """A name in clusters is stored and listed, and is not in the way of other names."""
        made = self.ok("POST", "/endpoints", cloud("tcp://db.prod:5432", CLOSE, bindings=["kubernetes"]))
        self.assertEqual((made["url"], made["bindings"]), ("tcp://db.prod:5432", ["kubernetes"]))

    def test_reservations(self) -> None:
        """The reserved domain or address behind a URL is named."""
        domain = ReservedDomain(id=f"rd_{KSUID}", account_id=ACCOUNT, domain="*.shop.test")
        addr = ReservedAddr(id=f"ra_{KSUID}", account_id=ACCOUNT, host="tcp.example.com", port=20001)
        self.write(domain, addr)
        made = self.ok("POST", "/endpoints", cloud("https://a.b.shop.test"))
        self.assertEqual(made["domain"]["id"], domain.id)
        made = self.ok("POST", "/endpoints", cloud("tcp://tcp.example.com:20001", CLOSE))
        self.assertEqual((made["tcp_addr"]["id"], made["domain"]), (addr.id, None))

    def test_bad_urls(self) -> None:
        """What is no URL, or none that an endpoint can have, is told so with ngrok's code, at the field."""
        for url, code, more in (
            ("", 18015, {}),
            (7, 18015, {}),
            ("https://a b", 249, {}),
            ("https://[", 249, {}),
            ("https://a.example.com:x", 249, {}),
            ("app.example.com", 18022, {}),
            ("ftp://app.example.com", 18022, {}),
            ("https://app.example.com/", 18001, {}),
            ("https://u@app.example.com", 18001, {}),
            ("https://app_1.example.com", 18001, {}),
            ("https://app.example.com:0", 18001, {}),
            ("tcp://", 18003, {}),
            ("tcp://tcp.example.com", 18003, {}),
            ("https://app.example.com:8443", 18023, {}),
            ("http://app.example.com:443", 18023, {}),
            ("https://other.test", 18006, {}),
            ("https://api.example.com", 18006, {}),
            ("tcp://tcp.example.com:20001", 18006, {}),
            ("https://a.b.c.d.e.internal", 18001, {}),
            ("https://svc.internal", 18007, {"bindings": ["public"]}),
            ("https://app.example.com", 18001, {"bindings": ["internal"]}),
            ("https://app.example.com", 18007, {"bindings": ["moon"]}),
            ("https://app.example.com", 18007, {"bindings": ["public", "internal"]}),
            ("https://db.prod", 18018, {"bindings": ["kubernetes"]}),
            ("http://db", 18001, {"bindings": ["kubernetes"]}),
            ("http://*.prod", 18001, {"bindings": ["kubernetes"]}),
        ):
            policy = CLOSE if str(url).startswith("tcp") else DENY
            error = self.refused("POST", "/endpoints", cloud(url, policy, **more))  # type: ignore[arg-type]
            self.assertEqual(error.code, code, (url, error.message))
            field = "bindings" if code == 18007 and "public" not in more["bindings"][:1] else "url"
            self.assertIn(field if len(more.get("bindings", ())) < 2 else "bindings", error.details, url)

    def test_bad_fields(self) -> None:
        """Other fields have codes of their own."""
        for body, code in (
            (cloud(type="agent"), 248),
            (cloud(policy=""), 18011),
            (cloud(description="d" * 256), 18012),
            (cloud(metadata="m" * 4097), 18013),
            (cloud(pooling_enabled="yes"), 18014),
            (cloud(color="red"), 214),
        ):
            self.assertEqual(self.refused("POST", "/endpoints", body).code, code, body)

    def test_bad_policy(self) -> None:
        """A policy that cannot be used is told so with its own code and line in the text."""
        error = self.refused("POST", "/endpoints", cloud(policy=DENY + "- actions:\n  - type: rate-limits\n"))
        self.assertEqual(error.code, 18002)
        self.assertIn("policy", error.message)
        self.assertIn("line 5", error.message)
        self.assertIn("ERR_NGROK_2201", error.message)
        self.assertIn("ERR_NGROK_2235", self.refused("POST", "/endpoints", cloud(policy="{}")).message)
        internal = cloud("https://svc.internal", CLOSE)
        self.assertIn("ERR_NGROK_2262", self.refused("POST", "/endpoints", internal).message)

    def test_taken(self) -> None:
        """A URL belongs to one endpoint, unless all of them pool."""
        self.ok("POST", "/endpoints", cloud())
        self.assertEqual(self.refused("POST", "/endpoints", cloud()).code, 18009)
        self.assertEqual(self.refused("POST", "/endpoints", cloud(pooling_enabled=True)).code, 18016)
        first = self.ok("POST", "/endpoints", cloud("https://p.example.com", pooling_enabled=True))
        self.assertEqual(self.refused("POST", "/endpoints", cloud("https://p.example.com")).code, 18017)
        second = self.ok("POST", "/endpoints", cloud("https://p.example.com", pooling_enabled=True))
        self.assertEqual([other["id"] for other in second["pools"]], [first["id"]])
        self.assertEqual(
            [other["id"] for other in self.ok("GET", f"/endpoints/{first['id']}")["pools"]], [second["id"]]
        )
        self.assertEqual(self.refused("PATCH", f"/endpoints/{first['id']}", {"pooling_enabled": False}).code, 18017)
        self.assertEqual(
            self.refused("POST", "/endpoints", cloud("tls://p.example.com", CLOSE, pooling_enabled=True)).code, 18016
        )

    def test_taken_by_agent(self) -> None:
        """An agent that is online has its URL, too, and shares it if both pool."""
        self.live()
        self.assertEqual(self.refused("POST", "/endpoints", cloud("https://agent.example.com")).code, 18017)
        pooled = cloud("https://agent.example.com", pooling_enabled=True)
        self.assertEqual(self.refused("POST", "/endpoints", pooled).code, 18016)
        self.live(pooling_enabled=True)
        made = self.ok("POST", "/endpoints", pooled)
        self.assertEqual([other["id"] for other in made["pools"]], [f"ep_{KSUID}"])

    def test_taken_by_edge(self) -> None:
        """An edge does not share."""
        self.write(HTTPSEdge(id=f"edghts_{KSUID}", account_id=ACCOUNT, hostports=("app.example.com:443",)))
        self.assertEqual(self.refused("POST", "/endpoints", cloud()).code, 18017)
        self.assertEqual(self.refused("POST", "/endpoints", cloud(pooling_enabled=True)).code, 18016)

    def test_taken_by_another_account(self) -> None:
        """A name in use by another account is not to be had, on none of its ports, and it is not told whose it is."""
        other = self.live(account_id=OTHER, proto="http", port=80)
        error = self.refused("POST", "/endpoints", cloud("https://agent.example.com", pooling_enabled=True))
        self.assertEqual(error.code, 18006)
        self.assertNotIn(other.id, error.message)

    def test_updates(self) -> None:
        """A change keeps the scheme, names something, and needs a policy."""
        id = self.ok("POST", "/endpoints", cloud())["id"]
        for body, code in (
            ({}, 18004),
            ({"metadata": None}, 18004),
            ({"url": "http://app.example.com"}, 18005),
            ({"url": ""}, 18022),
            ({"url": "https://other.test"}, 18006),
            ({"traffic_policy": ""}, 18011),
            ({"traffic_policy": "on_http_request: []"}, 18002),
            ({"bindings": ["internal"]}, 18001),
        ):
            self.assertEqual(self.refused("PATCH", f"/endpoints/{id}", body).code, code, body)
        self.assertEqual(self.ok("PATCH", f"/endpoints/{id}", {"bindings": []})["bindings"], ["public"])
        moved = self.ok("PATCH", f"/endpoints/{id}", {"url": "https://app.internal", "bindings": ["internal"]})
        self.assertEqual(moved["bindings"], ["internal"])

    def test_other_account(self) -> None:
        """Endpoints of another account are not found and not listed."""
        id = self.ok("POST", "/endpoints", cloud())["id"]
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ids(), [])
        for verb in ("GET", "PATCH", "DELETE"):
            self.assertEqual(self.refused(verb, f"/endpoints/{id}", {"metadata": "x"}).status, 404)


class ListTests(EndpointsCase):
    """Endpoints of every kind are listed together."""

    def setUp(self) -> None:
        super().setUp()
        self.edge = HTTPSEdge(
            id=f"edghts_{KSUID}", account_id=ACCOUNT, hostports=("edge.example.com:443",), created_at=1.0, metadata="e"
        )
        self.write(self.edge)
        self.api.clock.advance(1)
        self.cloud = self.ok("POST", "/endpoints", cloud())
        self.agent = self.live(upstream=Upstream(protocol="http2"), name="n", forwards_to="http://localhost:1")
        self.live(id="ep_" + "3" * 27, account_id=OTHER, host="theirs.example.com")

    def shown(self, type: str) -> Any:
        """The one endpoint of a kind, in a list."""
        (found,) = [one for one in self.ok("GET", "/endpoints")["endpoints"] if one["type"] == type]
        return found

    def test_all(self) -> None:
        """Cloud, agents' and edge endpoints are in one list, those of other accounts in none."""
        self.assertEqual(
            {one["type"] for one in self.ok("GET", "/endpoints")["endpoints"]}, {"cloud", "ephemeral", "edge"}
        )
        self.assertEqual(len(self.ids()), 3)

    def test_agent(self) -> None:
        """An agent's endpoint says who serves it, and is not changed here."""
        shown = self.shown("ephemeral")
        self.assertEqual(shown["tunnel_session"]["uri"], f"https://api.example.com/tunnel_sessions/ts_{KSUID}")
        self.assertEqual((shown["upstream_protocol"], shown["upstream_url"]), ("http2", "http://localhost:1"))
        self.assertEqual((shown["region"], shown["name"]), ("us", "n"))
        self.assertEqual(self.ok("GET", f"/endpoints/{self.agent.id}"), shown)
        for verb in ("PATCH", "DELETE"):
            error = self.refused(verb, f"/endpoints/{self.agent.id}", {"metadata": "x"})
            self.assertEqual(error.status, 400)
            self.assertIn("agent", error.message)

    def test_edge(self) -> None:
        """A hostport of an edge is an endpoint that is changed with its edge."""
        shown = self.shown("edge")
        self.assertEqual(shown["edge"]["uri"], f"https://api.example.com/edges/https/{self.edge.id}")
        self.assertEqual((shown["url"], shown["uri"], shown["metadata"]), ("https://edge.example.com", "", "e"))
        self.assertEqual(self.ok("GET", f"/endpoints/{shown['id']}"), shown)
        self.assertIn(self.edge.id, self.refused("DELETE", f"/endpoints/{shown['id']}").message)

    def test_filter(self) -> None:
        """A filter knows the kinds by both names, and the one binding."""
        self.assertEqual(self.ids(filter='obj.type == "cloud"'), [self.cloud["id"]])
        for word in ("agent", "ephemeral"):
            self.assertEqual(self.ids(filter=f'obj.type == "{word}"'), [self.agent.id])
        self.assertEqual(len(self.ids(filter='obj.type == "edge" && obj.binding == "public"')), 1)
        self.assertEqual(self.ids(filter='obj.binding == "internal"'), [])
        self.assertEqual(len(self.ids(filter=f'obj.principal.id == "{OWNER}"')), 2)
        self.assertEqual(self.refused("GET", "/endpoints", filter="obj.port == 1").code, 250)

    def test_named(self) -> None:
        """A list can be asked for by ids and URLs."""
        self.assertEqual(self.ids(id=(self.agent.id, "ep_" + "3" * 27)), [self.agent.id])
        self.assertEqual(self.ids(url=("https://app.example.com",)), [self.cloud["id"]])
        page = self.ok("GET", "/endpoints", id=(self.agent.id, self.cloud["id"]), limit=1)
        self.assertIn(f"id={self.agent.id}&id={self.cloud['id']}", page["next_page_uri"])
