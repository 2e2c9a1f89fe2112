"""
Reading ``authorized_keys`` files (sshd(8), "AUTHORIZED_KEYS FILE FORMAT").

A line with options is passed over: its ``from=`` or ``permitlisten=`` would silently not hold here.
"""

from __future__ import annotations

from base64 import b64encode

from ngrok_twisted.control.config import AuthorizedKey
from ngrok_twisted.iam.ssh_keys import SIGNATURES, read_public_key

_TYPES = frozenset(name.decode("ascii") for name in SIGNATURES)


def canonical(line: str) -> tuple[str, str]:
    """
    :param line: ``<type> <base64> [comment]``.
    :return: ``<type> <base64>`` in its only proper form, and the comment.
    :raises ValueError: it is no acceptable public key; the message is a sentence.
    """
    parts = line.split(None, 2)
    if parts and parts[0] not in _TYPES and _TYPES.intersection(line.split()):
        raise ValueError("The line has options before the key, which are not supported.")
    blob = read_public_key(line)
    comment = parts[2].strip() if len(parts) > 2 else ""
    return f"{parts[0]} {b64encode(blob).decode('ascii')}", comment


def read_authorized_keys(text: str, file: str) -> tuple[list[AuthorizedKey], list[str]]:
    """
    :param text: the content of the file.
    :param file: its name, for messages.
    :return: the keys that may connect, and a warning for each line that was passed over.
    """
    keys, warnings = [], []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            key, comment = canonical(line)
        except ValueError as error:
            warnings.append(f"{file}:{number}: this key may not connect: {error}")
        else:
            keys.append(AuthorizedKey(public_key=key, comment=comment, source=f"{file}:{number}"))
    return keys, warnings
