"""
Tests for `ngrok_twisted.transports.ssh.bind`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis.strategies import binary, integers, sampled_from
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import kinds
from ngrok_twisted.claim import Claim
from ngrok_twisted.errors import Refused
from ngrok_twisted.interfaces import IModuleKind
from ngrok_twisted.records.endpoint import Upstream
from ngrok_twisted.transports.ssh.bind import Wish, assign, bind, implied_verb
from ngrok_twisted.transports.ssh.command import IMPLIED, parse
from ngrok_twisted.transports.ssh.naming import NO_NAME
from ngrok_twisted.transports.ssh.settings import GatewaySettings

NOW = 1_700_000_000.0
SETTINGS = GatewaySettings(
    base_domain="example.com",
    tcp_host="tcp.example.com",
    public_ports={"https": 8443, "http": 8080, "tls": 8443},
)
OPEN = GatewaySettings(
    base_domain="example.com",
    tcp_host="tcp.example.com",
    allow_requested_ports=True,
    module_kinds=kinds.discover("ngrok_twisted.modules", IModuleKind),
)


def claims(
    port: int, command: str = "", address: bytes = b"localhost", settings: GatewaySettings = SETTINGS, version: int = 2
) -> tuple[Claim, ...]:
    """What a forward with a command asks for."""
    (parsed,) = parse(command.encode(), version, settings.module_kinds)
    return bind(Wish(address=address, port=port), parsed, settings, NOW)


class PortTests(SynchronousTestCase):
    """The rules for ports (3.1, 4)."""

    def test_protocols(self) -> None:
        """The port and the command decide what is published."""
        for port, command, version, expected in [
            (443, "http", 2, ["https"]),
            (80, "http", 2, ["http"]),
            (0, "http", 2, ["https"]),
            (443, "tls", 2, ["tls"]),
            (0, "tls", 2, ["tls"]),
            (0, "tcp", 2, ["tcp"]),
            (443, "tcp", 2, ["tcp"]),
            (80, "tcp", 2, ["tcp"]),
            (443, "", 2, ["https"]),
            (80, "", 2, ["https", "http"]),
            (0, "", 2, ["https"]),
            (80, "http", 1, ["https", "http"]),
            (443, "http", 1, ["https", "http"]),
            (0, "http", 1, ["https"]),
            (443, "http -bind-tls true", 1, ["https"]),
            (443, "http -bind-tls false", 1, ["http"]),
            (443, "http -bind-tls both", 1, ["https", "http"]),
            (80, "http --schemes http", 2, ["http"]),
            (0, "http --schemes http", 2, ["http"]),
            (443, "http --scheme https", 2, ["https"]),
            (443, "http --force-https", 2, ["https", "http"]),
            (80, "http --force-https", 2, ["https", "http"]),
            (443, "sni-proxy=true", 2, ["tls"]),
            (5, "tunnel --label a=b", 2, ["labels"]),
        ]:
            found = [claim.proto for claim in claims(port, command, version=version)]
            self.assertEqual(found, expected, (port, command, version))

    def test_impossible(self) -> None:
        """A port that the command cannot have is refused."""
        for port, command, code in [
            (8080, "http", 1113),
            (1, "http", 1113),
            (80, "tls", 1113),
            (22, "tls", 1113),
            (443, "http --schemes http", 1113),
            (80, "http --schemes https", 1113),
            (443, "http --url http://a.example.com", 1113),
            (443, "http --url https://a.example.com --schemes http", 1113),
            (443, "http --url tcp://a.example.com:5", 1113),
            (443, "tls --url https://a.example.com", 1113),
            (0, "tcp --url https://a.example.com", 1113),
            (2222, "tcp", 1116),
            (2222, "", 1116),
            (22, "--qr", 1110),
            (443, "tls --upstream-tls", 1109),
        ]:
            refused = self.assertRaises(Refused, claims, port, command)
            self.assertEqual(refused.code, code, (port, command))

    def test_requested_port(self) -> None:
        """Where the operator permits it, a port of the pool may be asked for."""
        (claim,) = claims(20022, "tcp", settings=OPEN)
        self.assertEqual((claim.host, claim.port), (None, 20022))
        self.assertEqual(self.assertRaises(Refused, claims, 19999, "tcp", b"", OPEN).code, 1116)

    def test_redirect(self) -> None:
        """--force-https marks the http URL, and only that."""
        self.assertEqual([claim.force_https for claim in claims(443, "http --force-https")], [False, True])

    def test_implied(self) -> None:
        """The implied command follows from the port."""
        self.assertEqual([implied_verb(port) for port in (0, 80, 443, 22)], ["http", "http", "http", "tcp"])


class UsualTests(SynchronousTestCase):
    """Forwards that name nothing."""

    def usual(self, port: int = 443, settings: GatewaySettings = SETTINGS, **more: Any) -> tuple[Claim, ...]:
        """The claims of one without a command."""
        return bind(Wish(address=more.pop("address", b""), port=port, **more), IMPLIED, settings, NOW)

    def test_shared(self) -> None:
        """They are one for all who ask for the same."""
        self.assertIs(self.usual(), self.usual(address=b"localhost"))

    def test_apart(self) -> None:
        """Who asks for something else, or has something to say, gets claims of its own; and so does another server."""
        usual = self.usual()
        for other in (self.usual(80), self.usual(position=1), self.usual(metadata="m"), self.usual(address=b"a")):
            self.assertNotEqual(other, usual)
        self.assertEqual(self.usual(20022, OPEN)[0].port, 20022)
        self.assertRaises(Refused, self.usual, 20022)

    def test_bounded(self) -> None:
        """Not all ports are remembered, and none is mistaken for another."""
        for port in range(20000, 20300):
            self.assertEqual(self.usual(port, OPEN)[0].port, port)


class NameTests(SynchronousTestCase):
    """The rules for names (3.2, 3.3)."""

    def name(self, *args: Any) -> tuple[str | None, str | None]:
        """The wanted host and label."""
        claim = claims(*args)[0]
        return claim.host, claim.label

    def test_no_name(self) -> None:
        """What clients send for no name asks for a random one."""
        for address in (*NO_NAME, b"LOCALHOST"):
            self.assertEqual(self.name(443, "http", address), (None, None), address)

    def test_names(self) -> None:
        """Names are normalised; a single label goes under the base domain."""
        for address, expected in [
            (b"myapp", (None, "myapp")),
            (b"MyApp", (None, "myapp")),
            (b"App.Example.ORG", ("app.example.org", None)),
            (b"app.example.org.", ("app.example.org", None)),
            (b"*.example.org", ("*.example.org", None)),
            ("bücher.example".encode(), ("xn--bcher-kva.example", None)),
        ]:
            self.assertEqual(self.name(443, "http", address), expected)
            self.assertEqual(self.name(443, "tls", address), expected)

    def test_bad_names(self) -> None:
        """What is no name is refused with the code of its fault."""
        for address, code in [
            (b"a_b", 355),
            (b"a..b", 327),
            (b"-a.example.org", 328),
            (b"a-.example.org", 329),
            (b"a.*.example.org", 326),
            (b"a/b", 326),
            (b"ab--c.example.org", 330),
            (b"x" * 64, 396),
            (b"\xff", 326),
        ]:
            self.assertEqual(self.assertRaises(Refused, claims, 443, "http", address).code, code, address)

    def test_internal(self) -> None:
        """Internal names may have any port; the scheme follows from the flags, or from the port."""
        for port, command, address, expected in [
            (443, "http", b"svc.internal", ("https", "svc.internal", 443)),
            (0, "http", b"svc.internal", ("https", "svc.internal", None)),
            (80, "http", b"svc.internal", ("http", "svc.internal", 80)),
            (8080, "http", b"SVC.internal", ("https", "svc.internal", 8080)),
            (8080, "http --schemes http", b"svc.internal", ("http", "svc.internal", 8080)),
            (0, "http --url http://svc.internal", b"", ("http", "svc.internal", None)),
            (443, "http --url https://svc.internal:8443", b"", ("https", "svc.internal", 8443)),
            (443, "http --domain svc.internal", b"", ("https", "svc.internal", 443)),
            (5000, "tls", b"svc.internal", ("tls", "svc.internal", 5000)),
            (5432, "tcp", b"db.internal", ("tcp", "db.internal", 5432)),
            (0, "tcp --url tcp://db.internal:5432", b"", ("tcp", "db.internal", 5432)),
            (5432, "", b"db.internal", ("tcp", "db.internal", 5432)),
        ]:
            found = claims(port, command, address)
            got = [(claim.proto, claim.host, claim.port, claim.binding) for claim in found]
            self.assertEqual(got, [(*expected, "internal")], (port, command, address))
        self.assertEqual(claims(443, "http --binding internal")[0].binding, "internal")
        self.assertEqual(self.assertRaises(Refused, claims, 0, "tcp", b"db.internal").code, 1117)
        self.assertEqual(self.assertRaises(Refused, claims, 443, "tls --upstream-tls", b"a.internal").code, 1109)

    def test_flags(self) -> None:
        """Flags name what to publish."""
        for command, expected in [
            ("http --domain A.example.org", ("a.example.org", None)),
            ("http --hostname app", (None, "app")),
            ("http --subdomain app", (None, "app")),
            ("http --subdomain a.b", ("a.b.example.com", None)),
            ("http --url https://a.example.org", ("a.example.org", None)),
            ("http --url https://a.example.org:443", ("a.example.org", None)),
            ("http --url https://a.example.org:8443", ("a.example.org", None)),
            ("http --url a.example.org", ("a.example.org", None)),
            ("http --url https://", (None, None)),
            ("tls --url tls://a.example.org:8443", ("a.example.org", None)),
            ("http --domain a.example.com --subdomain a", ("a.example.com", None)),
        ]:
            self.assertEqual(self.name(443, command), expected, command)

    def test_conflicts(self) -> None:
        """Two places that name different things are refused, each pair with its own code."""
        for address, port, command, code in [
            (b"x.example.org", 0, "tcp --remote-addr y.example.org:20000", 1114),
            (b"localhost", 20001, "tcp --remote-addr y.example.org:20000", 1115),
            (b"y.example.org", 443, "tcp --remote-addr y.example.org:20000", 1115),
            (b"localhost", 20001, "tcp", 1116),
            (b"y.example.org", 0, "tcp", 1117),
            (b"x.example.org", 443, "http --hostname y.example.org", 1118),
            (b"x.example.org", 443, "http --domain y.example.org", 1118),
            (b"x.example.org", 443, "http --url https://y.example.org", 1118),
            (b"x.example.org", 20000, "tcp --url tcp://y.example.org:20000", 1118),
            (b"x.example.org", 443, "http --subdomain y", 1119),
            (b"", 443, "http --hostname x.example.org --subdomain y", 1120),
            (b"", 443, "tls --hostname x.example.org --subdomain y", 1120),
            (b"", 0, "tcp --url tcp://y.example.org:1 --remote-addr y.example.org:2", 1120),
        ]:
            refused = self.assertRaises(Refused, claims, port, command, address)
            self.assertEqual(refused.code, code, (address, port, command))

    def test_agreement(self) -> None:
        """Two places that name the same thing agree."""
        self.assertEqual(self.name(443, "http --subdomain x", b"X"), (None, "x"))
        self.assertEqual(self.name(443, "http --domain x.example.com", b"x"), (None, "x"))
        self.assertEqual(self.name(443, "http --domain x.example.org", b"X.example.org"), ("x.example.org", None))
        (claim,) = claims(20000, "tcp --remote-addr Y.example.org:20000", b"y.example.org")
        self.assertEqual((claim.host, claim.port), ("y.example.org", 20000))

    def test_addresses(self) -> None:
        """TCP addresses by the bind address and by flags."""
        for address, port, command, expected in [
            (b"y.example.org", 20000, "tcp", ("y.example.org", 20000)),
            (b"db", 20000, "tcp", ("db.example.com", 20000)),
            (b"", 0, "tcp --remote-addr y.example.org:20000", ("y.example.org", 20000)),
            (b"", 443, "tcp --remote-addr y.example.org:20000", ("y.example.org", 20000)),
            (b"", 0, "tcp --url tcp://y.example.org:20000", ("y.example.org", 20000)),
            (b"", 0, "tcp --url y.example.org:20000", ("y.example.org", 20000)),
            (b"", 0, "tcp --url tcp://", (None, None)),
        ]:
            (claim,) = claims(port, command, address)
            self.assertEqual((claim.host, claim.port), expected, (address, port, command))

    def test_short_tcp_host(self) -> None:
        """Where the TCP host is a single label, it is meant by that label; where it is localhost, by no name too."""
        for host, address, port, command, expected in [
            ("localhost", b"localhost", 20000, "tcp", ("localhost", 20000)),
            ("localhost", b"", 20000, "", ("localhost", 20000)),
            ("localhost", b"localhost", 0, "tcp", (None, None)),
            ("localhost", b"localhost", 443, "tcp", (None, None)),
            ("localhost", b"", 0, "tcp --url tcp://localhost:20000", ("localhost", 20000)),
            ("localhost", b"", 0, "tcp --remote-addr localhost:20000", ("localhost", 20000)),
            ("edge", b"Edge", 20000, "tcp", ("edge", 20000)),
            ("edge", b"", 0, "tcp --url edge:20000", ("edge", 20000)),
            ("edge", b"db", 20000, "tcp", ("db.example.com", 20000)),
        ]:
            settings = GatewaySettings(base_domain="example.com", tcp_host=host)
            (claim,) = claims(port, command, address, settings)
            self.assertEqual((claim.host, claim.port), expected, (host, address, port, command))

    def test_urls(self) -> None:
        """A URL that is none, or holds more than it may, is refused with the code of its fault."""
        for url, code in [
            ("https://[x", 9034),
            ("https://a.example.org:http", 9033),
            ("https://a.example.org:99999", 9030),
            ("https://a.example.org:0", 9030),
            ("https://a.example.org:8444", 9035),
            ("ftp://a.example.org", 9036),
            ("https://a.example.org/x", 9037),
            ("https://a.example.org?x", 9037),
            ("https://a.example.org#x", 9037),
            ("https://u@a.example.org", 9037),
            ("https://a.example.org/", 9038),
            ("https://a_b.example.org", 355),
            ("https://foo.internal/x", 9037),
        ]:
            self.assertEqual(self.assertRaises(Refused, claims, 443, f"http --url {url}").code, code, url)
        self.assertEqual(self.assertRaises(Refused, claims, 0, "tcp --url tcp://a.example.org").code, 18003)
        self.assertEqual(self.assertRaises(Refused, claims, 0, "tcp --remote-addr a.example.org").code, 18003)


class ClaimTests(SynchronousTestCase):
    """What else a claim carries."""

    def test_everything(self) -> None:
        """Flags arrive in the claim."""
        (claim,) = claims(
            443,
            "http --pooling-enabled --name n --description d --metadata m --host-header h --proxy-proto 2 "
            "--upstream-tls --upstream-tls-verify --upstream-tls-name t --takeover never --expires 15m",
        )
        self.assertEqual(
            claim,
            Claim(
                proto="https",
                pooling=True,
                takeover="never",
                slot="0:http",
                name="n",
                description="d",
                metadata="m",
                upstream=Upstream(host_header="h", proxy_protocol=2, tls=True, tls_verify=True, tls_name="t"),
                expires_at=NOW + 900,
            ),
        )

    def test_past(self) -> None:
        """An end in the past is refused."""
        self.assertEqual(self.assertRaises(Refused, claims, 443, "http --expires 1000").code, 1110)

    def test_labels(self) -> None:
        """A labelled tunnel takes any address and port, and from one to ten labels."""
        (claim,) = claims(7, "tunnel --label a=b,c=d=e", b"whatever_is here")
        self.assertEqual((dict(claim.labels), claim.host, claim.port), ({"a": "b", "c": "d=e"}, None, None))
        too_many = " ".join(f"--label k{n}=v" for n in range(11))
        for command in (
            "tunnel",
            f"tunnel {too_many}",
            "tunnel --label a=b --label a=c",
            f"tunnel --label a={'x' * 4096}",
        ):
            self.assertEqual(self.assertRaises(Refused, claims, 0, command).code, 1110)

    def test_metadata_of_environment(self) -> None:
        """The environment's metadata serves where no flag says otherwise."""
        wish = Wish(address=b"", port=0, metadata="env")
        self.assertEqual(bind(wish, parse(b"http")[0], SETTINGS, NOW)[0].metadata, "env")
        self.assertEqual(bind(wish, parse(b"http --metadata flag")[0], SETTINGS, NOW)[0].metadata, "flag")

    def test_modules(self) -> None:
        """Flags become modules and a policy, which are not printed; a mere redirect has none."""
        (claim,) = claims(443, "http --basic-auth u:password", settings=OPEN)
        self.assertEqual(set(claim.modules), {"basic_auth"})
        self.assertNotIn("password", repr(claim))
        (claim,) = claims(0, "tcp --traffic-policy {}", settings=OPEN)
        self.assertEqual((claim.modules, claim.traffic_policy), ({}, "{}"))
        secure, plain = claims(443, "http --force-https --compression", settings=OPEN)
        self.assertEqual((set(secure.modules), plain.modules), ({"compression"}, {}))

    def test_password_in_address(self) -> None:
        """user:password@name is --basic-auth, for http only, and only where that is built."""
        (claim,) = claims(443, "http --basic-auth a:12345678", b"u:87654321@app", OPEN)
        pairs = [(pair.username, pair.password) for pair in claim.modules["basic_auth"].config.credentials]
        self.assertEqual((claim.label, pairs), ("app", [("a", "12345678"), ("u", "87654321")]))
        self.assertEqual(self.assertRaises(Refused, claims, 443, "http", b"u:p@app", OPEN).code, 360)
        self.assertEqual(self.assertRaises(Refused, claims, 443, "http", b"u:p@app").code, 1109)
        self.assertEqual(self.assertRaises(Refused, claims, 443, "tls", b"u:p@app", OPEN).code, 1109)

    def test_assign(self) -> None:
        """Commands map to forwards in order, and the last one repeats."""
        plan = parse(b"http + tcp")
        self.assertEqual([command.verb for command in assign(plan, 4)], ["http", "tcp", "tcp", "tcp"])
        self.assertEqual(self.assertRaises(Refused, assign, plan, 1).code, 1105)
        named = parse(b"http + http --subdomain x")
        self.assertEqual(len(assign(named, 2)), 2)
        self.assertEqual(self.assertRaises(Refused, assign, named, 3).code, 1105)

    @given(binary(max_size=40), integers(0, 65535), sampled_from(["", "http", "tls", "tcp", "tunnel --label a=b"]))
    def test_never_raises(self, address: bytes, port: int, command: str) -> None:
        """No request raises anything but Refused."""
        try:
            claims(port, command, address, OPEN)
        except Refused as refused:
            self.assertTrue(refused.message.isprintable())
