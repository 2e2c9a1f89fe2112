"""
Bytes that are not HTTP: TLS passthrough by name, and TCP.
"""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Callable, TypeVar

from tests.functional.case import EdgeTestCase
from tests.functional.clients import ANSWER, open_tcp, read_all
from tests.functional.descriptors import ready_for
from tests.functional.service import Service, echo, greet, resetting
from tests.functional.tools import program

SIZE = 8 << 20

T = TypeVar("T")


def own_certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """
    :return: the paths of a self-signed certificate for a name, and of its key.
    """
    certificate, key = directory / f"{name}.crt", directory / f"{name}.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([program("openssl"), *words, *names, *files], check=True, capture_output=True, timeout=60)
    return certificate, key


class StreamTestCase(EdgeTestCase):
    """Bytes both ways."""

    def assert_round_trip(self, connection: socket.socket, data: bytes, finish: bool = True) -> None:
        """
        An echo behind this connection gives back the same bytes while they are sent. All happens in one thread, since two may
        not share a TLS connection.

        :param finish: over plain TCP, say that this was all, once it is sent.
        """
        tls = isinstance(connection, ssl.SSLSocket)
        connection.setblocking(False)
        left, received, digest = memoryview(data), 0, hashlib.sha1()
        while received < len(data):
            held = isinstance(connection, ssl.SSLSocket) and connection.pending()
            wanting = [connection] if left else []
            ready = ready_for(0 if held else ANSWER, [connection], wanting)
            self.assertTrue(held or any(ready), f"nothing passes any more after {received} bytes")
            if ready[1]:
                left = left[_at_once(lambda: connection.send(left[: 1 << 16])) or 0 :]
                if not left and finish and not tls:
                    connection.shutdown(socket.SHUT_WR)
            if held or ready[0]:
                piece = _at_once(lambda: connection.recv(1 << 16))
                self.assertNotEqual(piece, b"", f"the connection ended after {received} bytes")
                received += len(piece or b"")
                digest.update(piece or b"")
        connection.settimeout(ANSWER)
        self.assertEqual(digest.hexdigest(), hashlib.sha1(data).hexdigest())


def _at_once(call: Callable[[], T]) -> T | None:
    """What a call on a socket gives; ``None`` if it would have to wait."""
    try:
        return call()
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None


class PassthroughTests(StreamTestCase):
    """``tls``: the edge looks at the name and touches nothing."""

    def setUp(self) -> None:
        """Publish an echo that speaks TLS with its own certificate."""
        super().setUp()
        self.name = self.new_name()
        certificate, key = own_certificate(self.edge.directory, self.name)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)

        def talk(connection: socket.socket) -> None:
            with server.wrap_socket(connection, server_side=True) as inner:
                while data := inner.recv(65536):
                    inner.sendall(data)

        self.certificate = certificate
        self.url = self.publish(self.serve(Service(talk)), self.name, "tls")

    def connect(self) -> ssl.SSLSocket:
        """A connection that trusts only the service's own certificate."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = context.wrap_socket(open_tcp(self.edge.https), server_hostname=self.name)
        self.addCleanup(connection.close)
        return connection

    def test_url(self) -> None:
        """The URL is ``tls://`` with the public port."""
        self.assertEqual(self.url, f"tls://{self.name}:{self.edge.https}")

    def test_certificate(self) -> None:
        """``openssl s_client`` sees the service's certificate, not one of the edge."""
        words = ["s_client", "-connect", f"127.0.0.1:{self.edge.https}", "-servername", self.name]
        done = subprocess.run([program("openssl"), *words], input=b"", capture_output=True, timeout=20)
        theirs = self.certificate.read_text().strip()
        self.assertIn(theirs, done.stdout.decode())

    def test_bytes(self) -> None:
        """All bytes pass both ways at once."""
        self.assert_round_trip(self.connect(), os.urandom(SIZE))

    def test_hello_in_pieces(self) -> None:
        """A ClientHello that arrives byte by byte finds its way."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=str(self.certificate))
        client = context.wrap_bio(incoming, outgoing, server_hostname=self.name)
        self.assertRaises(ssl.SSLWantReadError, client.do_handshake)
        connection = open_tcp(self.edge.https)
        self.addCleanup(connection.close)
        for byte in outgoing.read():
            connection.sendall(bytes([byte]))
        self.assertEqual(connection.recv(5)[:1], b"\x16")

    def test_parallel(self) -> None:
        """Many connections at once."""
        connections = [self.connect() for _ in range(20)]
        for number, connection in enumerate(connections):
            connection.sendall(b"number %d" % number)
        for number, connection in enumerate(connections):
            self.assertEqual(connection.recv(100), b"number %d" % number)


class TCPTests(StreamTestCase):
    """``tcp``: a public port."""

    def open(self, service: Service) -> socket.socket:
        """Publish a service and connect to it."""
        agent = self.ssh(f"0:127.0.0.1:{service.port}", command="tcp")
        self.port = int(agent.url().rpartition(":")[2])
        return self.again()

    def again(self) -> socket.socket:
        """One more connection."""
        connection = open_tcp(self.port)
        self.addCleanup(connection.close)
        return connection

    def test_bytes(self) -> None:
        """All bytes pass both ways at once, and the end follows the last of them."""
        connection = self.open(self.serve(Service(echo)))
        self.assert_round_trip(connection, os.urandom(SIZE))
        self.assertEqual(connection.recv(1), b"")

    def test_service_speaks_first(self) -> None:
        """A service that greets is heard before the visitor says anything."""
        self.assertEqual(read_all(self.open(self.serve(Service(greet(b"220 ready\r\n"))))), b"220 ready\r\n")

    def test_half_close(self) -> None:
        """A visitor that finishes sending still gets the answer."""

        def count(connection: socket.socket) -> None:
            total = 0
            while data := connection.recv(65536):
                total += len(data)
            connection.sendall(b"%d" % total)

        connection = self.open(self.serve(Service(count)))
        connection.sendall(b"x" * 100000)
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(connection), b"100000")

    def test_service_half_closes(self) -> None:
        """A service that finishes sending still gets what the visitor sends."""
        heard = bytearray()

        def listen(connection: socket.socket) -> None:
            connection.sendall(b"your turn")
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                heard.extend(data)

        connection = self.open(self.serve(Service(listen)))
        self.assertEqual(read_all(connection), b"your turn")
        connection.sendall(b"late words")
        connection.shutdown(socket.SHUT_WR)
        self.eventually(lambda: bytes(heard) == b"late words", "bytes after the service's end")

    def test_slow_reader(self) -> None:
        """A visitor that does not read stops the service instead of filling the edge."""
        sent = [0]

        def flood(connection: socket.socket) -> None:
            while sent[0] < 400 << 20:
                connection.sendall(b"f" * 65536)
                sent[0] += 65536

        before = self.edge.resident_megabytes()
        connection = self.open(self.serve(Service(flood)))
        connection.recv(1)
        last = -1

        def still() -> bool:
            nonlocal last
            now, last = last, sent[0]
            threading.Event().wait(0.5)
            return now == sent[0]

        self.eventually(still, "standstill of the service")
        self.assertLess(sent[0], 60 << 20)
        self.assertLess(self.edge.resident_megabytes() - before, 40)

    def test_reset(self) -> None:
        """A service that resets the connection ends it for the visitor."""
        connection = self.open(self.serve(Service(resetting)))
        connection.sendall(b"hello")
        self.assertEqual(read_all(connection), b"")

    def test_visitors_do_not_mix(self) -> None:
        """Each visitor hears its own echo."""
        first = self.open(self.serve(Service(echo)))
        visitors = [first, *(self.again() for _ in range(30))]
        for number, visitor in enumerate(visitors):
            visitor.sendall(b"<%03d>" % number)
        for number, visitor in enumerate(visitors):
            self.assertEqual(visitor.recv(100), b"<%03d>" % number)
