"""
`Keyring`: what seals secrets at rest. The keys are in a file of the state directory that only its owner can read, so that
a copy of the database alone gives no secret away.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce for each text. A sealed text is bound to the record it belongs to:
moved to another record it does not open.
"""

from __future__ import annotations

import base64
import os
from typing import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.python.filepath import FilePath

from ngrok_twisted.control.durable import create_private
from ngrok_twisted.errors import StoreUnusable

#: What sealed texts start with: the version of the format.
MARK = "sealed:1:"

_KEY_BYTES = 32
_NONCE_BYTES = 12
_NAME = "keyring"
_FORMAT = "ngrok_twisted-keyring-1"


class Keyring:
    """
    Seals and opens short texts.
    """

    def __init__(self, key: bytes, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        """
        :param key: 32 bytes.
        :param random_bytes: gives that many unguessable bytes.
        """
        self._cipher = AESGCM(key)
        self._random_bytes = random_bytes

    def seal(self, text: str, place: str) -> str:
        """
        :param place: what the text belongs to, such as ``tls_certificates/cert_2ab``; needed again to open it.
        """
        nonce = self._random_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, text.encode("utf-8", "surrogatepass"), place.encode("utf-8"))
        return MARK + base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, sealed: str, place: str) -> str:
        """
        :raises StoreUnusable: it was changed, moved, or sealed with another key.
        """
        try:
            if not sealed.startswith(MARK):
                raise ValueError("no mark")
            raw = base64.b64decode(sealed[len(MARK) :], validate=True)
            text = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode("utf-8"))
        except (ValueError, InvalidTag):
            raise StoreUnusable(
                f"a secret of {place} does not open with the key in the file '{_NAME}' of the state directory: either the "
                "file belongs to another database, or the database was tampered with; restore both from one backup"
            ) from None
        return text.decode("utf-8", "surrogatepass")


def open_keyring(state: FilePath[str], create: bool = True, name: str = _NAME) -> Keyring:
    """
    Read a keyring of the state directory, and make one where there is none.

    :param name: its file; without it the one that belongs to the database.
    :param create: whether one may be made; not where sealed secrets exist already.
    :raises StoreUnusable: the file is unreadable, or missing and must not be made.
    """
    file = state.child(name)
    try:
        if create and not file.exists():
            key = base64.b64encode(os.urandom(_KEY_BYTES)).decode("ascii")
            create_private(file.path, f"{_FORMAT} {key}\n".encode("ascii"))
        form, _, key = file.getContent().decode("ascii").strip().partition(" ")
        raw = base64.b64decode(key, validate=True)
    except (OSError, ValueError) as error:
        raise StoreUnusable(f"the keyring {file.path} cannot be read: {error}") from None
    if form != _FORMAT or len(raw) != _KEY_BYTES:
        raise StoreUnusable(f"the keyring {file.path} is not one of ours; restore it from a backup")
    return Keyring(raw)
