"""
Tests for `ngrok_twisted.policy.template`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_from_bytes

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.policy.template import RENDERED_MAX, Reference, Template, field_value, parse_template
from ngrok_twisted.policy.variables import VARIABLES, Variable
from ngrok_twisted.wrapper import ResponseHead
from tests.policy.asked import facts

TABLE = {
    "a": Variable(lambda facts: "A"),
    "a.b": Variable(lambda facts: "AB"),
    "list": Variable(lambda facts: ["x", {"k": [1, 2]}], deep=True),
    "heads": Variable(lambda facts: {"x-y": ["1"]}, deep=True, folded=True),
    "broken": Variable(lambda facts: 1 / 0),
    "nothing": Variable(lambda facts: None),
}


def rendered(text: str, *arguments: Any) -> str:
    """A text with the variables of this file."""
    return parse_template(text, TABLE).render(facts(*arguments))


class TemplateTests(SynchronousTestCase):
    """Texts with variables in them."""

    def test_table(self) -> None:
        """Names in both spellings, ways into values, several in one text, and what is not there."""
        for text, expected in {
            "": "",
            "plain": "plain",
            "${a}": "A",
            "${.a}": "A",
            "${ a }": "A",
            "<${a}|${a.b}>": "<A|AB>",
            "${a.c}": "",
            "${list[0]}": "x",
            "${list[-1].k[1]}": "2",
            "${list[1]['k'][0]}": "1",
            '${list[1]["k"]}': "[1,2]",
            "${list[9]}": "",
            "${list.k}": "",
            "${list[0].k}": "",
            "${list}": '["x",{"k":[1,2]}]',
            "${heads['X-Y'][0]}": "1",
            "${heads.X-Y[0]}": "1",
            "${heads['x}y']}": "",
            "${unknown}": "",
            "${unknown.more[0]}": "",
            "${nothing}": "",
            "${broken}": "",
            "$${a}": "${a}",
            "$$${a}": "$${a}",
            "$a {a} }": "$a {a} }",
            "a$": "a$",
        }.items():
            self.assertEqual(rendered(text), expected, text)

    def test_malformed(self) -> None:
        """What is no name is refused with a sentence."""
        for text in (
            "${",
            "x ${a",
            "${}",
            "${ }",
            "${a + b}",
            "${a()}",
            "${a[b]}",
            "${a[0}",
            "${a['x}",
            "${1a}",
            "${..a}",
            "${a..b}",
            "${a\n}",
            "${a[99999999999]}",
        ):
            error = self.assertRaises(ValueError, parse_template, text, TABLE)
            self.assertRegex(str(error), r"^holds .*\$\$?\{|^holds ")

    def test_known(self) -> None:
        """A reference knows whether there could be something."""
        names = ("a", "a.b", "list[0]", "unknown", "a.c", "unknown[0]")
        references = [parse_template("${%s}" % name, TABLE).references[0] for name in names]
        self.assertEqual([each.known for each in references], [True, True, True, False, False, False])
        self.assertEqual([each.name for each in references], list(names))

    def test_long(self) -> None:
        """No text becomes longer than it may."""
        table = {"long": Variable(lambda facts: "x" * 10_000)}
        self.assertEqual(len(parse_template("${long}" * 50, table).render(facts())), RENDERED_MAX)

    def test_literal(self) -> None:
        """A text without variables is one part."""
        self.assertEqual(parse_template("a$${b}c"), Template(("a${b}c",)))
        self.assertEqual(parse_template("").parts, ())
        self.assertIsInstance(parse_template("a${x}").parts[1], Reference)


class FieldValueTests(SynchronousTestCase):
    """Texts as values of headers."""

    def test_table(self) -> None:
        """Control characters become spaces; other texts are UTF-8, and foreign bytes stay what they were."""
        for text, expected in {
            "a": b"a",
            "a\tb": b"a\tb",
            "a\r\nX-Evil: 1": b"a  X-Evil: 1",
            "\x00a\x7f": b"a",
            " \t a \n": b"a",
            "café": "café".encode(),
            "Ċ": "Ċ".encode(),
            "\udcff": b"\xff",
            "\ud800": b"?",
        }.items():
            self.assertEqual(field_value(text), expected)


NAMES = st.sampled_from(sorted(VARIABLES))
STEPS = st.sampled_from(["", "[0]", "[-1]", ".x", "['cookie'][0]", '["a b"]', ".x[0].value", "[0].name"])
HOSTILE = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"%0d%0aX: 1", b"a=b; c", b"\xff\xfe", b"%00", b"gzip;q=;", b'"\\', b";;==", b'text/x; a="b\\"', b"?&=%0A"]
    ),
)
ALLOWED = bytes(byte for byte in range(256) if byte in b"\t" or 0x20 <= byte != 0x7F)


class HostileTests(SynchronousTestCase):
    """Whatever visitors and services send, and whatever is asked about it."""

    @settings(max_examples=300, deadline=None)
    @given(NAMES, STEPS, st.lists(HOSTILE, min_size=6, max_size=6), st.booleans())
    def test_never_raises(self, name: str, step: str, sent: list[bytes], has_response: bool) -> None:
        """No variable raises, and no value holds a line end."""
        clean = [data.translate(None, bytes(set(range(256)) - set(ALLOWED))).strip() for data in sent]
        target = b"/" + quote_from_bytes(clean[0], safe="/%?&=;").encode()
        fields = [b"Cookie: " + clean[1], b"Content-Type: " + clean[2], b"User-Agent: " + clean[3], b"X: " + clean[4]]
        head = None
        if has_response:
            names = (b"Set-Cookie", b"Content-Type", b"Location", b"X")
            head = ResponseHead(200, b"OK", [(name, clean[5]) for name in names], None)
        value = parse_template("<${%s%s}>" % (name, step)).render(facts(target, *fields, response=head))
        self.assertNotIn(b"\n", field_value(value))
        self.assertNotIn(b"\r", field_value(value))

    @given(st.text(alphabet=st.sampled_from("${}[]'\".a0 -\r\n\\reqmthod"), max_size=60))
    def test_any_template(self, text: str) -> None:
        """A template is refused when it is read, or works for every request."""
        try:
            template = parse_template(text)
        except ValueError:
            return
        value = field_value(template.render(facts()))
        self.assertEqual(value.translate(None, ALLOWED), b"")
