"""
SSH clients that are broken or hostile: each is refused or dropped, and the canary's tunnel keeps answering.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from http.client import IncompleteRead

from tests.functional.case import EdgeTestCase
from tests.functional.clients import SSH, open_tcp, send_raw
from tests.functional.relay import Relay, flip_after
from tests.functional.tools import peer, tool


class BeforeLoginTests(EdgeTestCase):
    """What comes before authentication."""

    def assert_closed(self, *pieces: bytes) -> bytes:
        """The edge closes the connection by itself."""
        with open_tcp(self.edge.ssh, 45) as connection:
            return send_raw(connection, b"".join(pieces))

    def test_version_garbage(self) -> None:
        """A first line that is no SSH version ends the connection."""
        for line in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"SSH-1.5-old\r\n",
            b"SSH-9.9-new\r\n",
            os.urandom(600) + b"\r\n",
            b"\x16\x03\x01" * 300,
        ):
            self.assert_closed(line)

    def test_endless_version(self) -> None:
        """A version line without an end is cut off (RFC 4253 section 4.2 allows 255 bytes)."""
        self.assert_closed(b"SSH-2.0-" + b"x" * 200000)

    def test_packet_lengths(self) -> None:
        """A packet length that lies ends the connection."""
        for length in (0xFFFFFFFF, 0x7FFFFFFF, 1 << 20, 0, 1, 3, 5):
            self.assert_closed(b"SSH-2.0-rude\r\n", struct.pack("!IB", length, 4), os.urandom(40000))

    def test_paddings(self) -> None:
        """A padding longer than its packet ends the connection."""
        self.assert_closed(b"SSH-2.0-rude\r\n", struct.pack("!IB", 12, 255), b"\x14" + b"\x00" * 10)

    def test_messages_out_of_order(self) -> None:
        """NEWKEYS, service requests or connection messages before the key exchange end the connection."""
        for number in (21, 5, 50, 80, 90, 94, 255):
            payload = bytes([number]) + b"\x00" * 8
            padding = 16 - (5 + len(payload)) % 8 + 8
            packet = struct.pack("!IB", 1 + len(payload) + padding, padding) + payload + b"\x00" * padding
            self.assert_closed(b"SSH-2.0-rude\r\n", packet, b"\x00" * 64)

    def test_no_common_algorithm(self) -> None:
        """A client that offers only old algorithms is told so."""
        for option in (
            "KexAlgorithms=diffie-hellman-group1-sha1",
            "Ciphers=3des-cbc",
            "MACs=hmac-md5",
            "HostKeyAlgorithms=ssh-rsa",
        ):
            agent = self.ssh(
                "443:localhost:1", options=["-o", option, *(["-c", "aes128-ctr"] if "MAC" in option else [])]
            )
            self.assertEqual(agent.exit_code(), 255, agent.said())
            self.assertIn("no match", agent.err)

    def test_silence(self) -> None:
        """Many connections that say nothing cost no agent its place."""
        held = [open_tcp(self.edge.ssh) for _ in range(60)]
        url = self.publish(self.web())
        self.assertEqual(self.get(url).status, 200)
        for connection in held:
            connection.close()

    def test_many_logins_fail(self) -> None:
        """Keys that nobody knows do not lock out the one that is known."""
        for _ in range(3):
            wrong = SSH(self.edge, ["443:localhost:1"], options=["-o", "PubkeyAuthentication=no"])
            self.addCleanup(wrong.close)
            self.assertEqual(wrong.exit_code(), 255)
        self.assertEqual(self.get(self.publish(self.web())).status, 200)

    def test_password(self) -> None:
        """Passwords are not accepted."""
        agent = self.ssh(options=["-v", "-o", "PubkeyAuthentication=no"])
        self.assertEqual(agent.exit_code(), 255)
        self.assertIn("Permission denied (publickey", agent.err)


class AfterLoginTests(EdgeTestCase):
    """What an authenticated client may not do; played by ``peers/rude_ssh.py``."""

    def assert_survived(self, what: str, *right: str) -> None:
        """The rude client's connection ended in one of these ways."""
        command = [tool("python"), peer("rude_ssh.py"), str(self.edge.ssh), str(self.edge.key), what]
        done = subprocess.run(command, capture_output=True, timeout=80, text=True)
        self.assertIn(done.stdout.strip(), right, f"{what}: {done.stdout} {done.stderr}")

    def test_channel_flood(self) -> None:
        """Only so many sessions are opened."""
        self.assert_survived("channel_flood", "closed", "refused")

    def test_strange_channels(self) -> None:
        """Channels that are not for clients are refused, quietly."""
        self.assert_survived("strange_channels", "alive", "refused")

    def test_request_flood(self) -> None:
        """Unknown global requests are refused one by one."""
        self.assert_survived("request_flood", "alive", "refused", "closed")

    def test_forward_flood(self) -> None:
        """Forwards have a limit per connection."""
        self.assert_survived("forward_flood", "alive", "refused", "closed")

    def test_broken_forward(self) -> None:
        """A forward request that cannot be read harms its sender only."""
        self.assert_survived("broken_forward", "alive", "refused", "closed")

    def test_unknown_channel(self) -> None:
        """Data for a channel that does not exist is the sender's fault."""
        self.assert_survived("unknown_channel", "alive", "closed")

    def test_window_lie(self) -> None:
        """A window past 2^32 - 1 is the sender's fault (RFC 4254 section 5.2)."""
        self.assert_survived("window_lie", "alive", "closed")

    def test_window_overrun(self) -> None:
        """Data beyond the window is not collected."""
        before = self.edge.resident_megabytes()
        self.assert_survived("window_overrun", "alive", "closed", "refused")
        self.assertLess(self.edge.resident_megabytes() - before, 40)

    def test_unknown_message(self) -> None:
        """Unknown messages are answered with UNIMPLEMENTED and change nothing."""
        self.assert_survived("unknown_message", "alive", "closed")

    def test_empty_messages(self) -> None:
        """Messages without content are the sender's fault."""
        self.assert_survived("empty_messages", "alive", "closed", "refused")

    def test_login_again(self) -> None:
        """Authentication after authentication changes nothing."""
        self.assert_survived("login_again", "alive", "closed")

    def test_long_command(self) -> None:
        """A command over the limit is refused."""
        self.assert_survived("long_command", "alive", "closed", "refused")

    def test_environment_flood(self) -> None:
        """Session requests without an end cost no memory."""
        before = self.edge.resident_megabytes()
        self.assert_survived("environment_flood", "alive", "closed", "refused")
        self.assertLess(self.edge.resident_megabytes() - before, 40)


class OnTheWireTests(EdgeTestCase):
    """Bytes that change on the way between a real client and the edge."""

    def through(self, relay: Relay, name: str) -> SSH:
        """A client that reaches the edge through the relay."""
        self.serve(relay)
        service = self.web()
        words = ["-o", f"HostKeyAlias={name}"]
        real, self.edge.ssh = self.edge.ssh, relay.port
        try:
            return self.ssh(f"{name}:443:127.0.0.1:{service.port}", command="http", options=words)
        finally:
            self.edge.ssh = real

    def connect(self) -> socket.socket:
        """A connection to the edge's SSH port."""
        return open_tcp(self.edge.ssh)

    def test_unharmed(self) -> None:
        """The relay itself harms nobody."""
        self.assertEqual(self.get(self.through(Relay(self.connect), self.new_name()).url()).status, 200)

    def test_flipped_bits(self) -> None:
        """One flipped bit, anywhere, ends the connection: no wrong byte is believed."""
        for place in (30, 700, 1800, 2500, 2900, 3300):
            name = self.new_name()
            agent = self.through(Relay(self.connect, up=flip_after(place)), name)
            self.eventually(
                lambda: agent.process.poll() is not None or "https://" in agent.out, f"end after a flip at {place}", 30
            )

    def test_flipped_in_mid_transfer(self) -> None:
        """A MAC failure while bodies are on their way drops the agent, and the visitor is not given wrong bytes."""
        relay = Relay(self.connect, up=flip_after(3_000_000))
        url = self.through(relay, self.new_name()).url()
        with self.assertRaises((OSError, IncompleteRead)):
            self.get(f"{url}/size/20000000")
        self.eventually(lambda: self.get(url).status in (404, 502), "offline answer")

    def test_vanishes_in_mid_transfer(self) -> None:
        """An agent whose connection is cut in mid-transfer ends the visitor's answer early, visibly."""
        relay = Relay(self.connect)
        url = self.through(relay, self.new_name()).url()
        self.eventually(lambda: self.get(url).status == 200, "answer")
        relay.close()
        self.eventually(lambda: self.get(url).headers.get("ngrok-error-code") == "ERR_NGROK_3200", "offline page")
