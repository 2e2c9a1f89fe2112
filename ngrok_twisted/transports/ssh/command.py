"""
The command language of the SSH gateway: what a user types behind the host name, such as
``http --domain app.example.com --qr``.

Pure: bytes in, `Command` values out, or a `Refused` whose message tells the user what to type instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Collection, Iterable, Iterator, Mapping

from ngrok_twisted.errors import Refused
from ngrok_twisted.transports.ssh.flags import (
    BY_NAME,
    INFORMING,
    PUBLISHING,
    RENAMED,
    SYNONYMS,
    Flag,
    Kind,
)
from ngrok_twisted.transports.ssh.values import boolean
from ngrok_twisted.transports.ssh.words import PARSE_ERROR, Word, decode, split

UNKNOWN_VERSION = 1106
NO_COMMAND = 1107
UNKNOWN_COMMAND = 1108
UNSUPPORTED_FLAG = 1109

LATEST = 2
_VERSIONS = (1, 2)
_VERSION_NAME = re.compile(rb"v([0-9]{1,9})(?:\+.*)?", re.IGNORECASE | re.DOTALL)

#: What names a local service: a port, ``host:port`` or a URL. It is the client's business and ignored here.
_LOCAL_SERVICE = re.compile(r"\d{1,5}|localhost|(?:[\w.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}|[a-z]+://\S+", re.ASCII)

#: The words of sish, another SSH tunnel server, and the flags that do the same here.
_SISH = {
    "proxy-protocol": "upstream-proxy-protocol",
    "proxyproto": "upstream-proxy-protocol",
    "host-header": "host-header",
    "force-https": "force-https",
    "deadline": "expires",
}

#: Characters of a user's own word that an error message repeats.
_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """
    One command.

    :ivar verb: ``http``, ``tls``, ``tcp``, ``tunnel``, ``help``, ``version``, ``whoami``, ``status``; empty when the
        port of the forward decides.
    :ivar options: flag names to their values: ``str``, ``bool``, ``float``, `Expiry`, or a tuple of them for lists.
    :ivar version: of the language.
    :ivar topic: the command that help is wanted for.
    :ivar notices: sentences to show the user before anything else.
    """

    verb: str = ""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    version: int = LATEST
    topic: str = ""
    notices: tuple[str, ...] = ()

    @property
    def informs(self) -> bool:
        """It only tells something, and publishes nothing."""
        return self.verb in INFORMING

    @property
    def names_one(self) -> bool:
        """It says which name or address to publish, so it fits one forward only."""
        return any(flag.names for flag in map(BY_NAME.__getitem__, self.options))


#: What a client without a command asks for.
IMPLIED = Command()


def language_version(username: bytes) -> int:
    """
    The user name chooses the version of the language, and nothing else.

    :raises Refused: 1106: it has the form of a version, and there is none such.
    """
    match = _VERSION_NAME.fullmatch(username)
    if match is None:
        return LATEST
    version = int(match[1])
    if version not in _VERSIONS:
        raise Refused(
            UNKNOWN_VERSION, f"There is no version v{version} of the command language. The latest is v{LATEST}."
        )
    return version


def parse(
    command: bytes, version: int = LATEST, modules: Collection[str] = (), required: bool = False
) -> tuple[Command, ...]:
    """
    Parse what an ``exec`` request carries.

    :param version: of the language, see `language_version`.
    :param modules: the names of the module kinds of this server.
    :param required: each must say what it is; the port does not.
    :return: one command or more, in the order of the forwards they are for; `IMPLIED` for an empty command.
    :raises Refused: 1107, 1108, 1109, 1110 and the codes of single values.
    """
    plan = tuple(_plan(split(decode(command)), version, modules))
    if required and not all(part.verb for part in plan):
        raise Refused(NO_COMMAND, "A command is required here. Add one behind the host, such as http or tcp.")
    return plan


def _plan(words: list[Word], version: int, modules: Collection[str]) -> Iterator[Command]:
    if not words:
        yield Command(version=version)
    elif "=" in words[0].text and not words[0].text.startswith("-"):
        yield _Parser(version, modules).parse_sish(words)
    else:
        for part in _parts(words):
            yield _Parser(version, modules).parse(part)


def check_fits(command: Command, verb: str) -> None:
    """
    Check the flags of a command without a verb once the port has decided which it is.

    :raises Refused: 1110: a flag does not go with it.
    """
    for name in command.options:
        _check_verb(BY_NAME[name], name, verb)


def _parts(words: list[Word]) -> Iterable[list[Word]]:
    part: list[Word] = []
    parts = [part]
    for word in words:
        if word.bare and word.text == "+":
            part = []
            parts.append(part)
        else:
            part.append(word)
    if not all(parts):
        raise Refused(PARSE_ERROR, "A command is missing beside a + sign.")
    return parts


class _Parser:
    """Parses one command."""

    def __init__(self, version: int, modules: Collection[str]) -> None:
        self._version = version
        self._modules = modules
        self._verb = ""
        self._typed: list[tuple[Flag, str, str]] = []
        self._notices: list[str] = []
        self._repairs = False
        self._had_local = False

    def parse(self, words: list[Word]) -> Command:
        rest = iter(words)
        if not words[0].text.startswith("-"):
            self._verb = _verb(next(rest).text)
        if self._verb == "help":
            topic = next(rest, None)
            return Command(verb="help", topic=_verb(topic.text) if topic else "", version=self._version)
        for word in rest:
            if word.text == "--":
                break
            if word.text.startswith("-") and len(word.text) > 1:
                if self._flag(word, rest) == "help":
                    return Command(verb="help", topic=self._verb, version=self._version)
            else:
                self._stray(word)
        return self._command()

    def parse_sish(self, words: list[Word]) -> Command:
        for word in words:
            key, equals, value = word.text.partition("=")
            if key == "sni-proxy" and equals:
                self._verb = "tls" if value.lower() == "true" else self._verb
            elif key in _SISH and equals:
                self._typed.append((BY_NAME[_SISH[key]], key, value))
            else:
                self._notices.append(f"'{shown(word.text)}' has no meaning here and is ignored.")
        return self._command()

    def _flag(self, word: Word, rest: Iterable[Word]) -> str:
        name, equals, value = word.text.lstrip("-").partition("=")
        flag = self._find(name, word)
        if flag.kind is Kind.BOOL:
            self._typed.append((flag, name, value if equals else "true"))
        else:
            following = None if equals else next(iter(rest), None)
            if not equals and following is None:
                raise Refused(PARSE_ERROR, f"The flag --{name} at position {word.position} needs a value.")
            self._typed.append((flag, name, value if following is None else following.text))
        self._repairs = flag.kind is not Kind.BOOL
        return flag.name

    def _find(self, name: str, word: Word) -> Flag:
        flag = BY_NAME.get(name)
        if flag is None or (flag.only_v1 and self._version != 1):
            raise Refused(
                PARSE_ERROR,
                f"The flag {shown(word.text.partition('=')[0])} at position {word.position} is unknown.{_hint(name)}",
            )
        if flag.impossible:
            raise Refused(UNSUPPORTED_FLAG, f"The flag --{name} is not supported over SSH: {flag.impossible}.")
        _check_verb(flag, name, self._verb)
        return flag

    def _stray(self, word: Word) -> None:
        """A word that is no flag: the local service, or the rest of a value whose quotes the local shell took."""
        prose = self._repairs and self._typed[-1][0].prose
        if (
            not prose
            and not self._had_local
            and _LOCAL_SERVICE.fullmatch(word.text)
            and self._verb not in ("tunnel", *INFORMING)
        ):
            self._had_local = True
            self._repairs = False
        elif self._repairs:
            flag, name, value = self._typed[-1]
            self._typed[-1] = flag, name, f"{value} {word.text}"
        else:
            raise Refused(PARSE_ERROR, f"The word '{shown(word.text)}' at position {word.position} is not expected.")

    def _command(self) -> Command:
        options: dict[str, Any] = {}
        for flag, name, text in self._typed:
            value = _read(flag, name, text)
            if flag.ignored:
                self._notices.append(flag.ignored)
            elif flag.kind is Kind.LIST:
                options[flag.name] = options.get(flag.name, ()) + value
            elif options.setdefault(flag.name, value) != value:
                raise Refused(PARSE_ERROR, f"The flag --{flag.name} was given two values.")
        for name in tuple(options):
            self._check_module(options, BY_NAME[name])
        _check_together(options)
        return Command(
            verb=self._verb, options=MappingProxyType(options), version=self._version, notices=tuple(self._notices)
        )

    def _check_module(self, options: dict[str, Any], flag: Flag) -> None:
        if not flag.needs:
            return
        if options[flag.name] in flag.harmless:
            del options[flag.name]
        elif flag.needs not in self._modules:
            raise Refused(UNSUPPORTED_FLAG, f"The flag --{flag.name} is not built into this server yet.")


def _verb(word: str) -> str:
    verb = SYNONYMS.get(word, word)
    if verb in PUBLISHING or verb in INFORMING:
        return verb
    near = get_close_matches(word[:_SHOWN], PUBLISHING + INFORMING, 1)
    hint = f" Did you mean {near[0]}?" if near else f" The commands are {', '.join(PUBLISHING + INFORMING)}."
    raise Refused(UNKNOWN_COMMAND, f"'{shown(word)}' is not a command.{hint}")


def _check_verb(flag: Flag, name: str, verb: str) -> None:
    if verb and verb not in flag.on:
        raise Refused(
            PARSE_ERROR, f"The flag --{name} does not go with the command {verb}, only with {', '.join(flag.on)}."
        )


def _read(flag: Flag, name: str, text: str) -> Any:
    try:
        if flag.kind is Kind.BOOL:
            return boolean(text)
        if flag.kind is Kind.LIST:
            items = split_commas(text) if flag.commas else [text]
            if not all(items):
                raise ValueError("holds an empty item")
            return tuple(flag.read(item) for item in items)
        return flag.read(text)
    except ValueError as error:
        raise Refused(PARSE_ERROR, f"The value of --{name} {error}.") from None


def _check_together(options: Mapping[str, Any]) -> None:
    if len(set(options.get("schemes", ()))) > 1:
        raise Refused(
            PARSE_ERROR,
            "--schemes takes one scheme for a forward: https or http. For both on one name, ask for two forwards, "
            "such as -R myapp:443:localhost:3000 -R myapp:80:localhost:3000.",
        )
    if "verify-webhook-secret" in options and "verify-webhook" not in options:
        raise Refused(PARSE_ERROR, "--verify-webhook-secret needs --verify-webhook: say whose webhooks they are.")
    if not options.get("upstream-tls"):
        for name in ("upstream-tls-verify", "upstream-tls-name"):
            if options.get(name):
                raise Refused(
                    UNSUPPORTED_FLAG,
                    f"--{name} needs --upstream-tls: without it the server speaks no TLS to your service.",
                )


def split_commas(text: str) -> list[str]:
    """
    Split at the commas that stand outside of ``(…)``, ``[…]`` and ``{…}``.
    """
    items, depth, start = [], 0, 0
    for at, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(depth - 1, 0)
        elif character == "," and not depth:
            items.append(text[start:at].strip())
            start = at + 1
    return [*items, text[start:].strip()]


def shown(text: str) -> str:
    """A user's own text as a message may repeat it: short, and printable."""
    clean = "".join(character if character.isprintable() else "?" for character in text[:_SHOWN])
    return clean if len(text) <= _SHOWN else f"{clean}..."


def _hint(name: str) -> str:
    if name in RENAMED:
        return f" In this version of the language it is called --{RENAMED[name]}."
    known = [other for other, flag in BY_NAME.items() if not flag.impossible and not flag.only_v1]
    near = get_close_matches(name[:_SHOWN], known, 1)
    return f" Did you mean --{near[0]}?" if near else " Add --help to see the flags."
