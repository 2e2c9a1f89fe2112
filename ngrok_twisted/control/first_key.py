"""
The API key of a server without a config file: made at its first start, and kept in the state directory, where only the user
who runs the server can read it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from ngrok_twisted.control.durable import create_private
from ngrok_twisted.errors import StoreUnusable
from ngrok_twisted.iam.tokens import declared_hash, new_token
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.ids import declared_id

#: The file in the state directory.
FILE = "api-key"

#: What a config would call the key; its id follows from that.
NAME = "first"

#: Bytes of the file that are read: more than the longest token.
_MOST = 1024


def first_key_id() -> str:
    """The id of the key's record, which is the same on every server."""
    return declared_id(APIKey.prefix, APIKey.family, NAME)


def make_first_key(state: Path, random_bytes: Callable[[int], bytes]) -> str:
    """
    Make the key, unless there is one.

    :param state: the state directory, which is there.
    :param random_bytes: gives that many unguessable bytes.
    :return: its token.
    :raises StoreUnusable: the file cannot be written or read, or holds no token.
    """
    token, _ = new_token(first_key_id(), random_bytes)
    try:
        create_private(str(state / FILE), token.encode("ascii") + b"\n")
    except FileExistsError:
        return _kept(state)
    except OSError as error:
        raise StoreUnusable(f"the API key {state / FILE} cannot be written: {error.strerror}") from None
    return token


def _kept(state: Path) -> str:
    try:
        return read_first_key(state)
    except ValueError as error:
        raise StoreUnusable(str(error)) from None


def read_first_key(state: Path) -> str:
    """
    :return: the token; empty if none was made yet.
    :raises ValueError: the file cannot be read, or holds no token; the message is a sentence that names it.
    """
    file = state / FILE
    try:
        with open(file, "rb") as opened:
            token = opened.read(_MOST).decode("ascii").strip()
        declared_hash(token)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ValueError(f"the API key {file} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{file} holds no API key; remove it, and the next start makes another one") from None
    return token
