"""
The choices of a key exchange: what is offered to whom, what was agreed on, which keys follow. No I/O.

Sources: RFC 4253 sections 7.1 and 7.2, RFC 8308 (extension negotiation), RFC 4419 (group exchange), RFC 3526 (groups),
OpenSSH's PROTOCOL section 1.9 (strict key exchange, CVE-2023-48795), draft-ietf-sshm-mlkem-hybrid-kex.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, Sequence

from twisted.conch.ssh import _kex
from twisted.conch.ssh.common import NS, getNS

from ngrok_twisted.transports.ssh.ciphers import CIPHERS, Suite
from ngrok_twisted.transports.ssh.framing import PROTOCOL_ERROR, PacketError
from ngrok_twisted.transports.ssh.shared_secret import AGREEMENTS

KEY_EXCHANGE_FAILED = 3

# Bytes of random numbers at the start of a KEXINIT, and of the rest of one that is remembered: what clients send who are not
# up to something.
_COOKIE = 16
_USUAL = 4096

STRICT_CLIENT = b"kex-strict-c-v00@openssh.com"
STRICT_SERVER = b"kex-strict-s-v00@openssh.com"
EXTENSIONS_CLIENT = b"ext-info-c"

# Best first. ML-KEM needs a recent cryptography; without it the rest serves. The NIST curves are left out: auditors fail
# them, and a client that has them has Curve25519 too.
_WANTED = (
    b"mlkem768x25519-sha256",
    b"curve25519-sha256",
    b"curve25519-sha256@libssh.org",
    b"diffie-hellman-group-exchange-sha256",
)
_supported = {*AGREEMENTS, *_kex.getSupportedKeyExchanges()}
KEY_EXCHANGES = tuple(name for name in _WANTED if name in _supported)

AES_GCM = (b"aes128-gcm@openssh.com", b"aes256-gcm@openssh.com")
# In the order of `CIPHERS`; the client's order decides.
ALL_CIPHERS = tuple(CIPHERS)
OTHER_CIPHERS = tuple(name for name in CIPHERS if name not in AES_GCM)
#: For both directions.
EVERY_CIPHER = (ALL_CIPHERS, ALL_CIPHERS)
MACS_OFFERED = (
    b"hmac-sha2-256-etm@openssh.com",
    b"hmac-sha2-512-etm@openssh.com",
    b"hmac-sha2-256",
    b"hmac-sha2-512",
)
COMPRESSIONS = (b"none",)

# Signatures we verify at a login, for ``server-sig-algs`` (RFC 8308 section 3.1).
SIGNATURE_ALGORITHMS = (
    b"ssh-ed25519",
    b"sk-ssh-ed25519@openssh.com",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"sk-ecdsa-sha2-nistp256@openssh.com",
    b"rsa-sha2-512",
    b"rsa-sha2-256",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """
    A KEXINIT: what one side can do, in its order of preference.

    :ivar follows: ``first_kex_packet_follows``: a guessed packet of the exchange comes next.
    """

    key_exchanges: tuple[bytes, ...]
    host_keys: tuple[bytes, ...]
    ciphers_in: tuple[bytes, ...]
    ciphers_out: tuple[bytes, ...]
    macs_in: tuple[bytes, ...]
    macs_out: tuple[bytes, ...]
    compressions_in: tuple[bytes, ...] = COMPRESSIONS
    compressions_out: tuple[bytes, ...] = COMPRESSIONS
    follows: bool = False

    @classmethod
    def parse(cls, payload: bytes) -> Proposal:
        """
        :param payload: behind the message number. *In* is from the client, *out* from the server.
        :raises PacketError: it is cut short.
        """
        lists = payload[_COOKIE:]
        return _parsed(lists) if len(lists) <= _USUAL else _parse(lists)

    @classmethod
    def of(cls, names: Sequence[tuple[bytes, ...]], follows: bool) -> Proposal:
        """:param names: the lists in the order of the message, the languages left out."""
        return cls(
            key_exchanges=names[0],
            host_keys=names[1],
            ciphers_in=names[2],
            ciphers_out=names[3],
            macs_in=names[4],
            macs_out=names[5],
            compressions_in=names[6],
            compressions_out=names[7],
            follows=follows,
        )

    def encode(self) -> bytes:
        """:return: the payload behind the message number, with a fresh cookie."""
        return os.urandom(_COOKIE) + _encoded(self)


def _parse(lists: bytes) -> Proposal:
    try:
        *names, rest = getNS(lists, 10)
    except Exception:
        raise PacketError(PROTOCOL_ERROR, "bad KEXINIT") from None
    if len(rest) != 5:
        raise PacketError(PROTOCOL_ERROR, "bad KEXINIT")
    return Proposal.of([tuple(item.split(b",")) for item in names[:8]], rest[0] != 0)


# Clients of the same version all say the same, and so do we to them.
_parsed = lru_cache(maxsize=128)(_parse)


@lru_cache(maxsize=128)
def _encoded(proposal: Proposal) -> bytes:
    lists = (
        proposal.key_exchanges,
        proposal.host_keys,
        proposal.ciphers_in,
        proposal.ciphers_out,
        proposal.macs_in,
        proposal.macs_out,
        proposal.compressions_in,
        proposal.compressions_out,
        (),
        (),
    )
    return b"".join(NS(b",".join(names)) for names in lists) + bytes((proposal.follows, 0, 0, 0, 0))


@lru_cache(maxsize=128)
def suited(
    ciphers_in: tuple[bytes, ...], ciphers_out: tuple[bytes, ...]
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """
    :param ciphers_in: those that a client lists for one direction, and ``ciphers_out`` for the other.
    :return: those to offer to it for each, where AES-GCM is preferred: see `SSHLimits.prefer_aes_gcm`.
    """
    return _suited(ciphers_in), _suited(ciphers_out)


def _suited(theirs: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return AES_GCM if set(AES_GCM) & set(theirs) else OTHER_CIPHERS


@lru_cache(maxsize=128)
def offer(host_keys: tuple[bytes, ...], ciphers_in: tuple[bytes, ...], ciphers_out: tuple[bytes, ...]) -> Proposal:
    """
    :param host_keys: the signature algorithms of our host keys, best first.
    :return: our proposal.
    """
    return Proposal(
        key_exchanges=(*KEY_EXCHANGES, STRICT_SERVER),
        host_keys=host_keys,
        ciphers_in=ciphers_in,
        ciphers_out=ciphers_out,
        macs_in=MACS_OFFERED,
        macs_out=MACS_OFFERED,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """
    What both sides can do (RFC 4253 section 7.1).

    :ivar wrong_guess: the client's guessed packet does not fit and is to be ignored.
    """

    key_exchange: bytes
    host_key: bytes
    incoming: Suite
    outgoing: Suite
    wrong_guess: bool


@lru_cache(maxsize=128)
def agree(client: Proposal, server: Proposal) -> Agreement:
    """
    :raises PacketError: there is nothing in common.
    """
    wrong = client.key_exchanges[0] != server.key_exchanges[0] or client.host_keys[0] != server.host_keys[0]
    _first("compression", client.compressions_in, server.compressions_in)
    _first("compression", client.compressions_out, server.compressions_out)
    return Agreement(
        # What stands for an extension is no key exchange (RFC 8308 section 2.2).
        key_exchange=_first("key exchange", client.key_exchanges, server.key_exchanges, (STRICT_SERVER,)),
        host_key=_first("host key", client.host_keys, server.host_keys),
        incoming=_suite(client.ciphers_in, server.ciphers_in, client.macs_in, server.macs_in),
        outgoing=_suite(client.ciphers_out, server.ciphers_out, client.macs_out, server.macs_out),
        wrong_guess=client.follows and wrong,
    )


def _suite(ciphers: Any, our_ciphers: Any, macs: Any, our_macs: Any) -> Suite:
    cipher = _first("cipher", ciphers, our_ciphers)
    return Suite(cipher, b"" if CIPHERS[cipher].aead else _first("MAC", macs, our_macs))


def _first(what: str, theirs: Sequence[bytes], ours: Sequence[bytes], never: Sequence[bytes] = ()) -> bytes:
    for name in theirs:
        if name in ours and name not in never:
            return name
    raise PacketError(KEY_EXCHANGE_FAILED, f"no common {what}")


def key_material(key_exchange: bytes, secret: bytes, exchange_hash: bytes, session_id: bytes) -> Callable[..., bytes]:
    """
    :param secret: the shared secret as it went into the hash: an mpint or a string.
    :return: ``derive(letter, size)`` of RFC 4253 section 7.2.
    """
    make = _kex.getHashProcessor(key_exchange)
    start = secret + exchange_hash

    def derive(letter: bytes, size: int) -> bytes:
        key = make(start + letter + session_id).digest()
        while len(key) < size:
            key += make(start + key).digest()
        return key[:size]

    return derive


# Bits of the groups served for a group exchange. 2048 and less are refused: they give 112 bits of strength or less.
GROUP_SIZES = (3072, 4096)

# RFC 3526: p = 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + k); the k of sections 4 and 5.
_GROUP_OFFSETS = {3072: 1690314, 4096: 240904}
GENERATOR = 2


@lru_cache(maxsize=None)
def group_prime(bits: int) -> int:
    """:return: the MODP prime of RFC 3526 with so many bits."""
    return (1 << bits) - (1 << bits - 64) - 1 + (1 << 64) * (_pi(bits - 130) + _GROUP_OFFSETS[bits])


def choose_group(smallest: int, ideal: int, largest: int) -> int:
    """
    :return: the bits of the group to serve, RFC 4419 section 3.
    :raises PacketError: none of ours is within the client's bounds.
    """
    fitting = [bits for bits in GROUP_SIZES if smallest <= bits <= largest]
    if not fitting or not smallest <= ideal <= largest:
        raise PacketError(KEY_EXCHANGE_FAILED, "no group of a size that both sides accept")
    return next((bits for bits in fitting if bits >= ideal), fitting[-1])


def _pi(bits: int) -> int:
    """:return: floor(2^bits * pi), by Machin's formula with 64 guard bits."""
    one = 1 << bits + 64

    def arctan_of_inverse(x: int) -> int:
        term = total = one // x
        divisor, sign = 1, 1
        while term:
            term //= x * x
            divisor += 2
            sign = -sign
            total += sign * (term // divisor)
        return total

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)) >> 64
