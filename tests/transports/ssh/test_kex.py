"""Tests of `ngrok_twisted.transports.ssh.kex`."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh import kex
from ngrok_twisted.transports.ssh.ciphers import Suite
from ngrok_twisted.transports.ssh.framing import PacketError
from ngrok_twisted.transports.ssh.kex import Proposal, agree, offer, suited

GCM = b"aes128-gcm@openssh.com"
CHACHA = b"chacha20-poly1305@openssh.com"


def proposal(ciphers: tuple[bytes, ...] = (CHACHA, b"aes128-ctr", GCM), **changes: Any) -> Proposal:
    """What OpenSSH 9.2 might say."""
    values: dict[str, Any] = dict(
        key_exchanges=(b"sntrup761x25519-sha512@openssh.com", b"curve25519-sha256", b"ext-info-c"),
        host_keys=(b"ssh-ed25519",),
        ciphers_in=ciphers,
        ciphers_out=ciphers,
        macs_in=(b"umac-64-etm@openssh.com", b"hmac-sha2-256"),
        macs_out=(b"umac-64-etm@openssh.com", b"hmac-sha2-256"),
    )
    values.update(changes)
    return Proposal(**values)


class ProposalTests(SynchronousTestCase):
    """KEXINIT as bytes."""

    def test_round_trip(self) -> None:
        """What is encoded is parsed."""
        self.assertEqual(Proposal.parse(proposal().encode()), proposal())

    def test_cut_short(self) -> None:
        """A proposal of any other length is refused."""
        whole = proposal().encode()
        for data in (b"", whole[:-1], whole[:40], whole + b"\0"):
            self.assertRaises(PacketError, Proposal.parse, data)


class AgreementTests(SynchronousTestCase):
    """Who gets what."""

    def agreed(self, client: Proposal) -> kex.Agreement:
        """With our offer to this client."""
        return agree(client, offer((b"ssh-ed25519",), *suited(client.ciphers_in, client.ciphers_out)))

    def test_gcm_for_those_who_have_it(self) -> None:
        """A client that prefers chacha20 and lists AES-GCM gets AES-GCM, and needs no MAC."""
        agreement = self.agreed(proposal())
        self.assertEqual(agreement.incoming, Suite(GCM))
        self.assertEqual(agreement.outgoing, Suite(GCM))
        self.assertEqual(agreement.key_exchange, b"curve25519-sha256")

    def test_others_by_their_order(self) -> None:
        """A client without AES-GCM gets its first choice of the rest."""
        self.assertEqual(self.agreed(proposal((CHACHA, b"aes128-ctr"))).incoming, Suite(CHACHA))
        self.assertEqual(
            self.agreed(proposal((b"aes128-ctr", CHACHA))).incoming, Suite(b"aes128-ctr", b"hmac-sha2-256")
        )

    def test_nothing_in_common(self) -> None:
        """Without a common algorithm of any sort there is no connection."""
        for changes in (
            {"key_exchanges": (b"diffie-hellman-group1-sha1",)},
            {"key_exchanges": (kex.STRICT_SERVER,)},
            {"host_keys": (b"ssh-dss",)},
            {"macs_in": (b"hmac-md5",)},
            {"compressions_in": (b"zlib",)},
        ):
            self.assertRaises(PacketError, self.agreed, proposal((b"aes128-ctr",), **changes))
        self.assertRaises(PacketError, self.agreed, proposal((b"aes128-cbc", b"3des-cbc")))

    def test_wrong_guess(self) -> None:
        """A guessed packet counts as wrong when the first choices differ."""
        self.assertFalse(self.agreed(proposal()).wrong_guess)
        self.assertTrue(self.agreed(proposal(follows=True)).wrong_guess)
        right = proposal(follows=True, key_exchanges=(kex.KEY_EXCHANGES[0], b"curve25519-sha256"))
        self.assertFalse(self.agreed(right).wrong_guess)

    def test_no_sha1_no_nist(self) -> None:
        """Nothing that ssh-audit fails is on offer."""
        names = b" ".join((*kex.KEY_EXCHANGES, *kex.ALL_CIPHERS, *kex.MACS_OFFERED))
        for bad in (b"sha1", b"md5", b"cbc", b"nistp", b"group1"):
            self.assertNotIn(bad, names)


class KeyMaterialTests(SynchronousTestCase):
    """RFC 4253 section 7.2."""

    def test_extension(self) -> None:
        """More than a digest is made by hashing on."""
        derive = kex.key_material(b"curve25519-sha256", b"K", b"H", b"S")
        first = sha256(b"KHCS").digest()
        self.assertEqual(derive(b"C", 16), first[:16])
        self.assertEqual(derive(b"C", 64), first + sha256(b"KH" + first).digest())


class GroupTests(SynchronousTestCase):
    """RFC 4419."""

    def test_primes(self) -> None:
        """The groups are those of RFC 3526: safe primes with its first and last bits."""
        for bits in kex.GROUP_SIZES:
            prime = kex.group_prime(bits)
            self.assertEqual(prime.bit_length(), bits)
            self.assertTrue(hex(prime).startswith("0xffffffffffffffffc90fdaa22168c234"))
            for number in (prime, (prime - 1) // 2):
                self.assertEqual(pow(3, number - 1, number), 1)

    def test_choice(self) -> None:
        """The smallest group that is large enough; else the largest within the bounds."""
        self.assertEqual(kex.choose_group(2048, 3072, 8192), 3072)
        self.assertEqual(kex.choose_group(2048, 2048, 8192), 3072)
        self.assertEqual(kex.choose_group(2048, 8192, 8192), 4096)
        self.assertEqual(kex.choose_group(3072, 4000, 4096), 4096)

    def test_refused(self) -> None:
        """Weak groups are not served, nor are contradictory wishes."""
        for wish in ((1024, 1024, 2048), (512, 1024, 1536), (8192, 8192, 8192), (4096, 3072, 8192)):
            self.assertRaises(PacketError, kex.choose_group, *wish)
