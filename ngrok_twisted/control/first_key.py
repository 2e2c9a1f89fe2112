"""
What lets somebody in at a server without a config file: an API key and an authtoken, made at its first start, and kept in
the state directory, where only the user who runs the server can read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ngrok_twisted.control.durable import create_private
from ngrok_twisted.errors import StoreUnusable
from ngrok_twisted.iam.tokens import declared_hash, new_token
from ngrok_twisted.records.api_key import APIKey
from ngrok_twisted.records.credential import Credential
from ngrok_twisted.records.ids import declared_id

#: What a config would call the records; their ids follow from that.
NAME = "first"

#: Bytes of a file that are read: more than the longest token.
_MOST = 1024


@dataclass(frozen=True, slots=True)
class First:
    """
    One kind of token.

    :ivar file: its file in the state directory.
    :ivar cls: the class of its record.
    :ivar noun: what it is, for sentences.
    """

    file: str
    cls: type[APIKey] | type[Credential]
    noun: str

    @property
    def id(self) -> str:
        """The id of its record, which is the same on every server."""
        return declared_id(self.cls.prefix, self.cls.family, NAME)

    def make(self, state: Path, random_bytes: Callable[[int], bytes]) -> str:
        """
        Make the token, unless there is one.

        :param state: the state directory, which is there.
        :param random_bytes: gives that many unguessable bytes.
        :raises StoreUnusable: the file cannot be written or read, or holds no token.
        """
        token, _ = new_token(self.id, random_bytes)
        try:
            create_private(str(state / self.file), token.encode("ascii") + b"\n")
        except FileExistsError:
            return self._kept(state)
        except OSError as error:
            raise StoreUnusable(f"the {self.noun} {state / self.file} cannot be written: {error.strerror}") from None
        return token

    def _kept(self, state: Path) -> str:
        try:
            return self.read(state)
        except ValueError as error:
            raise StoreUnusable(str(error)) from None

    def read(self, state: Path) -> str:
        """
        :return: the token; empty if none was made yet.
        :raises ValueError: the file cannot be read, or holds no token; the message is a sentence that names it.
        """
        file = state / self.file
        try:
            with open(file, "rb") as opened:
                token = opened.read(_MOST).decode("ascii").strip()
            declared_hash(token)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise ValueError(f"the {self.noun} {file} cannot be read: {error.strerror}") from None
        except ValueError:
            raise ValueError(f"{file} holds no {self.noun}; remove it, and the next start makes another one") from None
        return token


#: For the management API.
API_KEY = First("api-key", APIKey, "API key")

#: For agents and SDKs.
AUTHTOKEN = First("authtoken", Credential, "authtoken")

#: All of them.
FIRSTS = (API_KEY, AUTHTOKEN)
