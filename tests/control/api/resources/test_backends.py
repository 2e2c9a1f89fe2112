"""
Tests for `ngrok_twisted.control.api.resources.backends`.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.control.api.resources import backends as resource
from ngrok_twisted.control.api.routes import resources
from ngrok_twisted.interfaces import ITunnel
from tests.control.api.harness import ACCOUNT, OTHER, principal
from tests.control.api.resources.edge_case import EdgeCase
from tests.edge.doubles import Tunnel


class BackendTests(EdgeCase):
    """Backends of each kind are made, read, listed, changed and deleted."""

    def seen(self, path: str, id: str, **fields: Any) -> dict[str, Any]:
        """What is shown of a backend."""
        return {
            "id": id,
            "uri": f"https://api.example.com{path}/{id}",
            "created_at": "2026-01-01T00:00:00Z",
            "description": "",
            "metadata": "",
            **fields,
        }

    def assertLife(self, kind: str, given: dict[str, Any], shown: dict[str, Any], /, **change: Any) -> None:
        """It comes back as it was made, until it is changed and deleted."""
        path = f"/backends/{kind}"
        made = self.ok("POST", path, {"description": "", "metadata": "", **given})
        self.assertEqual(made, self.seen(path, made["id"], **shown))
        item = f"{path}/{made['id']}"
        self.assertEqual(self.ok("GET", item), made)
        self.assertEqual(self.ok("GET", path)["backends"], [made])
        changed = self.ok("PATCH", item, {"metadata": "m", **change})
        self.assertEqual(changed, {**made, "metadata": "m", **change})
        self.assertEqual(self.ok("PATCH", item, {"id": made["id"]}), changed)
        self.assertEqual(self.status("DELETE", item), 204)
        error = self.refused("GET", item)
        self.assertEqual((error.status, error.code), (404, 6514))
        self.assertEqual(self.ok("GET", path)["backends"], [])

    def test_tunnel_group(self) -> None:
        """A tunnel group has labels."""
        labels = {"app": "web"}
        self.assertLife("tunnel_group", {"labels": labels}, {"labels": labels, "tunnels": []}, labels={"a": "b"})

    def test_others(self) -> None:
        """So have the kinds that name others, or answer by themselves."""
        child = self.ok("POST", "/backends/http_response", {})["id"]
        answer = self.seen("/backends/http_response", child, status_code=200, headers={}, body="")
        self.assertEqual(self.ok("GET", f"/backends/http_response/{child}"), answer)
        other = self.ok("POST", "/backends/static", {"address": "localhost:80"})["id"]
        body: dict[str, Any] = {"backends": [child]}
        self.assertLife("failover", body, body, backends=[other, child])
        body = {"backends": {child: 0}}
        self.assertLife("weighted", body, body, backends={other: 10_000})
        self.status("DELETE", f"/backends/http_response/{child}")
        self.status("DELETE", f"/backends/static/{other}")
        body = {"status_code": 503, "headers": {"x-a": "b"}, "body": "sorry"}
        self.assertLife("http_response", body, body, headers={}, body="")
        body = {"address": "localhost:80", "tls": {"enabled": True}}
        self.assertLife("static", body, body, address="[::1]:443", tls={"enabled": False})

    def test_prefixes(self) -> None:
        """Each kind has ids of its own, and does not take another's."""
        group = self.group()
        self.assertTrue(group.startswith("bkdtg_"))
        error = self.refused("GET", f"/backends/failover/{group}")
        self.assertEqual((error.status, error.code), (404, 222))

    def test_empty_updates(self) -> None:
        """What clients send on every update, empty, changes nothing."""
        group = self.group(app="web")
        self.assertEqual(self.ok("PATCH", f"/backends/tunnel_group/{group}", {"labels": {}})["labels"], {"app": "web"})
        for kind, held in (("failover", [group]), ("weighted", {group: 1})):
            id = self.ok("POST", f"/backends/{kind}", {"backends": held})["id"]
            empty: Any = type(held)()
            self.assertEqual(self.ok("PATCH", f"/backends/{kind}/{id}", {"backends": empty})["backends"], held)
        tls = {"enabled": True}
        id = self.ok("POST", "/backends/static", {"address": "a:1", "tls": tls})["id"]
        changed = self.ok("PATCH", f"/backends/static/{id}", {"address": "", "tls": {}, "description": ""})
        self.assertEqual((changed["address"], changed["tls"]), ("a:1", tls))

    def test_header_names(self) -> None:
        """Names of headers come back in lower case."""
        made = self.ok("POST", "/backends/http_response", {"headers": {"Content-Type": "text/plain"}})
        self.assertEqual(made["headers"], {"content-type": "text/plain"})

    def test_tunnels(self) -> None:
        """A tunnel group shows which of the account's tunnels are in it now."""
        path = "/backends/tunnel_group/" + self.group(app="web")
        members = [Tunnel(f"tn_{n}", labels={"app": "web", "n": str(n)}) for n in range(2)]
        stranger, other = Tunnel("tn_x", labels={"app": "web"}), Tunnel("tn_y", labels={"app": "api"})
        for tunnel in (*members, stranger, other):
            tunnel.account_id = OTHER if tunnel is stranger else ACCOUNT
            self.assertTrue(ITunnel.providedBy(tunnel))
            self.api.tunnels.online(tunnel)
        refs = [{"id": f"tn_{n}", "uri": f"https://api.example.com/tunnels/tn_{n}"} for n in range(2)]
        self.assertEqual(self.ok("GET", path)["tunnels"], refs)
        self.api.tunnels.offline(members[0])
        self.assertEqual(self.ok("GET", path)["tunnels"], refs[1:])

    def test_bad_values(self) -> None:
        """What cannot be is refused by field, each with ngrok's number."""
        group = self.group()
        cases: list[tuple[str, dict[str, Any], dict[str, int]]] = [
            ("tunnel_group", {}, {"labels": 6508}),
            ("tunnel_group", {"labels": {}}, {"labels": 6508}),
            ("tunnel_group", {"labels": {"a": ""}}, {"labels.a": 6510}),
            ("failover", {"backends": []}, {"backends": 6513}),
            ("failover", {"backends": ["ca_1"]}, {"backends[0]": 6526}),
            ("failover", {"backends": [group, "bkdtg_x"]}, {"backends[1]": 6501}),
            ("weighted", {"backends": {}}, {"backends": 6511}),
            ("weighted", {"backends": {group: 10_001}}, {f"backends.{group}": 6512}),
            ("weighted", {"backends": {"bkdtg_x": 1}}, {"backends.bkdtg_x": 6501}),
            ("static", {}, {"address": 6505}),
            ("static", {"address": ""}, {"address": 6505}),
            ("static", {"address": "a"}, {"address": 6506}),
            ("static", {"address": ":1"}, {"address": 6507}),
            ("http_response", {"status_code": 101}, {"status_code": 6517}),
            ("http_response", {"body": "x" * 65537}, {"body": 6516}),
            (
                "http_response",
                {"description": "x" * 256, "metadata": "x" * 4097},
                {"description": 6503, "metadata": 6504},
            ),
            ("http_response", {"color": "red"}, {"color": 214}),
        ]
        for kind, body, found in cases:
            self.assertEqual(self.codes("POST", f"/backends/{kind}", body), found, (kind, body))
        id = self.ok("POST", "/backends/static", {"address": "a:1"})["id"]
        self.assertEqual(self.codes("PATCH", f"/backends/static/{id}", {"address": "b"}), {"address": 6506})

    def test_static_is_the_operators(self) -> None:
        """Another account cannot make this server dial what only the server may reach."""
        self.api.caller = principal(OTHER)
        self.assertEqual(self.refused("POST", "/backends/static", {"address": "127.0.0.1:80"}).code, 7102)

    def test_still_used(self) -> None:
        """A backend that something needs cannot be deleted, and who needs it is told."""
        group = self.group()
        path = f"/backends/tunnel_group/{group}"
        edge = self.edge()
        route = self.ok(
            "POST", edge + "/routes", {"match": "/", "match_type": "exact_path", "backend": {"backend_id": group}}
        )["id"]
        tls = self.edge("tls", backend={"backend_id": group, "enabled": False})
        tcp = self.edge("tcp", backend={"backend_id": group})
        failover = self.ok("POST", "/backends/failover", {"backends": [group]})["id"]
        weighted = self.ok("POST", "/backends/weighted", {"backends": {group: 1}})["id"]
        users = {f"{edge}/routes/{route}", tls, tcp, f"/backends/failover/{failover}", f"/backends/weighted/{weighted}"}
        error = self.refused("DELETE", path)
        self.assertEqual((error.status, error.code), (400, 6502))
        self.assertIn("and 2 more", error.message)
        while users:
            error = self.refused("DELETE", path)
            named = {user for user in users if user.rpartition("/")[2] in error.message}
            self.assertTrue(named, error.message)
            self.status("DELETE", named.pop() if len(named) == 1 else min(named))
            users = {user for user in users if self.is_there(user)}
        self.assertEqual(self.status("DELETE", path), 204)

    def is_there(self, path: str) -> bool:
        """Whether something can be read."""
        result: list[Any] = []
        self.api.send("GET", path).addBoth(result.append)
        return isinstance(result[0], tuple)

    def test_other_account(self) -> None:
        """Another account neither sees a backend nor can name it."""
        group = self.group()
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ok("GET", "/backends/tunnel_group")["backends"], [])
        self.assertEqual(self.refused("GET", f"/backends/tunnel_group/{group}").code, 6514)
        self.assertEqual(self.codes("POST", "/backends/failover", {"backends": [group]}), {"backends[0]": 6501})

    def test_every_kind(self) -> None:
        """There is a collection for each kind, which declares its own list."""
        kinds = ("failover", "http_response", "static", "tunnel_group", "weighted")
        known = resources()
        for kind in kinds:
            collection: Any = known[f"{kind}_backends"]
            self.assertIsInstance(collection, resource.BackendCollection)
            self.assertEqual(collection.declared_at, f"backends.{kind}")
