"""
The keys of SSH certificates: those that authorities sign with, and those that may be certified.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from typing import Any, Mapping

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ngrok_twisted.iam.ssh_keys import RSA_BITS_MIN, read_public_key

#: The types of keys, as ngrok's API calls them.
RSA, ECDSA, ED25519 = "rsa", "ecdsa", "ed25519"
KEY_TYPES = (RSA, ECDSA, ED25519)

#: What RSA keys can be made of, in bits; and the elliptic curves of ECDSA keys. The first is the default.
RSA_SIZES = (2048, 4096)
CURVES: Mapping[str, ec.EllipticCurve] = {
    "nistp256": ec.SECP256R1(),
    "nistp384": ec.SECP384R1(),
    "nistp521": ec.SECP521R1(),
}

#: The first word of a public key's line, to the type of the key: those that can be certified.
_CERTIFIED = {"ssh-rsa": RSA, "ssh-ed25519": ED25519, **{f"ecdsa-sha2-{curve}": ECDSA for curve in CURVES}}


class NotCertifiable(ValueError):
    """A key of a type that gets no certificate; the message is a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityKey:
    """
    What is known of an authority's private key.

    :ivar public_key: ``<type> <base64>``.
    :ivar key_type: one of `KEY_TYPES`.
    """

    public_key: str
    key_type: str


def make_key(key_type: str, curve: str = "", size: int = 0) -> str:
    """
    A new private key. A large RSA key takes seconds of CPU.

    :param key_type: one of `KEY_TYPES`.
    :param curve: of `CURVES`; the first one if empty.
    :param size: of `RSA_SIZES`; the first one if 0.
    :return: in OpenSSH's PEM form.
    """
    if key_type == RSA:
        return _written(rsa.generate_private_key(65537, size or RSA_SIZES[0]))
    if key_type == ECDSA:
        return _written(ec.generate_private_key(CURVES[curve or next(iter(CURVES))]))
    return _written(ed25519.Ed25519PrivateKey.generate())


def read_private_key(text: str) -> AuthorityKey:
    """
    :param text: a private key in OpenSSH's or PEM form.
    :raises ValueError: an authority cannot sign with it; the message is a sentence without a byte of the key.
    """
    key = load_private_key(text)
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < RSA_BITS_MIN:
            raise ValueError(f"an authority's RSA key has {RSA_BITS_MIN} bits at least, and this one {key.key_size}")
        key_type = RSA
    elif isinstance(key, ec.EllipticCurvePrivateKey) and any(isinstance(key.curve, type(c)) for c in CURVES.values()):
        key_type = ECDSA
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        key_type = ED25519
    else:
        raise ValueError(f"an authority's key is {RSA}, {ED25519}, or {ECDSA} on one of {', '.join(CURVES)}")
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return AuthorityKey(public_key=public.decode("ascii"), key_type=key_type)


def load_private_key(text: str) -> Any:
    """
    :param text: a private key in OpenSSH's or PEM form.
    :return: what ``cryptography`` makes of it.
    :raises ValueError: it cannot be read; the message is a sentence without a byte of the key.
    """
    data = text.strip().encode("utf-8") + b"\n"
    load: Any = serialization.load_pem_private_key
    if data.startswith(b"-----BEGIN OPENSSH"):
        load = serialization.load_ssh_private_key
    try:
        return load(data, None)
    except TypeError:
        raise ValueError("this key has a passphrase, and nobody is there to type it") from None
    except Exception:
        # What cryptography raises may hold a part of what it read.
        raise ValueError("this private key cannot be read; make one with ssh-keygen -t ed25519") from None


def certifiable(line: str) -> str:
    """
    :param line: a public key as it stands in ``authorized_keys``, possibly with a comment.
    :return: its type, one of `KEY_TYPES`.
    :raises NotCertifiable: it is a security key, a certificate, or another key that gets no certificate.
    :raises ValueError: it cannot be read; the message is a sentence.
    """
    words = line.split(None, 2)
    if len(line.strip().splitlines()) != 1 or len(words) < 2:
        raise ValueError("a public key is one line: its type, then base64")
    key_type = _CERTIFIED.get(words[0])
    if key_type is None and _names_itself(words):
        raise NotCertifiable(
            f"a key of the type {words[0][:60]} cannot be certified; use one of {', '.join(KEY_TYPES)}"
        )
    read_public_key(line)
    assert key_type is not None, "what is no type of a key cannot be read"
    return key_type


def _names_itself(words: list[str]) -> bool:
    """Whether the first word is the type that the base64 behind it begins with."""
    try:
        blob = b64decode(words[1], validate=True)
    except ValueError:
        return False
    name = words[0].encode("utf-8", "replace")
    return blob.startswith(len(name).to_bytes(4, "big") + name)


def _written(key: Any) -> str:
    form = serialization.PrivateFormat.OpenSSH
    data: bytes = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return data.decode("ascii")
