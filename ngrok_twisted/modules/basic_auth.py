"""
``basic_auth``: only visitors who know a user name and its password pass (RFC 7617).

ngrok has it for the endpoints of agents; here it also stands on routes.

A name and its password are compared as one, by their digests, with every pair there is: how long that takes tells nothing
about either. ``Authorization`` goes on to the service, which may want to know who is there.
"""

from __future__ import annotations

import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import Annotated, Any, Iterable, Iterator, Mapping
from unicodedata import normalize

from zope.interface import implementer, provider

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.interfaces import IHTTPModule, IModuleKind
from ngrok_twisted.marks import EXTERNAL
from ngrok_twisted.module import ModuleContext
from ngrok_twisted.records.base import Problem
from ngrok_twisted.wrapper import Answer, Guard, Phase

#: Where a flow keeps what was decided, and the name that was presented.
DECISION, USERNAME = "basic_auth.decision", "basic_auth.username"

#: Pairs of one module, and bounds in characters (specification of edges, section 7.5; of SSH, section 5.2).
CREDENTIALS_MAX = 10
PASSWORD_MIN, PASSWORD_MAX = 8, 128
USERNAME_MAX = 255

# The longest pair there can be, in bytes of UTF-8 as Base64; longer ones are not looked at.
_PRESENTED_MAX = (4 * (USERNAME_MAX + 1 + PASSWORD_MAX) + 2) // 3 * 4

# ngrok's numbers: a name that is empty, a password that is too short or long; either with what RFC 7617 rules out.
_NO_NAME, _BAD_LENGTH, _BAD_NAME, _BAD_PASSWORD = 359, 360, 2257, 2258

# Control characters, and halves of characters.
_UNSPEAKABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_REFUSAL = Answer(
    401,
    [(b"WWW-Authenticate", b'Basic realm="ngrok"'), (b"Content-Type", b"text/plain; charset=utf-8")],
    b"This address asks for a user name and a password.\n",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """
    :ivar username: 1 to 255 characters without a colon.
    :ivar password: 8 to 128 characters. It is never shown again.
    """

    username: str
    password: Annotated[str, EXTERNAL] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuthConfig:
    """
    A visitor who knows any of the pairs passes.

    :ivar credentials: 1 to 10 user names with their passwords; a name may stand there with several.
    """

    credentials: tuple[Credential, ...]

    def __post_init__(self) -> None:
        """
        :raises InvalidConfig: with everything that is wrong with the pairs.
        """
        found = [*_count_problems(len(self.credentials))]
        for number, credential in enumerate(self.credentials[:CREDENTIALS_MAX]):
            path = f"credentials[{number}]"
            found += _name_problems(f"{path}.username", credential.username)
            found += _password_problems(f"{path}.password", credential.password)
        if found:
            raise InvalidConfig(found)


def _count_problems(count: int) -> Iterator[Problem]:
    if not count:
        yield Problem("credentials", "needs at least one user name and password, or nobody could come in")
    if count > CREDENTIALS_MAX:
        yield Problem("credentials", f"has more than {CREDENTIALS_MAX} pairs")


def _name_problems(path: str, name: str) -> Iterator[Problem]:
    if not name:
        yield Problem(path, "must not be empty", code=_NO_NAME)
    if len(name) > USERNAME_MAX:
        yield Problem(path, f"is longer than {USERNAME_MAX} characters", code=_BAD_NAME)
    if ":" in name or _UNSPEAKABLE.search(name):
        yield Problem(path, "must be text without a colon and without control characters", code=_BAD_NAME)


def _password_problems(path: str, password: str) -> Iterator[Problem]:
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        yield Problem(path, f"must have {PASSWORD_MIN} to {PASSWORD_MAX} characters", code=_BAD_LENGTH)
    if _UNSPEAKABLE.search(password):
        yield Problem(path, "must be text without control characters", code=_BAD_PASSWORD)


def from_flags(flags: Mapping[str, Any]) -> BasicAuthConfig:
    """
    The settings that an agent's flags mean.

    :param flags: ``basic-auth``: texts of the form ``user:password``; the first colon ends the name.
    :raises InvalidConfig: 359, 360, 2257 or 2258: one of them cannot be used. The message repeats none of them.
    """
    pairs = [text.partition(":") for text in flags["basic-auth"]]
    return BasicAuthConfig(
        credentials=tuple(Credential(username=name, password=password) for name, _, password in pairs)
    )


@provider(IModuleKind)
@implementer(IHTTPModule)
class BasicAuth:
    """
    Asks visitors for a user name and a password. Without the right ones they are answered 401.
    """

    name = "basic_auth"
    Config = BasicAuthConfig
    needs_termination = True
    phase = Phase.AUTHENTICATE
    attaches = frozenset({"route"})
    from_flags = staticmethod(from_flags)

    def __init__(self, config: BasicAuthConfig, context: ModuleContext) -> None:
        self._digests = tuple(
            _digest(f"{credential.username}:{credential.password}".encode()) for credential in config.credentials
        )

    def wrap_resource(self, inner: Any) -> Guard:
        """IHTTPModule."""
        return Guard(inner, self._admit)

    def _admit(self, request: Any) -> Answer | None:
        presented = _presented(request.fields)
        known = presented is not None and self._is_known(presented)
        request.flow.remember(DECISION, "allow" if known else "block")
        if presented is not None:
            request.flow.remember(USERNAME, _username(presented))
        return None if known else _REFUSAL

    def _is_known(self, presented: bytes) -> bool:
        """Compare with every pair, whatever the others say."""
        digest, known = _digest(presented), False
        for expected in self._digests:
            known |= compare_digest(digest, expected)
        return known


def _presented(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The name and password in a request, with the colon between; ``None`` where there is none, or more than one."""
    found = [value for name, value in headers if len(name) == 13 and name.lower() == b"authorization"]
    if len(found) != 1 or len(found[0]) > _PRESENTED_MAX + 64:
        return None
    scheme, _, encoded = found[0].partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        decoded = a2b_base64(encoded.strip(b" \t"), strict_mode=True)
    except NotBase64:
        return None
    return decoded if b":" in decoded else None


def _digest(pair: bytes) -> bytes:
    """Of a name and password in UTF-8. The same text can be written in several ways; they count as one (section 2.1)."""
    if not pair.isascii():
        try:
            pair = normalize("NFC", pair.decode("utf-8")).encode("utf-8")
        except UnicodeDecodeError:
            pass  # it is no text, and nobody's
    return sha256(pair).digest()


def _username(presented: bytes) -> str:
    name = presented.partition(b":")[0].decode("utf-8", "replace")[:USERNAME_MAX]
    if name.isprintable():
        return name
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name)
