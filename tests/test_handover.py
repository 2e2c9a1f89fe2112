"""
Tests for `ngrok_twisted.handover`.
"""

from __future__ import annotations

import json
import os

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.handover import VARIABLE, Handover, received

HANDOVER = Handover(
    sockets=(("tcp:443", 7), ("", 9)), daemon=True, since=12.5, online={"urls": ["a.example", 20001], "accounts": {}}
)


def handed_over(text: str) -> int:
    """The descriptor of a file with this in it."""
    descriptor = os.memfd_create("test")
    os.write(descriptor, text.encode())
    return descriptor


class HandoverTests(SynchronousTestCase):
    """What one program leaves to the next."""

    def test_round_trip(self) -> None:
        """It arrives as it was, once, and its file is closed."""
        descriptor = HANDOVER.written()
        self.assertTrue(os.get_inheritable(descriptor))
        environ = {VARIABLE: f"77:{descriptor}", "HOME": "/"}
        self.assertEqual(received(environ, 77), HANDOVER)
        self.assertEqual(environ, {"HOME": "/"})
        self.assertRaises(OSError, os.fstat, descriptor)
        self.assertIsNone(received(environ, 77))

    def test_large(self) -> None:
        """It may be larger than a variable of the environment."""
        large = Handover(online={"urls": [f"name-{number}.example.com" for number in range(20000)]})
        self.assertEqual(received({VARIABLE: f"1:{large.written()}"}, 1), large)

    def test_somebody_elses(self) -> None:
        """What is meant for another process is left alone."""
        for value in ("78:3", "78:", "78", "", ":3", "77:x", "77:-1", "x:77:3"):
            environ = {VARIABLE: value}
            self.assertIsNone(received(environ, 77))
            self.assertEqual(environ, {VARIABLE: value})
        self.assertIsNone(received({}, 77))

    def test_nonsense(self) -> None:
        """What cannot be read is nothing, and does not hinder a start."""
        for text in ("", "{", "[]", '{"sockets": 5}', '{"sockets": [5]}', '{"since": "x"}', '{"online": 5}'):
            self.assertIsNone(received({VARIABLE: f"77:{handed_over(text)}"}, 77), text)
        self.assertIsNone(received({VARIABLE: "77:99999"}, 77))

    def test_other_versions(self) -> None:
        """Another version may leave more, or less."""
        text = json.dumps({"sockets": [["tcp:1", 5]], "surplus": 1})
        self.assertEqual(received({VARIABLE: f"7:{handed_over(text)}"}, 7), Handover(sockets=(("tcp:1", 5),)))

    def test_without_memfd(self) -> None:
        """Where files without a name are not to be had in memory, they are in a folder."""
        self.addCleanup(setattr, os, "memfd_create", os.memfd_create)
        del os.memfd_create
        self.assertEqual(received({VARIABLE: f"7:{HANDOVER.written()}"}, 7), HANDOVER)
