"""Tests of `ngrok_twisted.transports.ssh.ciphers`."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh.ciphers import Suite
from ngrok_twisted.transports.ssh.framing import MAX_PACKET, OVERHEAD, PAYLOAD, ClearOpener, ClearSealer, PacketError

SUITES = [
    Suite(b"aes128-gcm@openssh.com"),
    Suite(b"aes256-gcm@openssh.com"),
    Suite(b"chacha20-poly1305@openssh.com"),
    *(
        Suite(cipher, mac)
        for cipher in (b"aes128-ctr", b"aes192-ctr", b"aes256-ctr")
        for mac in (
            b"hmac-sha2-256",
            b"hmac-sha2-512",
            b"hmac-sha2-256-etm@openssh.com",
            b"hmac-sha2-512-etm@openssh.com",
        )
    ),
]


def derive(letter: bytes, size: int) -> bytes:
    """Key material that is easy to make again."""
    return (letter * 64)[:size]


def pair(suite: Suite, sequence: int = 0) -> tuple[Any, Any]:
    """A sealer and the opener that fits it."""
    return suite.sealer(derive, b"ACE", sequence), suite.opener(derive, b"ACE", sequence)


def seal(sealer: Any, payload: bytes) -> bytes:
    """One packet."""
    wire = memoryview(bytearray(len(payload) + OVERHEAD))
    wire[PAYLOAD : PAYLOAD + len(payload)] = payload
    return bytes(wire[: sealer.seal(wire, 0, len(payload))])


def open_one(opener: Any, packet: bytes) -> bytes | None:
    """The payload of one packet."""
    wire = memoryview(bytearray(packet))
    opened = opener.open(wire, 0, len(wire))
    return None if opened is None else bytes(wire[opened[1] : opened[2]])


def is_made(cipher: Any, name: str) -> bool:
    """Whether a cipher has something, without having it made."""
    try:
        object.__getattribute__(cipher, name)
    except AttributeError:
        return False
    return True


class RoundTripTests(SynchronousTestCase):
    """What one side seals the other opens."""

    def test_sizes(self) -> None:
        """Every suite carries payloads of every size around its block size, and large ones."""
        for suite in SUITES:
            sealer, opener = pair(suite)
            for size in (*range(1, 70), 32777, 60000):
                payload = bytes(size % 251 for _ in range(size))
                self.assertEqual(open_one(opener, seal(sealer, payload)), payload, (suite, size))

    def test_small_and_bulk(self) -> None:
        """A message sealed by itself and one in a buffer follow each other under the same keys, whatever their sizes."""
        for suite in SUITES:
            sealer, opener = pair(suite)
            for size in (*range(1, 40), 33000):
                message = bytes(size % 251 for _ in range(size))
                self.assertEqual(open_one(opener, sealer.sealed(message)), message, (suite, size))
                self.assertEqual(open_one(opener, seal(sealer, message)), message, (suite, size))
            self.assertEqual(sealer.sequence, opener.sequence)

    def test_small_like_bulk(self) -> None:
        """Both have the least padding that the block size and the four bytes of RFC 4253 section 6 allow."""
        for suite in SUITES:
            for size in range(1, 40):
                by_itself, in_buffer = pair(suite)[0].sealed(bytes(size)), seal(pair(suite)[0], bytes(size))
                self.assertEqual(len(by_itself), len(in_buffer), (suite, size))

    def test_rest(self) -> None:
        """Ciphers that have rested, at any time and more than once, go on where they were."""
        for suite in SUITES:
            sealer, opener = pair(suite)
            for number in range(8):
                for _ in range(number % 3):
                    sealer.rest()
                    opener.rest()
                message = b"message %d" % number
                packet = sealer.sealed(message) if number & 1 else seal(sealer, message)
                self.assertEqual(open_one(opener, packet), message, (suite, number))
            self.assertRaises(AttributeError, getattr, sealer, "no_such_thing")
            self.assertRaises(AttributeError, getattr, opener, "no_such_thing")

    def test_rest_frees(self) -> None:
        """AES-GCM keeps nothing of the library while it rests, and everything while it does not."""
        sealer, opener = pair(SUITES[0])
        open_one(opener, sealer.sealed(b"x"))
        self.assertEqual([is_made(sealer, "_encrypted"), is_made(opener, "_decrypt")], [True, True])
        open_one(opener, sealer.sealed(b"x"))
        sealer.rest()
        opener.rest()
        self.assertEqual([is_made(sealer, "_encrypted"), is_made(opener, "_decrypt")], [False, False])

    def test_sequence_wraps(self) -> None:
        """Packets go on past the number 2**32 - 1 (RFC 4253 section 6.4)."""
        for suite in SUITES:
            sealer, opener = pair(suite, 0xFFFFFFFF)
            self.assertEqual(open_one(opener, seal(sealer, b"last")), b"last")
            self.assertEqual(open_one(opener, seal(sealer, b"first")), b"first")
            self.assertEqual((sealer.sequence, opener.sequence), (1, 1))

    @settings(deadline=None, max_examples=40)
    @given(st.sampled_from(SUITES), st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=6), st.data())
    def test_pieces(self, suite: Suite, payloads: list[bytes], data: Any) -> None:
        """However the wire is cut into reads, the same payloads come out, and each once."""
        sealer, opener = pair(suite)
        wire = b"".join(seal(sealer, payload) for payload in payloads)
        kept = b""
        opened: list[bytes] = []
        while wire or kept:
            count = data.draw(st.integers(1, max(1, len(wire))))
            kept, wire = kept + wire[:count], wire[count:]
            view, start = memoryview(bytearray(kept)), 0
            while (found := opener.open(view, start, len(view))) is not None:
                start, first, last = found
                opened.append(bytes(view[first:last]))
            kept = bytes(view[start:])
        self.assertEqual(opened, payloads)

    def test_padding_is_fresh(self) -> None:
        """The padding does not repeat, nor hold what was in the buffer before."""
        sealer = ClearSealer()
        packets = {seal(sealer, b"same")[PAYLOAD + 4 :] for _ in range(20)}
        self.assertEqual(len(packets), 20)
        self.assertNotIn(bytes(len(next(iter(packets)))), packets)


class KnownAnswerTests(SynchronousTestCase):
    """The formats, built a second time by hand."""

    def test_gcm(self) -> None:
        """AES-GCM: the length is associated data, the nonce's last eight bytes count from the initial vector."""
        aead = AESGCM(b"C" * 16)
        opener = Suite(b"aes128-gcm@openssh.com").opener(derive, b"ACE", 0)
        for count in range(2):
            nonce = b"AAAA" + (int.from_bytes(b"A" * 8, "big") + count).to_bytes(8, "big")
            body = b"\x0a" + b"hello" + bytes(10)
            length = len(body).to_bytes(4, "big")
            self.assertEqual(open_one(opener, length + aead.encrypt(nonce, body, length)), b"hello")

    def test_ctr_with_mac(self) -> None:
        """CTR: one stream over all packets; the MAC covers the number and the plaintext."""
        stream = Cipher(algorithms.AES(b"C" * 16), modes.CTR(b"A" * 16)).encryptor()
        opener = Suite(b"aes128-ctr", b"hmac-sha2-256").opener(derive, b"ACE", 7)
        for number in (7, 8):
            packet = (28).to_bytes(4, "big") + b"\x16" + b"hello" + bytes(22)
            mac = hmac.HMAC(b"E" * 32, hashes.SHA256())
            mac.update(number.to_bytes(4, "big") + packet)
            self.assertEqual(open_one(opener, stream.update(packet) + mac.finalize()), b"hello")

    def test_etm(self) -> None:
        """Encrypt-then-MAC: the length is in the clear, the MAC covers the number and what is on the wire."""
        stream = Cipher(algorithms.AES(b"C" * 32), modes.CTR(b"A" * 16)).encryptor()
        sealer = Suite(b"aes256-ctr", b"hmac-sha2-512-etm@openssh.com").sealer(derive, b"ACE", 3)
        packet = seal(sealer, b"hello")
        self.assertEqual(packet[:4], (16).to_bytes(4, "big"))
        mac = hmac.HMAC(b"E" * 64, hashes.SHA512())
        mac.update((3).to_bytes(4, "big") + packet[:-64])
        mac.verify(packet[-64:])
        self.assertEqual(stream.update(packet[4:-64])[:6], b"\x0ahello")

    def test_chacha(self) -> None:
        """chacha20-poly1305: two keys, the sequence number as nonce, block 0 for the one-time key."""
        sealer = Suite(b"chacha20-poly1305@openssh.com").sealer(lambda letter, size: bytes(range(size)), b"BDF", 2)
        packet = seal(sealer, b"hello")
        nonce = bytes(8) + (2).to_bytes(8, "big")
        lengths = Cipher(algorithms.ChaCha20(bytes(range(32, 64)), nonce), None).decryptor()
        bodies = Cipher(algorithms.ChaCha20(bytes(range(32)), nonce), None).decryptor()
        self.assertEqual(lengths.update(packet[:4]), (16).to_bytes(4, "big"))
        bodies.update(bytes(64))
        self.assertEqual(bodies.update(packet[4:-16])[:6], b"\x0ahello")


class HostileTests(SynchronousTestCase):
    """What a peer may try."""

    def test_one_bit(self) -> None:
        """A packet with any one byte changed is refused, or waits for a length it never gets."""
        for suite in SUITES:
            packet = seal(pair(suite)[0], b"hello, world")
            for index in range(len(packet)):
                opener = pair(suite)[1]
                changed = bytearray(packet)
                changed[index] ^= 1
                try:
                    self.assertIsNone(open_one(opener, bytes(changed)), (suite, index))
                except PacketError as error:
                    self.assertIn(error.code, (2, 5))

    def test_replay(self) -> None:
        """A packet sent twice is refused."""
        for suite in SUITES:
            sealer, opener = pair(suite)
            packet = seal(sealer, b"once")
            self.assertEqual(open_one(opener, packet), b"once")
            self.assertRaises(PacketError, lambda: self.assertIsNotNone(open_one(opener, packet + bytes(64))))

    def test_length_lies(self) -> None:
        """Lengths of nothing, beyond the bound, or beside the block size end the connection at once."""
        for length in (0, 1, 5, 13, MAX_PACKET + 4, 0x7FFFFFFF, 0xFFFFFFFF):
            wire = length.to_bytes(4, "big") + bytes(60)
            for opener in (ClearOpener(), pair(SUITES[0])[1], pair(SUITES[-1])[1]):
                self.assertRaises(PacketError, open_one, opener, wire)

    def test_lower_limit(self) -> None:
        """A stranger may send no more than its limit."""
        opener = ClearOpener(limit=100)
        self.assertEqual(open_one(opener, seal(ClearSealer(), bytes(80))), bytes(80))
        self.assertRaises(PacketError, open_one, opener, seal(ClearSealer(), bytes(110)))

    def test_padding_lies(self) -> None:
        """Padding below four bytes, or that leaves no payload, is refused."""
        for padding in (0, 3, 11, 12, 255):
            wire = (12).to_bytes(4, "big") + bytes((padding,)) + bytes(11)
            self.assertRaises(PacketError, open_one, ClearOpener(), wire)
