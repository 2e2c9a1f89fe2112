"""
Tests for `ngrok_twisted.modules.mutual_tls`.
"""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import schema
from ngrok_twisted.backends.tunnel_group import TunnelGroupConfig
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.modules.mutual_tls import AgentsMutualTLSConfig, MutualTLSConfig
from ngrok_twisted.modules.tls_termination import TLSTerminationConfig
from ngrok_twisted.records.backend import Backend
from ngrok_twisted.records.edge import BackendRef, HTTPSEdge, HTTPSEdgeRoute, TLSEdge, module, module_types
from tests.edge.doubles import Tunnel, endpoint
from tests.modules.secure import SAYS, Visitor, authority, https_edge, real_edge
from tests.tls.authority import Made
from tests.tls.handshake import handshake

STAFF, PARTNERS, STRANGERS = Made("staff.example"), Made("partners.example"), Made("strangers.example")
HOST, OTHER = "shop.example.com", "open.example.com"

TRUSTS = MutualTLSConfig(certificate_authority_ids=("ca_1", "ca_2"))


def changed(made: Made, issuer: Made, change: Any) -> Made:
    """The same certificate but for a change, signed again."""
    old = made.certificate
    builder = x509.CertificateBuilder(
        old.issuer,
        old.subject,
        old.public_key(),
        old.serial_number,
        old.not_valid_before_utc,
        old.not_valid_after_utc,
        [extension for extension in old.extensions],
    )
    made.certificate = change(builder).sign(issuer.key, SHA256())
    made.pem = made.certificate.public_bytes(Encoding.PEM).decode()
    return made


class MutualTLSTests(SynchronousTestCase):
    """An edge that asks for certificates."""

    def setUp(self) -> None:
        self.edge = real_edge()
        self.authorities = (authority("ca_1", STAFF), authority("ca_2", PARTNERS))
        self.shop = https_edge("edghts_1", HOST, mutual_tls=TRUSTS)
        self.serve(self.shop)

    def serve(self, *edges: HTTPSEdge) -> None:
        """Serve these edges."""
        self.edge.serve(SAYS, *self.authorities, *edges)

    def assertOutside(self, visitor: Visitor, alert: str) -> None:
        """The visitor got an alert and no byte of HTTP, and the edge saw no request."""
        self.assertEqual(visitor.ask(HOST), [])
        self.assertIn(alert, visitor.said())
        self.assertEqual(self.edge.flows, [])

    def test_any_authority(self) -> None:
        """A certificate of any of the authorities opens the edge, on TLS 1.3 and 1.2."""
        for authority_ in (STAFF, PARTNERS):
            for newest in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
                visitor = Visitor(self.edge, HOST, authority_.issue("me"), maximum_version=newest)
                self.assertEqual(visitor.ask(HOST), [200])

    def test_none(self) -> None:
        """Without a certificate the handshake fails: certificate_required on TLS 1.3, handshake_failure before."""
        self.assertOutside(Visitor(self.edge, HOST), "certificate required")
        old = Visitor(self.edge, HOST, maximum_version=ssl.TLSVersion.TLSv1_2)
        self.assertOutside(old, "handshake failure")

    def test_stranger(self) -> None:
        """A certificate of somebody else does not open it, nor one that only claims the name of the authority."""
        for issuer in (STRANGERS, Made("staff.example")):
            self.assertOutside(Visitor(self.edge, HOST, issuer.issue("me")), "alert")

    def test_chain(self) -> None:
        """A certificate further down passes with the certificates in between, and fails without them."""
        team = STAFF.issue("team.example", ca=True)
        me = team.issue("me")
        self.assertOutside(Visitor(self.edge, HOST, me), "unknown ca")
        self.assertEqual(Visitor(self.edge, HOST, me, (team,)).ask(HOST), [200])

    def test_intermediate_trusted(self) -> None:
        """An authority that is not self-signed is enough by itself."""
        team = STAFF.issue("team.example", ca=True)
        self.authorities = (authority("ca_1", team), authority("ca_2", PARTNERS))
        self.serve(self.shop)
        self.assertEqual(Visitor(self.edge, HOST, team.issue("me")).ask(HOST), [200])
        self.edge.flows.clear()
        self.assertOutside(Visitor(self.edge, HOST, STAFF.issue("me")), "alert")

    def test_purpose(self) -> None:
        """A certificate that names purposes, but not that of a TLS client, does not open it."""
        for purpose, opens in ((ExtendedKeyUsageOID.CLIENT_AUTH, True), (ExtendedKeyUsageOID.SERVER_AUTH, False)):
            usage = x509.ExtendedKeyUsage([purpose])
            me = changed(STAFF.issue("me"), STAFF, lambda builder: builder.add_extension(usage, False))
            self.assertEqual(Visitor(self.edge, HOST, me).ask(HOST), [200] if opens else [])

    def test_validity(self) -> None:
        """An expired certificate does not open it."""
        ended = datetime.now(timezone.utc) - timedelta(hours=1)

        def expire(builder: Any) -> Any:
            builder._not_valid_after = ended.replace(tzinfo=None)
            return builder

        me = changed(STAFF.issue("me"), STAFF, expire)
        self.assertOutside(Visitor(self.edge, HOST, me), "certificate expired")

    def test_other_host(self) -> None:
        """A connection that was opened without a certificate does not lead to the edge by another host."""
        self.serve(self.shop, https_edge("edghts_2", OTHER))
        visitor = Visitor(self.edge, OTHER)
        self.assertEqual(visitor.ask(HOST), [421])
        self.assertEqual(visitor.ask(OTHER), [200])
        nameless = Visitor(self.edge, "nobody.example.com")
        self.assertEqual(nameless.ask(HOST), [421])

    def test_resumption(self) -> None:
        """A session of an edge without the check is no way into one with it, where every handshake is a full one."""
        certificates = self.edge.certificates
        asks = self.edge.plane.router.secure.get(HOST).entry.options
        without = certificates.context_for(OTHER)
        client = Visitor(self.edge, HOST, STAFF.issue("me")).context
        anonymous = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anonymous.check_hostname, anonymous.verify_mode = False, ssl.CERT_NONE
        session = handshake(without, anonymous, HOST)[1].session
        self.assertRaises(ssl.SSLError, handshake, certificates.context_for(HOST, asks), anonymous, HOST, session)
        server = certificates.context_for(HOST, asks)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client.minimum_version = client.maximum_version = version
            session = handshake(server, client, HOST)[1].session
            self.assertFalse(handshake(server, client, HOST, session)[0].session_reused)

    def test_switched_off(self) -> None:
        """A module that is switched off asks for nothing."""
        edge = HTTPSEdge(
            id="edghts_1",
            account_id="ac_1",
            hostports=self.shop.hostports,
            routes=self.shop.routes,
            modules={"mutual_tls": module(TRUSTS, enabled=False)},
        )
        self.serve(edge)
        self.assertEqual(Visitor(self.edge, HOST).ask(HOST), [200])

    def test_authority_changes(self) -> None:
        """A change of an authority's record makes the edge anew; one of another record does not."""
        before = self.edge.plane.router.secure.get(HOST)
        self.edge.serve(SAYS, *self.authorities, authority("ca_3", STRANGERS), self.shop)
        self.assertIs(self.edge.plane.router.secure.get(HOST), before)
        self.authorities = (authority("ca_1", STRANGERS), authority("ca_2", PARTNERS))
        self.serve(self.shop)
        self.assertIsNot(self.edge.plane.router.secure.get(HOST), before)
        self.assertEqual(Visitor(self.edge, HOST, STRANGERS.issue("me")).ask(HOST), [200])

    def test_missing_authority(self) -> None:
        """An edge that names an authority of another account, or none, cannot be served."""
        for found in ((authority("ca_1", STAFF),), (authority("ca_1", STAFF), authority("ca_2", PARTNERS, "ac_2"))):
            self.authorities = found  # type: ignore[assignment]
            error = self.assertRaises(AssertionError, self.serve, self.shop)
            self.assertIn("ca_2", str(error))

    def test_terminated_streams(self) -> None:
        """A TLS edge that ends TLS asks for certificates too."""
        record = TLSEdge(
            id="edgtls_1",
            account_id="ac_1",
            hostports=(f"{HOST}:443",),
            modules={
                "mutual_tls": module(TRUSTS),
                "tls_termination": module(TLSTerminationConfig(terminate_at="edge")),
            },
        )
        self.serve(record)  # type: ignore[arg-type]
        Visitor(self.edge, HOST)
        self.assertEqual(self.edge.flows, [])
        Visitor(self.edge, HOST, STAFF.issue("me"))
        self.assertEqual([flow.proto for flow in self.edge.flows], ["tls"])


class AgentTests(SynchronousTestCase):
    """An endpoint of an agent, which may bring authorities along."""

    def opens(self, config: AgentsMutualTLSConfig, *records: Any) -> list[bool]:
        """Whether an endpoint can be asked with a certificate of each of the issuers, and without one."""
        edge = real_edge()
        edge.serve(*records, endpoint("ep_1", host=HOST, modules={"mutual_tls": module(config)}))
        shown = (STAFF.issue("me"), PARTNERS.issue("me"), STRANGERS.issue("me"), None)
        return [Visitor(edge, HOST, shows).ask(HOST) == [404] for shows in shown]

    def test_brought_along(self) -> None:
        """Those that came along count, whatever else stands in their text, beside those of the account."""
        both = AgentsMutualTLSConfig(certificates=f"# staff\n{STAFF.pem}\n# partners\n{PARTNERS.pem}")
        self.assertEqual(self.opens(both), [True, True, False, False])
        one = AgentsMutualTLSConfig(certificates=STAFF.pem, certificate_authority_ids=("ca_1",))
        self.assertEqual(self.opens(one, authority("ca_1", PARTNERS)), [True, True, False, False])
        known = AgentsMutualTLSConfig(certificate_authority_ids=("ca_1",))
        self.assertEqual(self.opens(known, authority("ca_1", PARTNERS)), [False, True, False, False])

    def test_refused(self) -> None:
        """At least one, at most ten, and each of an authority."""
        for code, settings in (
            (7072, {}),
            (7072, {"certificates": " \n"}),
            (7075, {"certificates": STAFF.pem * 11}),
            (7075, {"certificates": STAFF.pem * 10, "certificate_authority_ids": ("ca_1",)}),
            (1913, {"certificates": STAFF.pem + STAFF.issue("me").pem}),
            (1911, {"certificates": STAFF.key_pem}),
            (1920, {"certificates": "nothing"}),
        ):
            error = self.assertRaises(InvalidConfig, AgentsMutualTLSConfig, **settings)
            self.assertEqual([problem.code for problem in error.problems], [code])
            self.assertNotIn(STAFF.key_pem.splitlines()[1], str(error))


class IntroducedTests(SynchronousTestCase):
    """What the service is told of the visitor."""

    def setUp(self) -> None:
        self.edge = real_edge()
        self.tunnel = Tunnel("tn_1", labels={"app": "web"})
        self.edge.tunnels.online(self.tunnel)
        route = HTTPSEdgeRoute(backend=BackendRef(backend_id="bkdtg_1"))
        config = MutualTLSConfig(certificate_authority_ids=("ca_1",))
        self.edge.serve(
            Backend(
                id="bkdtg_1", account_id="ac_1", kind="tunnel_group", config=TunnelGroupConfig(labels={"app": "web"})
            ),
            authority("ca_1", STAFF),
            HTTPSEdge(
                id="edghts_1",
                account_id="ac_1",
                hostports=(f"{HOST}:443",),
                routes=(route,),
                modules={"mutual_tls": module(config)},
            ),
        )

    def told(self, me: Made, *lines: bytes) -> list[bytes]:
        """The lines about the visitor that the service gets."""
        visitor = Visitor(self.edge, HOST, me)
        visitor.client.write(b"\r\n".join((b"GET / HTTP/1.1", b"Host: " + HOST.encode(), *lines, b"", b"")))
        visitor.wire.run()
        sent = self.tunnel.connection.take().split(b"\r\n")
        return sorted(line for line in sent if b"mtls" in line.lower())

    def test_fields(self) -> None:
        """The service is told the subject, names, addresses and number of the certificate."""
        me = STAFF.issue("me.example")
        number = me.certificate.serial_number
        self.assertEqual(
            self.told(me),
            [
                b"ngrok-mtls-serial-number: %x" % number,
                b"ngrok-mtls-subject-alt-name-dns: me.example",
                b"ngrok-mtls-subject-cn: me.example",
            ],
        )

    def test_forged(self) -> None:
        """What the visitor says of itself there is taken out, however it is spelt."""
        me = STAFF.issue("me.example")
        forged = (
            b"ngrok-mtls-subject-cn: boss",
            b"NGROK_MTLS_EMAIL_ADDRESSES: boss@example",
            b"Ngrok-mTLS-Subject-CN: x",
        )
        self.assertEqual(self.told(me, *forged), self.told(me))


class ConfigTests(SynchronousTestCase):
    """How many authorities there may be."""

    def test_count(self) -> None:
        """At least one, and at most ten."""
        for count, code in ((0, 7072), (11, 7075)):
            error = self.assertRaises(
                InvalidConfig, MutualTLSConfig, certificate_authority_ids=tuple(f"ca_{n}" for n in range(count))
            )
            self.assertEqual([problem.code for problem in error.problems], [code])
        MutualTLSConfig(certificate_authority_ids=tuple(f"ca_{n}" for n in range(10)))

    def test_edges(self) -> None:
        """Authorities of edges are records."""
        for place in ("https", "tls"):
            data = {"certificate_authority_ids": ["ca_1"], "certificates": STAFF.pem}
            error = self.assertRaises(InvalidConfig, schema.parse, module_types(place)["mutual_tls"], data)
            self.assertEqual([problem.path for problem in error.problems], ["certificates"])
