"""
Tests for `ngrok_twisted.modules.tls_termination`.
"""

from __future__ import annotations

import ssl
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import schema
from ngrok_twisted.backends.tunnel_group import TunnelGroupConfig
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.modules.tls_termination import (
    AgentsTLSTerminationConfig,
    TLSTerminationAtEdgeConfig,
    TLSTerminationConfig,
)
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.edge import BackendRef, TLSEdge, module, module_types
from ngrok_twisted.tls.options import KeyPair
from tests.edge.doubles import Tunnel, endpoint
from tests.modules.secure import SAYS, Visitor, https_edge, real_edge
from tests.tls.authority import Made

HOST = "db.example.com"
V = ssl.TLSVersion

GROUP = Backend(id="bkdtg_1", account_id="ac_1", kind="tunnel_group", config=TunnelGroupConfig(labels={"app": "db"}))


class HTTPSTests(SynchronousTestCase):
    """The oldest version on an HTTPS edge."""

    def versions(self, **modules: Any) -> list[str]:
        """The versions with which a visitor who speaks nothing else gets an answer."""
        edge = real_edge()
        edge.serve(SAYS, https_edge("edghts_1", HOST, **modules))
        found = []
        for version in (V.TLSv1, V.TLSv1_1, V.TLSv1_2, V.TLSv1_3):
            visitor = Visitor(edge, HOST, minimum_version=version, maximum_version=version)
            if visitor.ask(HOST) == [200]:
                found.append(version.name)
            else:
                self.assertIn("protocol version", visitor.said())
        return found

    def test_versions(self) -> None:
        """Each version may be the oldest; who speaks older ones only gets the alert protocol_version."""
        every = ["TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"]
        self.assertEqual(self.versions(), every[2:])
        for number, version in enumerate(("1.0", "1.1", "1.2", "1.3")):
            config = TLSTerminationAtEdgeConfig(min_version=version)  # type: ignore[arg-type]
            self.assertEqual(self.versions(tls_termination=config), every[number:])
        self.assertEqual(self.versions(tls_termination=TLSTerminationAtEdgeConfig()), every[2:])


class TLSEdgeTests(SynchronousTestCase):
    """Where TLS ends on a TLS edge."""

    def setUp(self) -> None:
        self.edge = real_edge()
        self.tunnel = Tunnel("tn_1", labels={"app": "db"})
        self.edge.tunnels.online(self.tunnel)

    def serve(self, **modules: Any) -> None:
        """Serve a TLS edge with these modules."""
        record = TLSEdge(
            id="edgtls_1",
            account_id="ac_1",
            hostports=(f"{HOST}:443",),
            backend=BackendRef(backend_id=GROUP.id),
            modules=modules,
        )
        self.edge.serve(GROUP, record)

    def test_upstream(self) -> None:
        """By itself, told so, or told otherwise but switched off, the edge passes on the visitor's very bytes."""
        at_edge = TLSTerminationConfig(terminate_at="edge")
        cases = ({}, {"tls_termination": TLSTerminationConfig()}, {"tls_termination": (at_edge, False)})
        for case in cases:
            self.serve(
                **{
                    name: module(*config) if isinstance(config, tuple) else module(config)
                    for name, config in case.items()  # type: ignore[attr-defined]
                }
            )
            visitor = Visitor(self.edge, HOST)
            sent = self.tunnel.connection.take()
            self.assertEqual((sent[:1], HOST.encode() in sent), (b"\x16", True))
            self.assertEqual(visitor.inner.connected_times, 0)
            self.assertEqual(self.edge.certificates.asked, [])

    def test_edge(self) -> None:
        """Told so, the edge shakes hands itself, and what is inside goes both ways."""
        self.serve(tls_termination=module(TLSTerminationConfig(terminate_at="edge")))
        visitor = Visitor(self.edge, HOST)
        self.assertEqual(visitor.inner.connected_times, 1)
        ((name, options),) = self.edge.certificates.asked
        self.assertEqual((name, options.alpn, options.min_version), (HOST, (), "1.2"))
        visitor.client.write(b"question")
        visitor.wire.run()
        self.assertEqual(self.tunnel.connection.take(), b"question")
        self.tunnel.connection.send(b"answer")
        visitor.wire.run()
        self.assertEqual(bytes(visitor.inner.received), b"answer")
        self.assertEqual(len(self.edge.plane.visitors), 1)
        visitor.client.loseConnection()
        visitor.wire.run()
        self.tunnel.connection.close()
        visitor.wire.run()
        (flow,) = self.edge.flows
        self.assertEqual((flow.proto, flow.host, flow.bytes_in, flow.bytes_out), ("tls", HOST, 8, 6))
        self.assertEqual(len(self.edge.plane.visitors), 0)

    def test_edge_version(self) -> None:
        """There the oldest version counts too."""
        self.serve(tls_termination=module(TLSTerminationConfig(terminate_at="edge", min_version="1.3")))
        old = Visitor(self.edge, HOST, maximum_version=V.TLSv1_2)
        self.assertIn("protocol version", old.said())
        self.assertEqual(Visitor(self.edge, HOST).inner.connected_times, 1)

    def test_change(self) -> None:
        """A change counts for the next visitor; who is connected keeps what it met."""
        self.serve(tls_termination=module(TLSTerminationConfig(terminate_at="edge")))
        visitor = Visitor(self.edge, HOST)
        inside = self.tunnel.connection
        self.serve()
        visitor.client.write(b"still here")
        visitor.wire.run()
        self.assertEqual(inside.take(), b"still here")
        self.assertEqual(Visitor(self.edge, HOST).inner.connected_times, 0)


class AgentTests(SynchronousTestCase):
    """Where TLS ends on an endpoint of an agent, which may bring a certificate along."""

    SITE = Made("site.example")

    def config(self, **texts: str) -> AgentsTLSTerminationConfig:
        """TLS ends at the edge, with these texts."""
        return AgentsTLSTerminationConfig(terminate_at="edge", **texts)

    def asked(self, config: Any) -> list[Any]:
        """What visitors are shown; ``None`` for what the server has for the name."""
        edge = real_edge()
        edge.serve(endpoint("ep_1", "tls", HOST, modules={"tls_termination": module(config)}))
        edge.online("ep_1")
        Visitor(edge, HOST)
        self.assertEqual([(name, options.alpn) for name, options in edge.certificates.asked if options.alpn], [])
        return [options.pair for _, options in edge.certificates.asked]

    def test_shown(self) -> None:
        """Visitors are shown the agent's certificate, or that of the server, or none of either."""
        pair = KeyPair(certificate_pem=self.SITE.pem, private_key_pem=self.SITE.key_pem)
        brought = self.config(certificate_pem=self.SITE.pem, private_key_pem=self.SITE.key_pem)
        self.assertEqual(self.asked(brought), [pair])
        self.assertEqual(self.asked(self.config()), [None])
        self.assertEqual(self.asked(AgentsTLSTerminationConfig()), [])
        self.assertNotIn("PRIVATE", repr(brought))

    def test_refused(self) -> None:
        """A certificate that cannot be shown is refused, and its key is not repeated."""
        weak = Made("weak.example", key=rsa.generate_private_key(65537, 1024)).key_pem
        for code, texts in (
            (1901, {"certificate_pem": self.SITE.pem}),
            (1922, {"private_key_pem": self.SITE.key_pem}),
            (1923, {"certificate_pem": self.SITE.pem, "private_key_pem": Made("other.example").key_pem}),
            (1903, {"certificate_pem": self.SITE.pem, "private_key_pem": weak}),
        ):
            error = self.assertRaises(InvalidConfig, self.config, **texts)
            self.assertEqual([problem.code for problem in error.problems], [code])
            self.assertNotIn(self.SITE.key_pem.splitlines()[1], str(error))


class ConfigTests(SynchronousTestCase):
    """What may be said where."""

    def problems(self, place: str, data: Any) -> list[tuple[str, int]]:
        """What is wrong with the module in one place."""
        try:
            schema.parse(module_types(place)["tls_termination"], data)
        except InvalidConfig as error:
            return [(problem.path, problem.code) for problem in error.problems]
        return []

    def test_places(self) -> None:
        """An HTTPS edge has no choice of where TLS ends; a TLS edge that passes it on has none of versions."""
        self.assertEqual(self.problems("https", {"min_version": "1.3"}), [])
        self.assertEqual(self.problems("https", {"terminate_at": "edge"}), [("terminate_at", 0)])
        self.assertEqual(self.problems("tls", {"terminate_at": "edge", "min_version": "1.0"}), [])
        self.assertEqual(self.problems("tls", {"terminate_at": "upstream", "min_version": None}), [])
        self.assertEqual(self.problems("tls", {"min_version": "1.2"}), [("min_version", 219)])
        self.assertEqual(self.problems("tls", {"terminate_at": "agent"}), [("terminate_at", 0)])
        self.assertEqual(self.problems("tls", {"terminate_at": "edge", "min_version": "1.4"}), [("min_version", 0)])

    def test_no_certificate(self) -> None:
        """Certificates of edges are those of their domains."""
        for place, path in (("https", "certificate_pem"), ("tls", "private_key_pem")):
            self.assertEqual(self.problems(place, {path: "x"}), [(path, 0)])

    def test_stored(self) -> None:
        """Either is read back as it was written."""
        for config in (TLSTerminationAtEdgeConfig(min_version="1.0"), TLSTerminationConfig(terminate_at="edge")):
            made = module(config, enabled=False)
            self.assertEqual(schema.parse(type(made), schema.dump(made), stored=True), made)
