"""
Tests for `ngrok_twisted.transports.ssh.command`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis.strategies import binary, lists, sampled_from, text
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.ssh.command import IMPLIED, language_version, parse, split_commas
from ngrok_twisted.transports.ssh.flags import BY_NAME, FLAGS, PUBLISHING
from ngrok_twisted.transports.ssh.values import Expiry

EVERY_MODULE = frozenset(flag.needs for flag in FLAGS if flag.needs)


def one(command: str, version: int = 2, modules: frozenset[str] = EVERY_MODULE) -> Any:
    """Parse a single command."""
    (found,) = parse(command.encode(), version, modules)
    return found


class VersionTests(SynchronousTestCase):
    """`language_version`."""

    def test_table(self) -> None:
        """v1 and v2 in any case choose; every other name is the latest version."""
        for username, version in [
            (b"v1", 1),
            (b"V1", 1),
            (b"v2", 2),
            (b"v2+ac_123", 2),
            (b"ada", 2),
            (b"", 2),
            (b"v", 2),
            (b"v2x", 2),
            (b"\xff", 2),
        ]:
            self.assertEqual(language_version(username), version, username)

    def test_unknown(self) -> None:
        """A version that does not exist is refused with 1106, and the latest is named."""
        for username in (b"v0", b"v3", b"V99"):
            refused = self.assertRaises(Refused, language_version, username)
            self.assertEqual(refused.code, 1106)
            self.assertIn("v2", refused.message)


class FlagTests(SynchronousTestCase):
    """Each row of the table of flags."""

    #: Flag, command, what is typed behind it, the option it becomes.
    ROWS: list[tuple[str, str, str, Any]] = [
        ("url", "http", "https://x.example.com", "https://x.example.com"),
        ("url", "tcp", "tcp://x.example.com:20000", "tcp://x.example.com:20000"),
        ("domain", "http", "x.example.com", "x.example.com"),
        ("hostname", "tls", "x.example.com", "x.example.com"),
        ("subdomain", "http", "x", "x"),
        ("remote-addr", "tcp", "x.example.com:20000", "x.example.com:20000"),
        ("schemes", "http", "HTTPS", ("https",)),
        ("scheme", "http", "http", ("http",)),
        ("binding", "tls", "public", "public"),
        ("name", "http", "'my app'", "my app"),
        ("description", "tcp", "text", "text"),
        ("metadata", "tls", "m", "m"),
        ("host-header", "http", "app.local:3000", "app.local:3000"),
        ("host-header", "http", "preserve", ""),
        ("upstream-protocol", "http", "http1", "http1"),
        ("upstream-protocol", "http", "HTTP2", "http2"),
        ("app-protocol", "http", "HTTP1", "http1"),
        ("upstream-proxy-protocol", "tcp", "2", 2),
        ("proxy-proto", "http", "1", 1),
        ("upstream-tls-name", "http", "Local.example --upstream-tls", "local.example"),
        ("label", "tunnel", "a=b,c=d", ("a=b", "c=d")),
        ("output", "http", "json", "json"),
        ("takeover", "http", "always", "always"),
        ("expires", "tcp", "1d12h", Expiry(129600, True)),
        ("expires", "http", "1700000000", Expiry(1700000000, False)),
        ("expires", "http", "2023-11-14T22:13:20Z", Expiry(1700000000, False)),
        ("basic-auth", "http", "u:password", ("u:password",)),
        ("cidr-allow", "tcp", "10.0.0.0/8,::1", ("10.0.0.0/8", "::1")),
        ("cidr-deny", "tls", "192.0.2.1", ("192.0.2.1",)),
        ("circuit-breaker", "http", "0.5", 0.5),
        ("oauth", "http", "google", "google"),
        ("oauth-allow-email", "http", "a@b.c,d@e.f", ("a@b.c", "d@e.f")),
        ("oauth-allow-domain", "http", "b.c", ("b.c",)),
        ("oauth-client-id", "http", "i", "i"),
        ("oauth-client-secret", "http", "s", "s"),
        ("oauth-scope", "http", "a,b", ("a", "b")),
        ("oidc", "http", "https://id.example.com", "https://id.example.com"),
        ("oidc-client-id", "http", "i", "i"),
        ("oidc-client-secret", "http", "s", "s"),
        ("oidc-scope", "http", "a", ("a",)),
        ("request-header-add", "http", "'a: b, c'", ("a: b, c",)),
        ("response-header-add", "http", "'a: b'", ("a: b",)),
        ("request-header-remove", "http", "a", ("a",)),
        ("response-header-remove", "http", "a", ("a",)),
        ("ua-filter-allow", "http", "'(a),(b{1,2})'", ("(a)", "(b{1,2})")),
        ("ua-filter-deny", "http", "'x'", ("x",)),
        ("verify-webhook", "http", "github", "github"),
        ("verify-webhook-secret", "http --verify-webhook x", "s", "s"),
        ("mutual-tls-cas", "http", "ca_1,ca_2", ("ca_1", "ca_2")),
        ("terminate-at", "tls", "edge", "edge"),
        ("traffic-policy", "tcp", "'{}'", "{}"),
        ("traffic-policy-url", "tcp", "https://x/y", "https://x/y"),
        ("traffic-policy-file", "http", "-", "-"),
        ("policy-file", "http", "-", "-"),
    ]
    BOOLEANS = [
        ("pooling-enabled", "tcp"),
        ("force-https", "http"),
        ("upstream-tls", "tls"),
        ("upstream-tls-verify", "http --upstream-tls"),
        ("qr", "http"),
        ("quiet", "tcp"),
        ("log-requests", "tunnel --label a=b"),
        ("inspect", "http"),
        ("compression", "http"),
        ("websocket-tcp-converter", "http"),
    ]

    def test_values(self) -> None:
        """Every flag with a value takes it in all four forms."""
        for name, command, typed, value in self.ROWS:
            for form in (f"--{name} {typed}", f"--{name}={typed}", f"-{name} {typed}", f"-{name}={typed}"):
                found = one(f"{command} {form}")
                self.assertEqual(found.options[BY_NAME[name].name], value, form)

    def test_booleans(self) -> None:
        """Every boolean is true alone, and takes true and false behind an equals sign."""
        for name, command in self.BOOLEANS:
            self.assertIs(one(f"{command} --{name}").options[name], True)
            self.assertIs(one(f"{command} -{name}=TRUE").options[name], True)
            self.assertFalse(one(f"{command} --{name}=false").options.get(name))
            self.assertEqual(self.code(f"{command} --{name}=maybe"), 1110)

    def test_complete(self) -> None:
        """These tests leave out no flag of the table."""
        seen = {BY_NAME[row[0]].name for row in (*self.ROWS, *self.BOOLEANS)}
        special = {"help", "region", "bind-tls"} | {flag.name for flag in FLAGS if flag.impossible}
        self.assertEqual(seen | special, {flag.name for flag in FLAGS})

    def code(self, command: str, modules: frozenset[str] = EVERY_MODULE, version: int = 2) -> int | None:
        """The code that a command is refused with."""
        code: int | None = self.assertRaises(Refused, one, command, version, modules).code
        return code

    def test_needs_module(self) -> None:
        """A flag whose module is missing is refused with 1109; with the module it is taken."""
        for name, command, typed, value in self.ROWS:
            if BY_NAME[name].needs:
                self.assertEqual(self.code(f"{command} --{name} {typed}", frozenset()), 1109, name)
        self.assertEqual(self.code("http --compression", frozenset()), 1109)

    def test_harmless(self) -> None:
        """What asks for what happens anyway needs no module."""
        self.assertEqual(one("http --compression=false", modules=frozenset()).options, {})
        self.assertEqual(one("tls --terminate-at upstream", modules=frozenset()).options, {})

    def test_impossible(self) -> None:
        """Flags that only ngrok's agent can serve are refused with 1109."""
        for command in [
            "http --authtoken x",
            "tcp --config x",
            "tls --crt x",
            "tls --key x",
            "http --log x",
            "http --log-level x",
            "http --log-format x",
            "http --upstream-tls-verify-cas x",
            "http --upstream-tls-verify",
            "http --upstream-tls-name x",
            "http --host-header rewrite",
            "http --traffic-policy-file p.yml",
            "http --mutual-tls-cas ./ca.pem",
            "tls --terminate-at agent",
            "http --binding kubernetes",
        ]:
            self.assertEqual(self.code(command), 1109, command)

    def test_bad_values(self) -> None:
        """A value that cannot be is refused with its code."""
        for command, code in [
            ("http --schemes ftp", 1110),
            ("http --schemes http,https", 1110),
            ("http --binding moon", 15005),
            ("http --upstream-proxy-protocol 3", 1123),
            ("http --upstream-protocol spdy", 15003),
            (f"http --metadata {'x' * 4097}", 100),
            (f"http --description {'x' * 256}", 1110),
            ("http --circuit-breaker x", 1110),
            ("http --verify-webhook-secret s", 1110),
            ("http --request-header-add a", 370),
            ("http --response-header-add a", 371),
            ("http --traffic-policy-url ftp://a.example/b", 1110),
            ("http --traffic-policy-url https://u:p@a.example/b", 1110),
            ("http --traffic-policy-url https://", 1110),
            ("http --output xml", 1110),
            ("http --takeover maybe", 1110),
            ("http --expires 0s", 1110),
            ("http --expires soon", 1110),
            ("http --host-header a/b", 1110),
            ("tunnel --label a", 1110),
            ("tunnel --label =b", 1110),
            ("http --cidr-allow 1.2.3.4,,5.6.7.8", 1110),
            ("http --name a --name b", 1110),
            ("http --name", 1110),
            ("http --bogus", 1110),
            ("http --label a=b", 1110),
            ("tcp --domain a.example.com", 1110),
            ("tcp --basic-auth u:p", 1110),
            ("http --remote-addr a:1", 1110),
        ]:
            self.assertEqual(self.code(command), code, command)

    def test_limits_fit(self) -> None:
        """Values as long as they may be are taken."""
        self.assertEqual(len(one(f"http --metadata {'x' * 4096}").options["metadata"]), 4096)
        self.assertEqual(len(one(f"http --description {'é' * 127}").options["description"]), 127)

    def test_hint(self) -> None:
        """An unknown flag is answered with the nearest one."""
        refused = self.assertRaises(Refused, one, "http --domian x")
        self.assertIn("Did you mean --domain?", refused.message)

    def test_repeated(self) -> None:
        """Lists add up; the same value twice is no conflict."""
        self.assertEqual(one("http --basic-auth a:b --basic-auth c:d").options["basic-auth"], ("a:b", "c:d"))
        self.assertEqual(one("http --name a --name a").options["name"], "a")

    def test_region(self) -> None:
        """--region is ignored with a notice."""
        found = one("http --region eu")
        self.assertEqual((dict(found.options), len(found.notices)), ({}, 1))

    def test_secrets(self) -> None:
        """The text of a command value shows none of its options."""
        self.assertNotIn("hunter22", repr(one("http --basic-auth u:hunter22")))


class GrammarTests(SynchronousTestCase):
    """Words and their places."""

    def test_verbs(self) -> None:
        """Every command is known, ls is status, and nothing else is."""
        for verb in ("http", "tls", "tcp", "tunnel", "version", "whoami", "status"):
            self.assertEqual(one(verb).verb, verb)
        self.assertEqual(one("ls").verb, "status")
        for word in ("htp", "80", "HTTP", "sh -c x", "scp -t /"):
            refused = self.assertRaises(Refused, one, word)
            self.assertEqual(refused.code, 1108)
        self.assertIn("Did you mean http?", self.assertRaises(Refused, one, "htp").message)

    def test_empty(self) -> None:
        """No word at all is the implied command."""
        self.assertEqual(parse(b"  "), (IMPLIED,))

    def test_implied_with_flags(self) -> None:
        """Flags without a command leave the command to the port."""
        found = one("--qr -q")
        self.assertEqual((found.verb, dict(found.options)), ("", {"qr": True, "quiet": True}))

    def test_required(self) -> None:
        """Where a command is required, its absence is refused with 1107."""
        for command in (b"", b"--qr", b"http + --qr", b"deadline=15m"):
            refused = self.assertRaises(Refused, parse, command, 2, EVERY_MODULE, True)
            self.assertEqual(refused.code, 1107)

    def test_help(self) -> None:
        """help, --help and -h ask for help on what was typed, whatever else there is."""
        for command, topic in [
            ("help", ""),
            ("help tcp", "tcp"),
            ("http --help", "http"),
            ("tls -h", "tls"),
            ("--help", ""),
            ("http -qr -h --bogus", "http"),
        ]:
            found = one(command)
            self.assertEqual((found.verb, found.topic), ("help", topic), command)

    def test_local_service(self) -> None:
        """A local port or address is ignored, once, before or behind flags."""
        for local in ("80", "localhost:80", "192.168.1.2:80", "[::1]:80", "http://localhost:80", "localhost"):
            self.assertEqual(one(f"http {local}"), one("http"))
            self.assertEqual(dict(one(f"http --domain a.b {local} --qr").options), {"domain": "a.b", "qr": True})
        self.assertEqual(self.assertRaises(Refused, one, "http 80 90").code, 1110)
        self.assertEqual(self.assertRaises(Refused, one, "http hello").code, 1110)

    def test_lost_quotes(self) -> None:
        """Words without a place belong to the flag before them, since the local shell took its quotes."""
        for command, name, value in [
            ("http --request-header-add is-ngrok: 1", "request-header-add", ("is-ngrok: 1",)),
            ("http --request-header-add=is-ngrok: 1 --qr", "request-header-add", ("is-ngrok: 1",)),
            ("http --basic-auth user name:pass", "basic-auth", ("user name:pass",)),
            ("http --description my nice app 80", "description", "my nice app 80"),
            ("http --cidr-allow 10.0.0.0/8, 192.0.2.1", "cidr-allow", ("10.0.0.0/8", "192.0.2.1")),
            ('http --metadata {"a": "b c"}', "metadata", '{"a": "b c"}'),
        ]:
            self.assertEqual(one(command).options[name], value, command)

    def test_after_boolean(self) -> None:
        """A boolean takes no word behind it."""
        self.assertEqual(self.assertRaises(Refused, one, "http --qr true").code, 1110)

    def test_end_of_flags(self) -> None:
        """What stands behind -- is ignored."""
        self.assertEqual(dict(one("http --qr -- --bogus what").options), {"qr": True})

    def test_plus(self) -> None:
        """A plus sign begins the command of the next forward, unless it is quoted or in a word."""
        self.assertEqual([part.verb for part in parse(b"http --qr + tcp + tls")], ["http", "tcp", "tls"])
        self.assertEqual(one("http --description a '+' b").options["description"], "a + b")
        for command in (b"+", b"http +", b"+ http", b"http + + tcp"):
            self.assertEqual(self.assertRaises(Refused, parse, command).code, 1110)

    def test_old_language(self) -> None:
        """The old language has a flag of its own, and the new one names the new one; ``-auth`` is known to both."""
        for version in (1, 2):
            self.assertEqual(one("http -auth u:p 80", version).options["basic-auth"], ("u:p",))
        self.assertEqual(one("http -bind-tls both 80", 1).options["bind-tls"], "both")
        self.assertEqual(one("http -subdomain=x 80", 1).version, 1)
        self.assertIn("--schemes", self.assertRaises(Refused, one, "http -bind-tls true").message)

    def test_sish(self) -> None:
        """The words of sish mean our flags; others are told of."""
        found = one("proxyproto=2 host-header=app.local force-https=true deadline=15m auto-close=true tail")
        self.assertEqual(
            dict(found.options),
            {
                "upstream-proxy-protocol": 2,
                "host-header": "app.local",
                "force-https": True,
                "expires": Expiry(900, True),
            },
        )
        self.assertEqual((found.verb, len(found.notices)), ("", 2))
        self.assertEqual(one("sni-proxy=true").verb, "tls")
        self.assertEqual(one("sni-proxy=false").verb, "")
        self.assertEqual(one("proxy-protocol=1").options["upstream-proxy-protocol"], 1)

    def test_names_one(self) -> None:
        """A command knows whether it names what to publish."""
        self.assertTrue(one("http --subdomain x").names_one)
        self.assertFalse(one("http --name x").names_one)

    def test_commas(self) -> None:
        """Commas split outside of brackets only."""
        self.assertEqual(split_commas("(a,b),[c,d]{1,2}, e"), ["(a,b)", "[c,d]{1,2}", "e"])
        self.assertEqual(split_commas(")a,b"), [")a", "b"])

    @given(binary(max_size=200))
    def test_never_raises(self, command: bytes) -> None:
        """No bytes raise anything but Refused."""
        for version in (1, 2):
            try:
                parse(command, version, EVERY_MODULE)
            except Refused as refused:
                self.assertTrue(refused.message)

    @given(
        lists(
            sampled_from([*PUBLISHING, "help", "+", "--", "=", *(f"--{name}" for name in BY_NAME)]) | text(max_size=8)
        )
    )
    def test_never_raises_on_flags(self, words: list[str]) -> None:
        """No order of known and unknown words raises anything but Refused."""
        try:
            parse(" ".join(words).encode("utf-8", "replace"), 2, EVERY_MODULE)
        except Refused as refused:
            self.assertTrue(refused.message.isprintable(), refused.message)

    @given(text(max_size=40))
    def test_quoted_value(self, value: str) -> None:
        """A quoted value arrives as it was."""
        try:
            quoted = "'" + value.replace("'", "'\\''") + "'"
            found = parse(f"http --metadata {quoted}".encode("utf-8", "replace"))
        except Refused as refused:
            self.assertIn("control", refused.message)
        else:
            self.assertEqual(found[0].options["metadata"], value.encode("utf-8", "replace").decode())
