"""
Tests for `ngrok_twisted.webhook.delivery`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.webhook.delivery import MAX_PARAMETERS, Delivery, NotGenuine, parameters
from tests.edge.wire import Render, Visitor
from tests.webhook.vectors import delivery

_FORM = "application/x-www-form-urlencoded"


class DeliveryTests(SynchronousTestCase):
    """What arrived."""

    def test_of_request(self) -> None:
        """It is the request as it was sent, with nothing decoded."""
        visitor = Visitor(Render(lambda request: repr(Delivery.of(request)).encode()), proto="http")
        visitor.send(b"PUT /a%2fb?c=%20d&&e HTTP/1.1\r\nHost: A.example:8080\r\nX-One:  two \r\n\r\n")
        found = Delivery.of(visitor.request).whole(b"body", 7.0)
        self.assertEqual((found.method, found.target, found.path), (b"PUT", b"/a%2fb?c=%20d&&e", b"/a%2fb"))
        self.assertEqual((found.authority, found.scheme), (b"A.example:8080", b"http"))
        self.assertEqual((found.value(b"x-one"), found.body, found.now), (b"two", b"body", 7.0))

    def test_fields(self) -> None:
        """Header fields are found without regard to case; one that is there twice has no value of its own."""
        found = Delivery(
            method=b"GET",
            target=b"/",
            authority=b"a",
            scheme=b"https",
            fields=[(b"X-One", b" 1\t"), (b"x-two", b"2"), (b"X-TWO", b"3")],
        )
        self.assertEqual((found.value(b"x-one"), found.value(b"x-none")), (b"1", b""))
        self.assertEqual(found.values(b"x-two"), [b"2", b"3"])
        self.assertTrue(found.has(b"x-two"))
        self.assertFalse(found.has(b"x-none"))
        self.assertEqual(self.assertRaises(NotGenuine, found.value, b"x-two").word, "shape")

    def test_form(self) -> None:
        """A body is a form only if it says so, and only once."""
        for type in (_FORM, _FORM.upper(), _FORM + "; charset=utf-8"):
            self.assertEqual(delivery(headers={"Content-Type": type}, body=b"a=b").form(), [(b"a", b"b")])
        for type in ("", "text/plain", "x" + _FORM):
            self.assertEqual(delivery(headers={"Content-Type": type}, body=b"a=b").form(), [])
        self.assertFalse(delivery(headers={"Content-Type": _FORM, "content-type": "text/plain"}).is_form)


class ParametersTests(SynchronousTestCase):
    """Queries and forms."""

    def test_decoded(self) -> None:
        """Names and values are decoded; order, repetitions and empty ones are kept."""
        self.assertEqual(
            parameters(b"b=%41+c&a=&&a&=x&%zz=%"),
            [(b"b", b"A c"), (b"a", b""), (b"a", b""), (b"", b"x"), (b"%zz", b"%")],
        )
        self.assertEqual(parameters(b""), [])

    def test_too_many(self) -> None:
        """There may be so many, and not one more."""
        self.assertEqual(len(parameters(b"&".join([b"a"] * MAX_PARAMETERS))), MAX_PARAMETERS)
        self.assertRaises(NotGenuine, parameters, b"&".join([b"a"] * (MAX_PARAMETERS + 1)))

    @given(st.lists(st.tuples(st.binary(max_size=5), st.binary(max_size=5)), max_size=5))
    def test_bytes(self, pairs: list[tuple[bytes, bytes]]) -> None:
        """Whatever bytes there were, they come back: no two forms are taken for one."""
        escaped = [tuple("".join(f"%{byte:02x}" for byte in part).encode() for part in pair) for pair in pairs]
        self.assertEqual(parameters(b"&".join(b"=".join(pair) for pair in escaped)), pairs)
