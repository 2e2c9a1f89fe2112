"""
Visitors that are broken, slow or hostile: each gets its answer, and nobody else notices.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess

from tests.functional.case import EdgeTestCase
from tests.functional.clients import ANSWER, open_tcp, open_tls, send_raw
from tests.functional.service import Service, echo
from tests.functional.tools import program


def record(payload: bytes, kind: int = 22, version: int = 0x0301) -> bytes:
    """One TLS record (RFC 8446 section 5.1)."""
    return struct.pack("!BHH", kind, version, len(payload)) + payload


def hello(name: str) -> bytes:
    """The first flight of a real TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name or None) if name else None
    if client is None:
        context.check_hostname = False
        client = context.wrap_bio(incoming, outgoing)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class ClientHelloTests(EdgeTestCase):
    """What comes before TLS on the https port."""

    def assert_closed(self, data: bytes) -> bytes:
        """
        The edge closes the connection by itself.

        :return: what it said, at most an alert.
        """
        with open_tcp(self.edge.https) as connection:
            received = send_raw(connection, data)
        self.assertLessEqual(len(received), 400, received[:500])
        return received

    def test_garbage(self) -> None:
        """Bytes that are no TLS are closed, whatever they are."""
        for data in (
            b"\x00" * 100,
            b"\xff" * 3000,
            os.urandom(4000),
            b"\n" * 20,
            b"\x80\x2e\x01\x03\x01" + b"\x00" * 41,
        ):
            self.assert_closed(data)

    def test_broken_hello(self) -> None:
        """Each wrong length inside a ClientHello is refused."""
        whole = bytearray(hello("canary.edge.localhost"))
        for place in (5, 6, 8, 43, 76):
            broken = bytearray(whole)
            broken[place] ^= 0xFF
            self.assert_closed(bytes(broken) + b"\x16\x03\x01\x40\x00" + b"\x00" * 0x4000)

    def test_oversized(self) -> None:
        """A ClientHello that claims sixteen megabytes is refused long before they come."""
        start = b"\x01\xff\xff\xff\x03\x03" + b"\x00" * 16000
        received = self.assert_closed(b"".join([record(start[:16384]), *(record(b"\x00" * 16000) for _ in range(40))]))
        self.assertLessEqual(len(received), 7)

    def test_empty_records(self) -> None:
        """A flood of empty or tiny records is refused."""
        self.assert_closed(record(b"") * 5000)
        self.assert_closed(
            b"".join(record(bytes([byte])) for byte in hello("canary.edge.localhost")[5:9]) + record(b"", 21)
        )

    def test_partial(self) -> None:
        """A visitor that sends half a ClientHello and leaves costs nothing."""
        before = self.edge.descriptors()
        whole = hello("canary.edge.localhost")
        for end in (0, 1, 5, 6, 50, len(whole) - 1):
            with open_tcp(self.edge.https) as connection:
                connection.sendall(whole[:end])
        self.eventually(lambda: self.edge.descriptors() <= before + 1, "closed descriptors")

    def test_never_finished(self) -> None:
        """A ClientHello that never ends is given up in time."""
        with open_tcp(self.edge.https, 40) as connection:
            self.assertLessEqual(len(send_raw(connection, hello("canary.edge.localhost")[:60])), 7)

    def test_no_name(self) -> None:
        """
        Without SNI no handshake, or one with the certificate of the edge's own domain, after which the Host decides: an old
        HTTP client is served, and a name without an endpoint is offline.
        """
        context = ssl.create_default_context(cafile=str(self.edge.ca))
        context.check_hostname = False
        try:
            connection = context.wrap_socket(open_tcp(self.edge.https))
        except ssl.SSLCertVerificationError:
            raise
        except (ssl.SSLError, OSError):
            return
        names = {name for _, name in connection.getpeercert()["subjectAltName"]}
        self.assertLessEqual(names, {"edge.localhost", "*.edge.localhost"})
        received = read_all_quietly(
            connection, b"GET / HTTP/1.1\r\nHost: nobody.edge.localhost\r\nConnection: close\r\n\r\n"
        )
        self.assertIn(received[:12], (b"HTTP/1.1 404", b"HTTP/1.1 421"), received[:300])

    def test_unknown_name(self) -> None:
        """A name without an endpoint gets the offline page, and for a foreign name that or no handshake."""
        self.assertEqual(self.get("https://nobody.edge.localhost/").headers["ngrok-error-code"], "ERR_NGROK_3200")
        try:
            answer = self.get("https://foreign.invalid/")
        except (ssl.SSLError, OSError):
            return
        self.assertEqual(answer.headers["ngrok-error-code"], "ERR_NGROK_3200")

    def test_many_unknown_names(self) -> None:
        """A certificate for every foreign name would be a way to keep the edge busy: they are bounded and cheap."""
        before, began = self.edge.resident_megabytes(), self.edge.cpu_seconds()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for number in range(300):
            try:
                open_tls(self.edge, f"name{number}.invalid", context=context).close()
            except (ssl.SSLError, OSError):
                pass
        self.assertLess(self.edge.resident_megabytes() - before, 40)
        self.assertLess(self.edge.cpu_seconds() - began, 6)

    def test_strange_names(self) -> None:
        """Names that are no host names are refused, and are not taken for others."""
        for name in ("canary.edge.localhost\x00.evil", "127.0.0.1", "a" * 250, "..", "*.edge.localhost", "canary_edge"):
            data = hello("canary.edge.localhost").replace(b"canary.edge.localhost", name.encode()[:21].ljust(21, b"a"))
            with open_tcp(self.edge.https) as connection:
                connection.sendall(data)
                connection.settimeout(ANSWER)
                try:
                    received = connection.recv(5)
                except OSError:
                    received = b""
            self.assertNotEqual(received[:1], b"\x17", name)

    def test_http_to_the_tls_port(self) -> None:
        """Plain HTTP on the https port is told so, or closed."""
        self.assert_closed(b"GET / HTTP/1.1\r\nHost: canary.edge.localhost\r\n\r\n")

    def test_tls_to_the_http_port(self) -> None:
        """TLS on the http port gets 400 or a close."""
        with open_tcp(self.edge.http) as connection:
            received = send_raw(connection, hello("canary.edge.localhost"))
        self.assertTrue(received == b"" or received.startswith((b"HTTP/1.1 400", b"\x15")), received[:100])

    def test_ssh_to_the_tls_port(self) -> None:
        """An SSH client on the https port gets either SSH or a close, but no hanging connection."""
        with open_tcp(self.edge.https) as connection:
            connection.sendall(b"SSH-2.0-test\r\n")
            received = connection.recv(4)
        self.assertIn(received, (b"SSH-", b"", b"\x15\x03\x01\x00", b"\x15\x03\x03\x00"))

    def test_broken_later(self) -> None:
        """A TLS connection whose records break in the middle is closed."""
        connection = open_tls(self.edge, "canary.edge.localhost")
        plain = socket.socket(fileno=connection.detach())
        plain.settimeout(ANSWER)
        read_all_quietly(plain, b"\x17\x03\x03\x00\x30" + os.urandom(48))

    def test_old_versions(self) -> None:
        """TLS 1.1 and older, and ciphers without forward secrecy, are refused."""
        for words in (["-tls1_1"], ["-tls1"], ["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"]):
            command = ["s_client", "-connect", f"127.0.0.1:{self.edge.https}", "-servername", "canary.edge.localhost"]
            done = subprocess.run([program("openssl"), *command, *words], input=b"", capture_output=True, timeout=30)
            self.assertNotEqual(done.returncode, 0, words)

    def test_many_handshakes_abandoned(self) -> None:
        """Many half-open handshakes leave nothing behind."""
        before = self.edge.descriptors()
        data = hello("canary.edge.localhost")
        held = [open_tcp(self.edge.https) for _ in range(150)]
        for connection in held:
            connection.sendall(data)
        for connection in held:
            connection.close()
        self.eventually(lambda: self.edge.descriptors() <= before + 2, "closed descriptors")


class PassthroughAbuseTests(EdgeTestCase):
    """A name that belongs to a TLS passthrough endpoint."""

    def test_garbage_behind_hello(self) -> None:
        """What follows the ClientHello is the service's business."""
        name = self.new_name()
        self.publish(self.serve(Service(echo)), name, "tls")
        data = hello(name) + b"garbage" * 100
        with open_tcp(self.edge.https) as connection:
            connection.sendall(data)
            received = b""
            while len(received) < len(data):
                piece = connection.recv(65536)
                self.assertTrue(piece)
                received += piece
        self.assertEqual(received, data)


class FloodTests(EdgeTestCase):
    """Heads and bodies that are too large or never end."""

    def ask(self, data: bytes, seconds: float = ANSWER) -> bytes:
        """Send bytes to the canary's name over TLS and read until the edge closes."""
        connection = open_tls(self.edge, "canary.edge.localhost")
        connection.settimeout(seconds)
        try:
            return read_all_quietly(connection, data)
        finally:
            connection.close()

    def test_endless_head(self) -> None:
        """A head without an end is cut off with 431 or a close."""
        start = b"GET / HTTP/1.1\r\nHost: canary.edge.localhost\r\n"
        received = self.ask(start + b"X-Flood: " + b"x" * 3_000_000)
        self.assertTrue(received == b"" or received.startswith(b"HTTP/1.1 431"), received[:100])

    def test_many_headers(self) -> None:
        """Ten thousands of headers are refused."""
        start = b"GET / HTTP/1.1\r\nHost: canary.edge.localhost\r\n"
        received = self.ask(start + b"".join(b"X-%d: 1\r\n" % number for number in range(100000)) + b"\r\n")
        self.assertTrue(received == b"" or received.startswith(b"HTTP/1.1 431"), received[:100])

    def test_long_target(self) -> None:
        """An endless request line is refused."""
        received = self.ask(b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\nHost: canary.edge.localhost\r\n\r\n")
        self.assertTrue(
            received == b"" or received[:12] in (b"HTTP/1.1 414", b"HTTP/1.1 431", b"HTTP/1.1 400"), received[:100]
        )

    def test_long_chunk_extension(self) -> None:
        """Chunk extensions and trailers have an end, too."""
        start = b"POST / HTTP/1.1\r\nHost: canary.edge.localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        for rest in (b"1;" + b"e" * 2_000_000, b"0\r\n" + b"X-Trail: " + b"t" * 2_000_000):
            self.ask(start + rest)

    def test_memory(self) -> None:
        """A hundred of them at once do not fill the memory."""
        before = self.edge.resident_megabytes()
        held = [open_tls(self.edge, "canary.edge.localhost") for _ in range(30)]
        for connection in held:
            try:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: canary.edge.localhost\r\nX: " + b"x" * 900_000)
            except OSError:
                pass
        self.assertLess(self.edge.resident_megabytes() - before, 120)
        for connection in held:
            connection.close()


def read_all_quietly(connection: socket.socket, data: bytes) -> bytes:
    """Send and read as `send_raw` does, also when TLS ends without a closing alert."""
    try:
        return send_raw(connection, data)
    except ssl.SSLError:
        return b""
    finally:
        connection.close()
