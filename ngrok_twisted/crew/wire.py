"""
`Wire`: what two processes of one crew say to each other, over one socket pair.

Messages arrive in the order in which they were sent, descriptors with them. What is sent in one turn of the reactor leaves
in as few writes as possible. Who does not read for too long, or has too much waiting for it, is given up.
"""

from __future__ import annotations

from array import array
from errno import ENOBUFS, ENOMEM, ETOOMANYREFS
from itertools import count
from socket import CMSG_SPACE, MSG_CMSG_CLOEXEC, MSG_CTRUNC, socket
from typing import Any, Callable, MutableMapping

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReadWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ngrok_twisted.crew.frames import NO_DESCRIPTOR, FrameError, FrameReader, Message, frame
from ngrok_twisted.crew.unsent import Unsent, close
from ngrok_twisted.errors import Conflict, EdgeError, InvalidConfig, Refused, StoreUnusable

SECONDS = 1
KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE

#: A process that takes nothing for so long hangs: its visitors are better off with another.
STUCK = 10 * SECONDS

#: What the kernel refuses for another reason than a full buffer, such as too many descriptors on their way, is tried again.
RETRY = 0.01 * SECONDS

#: From here on whoever has a choice sends nothing more until it was taken: see `Wire.is_busy`.
BUSY_BYTES = 1 * MEBIBYTE

#: What may wait at most. All records of a large installation, sent at once to a process that starts, are a fraction of it.
UNSENT_MAX = 256 * MEBIBYTE

#: What is read and handled in one go: some hundred messages, a millisecond or two.
READ_BYTES = 64 * KIBIBYTE

_FOR_NOW = frozenset({ENOBUFS, ENOMEM, ETOOMANYREFS})
_ANCILLARY = CMSG_SPACE(array("i").itemsize)

#: What the other side is told of as it is; anything else is a defect, and is logged where it happened.
_KNOWN = (EdgeError, Refused, InvalidConfig, Conflict, StoreUnusable)

_ANSWER, _ERROR, _CANCEL = "answer", "error", "cancel"

#: ``handler(value, descriptor)``: what it returns, or what its Deferred fires with, answers a question. The descriptor is
#: `NO_DESCRIPTOR`, or the handler's own to close.
Handler = Callable[[Any, int], Any]


class WireLost(Exception):
    """The other process is gone, or the question could not be answered there."""


@implementer(IReadWriteDescriptor)
class Wire:
    """
    One end.

    :ivar handlers: by the kind of message; may be added to at any time.
    :ivar is_lost: nothing goes through any more.
    :ivar name: of the other side, for logs.
    """

    _log = Logger()

    def __init__(self, reactor: Any, end: socket, name: str, handlers: MutableMapping[str, Handler]) -> None:
        """
        :param reactor: an ``IReactorFDSet`` and ``IReactorTime``.
        :param end: of a stream socket pair of the family ``AF_UNIX``; it is closed with the wire.
        """
        self.handlers = handlers
        self.is_lost = self._reading = False
        self.name = name
        self._reactor = reactor
        self._socket = end
        self._reader = FrameReader()
        self._unsent = Unsent()
        self._numbers = count(1)
        self._asked: dict[int, Deferred[Any]] = {}
        self._answering: dict[int, Deferred[Any]] = {}
        self._when_lost: list[Callable[[], object]] = []
        self._flush_call: IDelayedCall | None = None
        self._stuck_call: IDelayedCall | None = None
        end.setblocking(False)

    def start(self) -> None:
        """Read from now on."""
        if not self.is_lost:
            self._reactor.addReader(self)

    # -- what is said --------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """More is waiting to be sent than should be: whoever can do otherwise sends nothing."""
        return self._unsent.size > BUSY_BYTES

    def send(self, kind: str, value: Any = None, descriptor: int = NO_DESCRIPTOR) -> None:
        """
        Say something that needs no answer. On a lost wire nothing happens.

        :param value: it is pickled before this returns: frozen values of this package, and what Python has built in.
        :param descriptor: it is closed here when it has left, or cannot leave.
        """
        self._send((kind, 0, value), descriptor)

    def ask(
        self,
        kind: str,
        value: Any = None,
        descriptor: int = NO_DESCRIPTOR,
        late: Callable[[Any], object] | None = None,
    ) -> Deferred[Any]:
        """
        Say something and wait for the answer. If the Deferred is cancelled, so is the work on the other side.

        :param value: as for `send`.
        :param descriptor: as for `send`.
        :param late: called with the answer if there is one although the Deferred was cancelled.
        :return: a Deferred that fires with the answer. It fails with what the handler failed with, if that is an error of
            `ngrok_twisted.errors`, and with `WireLost` otherwise, or if the wire is lost.
        """
        number = next(self._numbers)
        done: Deferred[Any] = Deferred(lambda done: self._give_up_asking(number, late))
        self._asked[number] = done
        self._send((kind, number, value), descriptor)
        if self.is_lost and self._asked.pop(number, None) is not None:
            done.errback(self._gone())
        return done

    def when_lost(self, call: Callable[[], object]) -> None:
        """Call ``call`` once when the other side is gone, or at once if it is already."""
        if self.is_lost:
            call()
        else:
            self._when_lost.append(call)

    def close(self) -> None:
        """Send what is waiting if the other side takes it at once, and be lost."""
        self.flush()
        self._lose("it was closed")

    def _give_up_asking(self, number: int, late: Callable[[Any], object] | None) -> None:
        if number in self._asked:
            waiting: Deferred[Any] = Deferred()
            waiting.addCallbacks(late or _ignore, _ignore)
            waiting.addErrback(lambda failure: self._log.failure("a late answer could not be dealt with", failure))
            self._asked[number] = waiting
            self._send((_CANCEL, 0, number))

    def _send(self, message: Message, descriptor: int = NO_DESCRIPTOR) -> None:
        if self.is_lost:
            close(descriptor)
            return
        self._unsent.append(frame(message, descriptor != NO_DESCRIPTOR), descriptor)
        if self._unsent.size > UNSENT_MAX:
            self._lose(f"{UNSENT_MAX} bytes are waiting for it")
        elif self._stuck_call is None and descriptor != NO_DESCRIPTOR:
            self.flush()  # a write takes one descriptor: nothing is won by waiting for more
        elif self._flush_call is None and self._stuck_call is None:
            self._flush_call = self._reactor.callLater(0, self._flush_turn)

    # -- out -----------------------------------------------------------------------------------------------------------

    def _flush_turn(self) -> None:
        self._flush_call = None
        self.flush()

    def flush(self) -> None:
        """Send all that the kernel takes, now and not only at the end of the turn; the rest when it takes more."""
        moved = False
        while self._unsent and not self.is_lost:
            try:
                self._unsent.write(self._socket)
            except BlockingIOError:
                self._reactor.addWriter(self)
                self._wait(moved)
                return
            except OSError as error:
                self._failed(error, moved)
                return
            moved = True
        self._end_wait()

    def _wait(self, moved: bool) -> None:
        """The kernel takes no more. Whoever reads something within `STUCK` seconds is alive."""
        if moved:
            self._end_stuck()
        if self._stuck_call is None:
            self._stuck_call = self._reactor.callLater(STUCK, self._stuck)

    def _stuck(self) -> None:
        self._stuck_call = None
        self._lose(f"it has read nothing for {STUCK} s")

    def _failed(self, error: OSError, moved: bool) -> None:
        if error.errno not in _FOR_NOW:
            self._lose(str(error))
            return
        self._log.warn("nothing reaches {name} for now: {error}", name=self.name, error=str(error))
        self._reactor.removeWriter(self)
        self._wait(moved)
        if self._flush_call is None:
            self._flush_call = self._reactor.callLater(RETRY, self._flush_turn)

    def _end_wait(self) -> None:
        if self._stuck_call is not None:
            self._end_stuck()
            self._reactor.removeWriter(self)

    def _end_stuck(self) -> None:
        if self._stuck_call is not None:
            self._stuck_call.cancel()
            self._stuck_call = None

    # -- in ------------------------------------------------------------------------------------------------------------

    def hear(self) -> None:
        """Read now what has come by now, unless that is what goes on."""
        if not self._reading:
            self.doRead()

    def _read_some(self) -> None:
        """
        :raises OSError: the other side is gone.
        :raises FrameError: it says what is no message.
        """
        data, ancillary, flags, _ = self._socket.recvmsg(READ_BYTES, _ANCILLARY, MSG_CMSG_CLOEXEC)
        if not data:
            raise BrokenPipeError("it has ended")
        for _, _, rights in ancillary:
            self._reader.descriptors.extend(array("i", rights))
        if flags & MSG_CTRUNC:
            self._log.warn("no descriptor is left for what {name} hands over", name=self.name)
            self._reader.descriptors.append(NO_DESCRIPTOR)
        for message, descriptor in self._reader.feed(data):
            self._handle(message, descriptor)
            if self.is_lost:
                return

    def _handle(self, message: Message, descriptor: int) -> None:
        kind, number, value = message
        if kind == _ANSWER or kind == _ERROR:
            self._answered(kind, number, value)
            return
        if kind == _CANCEL:
            self._cancel(value)
            return
        handler = self.handlers.get(kind)
        if handler is None:
            close(descriptor)
            self._log.error("{name} says {kind}, which nobody here understands", name=self.name, kind=kind)
            return
        if number:
            self._answer(number, handler, value, descriptor)
            return
        try:
            handler(value, descriptor)
        except Exception:
            self._log.failure("what {name} said could not be done: {kind}", name=self.name, kind=kind)

    def _answered(self, kind: str, number: int, value: Any) -> None:
        done = self._asked.pop(number)
        if kind == _ANSWER:
            done.callback(value)
        else:
            done.errback(value)

    def _cancel(self, number: int) -> None:
        work = self._answering.get(number)
        if work is not None:
            work.cancel()

    def _answer(self, number: int, handler: Handler, value: Any, descriptor: int) -> None:
        work = self._answering[number] = maybeDeferred(handler, value, descriptor)
        work.addCallback(lambda result: self._send((_ANSWER, number, result)))
        work.addErrback(lambda why: self._say_why(number, why))
        work.addErrback(lambda failure: self._log.failure("an answer to {name} failed", failure, name=self.name))
        work.addBoth(lambda _: self._answering.pop(number, None))

    def _say_why(self, number: int, why: Failure) -> None:
        error = why.value
        if not isinstance(error, _KNOWN):
            if not why.check(CancelledError, WireLost):
                self._log.failure("a question of {name} failed", why, name=self.name)
            error = WireLost("the other process could not answer")
        self._send((_ERROR, number, error))

    # -- the end -------------------------------------------------------------------------------------------------------

    def _lose(self, why: str) -> None:
        if self.is_lost:
            return
        self.is_lost = True
        self._log.debug("{name} is gone: {why}", name=self.name, why=why)
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self._socket.close()
        self._end_stuck()
        if self._flush_call is not None:
            self._flush_call.cancel()
            self._flush_call = None
        self._unsent.clear()
        for descriptor in self._reader.descriptors:
            close(descriptor)
        self._reader.descriptors.clear()
        self._end_questions()
        when_lost, self._when_lost = self._when_lost, []
        for call in when_lost:
            try:
                call()
            except Exception:
                self._log.failure("the loss of {name} could not be dealt with", name=self.name)

    def _end_questions(self) -> None:
        for work in tuple(self._answering.values()):
            work.cancel()
        asked, self._asked = self._asked, {}
        for done in asked.values():
            done.errback(self._gone())

    def _gone(self) -> WireLost:
        return WireLost(f"{self.name} is gone")

    # -- IReadWriteDescriptor ------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """IFileDescriptor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """ILoggingContext."""
        return self.name

    def doRead(self) -> None:
        """IReadDescriptor."""
        self._reading = True
        try:
            self._read_some()
        except BlockingIOError:
            pass
        except (OSError, FrameError) as error:
            self._lose(str(error))
        except Exception:  # a value that cannot be made here
            self._log.failure("{name} says what nobody here can read", name=self.name)
            self.close()
        finally:
            self._reading = False

    def doWrite(self) -> None:
        """IWriteDescriptor."""
        self.flush()

    def connectionLost(self, reason: Failure) -> None:
        """IFileDescriptor."""
        self._lose(reason.getErrorMessage())


def _ignore(result: Any) -> None:
    """Nobody waits for it any more."""
