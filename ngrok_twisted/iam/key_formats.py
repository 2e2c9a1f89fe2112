"""
The ways to write an SSH public key down: the line of an ``authorized_keys`` file, RFC 4716, and PEM.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from ngrok_twisted.iam.ssh_keys import BLOB_MAX

#: Characters of a key however it is written: base64 takes four for three bytes, and headers and comments come on top.
TEXT_MAX = 4 * BLOB_MAX

_RFC4716_BEGIN, _RFC4716_END = "---- BEGIN SSH2 PUBLIC KEY ----", "---- END SSH2 PUBLIC KEY ----"
_HEADER = re.compile(r"[!-9;-~]{1,64}:")


def one_line(text: str) -> str:
    """
    :param text: a public key however it is written.
    :return: the same as one line: type, base64, and possibly a comment. A line comes back as it was, key or not.
    :raises ValueError: it cannot be a public key; the message is a sentence that repeats nothing of it.
    """
    if len(text) > TEXT_MAX:
        raise ValueError("The public key is too long.")
    text = text.strip()
    if "PRIVATE KEY" in text:
        raise ValueError(
            "This is a private key, which nobody else should see. The public one is in the file ending in .pub."
        )
    if text.startswith(_RFC4716_BEGIN):
        return _from_rfc4716(text)
    if text.startswith("-----BEGIN"):
        return _from_pem(text)
    if "\n" in text or "\r" in text:
        raise ValueError("A public key is one line, and these are several.")
    return text


def _from_rfc4716(text: str) -> str:
    """RFC 4716 section 3: headers, which may go on in the next line after a backslash, then base64."""
    lines = text.splitlines()
    if lines[-1].strip() != _RFC4716_END:
        raise ValueError(f"The public key does not end in '{_RFC4716_END}'.")
    comment, base64, is_header = "", [], False
    for line in lines[1:-1]:
        if is_header or _HEADER.match(line):
            if line.lower().startswith("comment:"):
                comment = line.partition(":")[2].strip().strip('"')
            is_header = line.endswith("\\")
        else:
            base64.append(line.strip())
    joined = "".join(base64)
    try:
        blob = b64decode(joined, validate=True)
    except (Base64Error, ValueError):
        raise ValueError("The public key is not base64.") from None
    key_type = blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii", "replace")
    return f"{key_type} {joined} {comment}".strip()


def _from_pem(text: str) -> str:
    try:
        key = load_pem_public_key(text.encode("ascii"))
        return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
    except Exception:
        # The library raises whatever a malformed or foreign key leads to.
        raise ValueError("The PEM is not a public key that SSH can use.") from None
