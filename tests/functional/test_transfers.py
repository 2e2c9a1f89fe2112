"""
Large bodies: they pass whole, and the edge's memory does not grow with them.

The size is 300 MB; ``EDGE_TRANSFER_MB=1024`` makes it a gigabyte.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time

from tests.functional.case import EdgeTestCase
from tests.functional.clients import keep_open
from tests.functional.web import checksum, pattern

MEGABYTE = 1 << 20
SIZE = int(os.environ.get("EDGE_TRANSFER_MB", "300")) * MEGABYTE

# Growth of the resident memory that is forgiven: windows and buffers of one stream, and the allocator's own ways.
GROWTH_MEGABYTES = 48


class Watch:
    """Watches an edge's memory from a thread while a block runs."""

    def __init__(self, case: EdgeTestCase) -> None:
        self._case, self._over = case, threading.Event()
        self.before = self.highest = case.edge.resident_megabytes()

    def __enter__(self) -> None:
        threading.Thread(target=self._look, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        grown = self.highest - self.before
        self._case.assertLess(grown, GROWTH_MEGABYTES, f"from {self.before:.0f} MB to {self.highest:.0f} MB")

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.highest = max(self.highest, self._case.edge.resident_megabytes())


class TransferTests(EdgeTestCase):
    """Through TLS, the edge, SSH and a real client, both ways."""

    seconds = 300

    def setUp(self) -> None:
        """Publish a web service."""
        super().setUp()
        self.service = self.web()
        self.host = self.publish(self.service).partition("://")[2].partition(":")[0]

    def download(self, path: str, pause: float = 0) -> str:
        """
        :return: the SHA-1 of what came.
        """
        connection = keep_open(self.edge, self.host)
        connection.request("GET", path)
        answer = connection.getresponse()
        digest = hashlib.sha1()
        while data := answer.read(1 << 18):
            digest.update(data)
            if pause:
                time.sleep(pause)
        connection.close()
        return digest.hexdigest()

    def test_download(self) -> None:
        """A large download arrives whole in constant memory."""
        self.download("/size/1000000")
        with Watch(self):
            self.assertEqual(self.download(f"/size/{SIZE}"), checksum(SIZE))

    def test_upload(self) -> None:
        """A large upload arrives whole in constant memory."""
        connection = keep_open(self.edge, self.host)
        with Watch(self):
            connection.request("POST", "/echo", pattern(SIZE), {"Content-Length": str(SIZE)})
            seen = json.loads(connection.getresponse().read())
        connection.close()
        self.assertEqual((seen["length"], seen["sha1"]), (SIZE, checksum(SIZE)))

    def test_rekey(self) -> None:
        """The client's and the server's keys change in mid-transfer without a wrong byte."""
        name = self.new_name()
        self.publish(self.service, name, options=["-o", "RekeyLimit=4M"])
        self.host = name
        self.assertEqual(self.download(f"/size/{40 * MEGABYTE}"), checksum(40 * MEGABYTE))
        body = b"".join(pattern(40 * MEGABYTE))
        seen = json.loads(self.get(f"https://{name}/echo", method="POST", body=body).body)
        self.assertEqual(seen["sha1"], checksum(40 * MEGABYTE))

    def test_every_cipher(self) -> None:
        """Each cipher that a stock client may choose carries bytes faithfully."""
        for cipher in (
            "aes128-gcm@openssh.com",
            "aes256-gcm@openssh.com",
            "chacha20-poly1305@openssh.com",
            "aes128-ctr",
        ):
            name = self.new_name()
            self.publish(self.service, name, options=["-c", cipher, "-o", "RekeyLimit=3M"])
            self.host = name
            self.assertEqual(self.download(f"/size/{10 * MEGABYTE}"), checksum(10 * MEGABYTE), cipher)

    def test_slow_reader(self) -> None:
        """A visitor who reads slowly costs no memory, and the service waits."""
        with Watch(self):
            connection = keep_open(self.edge, self.host)
            connection.request("GET", f"/size/{SIZE}")
            answer = connection.getresponse()
            for _ in range(20):
                answer.read(1000)
                time.sleep(0.1)
            connection.close()

    def test_slow_service(self) -> None:
        """A service that does not read costs no memory: the visitor waits."""
        connection = keep_open(self.edge, self.host)
        connection.sock.settimeout(2)
        sent = 0
        with Watch(self):
            connection.putrequest("POST", "/wait")
            connection.putheader("Content-Length", str(SIZE))
            connection.endheaders()
            try:
                for block in pattern(SIZE):
                    connection.send(block)
                    sent += len(block)
            except TimeoutError:
                pass
        self.assertLess(sent, 60 * MEGABYTE)
        self.service.gate.set()
        connection.close()

    def test_several_at_once(self) -> None:
        """Eight downloads share one SSH connection, whole and without waiting for a stalled ninth."""
        stalled = keep_open(self.edge, self.host)
        stalled.request("GET", f"/size/{SIZE}")
        size, results = 5 * MEGABYTE, []
        threads = [
            threading.Thread(target=lambda: results.append(self.download(f"/size/{size}")), daemon=True)
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        stalled.close()
        self.assertEqual(results, [checksum(size)] * 8)
