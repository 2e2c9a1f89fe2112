"""
Tests for ``ngrok_twisted.upstream.response``; what is refused is in ``test_forward``, from end to end.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.upstream.response import BY_LENGTH, CHUNKED, NO_BODY, UNTIL_CLOSE, parse_response
from ngrok_twisted.wrapper import HeadEdit


class ResponseTests(SynchronousTestCase):
    """How a body ends, and whether the connection stays."""

    def test_framing(self) -> None:
        """RFC 9112 section 6.3, case by case."""
        for head, method, framing, length, persistent in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"GET", BY_LENGTH, 5, True),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0", b"GET", BY_LENGTH, 0, True),
            (b"HTTP/1.1 200\r\nContent-Length: 5", b"GET", BY_LENGTH, 5, True),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", b"GET", CHUNKED, None, True),
            (b"HTTP/1.1 200 OK", b"GET", UNTIL_CLOSE, None, True),
            (b"HTTP/1.0 200 OK", b"GET", UNTIL_CLOSE, None, False),
            (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5", b"GET", BY_LENGTH, 5, True),
            (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5", b"GET", BY_LENGTH, 5, False),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"HEAD", NO_BODY, 5, True),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b"HEAD", NO_BODY, None, True),
            (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5", b"GET", NO_BODY, 5, True),
            (b"HTTP/1.1 204 No Content\r\nContent-Length: 5", b"GET", NO_BODY, None, True),
            (b"HTTP/1.1 103 Early Hints", b"GET", NO_BODY, None, True),
        ):
            response = parse_response(head + b"\r\n\r\n", method)
            self.assertEqual(
                (response.framing, response.length, response.persistent), (framing, length, persistent), head
            )

    def test_fields(self) -> None:
        """The visitor's fields keep order, spelling and repetitions; those of the connection are gone."""
        response = parse_response(
            b"HTTP/1.1 200 \r\nb: 1\r\nA: 2\r\nConnection: close, b\r\nNGROK-Error-Code: x\r\nA: 3\r\nUpgrade: h2c\r\n\r\n",
            b"GET",
        )
        self.assertEqual(response.headers, [(b"A", b"2"), (b"A", b"3")])

    def test_never_taken_away(self) -> None:
        """A service cannot lose what makes its answer safe by naming it in ``Connection``."""
        response = parse_response(b"HTTP/1.1 302 F\r\nConnection: location\r\nLocation: /x\r\n\r\n", b"GET")
        self.assertEqual(response.headers, [(b"Location", b"/x")])


class AmendedTests(SynchronousTestCase):
    """What modules make of what a service says again and again."""

    HEAD = b"HTTP/1.1 200 OK\r\nA: 1\r\nb: 2\r\nContent-Length: 5\r\n\r\n"
    EDIT = HeadEdit(frozenset({b"a"}), ((b"C", b"3"),), lasting=True)

    def test_remembered(self) -> None:
        """What a lasting edit makes of a head is as good as told, and made once."""
        said = []
        for _ in range(2):
            response = parse_response(self.HEAD, b"GET")
            response.amend(self.EDIT)
            said.append(response.as_told())
            self.assertEqual(list(response.fields), [(b"b", b"2"), (b"C", b"3")])
        assert said[0] is not None
        self.assertIs(said[0], said[1])
        self.assertEqual(said[0].counted, b"HTTP/1.1 200 OK\r\nb: 2\r\nC: 3\r\nContent-Length: 5\r\n\r\n")
        self.assertEqual((list(said[0].fields), said[0].length), ([(b"b", b"2"), (b"C", b"3")], 5))
        told = parse_response(self.HEAD, b"GET").as_told()
        assert told is not None
        self.assertEqual(list(told.fields), [(b"A", b"1"), (b"b", b"2")])

    def test_several(self) -> None:
        """Several lasting edits are one."""
        response = parse_response(self.HEAD, b"GET")
        response.amend(self.EDIT)
        response.amend(HeadEdit(frozenset({b"c"}), ((b"d", b"4"),), lasting=True))
        said = response.as_told()
        assert said is not None
        self.assertEqual(list(said.fields), [(b"b", b"2"), (b"d", b"4")])

    def test_once(self) -> None:
        """What is made for one response alone is not remembered, but known to be an edit."""
        for edits in ((HeadEdit(added=((b"C", b"3"),)),), (self.EDIT, HeadEdit()), (HeadEdit(), self.EDIT)):
            response = parse_response(self.HEAD, b"GET")
            for edit in edits:
                response.amend(edit)
            self.assertIsNone(response.as_told())
            self.assertIsNotNone(response.as_amended())

    def test_more_changes(self) -> None:
        """Whoever changes more than the fields, or the list of them, gets that."""
        for name, value in (("status", 500), ("reason", b"Fine"), ("headers", [])):
            response = parse_response(self.HEAD, b"GET")
            response.amend(self.EDIT)
            setattr(response, name, value)
            self.assertIsNone(response.as_told(), name)
            self.assertIsNone(response.as_amended(), name)
