"""
Tests for `ngrok_twisted.modules.basic_auth`.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from unicodedata import normalize
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted import schema
from ngrok_twisted.control.api.modules import without_secrets
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.modules import basic_auth
from ngrok_twisted.modules.basic_auth import BasicAuth, BasicAuthConfig, Credential, from_flags
from ngrok_twisted.records.edge import module_types
from tests.edge.wire import statuses
from tests.modules.requests import Route, context

PASSWORD = "correct horse"


def config(*pairs: tuple[str, str]) -> BasicAuthConfig:
    """These pairs."""
    return BasicAuthConfig(credentials=tuple(Credential(username=name, password=word) for name, word in pairs))


def presented(name: str | bytes, password: str | bytes = b"", scheme: bytes = b"Basic") -> bytes:
    """A line of a request's head."""
    parts = [part.encode() if isinstance(part, str) else part for part in (name, password)]
    return b"Authorization: " + scheme + b" " + b64encode(b":".join(parts))


class ConfigTests(SynchronousTestCase):
    """What can be said."""

    def codes(self, *pairs: tuple[str, str]) -> list[tuple[str, int]]:
        data = {"credentials": [{"username": name, "password": word} for name, word in pairs]}
        error = self.assertRaises(InvalidConfig, schema.parse, BasicAuthConfig, data)
        return [(problem.path, problem.code) for problem in error.problems]

    def test_kind(self) -> None:
        """It stands on routes only."""
        verifyObject(IModuleKind, BasicAuth)
        data = {"credentials": [{"username": "ann", "password": PASSWORD}]}
        made = schema.parse(module_types("route")["basic_auth"], data)
        self.assertEqual(made.config, config(("ann", PASSWORD)))
        self.assertNotIn("basic_auth", module_types("tls"))

    def test_pairs(self) -> None:
        """There is at least one pair, and there are at most ten."""
        self.assertEqual(self.codes(), [("credentials", 0)])
        self.assertEqual(self.codes(*[("ann", PASSWORD)] * 11), [("credentials", 0)])
        config(*[("ann", PASSWORD)] * 10)

    def test_names(self) -> None:
        """A name is text of some length, without a colon and without what nobody could type."""
        self.assertEqual(self.codes(("", PASSWORD)), [("credentials[0].username", 359)])
        for name in ("a:b", "a\nb", "a\x7f", "a\x85", "\ud800", "a" * 256):
            self.assertEqual(self.codes(("ok", PASSWORD), (name, PASSWORD)), [("credentials[1].username", 2257)])
        config(("a" * 255, PASSWORD), ("Jürgen Müller", PASSWORD))

    def test_passwords(self) -> None:
        """A password has 8 to 128 characters, whatever they are in bytes."""
        for password in ("", "a" * 7, "a" * 129):
            self.assertEqual(self.codes(("ann", password)), [("credentials[0].password", 360)])
        self.assertEqual(self.codes(("ann", "12345678\t")), [("credentials[0].password", 2258)])
        config(("ann", "☃" * 8), ("ann", "☃" * 128), ("ann", "with:colons"))

    def test_secret(self) -> None:
        """The password is in no text that is made of the settings, and is sealed wherever they are kept."""
        made = config(("ann", PASSWORD))
        self.assertNotIn(PASSWORD, repr(made))
        self.assertNotIn(PASSWORD, repr(without_secrets(made.credentials)))
        self.assertNotIn(PASSWORD, repr(schema.dump(made, secrets=False)))
        self.assertIn("sealed!", repr(schema.dump(made, seal=lambda text: "sealed!")))
        self.assertNotIn(PASSWORD, repr(schema.dump(made, seal=lambda text: "sealed!")))

    def test_flags(self) -> None:
        """Values of ``--basic-auth`` are pairs; the first colon ends the name, and no message repeats them."""
        self.assertEqual(
            from_flags({"basic-auth": ("ann:12345678", "bob:pass:word")}),
            config(("ann", "12345678"), ("bob", "pass:word")),
        )
        for text, codes in ((":12345678", [359]), ("ann:short", [360]), ("ann", [360]), ("", [359, 360])):
            error = self.assertRaises(InvalidConfig, from_flags, {"basic-auth": (text,)})
            self.assertEqual([problem.code for problem in error.problems], codes)
            self.assertNotIn("short", str(error))


class AuthTests(SynchronousTestCase):
    """Who passes."""

    def setUp(self) -> None:
        self.route = Route(BasicAuth, config(("ann", PASSWORD), ("bob", "p:ssword"), ("Jürgen", "straße ☃☃")))

    def ask(self, *lines: bytes) -> tuple[int, dict[str, Any]]:
        """The status, and what is noted in the flow."""
        visitor = self.route.ask(*lines)
        (status,) = statuses(visitor.take())
        return status, visitor.flows[0].variables

    def test_face(self) -> None:
        """It is a module for requests."""
        verifyObject(IHTTPModule, self.route.module)

    def test_answer(self) -> None:
        """Who presents nothing is asked for a name and password in ngrok's realm, and reads no code of ngrok's."""
        said = self.route.ask().take()
        self.assertTrue(said.startswith(b"HTTP/1.1 401 Unauthorized\r\n"))
        self.assertIn(b'\r\nWWW-Authenticate: Basic realm="ngrok"\r\n', said)
        self.assertNotIn(b"ERR_NGROK", said)
        self.assertEqual(self.route.service.connections, [])

    def test_right(self) -> None:
        """Any of the pairs opens the door."""
        for name, password in (("ann", PASSWORD), ("bob", "p:ssword"), ("Jürgen", "straße ☃☃")):
            noted = {"basic_auth.decision": "allow", "basic_auth.username": name}
            self.assertEqual(self.ask(presented(name, password)), (200, noted))

    def test_wrong(self) -> None:
        """Everything else does not, be it near."""
        for name, password in (
            ("ann", PASSWORD + " "),
            ("ann", PASSWORD.upper()),
            ("Ann", PASSWORD),
            ("ann", ""),
            ("bob", PASSWORD),
            ("ann:correct", " horse"),
            ("", PASSWORD),
        ):
            noted = {"basic_auth.decision": "block", "basic_auth.username": name.partition(":")[0]}
            self.assertEqual(self.ask(presented(name, password)), (401, noted))

    def test_malformed(self) -> None:
        """What is no Basic authorization is none."""
        good = presented("ann", PASSWORD).removeprefix(b"Authorization: Basic ")
        for value in (
            b"",
            b"Basic",
            b"Basic " + good[:-2],
            b"Basic " + good + b"!",
            b"Basic " + good[:4] + b" " + good[4:],
            b"Bearer " + good,
            b"Basic " + b64encode(b"no colon"),
            b"Basic " + b"QUFB" * 600,
            b"Basic" + good,
        ):
            self.assertEqual(self.ask(b"Authorization: " + value), (401, {"basic_auth.decision": "block"}))

    def test_two(self) -> None:
        """Two authorizations are none: nobody knows which the service would take."""
        right, wrong = presented("ann", PASSWORD), presented("eve", PASSWORD)
        for lines in ((right, wrong), (wrong, right), (right, right)):
            self.assertEqual(self.ask(*lines)[0], 401)

    def test_spelling(self) -> None:
        """The names of the field and of the scheme count in any case; spaces around the value do not."""
        line = presented("ann", PASSWORD, scheme=b"bASIC").replace(b"Authorization", b"AUTHORIZATION")
        self.assertEqual(self.ask(line.replace(b"bASIC ", b"bASIC   ") + b" ")[0], 200)

    def test_normal_form(self) -> None:
        """The same text in other code points is the same name and password."""
        for form in ("NFC", "NFD"):
            pair = normalize(form, "Jürgen"), normalize(form, "straße ☃☃")
            self.assertEqual(self.ask(presented(*pair))[0], 200)
        route = Route(BasicAuth, config((normalize("NFD", "Jürgen"), PASSWORD)))
        self.assertEqual(route.status(presented(normalize("NFC", "Jürgen"), PASSWORD)), 200)

    def test_not_text(self) -> None:
        """Bytes that are no UTF-8 are nobody's, and are shown as what they are."""
        status, noted = self.ask(presented(b"J\xfcrgen\x00", "straße ☃☃"))
        self.assertEqual((status, noted["basic_auth.username"]), (401, "J\ufffdrgen\ufffd"))

    def test_forwarded(self) -> None:
        """The service sees who is there."""
        line = presented("ann", PASSWORD)
        visitor = self.route.visitor()
        visitor.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n" + line + b"\r\n\r\n")
        self.assertIn(line, self.route.service.connection.take())

    def test_every_pair_is_compared(self) -> None:
        """How many comparisons there are does not depend on which pair fits, or whether one does."""
        for name, password in (("ann", PASSWORD), ("Jürgen", "straße ☃☃"), ("eve", "whatever it is")):
            with mock.patch.object(basic_auth, "compare_digest", wraps=basic_auth.compare_digest) as compare:
                self.ask(presented(name, password))
            self.assertEqual(compare.call_count, 3)
            self.assertEqual({len(part) for call in compare.call_args_list for part in call.args}, {32})

    def test_upload_is_not_read(self) -> None:
        """The body of who may not pass reaches nobody."""
        visitor = self.route.visitor()
        visitor.send(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\nsome")
        self.assertEqual(statuses(visitor.take()), [401])
        self.assertEqual(self.route.service.connections, [])

    @given(st.text(max_size=20), st.text(max_size=20))
    def test_nobody_else(self, name: str, password: str) -> None:
        """Whatever text is presented, it passes only if it is the pair."""
        route = Route(BasicAuth, config(("a", "00000000")))
        line = presented(name.encode("utf-8", "replace"), password.encode("utf-8", "replace"))
        self.assertEqual(route.status(line), 200 if f"{name}:{password}" == "a:00000000" else 401)

    def test_made_once(self) -> None:
        """The module keeps no password, only digests."""
        made = BasicAuth(config(("ann", PASSWORD)), context())
        self.assertNotIn(PASSWORD, repr(vars(made)))
