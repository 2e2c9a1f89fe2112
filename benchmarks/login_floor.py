"""
What the cryptography of one SSH log-in takes by itself: the calls that any server on the same library has to make, in a loop.

Usage: ``python -m benchmarks.login_floor [MILLISECONDS]``, for each of them; 100 if nothing is said. It prints microseconds a call,
the least of some repeats. `benchmarks.profile` with the suite ``logins`` says what a whole log-in takes.
"""

from __future__ import annotations

import os
import sys
import timeit
from hashlib import sha256
from typing import Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MICROSECONDS = 1e6
REPEAT = 0.002
"""Seconds of one repeat: short, so that some are disturbed by nobody."""

MESSAGE = b"m" * 200
"""About what is signed, hashed and sealed in a log-in."""
HASHES = 7
PACKETS = 15


def calls() -> Mapping[str, Callable[[], object]]:
    """What a server does for one client, by what it is."""
    theirs = X25519PrivateKey.generate().public_key().public_bytes_raw()
    ours = X25519PrivateKey.generate()
    host, user = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    known, signature = user.public_key().public_bytes_raw(), user.sign(MESSAGE)
    capsule = MLKEM768PrivateKey.generate().public_key().public_bytes_raw()
    key, nonce = os.urandom(16), os.urandom(12)
    cipher = AESGCM(key)
    return {
        "X25519: a pair of keys": lambda: X25519PrivateKey.generate().public_key().public_bytes_raw(),
        "X25519: the secret": lambda: ours.exchange(X25519PublicKey.from_public_bytes(theirs)),
        "Ed25519: sign with the host key": lambda: host.sign(MESSAGE),
        "Ed25519: verify the user's signature": lambda: Ed25519PublicKey.from_public_bytes(known).verify(
            signature, MESSAGE
        ),
        f"SHA-256: {HASHES} hashes": lambda: [sha256(MESSAGE * 4).digest() for _ in range(HASHES)],
        f"AES-GCM: two keys, {PACKETS} packets": lambda: (
            AESGCM(key),
            AESGCM(key),
            [cipher.encrypt(nonce, MESSAGE, b"head") for _ in range(PACKETS)],
        ),
        "ML-KEM 768: encapsulate": lambda: MLKEM768PublicKey.from_public_bytes(capsule).encapsulate(),
    }


def measured(milliseconds: float) -> dict[str, float]:
    """
    :param milliseconds: for each call, about, in all its repeats.
    :return: microseconds a call.
    """
    found = {}
    for name, call in calls().items():
        once = min(timeit.repeat(call, number=1, repeat=5))
        number = max(1, int(REPEAT / once))
        repeats = max(1, int(milliseconds / 1000 / REPEAT))
        found[name] = min(timeit.repeat(call, number=number, repeat=repeats)) / number * MICROSECONDS
    return found


def main() -> None:
    """Print it."""
    for name, cost in measured(float(sys.argv[1]) if len(sys.argv) > 1 else 100.0).items():
        print(f"{cost:7.1f} us  {name}")


if __name__ == "__main__":
    main()
