"""
Tests for `ngrok_twisted.control.api.resources.https_edges`.
"""

from __future__ import annotations

from ngrok_twisted import schema
from ngrok_twisted.control.api.resources.https_edges import HTTPSEdgeDeclared, https_edges
from ngrok_twisted.control.api.call import Making
from ngrok_twisted.records.base import Snapshot
from ngrok_twisted.records.ids import declared_id
from tests.control.api.harness import ACCOUNT, OTHER, SETTINGS, principal
from tests.control.api.resources.edge_case import CA, EdgeCase


class HTTPSEdgeTests(EdgeCase):
    """HTTPS edges are made, read, listed, changed and deleted."""

    def test_life(self) -> None:
        """An edge comes back as it was made, with null for every module, until it is changed and deleted."""
        made = self.ok("POST", "/edges/https", {"hostports": ["SHOP.example.org:443"], "metadata": "m"})
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/edges/https/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "",
                "metadata": "m",
                "hostports": ["shop.example.org:443"],
                "mutual_tls": None,
                "tls_termination": None,
                "routes": [],
            },
        )
        path = "/edges/https/" + made["id"]
        changed = self.ok("PATCH", path, {"description": "d", "metadata": None, "id": made["id"]})
        self.assertEqual(changed, {**made, "description": "d"})
        self.assertEqual(self.ok("GET", path), changed)
        self.assertEqual(self.ok("GET", "/edges/https")["https_edges"], [changed])
        self.assertEqual(self.status("DELETE", path), 204)
        error = self.refused("GET", path)
        self.assertEqual((error.status, error.code), (404, 7000))

    def test_minimal(self) -> None:
        """An edge may be made of nothing; its hostports are null then, and may be emptied again."""
        made = self.ok("POST", "/edges/https", {"description": "", "metadata": ""})
        self.assertIsNone(made["hostports"])
        path = "/edges/https/" + made["id"]
        self.assertEqual(
            self.ok("PATCH", path, {"hostports": ["a.wild.example.org:443"]})["hostports"], ["a.wild.example.org:443"]
        )
        self.assertEqual(self.ok("PATCH", path, {})["hostports"], ["a.wild.example.org:443"])
        self.assertIsNone(self.ok("PATCH", path, {"hostports": []})["hostports"])

    def test_modules(self) -> None:
        """Modules are written with ids and read with references; of a PATCH a given one replaces the old one whole."""
        path = self.edge(
            mutual_tls={"certificate_authority_ids": [CA]}, tls_termination={"min_version": "1.3", "enabled": None}
        )
        ref = {"id": CA, "uri": f"https://api.example.com/certificate_authorities/{CA}"}
        mutual_tls = {"enabled": True, "certificate_authorities": [ref]}
        seen = self.ok("GET", path)
        self.assertEqual(seen["mutual_tls"], mutual_tls)
        self.assertEqual(seen["tls_termination"], {"enabled": True, "min_version": "1.3", "terminate_at": "edge"})
        changed = self.ok("PATCH", path, {"mutual_tls": None, "tls_termination": {"enabled": False}})
        self.assertEqual(changed["mutual_tls"], mutual_tls)
        self.assertEqual(changed["tls_termination"], {"enabled": False, "min_version": None, "terminate_at": "edge"})

    def test_bare_module(self) -> None:
        """A module without settings is there, and switched on."""
        self.assertTrue(self.ok("GET", self.edge(tls_termination={}))["tls_termination"]["enabled"])

    def test_bad_modules(self) -> None:
        """What is wrong inside a module is told with its path and ngrok's number."""
        cases = {
            "tls_termination.terminate_at": ({"tls_termination": {"terminate_at": "edge"}}, 7109),
            "tls_termination.min_version": ({"tls_termination": {"min_version": "2"}}, 219),
            "mutual_tls.certificate_authority_ids": ({"mutual_tls": {}}, 7072),
            "mutual_tls.certificate_authority_ids[0]": ({"mutual_tls": {"certificate_authority_ids": ["ca_x"]}}, 7072),
            "compression": ({"compression": {}}, 214),
        }
        for field, (body, code) in cases.items():
            self.assertEqual(self.codes("POST", "/edges/https", body), {field: code})
            self.assertEqual(self.codes("PATCH", self.edge(), body), {field: code})

    def test_other_account(self) -> None:
        """Edges of another account are not there."""
        path = self.edge()
        self.api.caller = principal(OTHER)
        self.assertEqual(self.ok("GET", "/edges/https")["https_edges"], [])
        for verb in ("GET", "PATCH", "DELETE"):
            self.assertEqual(self.refused(verb, path, {}).status, 404)

    def test_lengths(self) -> None:
        """Texts have bounds."""
        said = self.codes("POST", "/edges/https", {"description": "x" * 256, "metadata": "x" * 4097})
        self.assertEqual(said, {"description": 7073, "metadata": 7074})

    def test_declared(self) -> None:
        """An item of the configuration nests its routes, whose ids are the same each time."""
        item = schema.parse(
            HTTPSEdgeDeclared,
            {
                "hostports": ["shop.example.org:443"],
                "tls_termination": {"min_version": "1.2", "enabled": False},
                "routes": [{"match": "/a", "backend": {"backend_id": "bkdtg_1"}}, {"match_type": "exact_path"}],
            },
        )
        making = Making(
            id="edghts_1",
            account_id=ACCOUNT,
            declared=True,
            records=Snapshot(),
            settings=SETTINGS,
            inner_id=lambda prefix, key: declared_id(prefix, "edghts_1", key),
            random_bytes=lambda count: self.fail("nothing is random"),  # type: ignore[return-value]
        )
        record = https_edges.make(making, item)
        self.assertEqual(record, https_edges.make(making, item))
        self.assertTrue(record.declared)
        self.assertFalse(record.modules["tls_termination"].enabled)
        self.assertEqual(
            [(route.match_type, route.match) for route in record.routes], [("path_prefix", "/a"), ("exact_path", "/")]
        )
        self.assertEqual(len({route.id for route in record.routes}), 2)
        self.assertTrue(all(route.id.startswith("edghtsrt_") for route in record.routes))
