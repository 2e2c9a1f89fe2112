"""
The SSH layer with the OpenSSH client: a server on loopback in this process, ``ssh`` beside it.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import socket
import subprocess
from typing import Any
from unittest import skipUnless

from twisted.conch.ssh.keys import Key
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.filepath import FilePath
from twisted.trial.unittest import TestCase

from ngrok_twisted.transports.ssh.hostkeys import load_or_make
from ngrok_twisted.transports.ssh.transport import SSHLimits, SSHServerFactory
from tests.transports.ssh.gateways import ListeningGateway, portal_for

reactor: Any = _reactor
MEBIBYTE = 1024 * 1024
BLOCK = os.urandom(MEBIBYTE)


class Client(ProcessProtocol):
    """A running ``ssh``."""

    def __init__(self) -> None:
        self.out = b""
        self.error = b""
        self.ended: Deferred[int] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.out += data

    def errReceived(self, data: bytes) -> None:
        self.error += data

    def processEnded(self, reason: Any) -> None:
        self.ended.callback(0 if reason.check(ProcessDone) else reason.value.exitCode or 255)


def md5_of(count: int) -> str:
    """The digest of so many blocks."""
    digest = hashlib.md5(usedforsecurity=False)
    for _ in range(count):
        digest.update(BLOCK)
    return digest.hexdigest()


def read_all(connection: socket.socket) -> str:
    """Read to the end; the digest."""
    digest = hashlib.md5(usedforsecurity=False)
    while data := connection.recv(256 * 1024):
        digest.update(data)
    return digest.hexdigest()


def send_blocks(connection: socket.socket, count: int) -> None:
    """Send so many blocks, then an end of file."""
    for _ in range(count):
        connection.sendall(BLOCK)
    connection.shutdown(socket.SHUT_WR)


@skipUnless(shutil.which("ssh") and shutil.which("ssh-keygen"), "OpenSSH is not installed")
class OpenSSHTests(TestCase):
    """Streams through ``ssh -R``."""

    timeout = 60

    def setUp(self) -> None:
        self.directory = FilePath(self.mktemp())
        self.directory.makedirs()
        self.key = self.directory.child("user").path
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        ListeningGateway.listen = staticmethod(
            lambda port, factory: reactor.listenTCP(port, factory, interface="127.0.0.1")
        )
        self.gateways: list[ListeningGateway] = []
        self.factory = SSHServerFactory(
            portal_for(Key.fromFile(self.key)),
            load_or_make(self.directory.child("host")),
            self.gateway,
            SSHLimits(),
            reactor,
            lambda username, fingerprints: "unknown",
        )
        self.factory.noisy = False
        self.port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        self.service = socket.socket()
        self.service.bind(("127.0.0.1", 0))
        self.service.listen(50)
        self.service.settimeout(30)
        self.clients: list[Client] = []

    async def tearDown(self) -> None:
        self.service.close()
        for client in self.clients:
            if not client.ended.called:
                client.transport.signalProcess("TERM")  # type: ignore[union-attr]
            await client.ended
        await self.port.stopListening()
        while any(gateway.connection.connected for gateway in self.gateways):
            await deferLater(reactor, 0.02)

    def gateway(self, connection: Any) -> ListeningGateway:
        self.gateways.append(ListeningGateway(connection))
        return self.gateways[-1]

    def ssh(self, *arguments: str) -> Client:
        """Start one."""
        client = Client()
        service = self.service.getsockname()[1]
        command = ["ssh", "-F", "/dev/null", "-p", str(self.port.getHost().port), "-i", self.key]
        for option in (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "LogLevel=ERROR",
        ):
            command += ["-o", option]
        command += ["-R", f"0:127.0.0.1:{service}", *arguments]
        reactor.spawnProcess(client, "ssh", command, env=os.environ)
        self.clients.append(client)
        return client

    async def forward(self, *arguments: str) -> int:
        """Start one; the port on which its service is public."""
        self.ssh("-N", *arguments, "v2@127.0.0.1")
        for _ in range(500):
            if self.gateways and self.gateways[-1].ports:
                return self.gateways[-1].ports[0].getHost().port
            await deferLater(reactor, 0.02)
        raise AssertionError("no forward was asked for")

    def visit(self, port: int) -> tuple[socket.socket, socket.socket]:
        """Connect to the public port; both ends. Blocks: for threads."""
        visitor = socket.create_connection(("127.0.0.1", port), 30)
        served, _ = self.service.accept()
        served.settimeout(30)
        return visitor, served

    def both_ways(self, port: int, count: int) -> list[str]:
        """Bulk to the visitor, then to the service; the digests of what arrived. Blocks."""
        results = []
        for direction in (0, 1):
            ends = self.visit(port)
            sender, receiver = ends[1 - direction], ends[direction]
            done = deferToThread(send_blocks, sender, count)
            results.append(read_all(receiver))
            del done
            for end in ends:
                end.close()
        return results

    async def bulk(self, cipher: str, *options: str, count: int = 16) -> None:
        """Both ways through one cipher."""
        port = await self.forward("-c", cipher, *options)
        results = await deferToThread(self.both_ways, port, count)
        self.assertEqual(results, [md5_of(count)] * 2)

    def test_command(self) -> Any:
        """A command runs in a session; its exit status and both outputs arrive."""
        return Deferred.fromCoroutine(self.command())

    async def command(self) -> None:
        client = self.ssh("v2@127.0.0.1", "stop")
        self.assertEqual(await client.ended, 3)
        self.assertIn(b"ports [", client.out)
        self.assertIn(b"bye", client.error)
        self.assertIn(("command", b"stop"), self.gateways[0].calls)

    def test_bulk_default(self) -> Any:
        """64 MiB both ways, as the client comes: AES-GCM."""
        return Deferred.fromCoroutine(self.bulk("aes128-gcm@openssh.com", count=64))

    def test_bulk_chacha(self) -> Any:
        """chacha20-poly1305, with keys exchanged again and again."""
        return Deferred.fromCoroutine(self.bulk("chacha20-poly1305@openssh.com", "-o", "RekeyLimit=1M"))

    def test_bulk_gcm_rekey(self) -> Any:
        """AES-256-GCM, with keys exchanged again and again."""
        return Deferred.fromCoroutine(self.bulk("aes256-gcm@openssh.com", "-o", "RekeyLimit=1M"))

    def test_bulk_ctr(self) -> Any:
        """AES-CTR with an HMAC, with keys exchanged again and again."""
        return Deferred.fromCoroutine(self.bulk("aes128-ctr", "-m", "hmac-sha2-256", "-o", "RekeyLimit=1M"))

    def test_bulk_etm(self) -> Any:
        """AES-CTR with encrypt-then-MAC, with keys exchanged again and again."""
        return Deferred.fromCoroutine(
            self.bulk("aes256-ctr", "-m", "hmac-sha2-512-etm@openssh.com", "-o", "RekeyLimit=1M")
        )

    def test_parallel(self) -> Any:
        """Eight streams at once do not mix."""
        return Deferred.fromCoroutine(self.parallel())

    async def parallel(self) -> None:
        port = await self.forward("-o", "RekeyLimit=4M")
        ends = [await deferToThread(self.visit, port) for _ in range(8)]
        sending = [deferToThread(send_blocks, served, number + 1) for number, (_, served) in enumerate(ends)]
        reading = [deferToThread(read_all, visitor) for visitor, _ in ends]
        for number, digest in enumerate(reading):
            self.assertEqual(await digest, md5_of(number + 1))
        for sent in sending:
            await sent
        for pair in ends:
            for end in pair:
                end.close()

    def test_half_close(self) -> Any:
        """A visitor that has sent its end of file still gets the answer, and the other way round."""
        return Deferred.fromCoroutine(self.half_close())

    async def half_close(self) -> None:
        port = await self.forward()
        for first in (0, 1):
            ends = await deferToThread(self.visit, port)
            asker, answerer = ends[first], ends[1 - first]
            asker.sendall(b"question")
            asker.shutdown(socket.SHUT_WR)
            self.assertEqual(await deferToThread(self.read_rest, answerer), b"question")
            answerer.sendall(b"answer")
            answerer.close()
            self.assertEqual(await deferToThread(self.read_rest, asker), b"answer")
            asker.close()

    def read_rest(self, connection: socket.socket) -> bytes:
        """All up to the end of file."""
        received = b""
        while data := connection.recv(4096):
            received += data
        return received

    def test_refused(self) -> Any:
        """Without a service the visitor is cut off, and the tunnel stays."""
        return Deferred.fromCoroutine(self.refused())

    async def refused(self) -> None:
        port = await self.forward()
        self.service.close()
        for _ in range(3):
            visitor = socket.create_connection(("127.0.0.1", port), 30)
            with self.assertRaises(ConnectionResetError):
                await deferToThread(visitor.recv, 1)
            visitor.close()
        self.assertTrue(self.gateways[0].connection.connected)

    def test_slow_reader(self) -> Any:
        """A visitor that does not read stops the service; the server's memory stays bounded."""
        return Deferred.fromCoroutine(self.slow_reader())

    async def slow_reader(self) -> None:
        port = await self.forward()
        visitor, served = await deferToThread(self.visit, port)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        served.settimeout(1)
        sent = await deferToThread(self.send_until_stuck, served)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        # The window, and the kernel's and the client's own buffers.
        self.assertLess(sent, 40 * MEBIBYTE)
        self.assertLess(grown, 16 * 1024, "KiB")
        visitor.close()
        served.close()

    def send_until_stuck(self, connection: socket.socket) -> int:
        """How much is taken until nothing is for a second."""
        sent = 0
        try:
            while sent < 200 * MEBIBYTE:
                sent += connection.send(BLOCK)
        except TimeoutError:
            pass
        return sent

    def test_probe(self) -> Any:
        """The client answers a probe."""
        return Deferred.fromCoroutine(self.probe())

    async def probe(self) -> None:
        await self.forward()
        self.assertIsNone(await self.gateways[0].connection.probe())
