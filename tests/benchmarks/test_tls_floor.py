"""Tests of `benchmarks.tls_floor`."""

from __future__ import annotations

import socket
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import tls_floor
from benchmarks.tls_floor import ANSWER, COMPARED, Floor, listen
from tests.net.certificates import NAME, client_context, server_context


class FloorTests(SynchronousTestCase):
    """`Floor`."""

    def test_answer(self) -> None:
        """Whoever shakes hands and asks gets the answer and the end; one who leaves before that keeps nobody."""
        listening = listen(0)
        self.addCleanup(listening.close)
        floor = Floor(listening, server_context())
        answers: list[bytes] = []

        def visit() -> None:
            socket.create_connection(listening.getsockname()).close()
            with socket.create_connection(listening.getsockname(), timeout=5) as plain:
                with client_context().wrap_socket(plain, server_hostname=NAME) as sock:
                    sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    answers.append(b"".join(iter(lambda: sock.recv(1000), b"")))

        visitor = Thread(target=visit)
        visitor.start()
        while visitor.is_alive():
            floor.turn(0.01)
        self.assertEqual(answers, [ANSWER])
        floor.turn(0.01)
        self.assertEqual(floor._open, {})

    def test_compare(self) -> None:
        """Without a word about serving it is measured beside the edge and nginx."""
        self.patch(tls_floor, "bench", lambda arguments: arguments)
        self.assertEqual(tls_floor.main(["--rounds", "1"]), (*COMPARED, "--rounds", "1"))
