"""
Tests for `ngrok_twisted.control.api.resources.reserved_domains`.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import Deferred, succeed

from ngrok_twisted.claim import Claim, Grant
from ngrok_twisted.control.api.call import Making
from ngrok_twisted.control.api.resources.reserved_domains import DeclaredDomain, reserved_domains
from ngrok_twisted.control.reservations import Reservations
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.records.base import Put, Snapshot
from ngrok_twisted.records.edge import HTTPSEdge
from ngrok_twisted.records.endpoint import Endpoint
from ngrok_twisted.records.ids import declared_id
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.tls_certificate import TLSCertificate
from tests.control.api.harness import ACCOUNT, OTHER, SETTINGS, APITestCase, principal

#: Nothing is asked of the call.
CALL: Any = None

LETSENCRYPT = {"authority": "letsencrypt", "private_key_type": "ecdsa"}


def stored_certificate(name: str = "one", account_id: str = ACCOUNT) -> TLSCertificate:
    """A certificate that somebody has uploaded."""
    id = declared_id("cert", "tests", name)
    return TLSCertificate(id=id, account_id=account_id, certificate_pem="", private_key_pem="")


class DomainTestCase(APITestCase):
    """Reserves domains."""

    def reserve(self, domain: str, **more: Any) -> Any:
        """A domain that is reserved."""
        return self.ok("POST", "/reserved_domains", {"domain": domain, **more})

    def put(self, *records: Any) -> None:
        """Store records that other resources make."""
        change = self.api.control.change(lambda before: map(Put, records))
        self.successResultOf(Deferred.fromCoroutine(change))


class LifeTests(DomainTestCase):
    """A domain is made, shown, changed and deleted."""

    def test_custom(self) -> None:
        """A name of its owner's own is to be pointed at the server, and waits for no certificate."""
        body = {"domain": "Shop.Example.ORG.", "region": "", "description": "d", "metadata": "m", "resolves_to": []}
        made = self.ok("POST", "/reserved_domains", body)
        self.assertEqual(
            made,
            {
                "id": made["id"],
                "uri": f"https://api.example.com/reserved_domains/{made['id']}",
                "created_at": "2026-01-01T00:00:00Z",
                "description": "d",
                "metadata": "m",
                "domain": "shop.example.org",
                "region": "",
                "cname_target": "connect.example.com",
                "certificate": None,
                "certificate_management_policy": None,
                "certificate_management_status": None,
                "acme_challenge_cname_target": None,
                "resolves_to": None,
                "http_endpoint_configuration": None,
                "https_endpoint_configuration": None,
                "error_redirect_url": None,
                "is_dev": False,
            },
        )
        self.assertEqual(self.ok("GET", f"/reserved_domains/{made['id']}"), made)
        self.assertEqual(self.ok("GET", "/reserved_domains")["reserved_domains"], [made])
        self.assertEqual(self.status("DELETE", f"/reserved_domains/{made['id']}"), 204)
        self.assertEqual(self.refused("GET", f"/reserved_domains/{made['id']}").status, 404)

    def test_own(self) -> None:
        """Names of the server's domain need no record in DNS."""
        for domain in ("a.example.com", "*.a.example.com", "*.example.com", "example.com"):
            self.assertIsNone(self.reserve(domain)["cname_target"], domain)

    def test_older_name(self) -> None:
        """The older field works; a single label is one under the server's domain. Both fields, or none, are refused."""
        self.assertEqual(self.ok("POST", "/reserved_domains", {"name": "shop"})["domain"], "shop.example.com")
        self.assertEqual(self.ok("POST", "/reserved_domains", {"name": "b.example"})["domain"], "b.example")
        self.assertEqual(self.refused("POST", "/reserved_domains", {"name": "a", "domain": "a.b"}).code, 449)
        self.assertEqual(self.refused("POST", "/reserved_domains", {"name": "", "domain": ""}).code, 448)
        self.assertEqual(set(self.refused("POST", "/reserved_domains", {"name": "a_b"}).details), {"name"})

    def test_resolves_to(self) -> None:
        """Where the name leads comes back as it was given; an empty list takes it away, null leaves it."""
        given = [{"value": "global"}, {"value": "us"}]
        id = self.reserve("a.example", resolves_to=given, region="us")["id"]
        self.assertEqual(self.ok("PATCH", f"/reserved_domains/{id}", {"metadata": "m"})["resolves_to"], given)
        self.assertEqual(self.ok("GET", f"/reserved_domains/{id}")["region"], "us")
        self.assertIsNone(self.ok("PATCH", f"/reserved_domains/{id}", {"resolves_to": []})["resolves_to"])

    def test_nothing(self) -> None:
        """A change without a value is refused."""
        id = self.reserve("a.example")["id"]
        self.assertEqual(self.refused("PATCH", f"/reserved_domains/{id}", {}).code, 422)

    def test_immutable(self) -> None:
        """The name itself cannot be changed."""
        id = self.reserve("a.example")["id"]
        self.assertEqual(self.refused("PATCH", f"/reserved_domains/{id}", {"domain": "b.example"}).code, 214)

    def test_declared(self) -> None:
        """An item of the configuration makes the same record, and is known by its name in one form."""
        making = Making(
            id="rd_1",
            account_id=ACCOUNT,
            declared=True,
            records=Snapshot(),
            settings=SETTINGS,
            inner_id=lambda prefix, key: key,
            random_bytes=lambda count: self.fail("nothing may be random"),
        )
        body = DeclaredDomain(domain="Shop.Example", certificate_id="cert_1")
        made = ReservedDomain(
            id="rd_1", account_id=ACCOUNT, declared=True, domain="shop.example", certificate_id="cert_1"
        )
        self.assertEqual(reserved_domains.make(making, body), made)
        self.assertEqual(reserved_domains.about(body), "shop.example")
        self.assertEqual(reserved_domains.about(DeclaredDomain(domain="a..b")), "a..b")
        with self.assertRaises(InvalidConfig):
            reserved_domains.make(making, DeclaredDomain(domain="a..b"))


class RefusedTests(DomainTestCase):
    """What cannot be reserved."""

    def test_syntax(self) -> None:
        """What is no name is told apart."""
        for domain, code in (
            ("a.*.example", 402),
            ("*a.example", 403),
            ("a$.example", 406),
            ("-a.example", 407),
            ("a-.example", 408),
            ("a..example", 409),
            ("ab--c.example", 410),
            ("192.0.2.1", 411),
            ("x.internal", 411),
            ("*.internal", 411),
            (f"{'a.' * 130}example", 423),
            ("xn--a.example", 429),
            ("a_b.example", 438),
            ("shop", 448),
            (f"{'a' * 64}.example", 513),
        ):
            error = self.refused("POST", "/reserved_domains", {"domain": domain})
            self.assertEqual((error.status, error.code, list(error.details)), (400, code, ["domain"]), domain)

    def test_service(self) -> None:
        """The service's own names stay its own, with all below them."""
        for domain in ("api.example.com", "*.api.example.com", "x.connect.example.com", "tcp.example.com"):
            self.assertEqual(self.refused("POST", "/reserved_domains", {"domain": domain}).code, 404, domain)

    def test_operator(self) -> None:
        """The server's domain as a whole, and whole top-level domains, are for its operator's account alone."""
        self.api.caller = principal(OTHER)
        for domain, code in (("example.com", 404), ("*.example.com", 416), ("*.com", 416), ("*.org", 416)):
            self.assertEqual(self.refused("POST", "/reserved_domains", {"domain": domain}).code, code, domain)
        self.api.caller = principal()
        for domain in ("example.com", "*.example.com", "*.org"):
            self.reserve(domain)

    def test_taken(self) -> None:
        """A name is reserved once; whose it is, is not told."""
        self.reserve("a.example")
        self.assertEqual(self.refused("POST", "/reserved_domains", {"domain": "A.example"}).code, 413)
        self.api.caller = principal(OTHER)
        error = self.refused("POST", "/reserved_domains", {"domain": "a.example"})
        self.assertEqual(error.code, 414)
        self.assertNotIn("rd_", error.message)

    def test_overlaps(self) -> None:
        """Nobody reserves what another account's domain covers, or a domain over another's; one's own may nest."""
        self.reserve("*.a.example")
        self.reserve("b.example")
        self.api.caller = principal(OTHER)
        for domain in ("x.a.example", "x.y.a.example", "a.example", "*.x.a.example", "x.b.example", "*.b.example"):
            error = self.refused("POST", "/reserved_domains", {"domain": domain})
            self.assertEqual(error.code, 417, domain)
        self.assertEqual(self.refused("POST", "/reserved_domains", {"domain": "*.a.example"}).code, 414)
        self.api.caller = principal()
        for domain in ("x.a.example", "a.example", "*.x.a.example", "*.b.example"):
            self.reserve(domain)

    def test_online(self) -> None:
        """A name with an agent of another account on it, or below it, cannot be taken from under it."""
        live = {
            id: Endpoint(id=id, account_id=OTHER, proto=proto, host=host, port=1, binding=binding)
            for id, proto, host, binding in (
                ("1", "https", "x.y.example.com", "public"),
                ("2", "tcp", "tcp.z.example", "public"),
                ("3", "https", "v.example", "internal"),
            )
        }
        self.api.control._live.update(live)
        for domain in ("x.y.example.com", "y.example.com", "*.y.example.com"):
            self.assertEqual(self.refused("POST", "/reserved_domains", {"domain": domain}).code, 430, domain)
        for domain in ("z.y.example.com", "tcp.z.example", "v.example"):
            self.reserve(domain)
        self.api.caller = principal(OTHER, owner_id="")
        id = self.ok("POST", "/reserved_domains", {"domain": "x.y.example.com"})["id"]
        self.api.control._live["4"] = Endpoint(
            id="4", account_id=ACCOUNT, proto="https", host="x.y.example.com", port=1
        )
        self.ok("PATCH", f"/reserved_domains/{id}", {"metadata": "who has it may change it"})

    def test_served(self) -> None:
        """A name that another account serves, though it has not reserved it, cannot be taken away from it either."""
        for account, refused in ((OTHER, True), (ACCOUNT, False)):
            edge = HTTPSEdge(id="edghts_1", account_id=account, hostports=("x.example.com:443",), declared=True)
            self.api.control.declare([edge])
            if refused:
                for domain in ("x.example.com", "*.example.com"):
                    self.assertEqual(self.refused("POST", "/reserved_domains", {"domain": domain}).code, 414, domain)
            else:
                self.reserve("x.example.com")

    def test_elsewhere(self) -> None:
        """This server is one place: other regions and addresses are not promised."""
        self.assertEqual(self.refused("POST", "/reserved_domains", {"domain": "a.example", "region": "eu"}).code, 400)
        for entries, code in (([{"value": "eu"}], 459), ([{"value": "192.0.2.1"}], 459), ([{"value": "us"}] * 2, 456)):
            error = self.refused("POST", "/reserved_domains", {"domain": "a.example", "resolves_to": entries})
            self.assertEqual(error.code, code)
        self.assertEqual(list(error.details), ["resolves_to[1].value"])

    def test_texts(self) -> None:
        """Texts have their limits."""
        body = {"domain": "a.example", "description": "x" * 256, "metadata": "x" * 4097}
        error = self.refused("POST", "/reserved_domains", body)
        self.assertEqual(error.code, 420)
        self.assertIn("ERR_NGROK_421", error.details["metadata"])


class CertificateTests(DomainTestCase):
    """Certificates are attached and detached; policies for them are refused."""

    def setUp(self) -> None:
        """Two certificates, and one of another account."""
        super().setUp()
        self.one, self.two, self.theirs = [
            stored_certificate(name, account)
            for name, account in (("one", ACCOUNT), ("two", ACCOUNT), ("theirs", OTHER))
        ]
        self.put(self.one, self.two, self.theirs)

    def test_attached(self) -> None:
        """An uploaded certificate is attached by its id, replaced by another, and detached; empty is no change."""
        made = self.reserve("a.example", certificate_id=self.one.id)
        uri = f"https://api.example.com/tls_certificates/{self.one.id}"
        self.assertEqual(made["certificate"], {"id": self.one.id, "uri": uri})
        path = f"/reserved_domains/{made['id']}"
        for given, kept in ((self.two.id, self.two.id), (self.two.id, self.two.id), ("", self.two.id)):
            changed = self.ok("PATCH", path, {"certificate_id": given, "certificate_management_policy": None})
            self.assertEqual(changed["certificate"]["id"], kept)
        for _ in range(2):
            self.assertEqual(self.status("DELETE", f"{path}/certificate"), 204)
            self.assertIsNone(self.ok("GET", path)["certificate"])

    def test_own_name(self) -> None:
        """Also names of the server's domain take an uploaded certificate: the domain is the operator's own."""
        self.assertEqual(self.reserve("*.example.com", certificate_id=self.one.id)["certificate"]["id"], self.one.id)

    def test_unknown(self) -> None:
        """A certificate that is not there, or is another account's, cannot be attached."""
        for id in (self.theirs.id, "cert_" + "0" * 27, "x"):
            error = self.refused("POST", "/reserved_domains", {"domain": "a.example", "certificate_id": id})
            self.assertEqual(list(error.details), ["certificate_id"])
        self.assertEqual(self.ok("GET", "/reserved_domains")["reserved_domains"], [])

    def test_policy(self) -> None:
        """No public authority is asked, and nobody is made to believe so."""
        for given, code in (
            ({"domain": "a.example"}, 435),
            ({"domain": "a.example.com"}, 439),
            ({"domain": "a.example", "certificate_id": self.one.id}, 434),
        ):
            body: dict[str, Any] = {**given, "certificate_management_policy": LETSENCRYPT}
            error = self.refused("POST", "/reserved_domains", body)
            self.assertEqual((error.code, list(error.details)), (code, ["certificate_management_policy"]))
        id = self.reserve("a.example", certificate_id=self.one.id)["id"]
        for given, code in (({}, 435), ({"certificate_id": self.one.id}, 435), ({"certificate_id": self.two.id}, 434)):
            body = {**given, "certificate_management_policy": LETSENCRYPT}
            self.assertEqual(self.refused("PATCH", f"/reserved_domains/{id}", body).code, code)

    def test_no_policy(self) -> None:
        """To take away a policy that is not there succeeds, as long as the domain is there."""
        id = self.reserve("a.example")["id"]
        self.assertEqual(self.status("DELETE", f"/reserved_domains/{id}/certificate_management_policy"), 204)
        self.api.caller = principal(OTHER)
        for part in ("certificate_management_policy", "certificate"):
            self.assertEqual(self.refused("DELETE", f"/reserved_domains/{id}/{part}").status, 404)


class UsedTests(DomainTestCase):
    """What uses a domain."""

    def test_edge(self) -> None:
        """A domain that gives an edge its name stays, and so does the wildcard where there is no nearer domain."""
        wide, near = self.reserve("*.a.example"), self.reserve("x.a.example")
        edge = HTTPSEdge(id=declared_id("edghts", "t", "1"), account_id=ACCOUNT, hostports=("x.a.example:443",))
        other = HTTPSEdge(id=declared_id("edghts", "t", "2"), account_id=ACCOUNT, hostports=("y.a.example:443",))
        self.put(edge)
        error = self.refused("DELETE", f"/reserved_domains/{near['id']}")
        self.assertEqual(error.code, 446)
        self.assertIn(edge.id, error.message)
        self.put(other)
        self.assertEqual(self.refused("DELETE", f"/reserved_domains/{wide['id']}").code, 446)

    def test_cloud_endpoint(self) -> None:
        """A public cloud endpoint needs its domain; one inside the account does not."""
        domain = self.reserve("a.example")
        records = self.api.control.records
        record = records.get(ReservedDomain, domain["id"])
        assert record is not None
        for binding, refused in (("public", True), ("internal", False)):
            cloud = Endpoint(
                id="ep_1", account_id=ACCOUNT, proto="https", host="a.example", port=443, type="cloud", binding=binding
            )
            with_cloud = records.with_changes([Put(cloud)])
            if refused:
                with self.assertRaises(Refused) as caught:
                    reserved_domains.removed(CALL, record, with_cloud)
                self.assertEqual(caught.exception.code, 446)
            else:
                reserved_domains.removed(CALL, record, with_cloud)


class Session:
    """An agent's session that notes what is taken from it."""

    def __init__(self, account_id: str) -> None:
        self.id = "ts_1"
        self.principal = principal(account_id)
        self.peer_host = "192.0.2.1"
        self.revoked: list[str] = []

    def probe(self) -> Deferred[None]:
        """IAgentSession."""
        return succeed(None)

    def revoke(self, grant: Grant, reason: str) -> None:
        """IAgentSession."""
        self.revoked.append(grant.url)


class AtOnceTests(DomainTestCase):
    """Reservations take effect at once."""

    def setUp(self) -> None:
        """The real reservations stand behind the real control."""
        super().setUp()
        control = self.api.control
        self.reservations = Reservations(SETTINGS, lambda: control.records, control.publish, self.api.clock, Random(0))
        control.subscribe(self.reservations.recheck)

    def claim(self, session: Session, host: str) -> Grant:
        """A name that an agent gets."""
        claimed = self.reservations.claim(session, Claim(proto="https", host=host))
        self.api.clock.advance(0)
        return self.successResultOf(claimed)

    def test_deleted(self) -> None:
        """Who is online by a domain that is deleted is taken offline; others stay."""
        mine = Session(ACCOUNT)
        gone, stays = self.reserve("*.a.example"), self.reserve("b.example")
        for host in ("x.a.example", "b.example"):
            self.claim(mine, host)
        self.ok("DELETE", f"/reserved_domains/{gone['id']}")
        self.api.clock.advance(0)
        self.assertEqual(mine.revoked, ["https://x.a.example"])
        self.assertEqual([endpoint.host for endpoint in self.api.control.live.values()], ["b.example"])
        refusal = self.failureResultOf(self.reservations.claim(mine, Claim(proto="https", host="x.a.example")), Refused)
        self.assertEqual(refusal.value.code, 319)
        self.ok("DELETE", f"/reserved_domains/{stays['id']}")
        self.assertEqual(mine.revoked, ["https://x.a.example", "https://b.example"])

    def test_moved(self) -> None:
        """A domain that the configuration gives to another account leaves whoever is online there."""
        mine = Session(OTHER)
        domain = ReservedDomain(id="rd_1", account_id=OTHER, domain="a.example", declared=True)
        self.api.control.declare([domain])
        self.claim(mine, "a.example")
        self.api.control.declare([ReservedDomain(id="rd_1", account_id=ACCOUNT, domain="a.example", declared=True)])
        self.assertEqual(mine.revoked, ["https://a.example"])
        self.claim(Session(ACCOUNT), "a.example")

    def test_reserved(self) -> None:
        """A name that is reserved can be had at once, and not by others."""
        self.api.caller = principal(OTHER)
        self.reserve("a.example")
        self.claim(Session(OTHER), "a.example")
        refusal = self.failureResultOf(
            self.reservations.claim(Session(ACCOUNT), Claim(proto="https", host="x.a.example")), Refused
        )
        self.assertEqual(refusal.value.code, 320)
