"""
Tests of `ngrok_twisted.tls.certificates`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from ngrok_twisted.interfaces import ICertificateIssuer
from ngrok_twisted.records.base import Delete, Put, Record, Snapshot
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.tls_certificate import TLSCertificate
from ngrok_twisted.tls import certificates
from ngrok_twisted.tls.certificates import Certificates, KeyPair
from ngrok_twisted.tls.contexts import TICKET_KEY_LIFE
from ngrok_twisted.tls.options import TLSOptions
from tests.tls.authority import Made

DAY = 86400.0


@implementer(ICertificateIssuer)
class FakeIssuer:
    """Issues certificates that live 30 days from yesterday on, and notes for which names."""

    name = "fake"

    def __init__(self) -> None:
        self.issued: list[tuple[str, ...]] = []

    def issue(self, names: tuple[str, ...]) -> KeyPair:
        """ICertificateIssuer."""
        self.issued.append(names)
        made = Made(names[-1])
        self.born = made.certificate.not_valid_before_utc.timestamp()
        return KeyPair(certificate_pem=made.pem, private_key_pem=made.key_pem)


class CertificatesTests(SynchronousTestCase):
    """`Certificates`."""

    def setUp(self) -> None:
        """Nothing is uploaded yet."""
        self.issuer = FakeIssuer()
        self.issuer.issue(("first",))
        self.issuer.issued.clear()
        self.clock = Clock()
        self.clock.advance(self.issuer.born + DAY)
        self.certificates = Certificates(self.issuer, "base.example", self.clock)
        self.records = Snapshot()

    def write(self, *records: Record) -> None:
        """Write records."""
        self.records = self.records.with_changes(map(Put, records))
        self.certificates.update(self.records)

    def upload(self, id: str, account_id: str = "ac_1") -> KeyPair:
        """Upload a certificate."""
        made = Made("up.example")
        record = TLSCertificate(id=id, account_id=account_id, certificate_pem=made.pem, private_key_pem=made.key_pem)
        self.write(record)
        return KeyPair(certificate_pem=made.pem, private_key_pem=made.key_pem)

    def reserve(self, domain: str, certificate_id: str = "") -> None:
        """Reserve a domain."""
        self.write(ReservedDomain(id=f"rd {domain}", account_id="ac_1", domain=domain, certificate_id=certificate_id))

    def pair(self, name: str | None) -> Any:
        """What is shown for a name."""
        return self.certificates.pair_for(name)

    def test_brought_along(self) -> None:
        """What the options have is shown for every name, and nothing is issued for it."""
        pair = self.upload("cert_1")
        options = TLSOptions(pair=pair)
        shown = self.certificates.context_for("site.example", options)
        self.assertIs(self.certificates.context_for(None, TLSOptions(pair=pair)), shown)
        self.assertEqual(self.issuer.issued, [])
        self.assertIsNot(self.certificates.context_for("site.example"), shown)
        self.assertNotIn("PRIVATE", repr(options))

    def test_nameless(self) -> None:
        """A visitor that names nobody gets the uploaded certificate of the base domain or of its wildcard, if there is one."""
        for domain in ("*.base.example", "base.example"):
            pair = self.upload(f"cert {domain}")
            self.reserve(domain, f"cert {domain}")
            self.assertEqual(self.certificates.pair_for(None), pair)
        self.assertEqual(self.issuer.issued, [])

    def test_of_many(self) -> None:
        """A certificate for several names and addresses is from the issuer, whatever was uploaded, and made once."""
        self.upload("cert_1")
        self.reserve("connect.base.example", "cert_1")
        names = ("connect.base.example", "localhost", "127.0.0.1")
        context = self.certificates.context_of(names)
        self.assertIs(self.certificates.context_of(names), context)
        self.assertIsNot(self.certificates.context_of(names, TLSOptions(alpn=())), context)
        self.certificates.context_of(names[:2])
        self.assertEqual(self.issuer.issued, [names, names[:2]])

    def test_base(self) -> None:
        """The base domain, the names directly below it, and visitors without a name share one certificate."""
        for name in ("a.base.example", "B.base.example.", "base.example", None, "", "192.0.2.1", "not a name"):
            self.pair(name)
        self.assertEqual(self.issuer.issued, [("*.base.example", "base.example")])

    def test_own(self) -> None:
        """Other names have one each."""
        for name in ("a.b.base.example", "other.example", "other.example"):
            self.pair(name)
        self.assertEqual(self.issuer.issued, [("a.b.base.example",), ("other.example",)])

    def test_uploaded(self) -> None:
        """An uploaded certificate of the most specific domain wins, also below the base domain."""
        wide, narrow, exact = [self.upload(id) for id in ("wide", "narrow", "exact")]
        self.reserve("*.example", "wide")
        self.reserve("*.b.base.example", "narrow")
        self.reserve("x.b.base.example", "exact")
        self.reserve("y.b.base.example")
        for name, shown in (
            ("a.example", wide),
            ("a.base.example", wide),
            ("a.b.base.example", narrow),
            ("c.a.b.base.example", narrow),
            ("x.b.base.example", exact),
            ("y.b.base.example", narrow),
            ("X.B.base.example", exact),
        ):
            self.assertEqual(self.pair(name), shown, name)
        self.assertEqual(self.issuer.issued, [])

    def test_foreign(self) -> None:
        """A certificate of another account, or one that is gone, is not shown."""
        self.upload("theirs", "ac_2")
        self.reserve("a.example", "theirs")
        self.reserve("b.example", "gone")
        self.pair("a.example"), self.pair("b.example")
        self.assertEqual(self.issuer.issued, [("a.example",), ("b.example",)])

    def test_contexts_kept(self) -> None:
        """The same name and options get the same context, other options another."""
        context = self.certificates.context_for("a.base.example")
        self.assertIs(self.certificates.context_for("b.base.example"), context)
        self.assertIs(self.certificates.context_for("b.base.example", TLSOptions()), context)
        self.assertIsNot(self.certificates.context_for("b.base.example", TLSOptions(min_version="1.3")), context)

    def test_ticket_key(self) -> None:
        """A context is made anew when its ticket key is old, with the same certificate."""
        context = self.certificates.context_for("a.base.example")
        self.clock.advance(TICKET_KEY_LIFE - 1)
        self.assertIs(self.certificates.context_for("a.base.example"), context)
        self.clock.advance(1)
        self.assertIsNot(self.certificates.context_for("a.base.example"), context)
        self.assertEqual(len(self.issuer.issued), 1)

    def test_shared_ticket_keys(self) -> None:
        """Processes that share a secret make their contexts anew at the same moment, whenever they were made."""
        self.clock.advance(TICKET_KEY_LIFE - self.clock.seconds() % TICKET_KEY_LIFE + 100)
        early = Certificates(self.issuer, "base.example", self.clock, b"secret")
        late = Certificates(self.issuer, "base.example", self.clock, b"secret")
        first = early.context_for("a.base.example")
        self.clock.advance(TICKET_KEY_LIFE - 200)
        second = late.context_for("a.base.example")
        self.assertIs(early.context_for("a.base.example"), first)
        self.clock.advance(100)
        self.assertIsNot(early.context_for("a.base.example"), first)
        self.assertIsNot(late.context_for("a.base.example"), second)

    def test_renewal(self) -> None:
        """After two thirds of its life a certificate is replaced."""
        first = self.pair("a.example")
        self.clock.advance(31 * DAY * 2 / 3 - DAY - 2)
        self.assertIs(self.pair("a.example"), first)
        self.clock.advance(4)
        self.assertNotEqual(self.pair("a.example"), first)
        self.assertEqual(len(self.issuer.issued), 2)

    def test_update(self) -> None:
        """A change is served from the next handshake on; whatever else there is keeps its context."""
        self.upload("one")
        self.reserve("a.example", "one")
        first, base = self.certificates.context_for("a.example"), self.certificates.context_for(None)
        self.upload("two")
        self.assertIs(self.certificates.context_for("a.example"), first)
        self.reserve("a.example", "two")
        self.assertIsNot(self.certificates.context_for("a.example"), first)
        self.assertIs(self.certificates.context_for(None), base)
        self.records = self.records.with_changes([Delete(ReservedDomain, "rd a.example")])
        self.certificates.update(self.records)
        self.pair("a.example")
        self.assertIn(("a.example",), self.issuer.issued)

    def test_bounded(self) -> None:
        """Many names do not fill the memory: the least recently used go first."""
        self.patch(certificates, "PAIRS_MAX", 3)
        self.patch(certificates, "CONTEXTS_MAX", 2)
        contexts = [self.certificates.context_for(f"{name}.example") for name in "abc"]
        self.certificates.context_for("b.example")
        self.certificates.context_for("d.example")
        self.assertIs(self.certificates.context_for("b.example"), contexts[1])
        self.assertIsNot(self.certificates.context_for("c.example"), contexts[2])
        self.assertEqual(self.issuer.issued.count(("a.example",)), 1)
        self.pair("a.example")
        self.assertEqual(self.issuer.issued.count(("a.example",)), 2)

    def test_secret(self) -> None:
        """A pair that is logged does not show its key."""
        self.assertNotIn("PRIVATE KEY", repr(self.pair(None)))
