"""
The host keys that a config names: whether the SSH gateway can serve them. Messages never repeat a byte of a key.
"""

from __future__ import annotations

from twisted.conch.ssh.keys import EncryptedKeyError, Key

#: Bits of the smallest RSA key served (NIST SP 800-131A).
RSA_BITS_MIN = 2048

#: The kinds of keys that the gateway signs with.
SERVED = (b"ssh-ed25519", b"ssh-rsa", b"ecdsa-sha2-nistp256")

_BEGIN = "-----BEGIN "
_PRIVATE_KEY = "PRIVATE KEY-----"


def is_inline(text: str) -> bool:
    """Whether a value is a key itself, and not the path of one."""
    return _PRIVATE_KEY in text


def check_host_key(text: str) -> None:
    """
    :param text: a private key in OpenSSH or PEM form.
    :raises ValueError: it cannot be served; the message is a sentence.
    """
    if not is_inline(text):
        raise ValueError("this is no private key; give the file without .pub")
    if not text.startswith(_BEGIN):
        raise ValueError("there is text before the private key; it must start with its line -----BEGIN")
    try:
        key = Key.fromString(text.encode("utf-8"))
    except EncryptedKeyError:
        raise ValueError(
            "this key has a passphrase, and nobody is there to type it; take it off with ssh-keygen -p"
        ) from None
    except Exception:
        # Conch and cryptography raise whatever a malformed key leads to, some of it with the key in its message.
        raise ValueError("this private key cannot be read; make one with ssh-keygen -t ed25519") from None
    if key.isPublic() or key.sshType() not in SERVED:
        raise ValueError("only ed25519, RSA and ECDSA (nistp256) host keys are served")
    if key.type() == "RSA" and key.size() < RSA_BITS_MIN:
        raise ValueError(f"an RSA host key has {RSA_BITS_MIN} bits at least, and this one {key.size()}")
