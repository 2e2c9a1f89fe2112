"""Tests of `benchmarks.load.http_origin`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.load.http_origin import ANSWERS, LARGE, NOT_FOUND, SMALL, Connection, make_answer

SMALL_REQUEST = b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n"


class ConnectionTests(SynchronousTestCase):
    """Tests of `Connection`."""

    def test_sizes(self) -> None:
        """The two paths answer with bodies of their sizes, and say so."""
        for path, size in ((b"GET /small", SMALL), (b"GET /large", LARGE)):
            head, _, body = ANSWERS[path].partition(b"\r\n\r\n")
            self.assertEqual(len(body), size)
            self.assertIn(b"Content-Length: %d" % size, head)

    def test_byte_by_byte(self) -> None:
        """A request is answered when its last byte is there, not before."""
        connection = Connection()
        answers = [connection.feed(SMALL_REQUEST[i : i + 1]) for i in range(len(SMALL_REQUEST))]
        self.assertEqual(b"".join(answers[:-1]), b"")
        self.assertEqual(answers[-1], make_answer(b"x" * SMALL))

    def test_two_at_once(self) -> None:
        """Two requests in one read are both answered, and half a third waits."""
        connection = Connection()
        self.assertEqual(connection.feed(SMALL_REQUEST * 2 + SMALL_REQUEST[:9]), make_answer(b"x" * SMALL) * 2)
        self.assertEqual(connection.feed(SMALL_REQUEST[9:]), make_answer(b"x" * SMALL))

    def test_other_path(self) -> None:
        """Any other path is not found, so that a broken edge cannot pass for a quick one."""
        self.assertEqual(Connection().feed(b"GET /other HTTP/1.1\r\n\r\n"), NOT_FOUND)
