"""
`Documents`: the traffic policies of one connection that stand elsewhere than in a command: on the standard input of a
session, or behind a URL. A forward waits for the one that its command names.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any, Callable

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, fail, succeed

from ngrok_twisted.errors import Refused
from ngrok_twisted.policy.document import DOCUMENT_MAX
from ngrok_twisted.transports.ssh.command import Command
from ngrok_twisted.transports.ssh.modules import policy_text
from ngrok_twisted.transports.ssh.words import PARSE_ERROR

SECONDS = 1

#: From the command to the end of standard input. A file needs a moment; a terminal never ends it by itself.
INPUT_TIMEOUT = 10 * SECONDS

#: URLs that one connection has policies fetched from, as long as it lasts.
MAX_URLS = 32

_INLINE, _URL, _FILE = "traffic-policy", "traffic-policy-url", "traffic-policy-file"


class Document:
    """A text that comes once, or does not; any number may wait for it."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[str]] = []
        self._text: str | None = None
        self._error: Refused | None = None

    @property
    def known(self) -> bool:
        """It has come, or it is known that it does not."""
        return self._text is not None or self._error is not None

    def wait(self) -> Deferred[str]:
        """
        :return: fires with the text, or fails with `Refused`.
        """
        if self._error is not None:
            return fail(self._error)
        if self._text is not None:
            return succeed(self._text)
        waiting: Deferred[str] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def came(self, text: str) -> None:
        """Here it is."""
        if not self.known:
            self._text = text
            for waiting in self._taken():
                waiting.callback(text)

    def failed(self, refused: Refused) -> None:
        """It does not come."""
        if not self.known:
            self._error = refused
            for waiting in self._taken():
                waiting.errback(refused)

    def _taken(self) -> list[Deferred[str]]:
        waiting, self._waiting = self._waiting, []
        return waiting


class _Input:
    """The standard input of one session."""

    def __init__(self, clock: Any) -> None:
        self.document = Document()
        self._data = bytearray()
        self._timeout = clock.callLater(INPUT_TIMEOUT, self._late)

    def received(self, data: bytes) -> None:
        self._data += data[: DOCUMENT_MAX + 1 - len(self._data)]
        if len(self._data) > DOCUMENT_MAX:
            self.end(Refused(PARSE_ERROR, f"The policy on standard input is larger than {DOCUMENT_MAX} bytes."))

    def end(self, refused: Refused | None = None) -> None:
        if self._timeout.active():
            self._timeout.cancel()
        try:
            if refused is not None:
                raise refused
            if not self._data.strip():
                raise Refused(PARSE_ERROR, "There is no policy on standard input. Feed it to ssh: < policy.yaml")
            self.document.came(self._data.decode("utf-8"))
        except UnicodeDecodeError:
            self.document.failed(Refused(PARSE_ERROR, "The policy on standard input is not UTF-8 text."))
        except Refused as why:
            self.document.failed(why)
        self._data.clear()

    def _late(self) -> None:
        message = f"The policy on standard input did not end within {INPUT_TIMEOUT} seconds. Feed a file to ssh."
        self.end(Refused(PARSE_ERROR, message))


class Documents:
    """
    What a connection's commands wait for.
    """

    __slots__ = ("_fetch", "_clock", "_inputs", "_fetched", "_fetching")

    def __init__(self, fetch: Callable[[str], Deferred[str]], clock: Any) -> None:
        """
        :param fetch: gets the text behind a URL; it fails with `Refused`, in a bounded time.
        :param clock: an `IReactorTime`.
        """
        self._fetch = fetch
        self._clock = clock
        self._inputs: dict[Any, _Input] = {}
        self._fetched: dict[str, Document] = {}
        self._fetching: dict[Deferred[Any], None] = {}  # smaller than a set while it is empty

    # -- standard input ------------------------------------------------------------------------------------------------

    def expect(self, session: Any, plan: tuple[Command, ...]) -> tuple[Command, ...]:
        """
        :return: the commands of a session, of which those that read its standard input know it.
        """
        if not any(_FILE in command.options for command in plan):
            return plan
        source = self._inputs[session] = _Input(self._clock)
        document = source.document
        return tuple(_with(command, _FILE, document) if _FILE in command.options else command for command in plan)

    def received(self, session: Any, data: bytes) -> bool:
        """
        Something came on a session's standard input.

        :return: whether it is part of a document, and not for anybody else.
        """
        source = self._inputs.get(session)
        if source is None or source.document.known:
            return False
        source.received(data)
        return True

    def ended(self, session: Any, refused: Refused | None = None) -> None:
        """
        A session's standard input is at its end.

        :param refused: why what came is not whole, if it is not.
        """
        source = self._inputs.pop(session, None)
        if source is not None:
            source.end(refused)

    def lost(self, session: Any) -> None:
        """A session is gone."""
        self.ended(session, Refused(PARSE_ERROR, "The session ended before its standard input did."))

    # -- for forwards --------------------------------------------------------------------------------------------------

    @staticmethod
    def needed(command: Command) -> bool:
        """Whether a command has to wait for a document."""
        return _URL in command.options or _FILE in command.options

    async def resolved(self, command: Command) -> Command:
        """
        A command with its policy in the place of where that stands.

        :raises Refused: the policy cannot be had.
        """
        policy_text(command.options)
        document = command.options.get(_FILE)
        if document is None:
            document = self._behind(command.options[_URL])
        if not isinstance(document, Document):
            raise Refused(PARSE_ERROR, "Without a session there is no standard input to read the policy from.")
        text = await document.wait()
        return _with(_without(command, _URL, _FILE), _INLINE, text)

    def close(self) -> None:
        """The connection is gone."""
        for session in tuple(self._inputs):
            self.lost(session)
        for fetching in tuple(self._fetching):
            fetching.cancel()

    def _behind(self, url: str) -> Document:
        """What is behind a URL: fetched once, for all of the connection's forwards."""
        known = self._fetched.get(url)
        if known is None:
            if len(self._fetched) >= MAX_URLS:
                raise Refused(PARSE_ERROR, f"One connection may name {MAX_URLS} URLs of policies. Connect again.")
            known = self._fetched[url] = Document()
            fetching: Deferred[Any] = Deferred.fromCoroutine(self._get(url, known))
            self._fetching[fetching] = None
            fetching.addBoth(lambda _: self._fetching.pop(fetching, None))
        return known

    async def _get(self, url: str, document: Document) -> None:
        try:
            document.came(await self._fetch(url))
        except Refused as refused:
            document.failed(refused)
        except (CancelledError, TimeoutError):
            document.failed(Refused(PARSE_ERROR, "The connection is gone."))


def _with(command: Command, name: str, value: Any) -> Command:
    return replace(command, options=MappingProxyType({**command.options, name: value}))


def _without(command: Command, *names: str) -> Command:
    kept = {name: value for name, value in command.options.items() if name not in names}
    return replace(command, options=MappingProxyType(kept))
