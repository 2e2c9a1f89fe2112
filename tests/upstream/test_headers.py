"""
Tests for ``ngrok_twisted.upstream.headers``.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.head import parse_request
from ngrok_twisted.upstream.headers import Told, joined, request_head
from ngrok_twisted.upstream.syntax import MalformedMessage
from ngrok_twisted.wrapper import HeadEdit


def lines(*fields: tuple[bytes, bytes], **changes: Any) -> list[bytes]:
    """The field lines of a request head, after ``Host``."""
    settings: dict[str, Any] = dict(
        host=b"a.example",
        rewritten_host=b"",
        peer=b"192.0.2.1",
        proto=b"https",
        length=0,
        upgrade=b"",
        expects_continue=False,
    )
    settings.update(changes)
    head = request_head(b"GET", b"/", list(fields), **settings)
    return head.split(b"\r\n")[1:-2]


OURS = [b"X-Forwarded-For: 192.0.2.1", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: a.example"]


class RequestHeadTests(SynchronousTestCase):
    """What the upstream gets."""

    def test_order_and_duplicates(self) -> None:
        """Fields keep their order, their spelling and their repetitions."""
        self.assertEqual(
            lines((b"b", b"1"), (b"A", b"2"), (b"b", b"3")), [b"Host: a.example", b"b: 1", b"A: 2", b"b: 3", *OURS]
        )

    def test_forwarded(self) -> None:
        """The visitor's values stay in front; the last one is the edge's; the host is the visitor's."""
        found = lines(
            (b"x-forwarded-for", b"1.2.3.4"), (b"X-Forwarded-For", b"5.6.7.8"), (b"X-Forwarded-Proto", b"http"),
            (b"X-Forwarded-Host", b"other"),
        )  # fmt: skip
        self.assertEqual(
            found[1:],
            [
                b"X-Forwarded-For: 1.2.3.4, 5.6.7.8, 192.0.2.1",
                b"X-Forwarded-Proto: http, https",
                b"X-Forwarded-Host: other",
            ],
        )

    def test_hop_by_hop(self) -> None:
        """What is said to the edge alone stays here."""
        dropped = b"Connection Keep-Alive Proxy-Connection Proxy-Authorization Trailer Transfer-Encoding Upgrade Expect"
        self.assertEqual(lines(*((name, b"x") for name in dropped.split()))[1:], OURS)

    def test_te(self) -> None:
        """Of ``TE`` only the wish for trailers is passed on."""
        self.assertEqual(lines((b"TE", b"gzip, Trailers"))[1:], [b"TE: trailers", *OURS, b"Connection: TE"])
        self.assertEqual(lines((b"TE", b"gzip"))[1:], OURS)

    def test_framing(self) -> None:
        """The framing is written anew; a length of 0 is told where the visitor told it."""
        self.assertEqual(lines(length=5)[-1], b"Content-Length: 5")
        self.assertEqual(lines(length=None)[-1], b"Transfer-Encoding: chunked")
        self.assertEqual(lines((b"Content-Length", b"0"))[-1], b"Content-Length: 0")
        self.assertEqual(lines((b"Content-Length", b"7"), length=5)[1:], [*OURS, b"Content-Length: 5"])

    def test_rewritten_host(self) -> None:
        """``Host`` is rewritten, ``X-Forwarded-Host`` keeps the visitor's."""
        found = lines(rewritten_host=b"localhost:3000")
        self.assertEqual(found, [b"Host: localhost:3000", *OURS])

    def test_injection(self) -> None:
        """What would be read as another field, or as another request, is refused, whoever let it through."""
        self.assertRaises(MalformedMessage, lines, (b"X", b"a\r\nEvil: b"))
        self.assertRaises(MalformedMessage, lines, (b"X", b"a\nEvil: b"))
        self.assertRaises(MalformedMessage, lines, (b"X", b"a\0b"))
        self.assertRaises(MalformedMessage, joined, [b"a\rb"])
        for name in (b"", b"a b", b"a:", b":path", b"transfer-encoding: chunked", b"a\r\nb", b"a\0", b"\xe9"):
            self.assertRaises(MalformedMessage, lines, (name, b"x"))
            self.assertRaises(MalformedMessage, lines, (name, b"x"), edit=HeadEdit(frozenset([b"y"])))

    def test_request_line(self) -> None:
        """So is a method or a target that would be more than one."""
        settings = {"host": b"a", "rewritten_host": b"", "peer": b"", "proto": b"", "upgrade": b""}
        for method, target in (
            (b"GET /x", b"/"),
            (b"G\nET", b"/"),
            (b"", b"/"),
            (b"GET", b"/ HTTP/1.1"),
            (b"GET", b"/\r\n"),
        ):
            with self.assertRaises(MalformedMessage):
                request_head(method, target, [], length=0, expects_continue=False, **settings)
        head = request_head(b"M-SEARCH", b"*", [], length=0, expects_continue=False, **settings)
        self.assertTrue(head.startswith(b"M-SEARCH * HTTP/1.1\r\n"))

    def test_many_names(self) -> None:
        """However many names there are, those that mean something to the edge keep their meaning."""
        for number in range(3000):
            lines((b"x-%d" % number, b"1"))
        self.assertEqual(
            lines((b"Transfer-Encoding", b"chunked"), (b"X-2", b"1")), [b"Host: a.example", b"X-2: 1", *OURS]
        )


class HeadEditTests(SynchronousTestCase):
    """What modules change last."""

    def test_nothing(self) -> None:
        """An edit that changes nothing changes nothing."""
        fields = ((b"A", b"1"), (b"Connection", b"close"))
        self.assertEqual(lines(*fields, edit=HeadEdit()), lines(*fields))

    def test_all(self) -> None:
        """Removed fields are gone, added ones stand behind everything but the framing, and the host is another."""
        edit = HeadEdit(frozenset({b"a", b"x-forwarded-proto"}), [(b"a", b"2"), (b"b", b"3")], b"other")
        found = lines((b"A", b"1"), (b"c", b"4"), length=5, edit=edit, rewritten_host=b"rewritten")
        self.assertEqual(found, [b"Host: other", b"c: 4", OURS[0], OURS[2], b"a: 2", b"b: 3", b"Content-Length: 5"])

    def test_forwarded(self) -> None:
        """Every choice of the edge's own fields can be taken away, beside visitors' fields or not."""
        names = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
        for bits in range(8):
            removed = frozenset(name for number, name in enumerate(names) if bits >> number & 1)
            left = [line for number, line in enumerate(OURS) if not bits >> number & 1]
            for fields in ((), ((b"A", b"1"), (b"B", b"2"))):
                kept = [name + b": " + value for name, value in fields]
                for added in ((), ((b"z", b"9"),)):
                    more = [name + b": " + value for name, value in added]
                    found = lines(*fields, edit=HeadEdit(removed, added))
                    self.assertEqual(found, [b"Host: a.example", *kept, *left, *more])

    def test_same_fields(self) -> None:
        """The same fields with another edit are not the same question."""
        fields = ((b"A", b"1"), (b"B", b"2"))
        self.assertNotIn(b"A: 1", lines(*fields, edit=HeadEdit(frozenset({b"a"}))))
        self.assertNotIn(b"B: 2", lines(*fields, edit=HeadEdit(frozenset({b"b"}))))
        self.assertIn(b"A: 1", lines(*fields, edit=HeadEdit(frozenset({b"b"}))))

    def test_line_ends(self) -> None:
        """A line end in what is added is caught."""
        for edit in (HeadEdit(added=[(b"a", b"1\r\nb: 2")]), HeadEdit(added=[(b"a\n", b"")]), HeadEdit(host=b"a\r")):
            self.assertRaises(MalformedMessage, lines, edit=edit)


class ToldTests(SynchronousTestCase):
    """What is kept for requests with the same fields says the same as what is made anew."""

    FIELDS = b"Host: told.example\r\nX-Forwarded-For: 1.2.3.4\r\nTE: trailers\r\nX-A: 1\r\nX-B: 2\r\nX-a: 3\r\n\r\n"

    def setUp(self) -> None:
        """Fields as a visitor sent them."""
        told = parse_request(b"GET / HTTP/1.1\r\n" + self.FIELDS, 100).told
        assert told is not None
        self.told: Told = told

    def both(self, method: bytes, target: bytes, peer: str, proto: str, host: str, edit: HeadEdit | None) -> set[bytes]:
        """The two heads; their lines in order, since what modules add may stand behind other lines."""
        anew = request_head(
            method,
            target,
            list(self.told.fields),
            host=b"told.example",
            rewritten_host=host.encode(),
            peer=peer.encode(),
            proto=proto.encode(),
            length=0,
            upgrade=b"",
            expects_continue=False,
            edit=edit,
        )
        kept = self.told.request_head(method, target, peer, proto, host, edit)
        return {b"\r\n".join(sorted(head.split(b"\r\n"))) for head in (anew, kept)}

    def test_same(self) -> None:
        """For whoever asks, in whatever order, and whatever modules do."""
        edits = (
            None,
            HeadEdit(),
            HeadEdit(frozenset({b"x-a"})),
            HeadEdit(frozenset({b"x-forwarded-for", b"x-b"}), [(b"x-new", b"1"), (b"X-A", b"2")]),
            HeadEdit(added=[(b"x-new", b"1")]),
        )
        for _ in range(2):
            for edit in edits:
                for method, target in ((b"GET", b"/"), (b"M-SEARCH", b"/a?b")):
                    for peer in ("192.0.2.1", "2001:db8::1"):
                        for proto, host in (("https", ""), ("http", ""), ("https", "inner.example")):
                            self.assertEqual(len(self.both(method, target, peer, proto, host, edit)), 1)

    def test_injection(self) -> None:
        """What a module made that would be read as more than one field is refused, each time."""
        for value in (b"1\r\nX: 2", b"1\nX: 2", b"1\rX", b"1\0"):
            for _ in range(2):
                edit = HeadEdit(added=[(b"x-new", value)])
                self.assertRaises(
                    MalformedMessage, self.told.request_head, b"GET", b"/", "192.0.2.1", "https", "", edit
                )

    def test_last(self) -> None:
        """The last value of a field is found by its lower-case name."""
        self.assertEqual(
            [self.told.last(name) for name in (b"x-a", b"x-b", b"host", b"X-A")], [b"3", b"2", b"told.example", None]
        )

    def test_many_ways(self) -> None:
        """Fields may be taken away in any number of ways."""
        for number in range(20):
            removed = frozenset({b"x-a" if number % 2 else b"x-b", b"x-%d" % number})
            block = self.told.passed(removed).block
            self.assertEqual((b"X-A: 1" in block, b"X-B: 2" in block), (number % 2 == 0, number % 2 == 1))
