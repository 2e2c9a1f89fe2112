"""
Tests for `ngrok_twisted.control.rules.edges`.
"""

from __future__ import annotations

from typing import Any

from ngrok_twisted.backends.http_response import HTTPResponseConfig
from ngrok_twisted.modules.ip_restriction import IPRestrictionConfig
from ngrok_twisted.modules.mutual_tls import MutualTLSConfig
from ngrok_twisted.modules.tls_termination import TLSTerminationConfig
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.certificate_authority import CertificateAuthority
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute, TCPEdge, TLSEdge, module
from tests.control.api.resources.edge_case import POLICY, EdgeCase
from tests.control.rules.judged import judged


def https(*routes: HTTPSEdgeRoute, **modules: Any) -> HTTPSEdge:
    """An HTTPS edge."""
    return HTTPSEdge(
        id="e", account_id="ac_1", routes=routes, modules={name: module(config) for name, config in modules.items()}
    )


class RouteTests(EdgeCase):
    """Routes of one edge."""

    def found(self, *routes: HTTPSEdgeRoute) -> list[tuple[str, int]]:
        """Where they are wrong."""
        return [(path, code) for _, path, code in judged(https(*routes))]

    def test_matches(self) -> None:
        """Each match is a path, and is there once for each type."""
        good = [
            HTTPSEdgeRoute(match="/"),
            HTTPSEdgeRoute(match="/", match_type="exact_path"),
            HTTPSEdgeRoute(match="/%C3%A9"),
        ]
        self.assertEqual(self.found(*good), [])
        bad = [HTTPSEdgeRoute(match=match) for match in ("a", "/ ", "/é", "/a?b", "/a#b", "/" + "x" * 2048, "/a#b")]
        self.assertEqual(
            self.found(*bad),
            [
                ("routes[0].match", 7131),
                ("routes[1].match", 7131),
                ("routes[2].match", 7131),
                ("routes[3].match", 7131),
                ("routes[4].match", 7131),
                ("routes[5].match", 7135),
                ("routes[6].match", 7131),
                ("routes[6].match", 7126),
            ],
        )

    def test_texts(self) -> None:
        """Texts of routes have the bounds of all texts."""
        self.assertEqual(self.found(HTTPSEdgeRoute(description="é" * 127, metadata="m" * 4096)), [])
        self.assertEqual(
            self.found(HTTPSEdgeRoute(description="é" * 128, metadata="m" * 4097)),
            [("routes[0].description", 7073), ("routes[0].metadata", 7074)],
        )


class ReferenceTests(EdgeCase):
    """What edges and routes name."""

    def test_backends(self) -> None:
        """A backend is there and of the account, switched off or not."""
        foreign = Backend(id="bkdhr_1", account_id="ac_2", kind="http_response", config=HTTPResponseConfig())
        for reference in (BackendRef(backend_id="bkdhr_1"), BackendRef(backend_id="bkdhr_2", enabled=False)):
            edges = [
                https(HTTPSEdgeRoute(), HTTPSEdgeRoute(match="/a", backend=reference)),
                TLSEdge(id="e", account_id="ac_1", backend=reference),
                TCPEdge(id="e", account_id="ac_1", backend=reference),
            ]
            for edge, path in zip(edges, ("routes[1].backend.backend_id", "backend.backend_id", "backend.backend_id")):
                found = [problem for problem in judged(foreign, edge) if problem[2] == 6501]
                self.assertEqual(found, [("e", path, 6501)])

    def test_modules(self) -> None:
        """So is whatever a module names, on the edge and on its routes."""
        foreign = CertificateAuthority(id="ca_1", account_id="ac_2", ca_pem="")
        restriction = module(IPRestrictionConfig(ip_policy_ids=("ipp_1",)))
        edge = https(
            HTTPSEdgeRoute(modules={"ip_restriction": restriction}),
            mutual_tls=MutualTLSConfig(certificate_authority_ids=("ca_1", "ca_2")),
        )
        found = [(path, code) for id, path, code in judged(foreign, edge) if id == "e"]
        self.assertEqual(
            found,
            [
                ("mutual_tls.certificate_authority_ids[0]", 7072),
                ("mutual_tls.certificate_authority_ids[1]", 7072),
                ("routes[0].ip_restriction.ip_policy_ids[0]", 7007),
            ],
        )

    def test_deleted_meanwhile(self) -> None:
        """A policy that was deleted does not stand in the way of other changes, but cannot be named anew."""
        path = self.edge("tcp", ip_restriction={"ip_policy_ids": [POLICY]})
        self.status("DELETE", f"/ip_policies/{POLICY}")
        self.ok("PATCH", path, {"description": "d"})
        body = {"ip_policy_ids": [POLICY]}
        self.assertEqual(
            self.codes("POST", "/edges/tcp", {"ip_restriction": body}), {"ip_restriction.ip_policy_ids[0]": 7007}
        )


class TerminationTests(EdgeCase):
    """Modules that must look into TLS."""

    def found(self, mutual_tls: bool, termination: TLSTerminationConfig | None, enabled: bool = True) -> list[int]:
        """What is wrong with a TLS edge."""
        modules = {"mutual_tls": module(MutualTLSConfig(certificate_authority_ids=("ca_1",)), mutual_tls)}
        if termination is not None:
            modules["tls_termination"] = module(termination, enabled)
        authority = CertificateAuthority(id="ca_1", account_id="ac_1", ca_pem="")
        edge = TLSEdge(id="e", account_id="ac_1", modules=modules)
        return [code for id, _, code in judged(authority, edge) if id == "e"]

    def test_terminated(self) -> None:
        """They need TLS to end at the edge, unless they are switched off."""
        at_edge = TLSTerminationConfig(terminate_at="edge")
        self.assertEqual(self.found(True, at_edge), [])
        self.assertEqual(self.found(True, at_edge, enabled=False), [7062])
        self.assertEqual(self.found(True, TLSTerminationConfig()), [7062])
        self.assertEqual(self.found(True, None), [7062])
        self.assertEqual(self.found(False, None), [])
