"""
A restart in place: the program is replaced in the same process (``execve(2)``), and its listening sockets stay open.

Nobody is refused meanwhile: whoever connects waits in the kernel until the new program accepts. That matters most to agents:
one of ngrok's SDKs that cannot connect for 2.6 s comes back after two minutes, and one that waits goes on at once (spec
agent-protocol 7.2). The process keeps its id, so that whoever supervises it notices nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pwd import getpwuid
from typing import Any, Callable, Iterator, Mapping, MutableMapping, NoReturn

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.handover import VARIABLE, Handover, received
from ngrok_twisted.net.activation import activation_environment
from ngrok_twisted.net.listening import port_of, why_not
from ngrok_twisted.records.base import Problem

SECONDS = 1

#: A start takes about two seconds; one that takes longer than this would be no better when it counts.
CHECK_TIMEOUT = 60 * SECONDS

#: Bytes that are kept of what a check prints, and characters of it that are logged.
_OUTPUT_MAX = 64 * 1024
_OBJECTION_MAX = 1000

#: Characters of a file that are read for a process's id.
_PID_MAX = 20

#: The descriptor of the `Handover` in a process that only checks.
_CHECKED = 3

#: They would end a program that does not listen to them yet: from one program to the next they wait.
_KEPT_SIGNALS = (signal.SIGHUP, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """
    How this process was started, so that it can be started again in the same way.

    :ivar command: the interpreter and its arguments.
    :ivar directory: the working directory, in which paths of the command line are looked up.
    :ivar umask: of files.
    :ivar daemon: the process has left its terminal.
    :ivar obstacle: why it cannot be started again; empty if it can.
    """

    command: tuple[str, ...]
    directory: str
    umask: int
    daemon: bool = False
    obstacle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """
    How this program came to run.

    :ivar launch: how it can be started again.
    :ivar handover: what the one before has left.
    :ivar held: what another process has open, which only wants to know whether this program would start.
    :ivar pidfile: the file that names this process already; empty if there is none.
    """

    launch: Launch
    handover: Handover = Handover()
    held: Handover | None = None
    pidfile: str = ""


def begin(twistd: MutableMapping[str, Any], environ: MutableMapping[str, str], check: bool = False) -> Beginning:
    """
    Find out how this program came to run, and have ``twistd`` do nothing twice that was done before a restart in place.

    :param twistd: the options before ``ngrok`` on the command line; empty where it is not ``twistd`` that runs the server.
        They are changed.
    :param environ: the environment; what is read is taken out of it.
    :param check: it is not to run: whoever runs already does not matter.
    """
    handover = received(environ, os.getpid())
    daemon = handover.daemon if handover is not None else not twistd.get("nodaemon", True)
    pidfile = os.path.abspath(twistd["pidfile"]) if _is_own(twistd.get("pidfile")) else ""
    beginning = Beginning(
        launch=_this_launch(twistd, daemon),
        handover=handover or Handover(),
        held=received(environ, os.getppid()),
        pidfile=pidfile,
    )
    if pidfile or check and "pidfile" in twistd:
        twistd["pidfile"] = ""  # twistd would take the process that it names for another server
    if handover is not None:
        _stay(twistd, daemon)
    return beginning


def keep_pidfile(twistd: MutableMapping[str, Any] | None, beginning: Beginning) -> None:
    """
    Have ``twistd`` remove the file at the end that names this process, if it may.

    :param twistd: as for `begin`, but after it has looked for other servers.
    """
    if twistd is not None and beginning.pidfile and os.access(beginning.pidfile, os.W_OK):
        twistd["pidfile"] = beginning.pidfile


def require_sockets(listen: Any, held: Handover | None) -> None:
    """
    See whether the listeners of a configuration can be had beside those that are open already.

    :param listen: the `ngrok_twisted.control.config.Listen`.
    :param held: what is open; ``None`` if this is not about a restart.
    :raises InvalidConfig: one cannot.
    """
    if held is None:
        return
    there = [description for description, _ in held.sockets]
    ports = {port_of(description) for description in there}
    problems = [
        Problem(f"listen.{each.name}", f"{description} cannot be opened: {reason}")
        for each in fields(listen)
        for description in getattr(listen, each.name)
        if description not in there and port_of(description) not in ports and (reason := why_not(description))
    ]
    if problems:
        raise InvalidConfig(problems)


def _stay(twistd: MutableMapping[str, Any], daemon: bool) -> None:
    """This process has the user and the terminal that it should have."""
    if twistd.get("uid") == os.geteuid():
        twistd["uid"] = twistd["gid"] = None
    if daemon:
        twistd["nodaemon"] = True
        twistd["logfile"] = twistd["logfile"] or (None if twistd.get("syslog") else "twistd.log")
        twistd["umask"] = 0o077 if twistd["umask"] is None else twistd["umask"]


@contextmanager
def as_user(twistd: Mapping[str, Any] | None) -> Iterator[None]:
    """
    Be the user already whom ``twistd`` becomes once the ports are open (``--uid``): files that are made here belong to it.
    """
    uid = None if twistd is None else twistd.get("uid")
    if twistd is None or uid is None or os.geteuid() != 0:
        yield
        return
    before = os.getegid()
    os.setegid(getpwuid(uid).pw_gid if twistd.get("gid") is None else twistd["gid"])
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before)


def _is_own(pidfile: str | None) -> bool:
    """Whether a file names this process."""
    try:
        with open(pidfile or "") as file:
            return int(file.read(_PID_MAX)) == os.getpid()
    except (OSError, ValueError):
        return False


def _this_launch(twistd: Mapping[str, Any], daemon: bool) -> Launch:
    umask = os.umask(0o077)
    os.umask(umask)
    obstacle = ""
    if not sys.executable:
        obstacle = "the interpreter's place is not known"
    elif twistd.get("chroot"):
        obstacle = "the interpreter is outside of the directory given as --chroot"
    command = (sys.executable, *sys.orig_argv[1:])
    return Launch(command=command, directory=os.getcwd(), umask=umask, daemon=daemon, obstacle=obstacle)


class Successor:
    """
    The program that takes the place of this one.
    """

    def __init__(self, launch: Launch, reactor: Any) -> None:
        """
        :param reactor: an ``IReactorProcess`` and ``IReactorTime``.
        """
        self._launch = launch
        self._reactor = reactor

    def objection(self, sockets: tuple[tuple[str, int], ...]) -> Deferred[str]:
        """
        Try whether it would start, in a process of its own: whether the code can be imported, the configuration is fine, and
        new listeners can be had.

        :param sockets: what is open already.
        :return: a Deferred that fires with why it would not, in one line, or an empty text if it would. It never fails.
        """
        done: Deferred[str] = Deferred()
        if self._launch.obstacle:
            done.callback(self._launch.obstacle)
            return done
        check = _Check(done, self._reactor)
        try:
            left = Handover(sockets=sockets).written()
            try:
                environment = {**os.environ, VARIABLE: f"{os.getpid()}:{_CHECKED}"}
                command = [*self._launch.command, "--check"]
                descriptors: dict[int, Any] = {0: "w", 1: "r", 2: "r", _CHECKED: left}
                self._reactor.spawnProcess(
                    check, command[0], command, environment, self._launch.directory, childFDs=descriptors
                )
            finally:
                os.close(left)
        except OSError as error:
            done.callback(f"{self._launch.command[0]} cannot be run: {error.strerror}")
        return done

    def hold_signals(self) -> None:
        """Signals wait from now on, in the end for the next program, which gets them from its `RestartSignal`."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _KEPT_SIGNALS)

    def take_over(self, handover: Handover) -> NoReturn:
        """
        Replace this program. Everything that it has open is closed, but for the sockets that are handed over and what it was
        itself started with.

        :raises OSError: it cannot be replaced.
        """
        left = replace(handover, daemon=self._launch.daemon).written()
        for _, descriptor in handover.sockets:
            os.set_inheritable(descriptor, True)
        process = os.getpid()
        environment = {**os.environ, **activation_environment(process), VARIABLE: f"{process}:{left}"}
        sys.stdout.flush()
        sys.stderr.flush()
        os.chdir(self._launch.directory)
        os.umask(self._launch.umask)
        os.execve(self._launch.command[0], self._launch.command, environment)


class _Check(ProcessProtocol):
    """A process that only looks whether it would start."""

    def __init__(self, done: Deferred[str], clock: Any) -> None:
        self._done: Deferred[str] | None = done
        self._clock = clock
        self._said = b""
        self._timeout: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """IProcessProtocol."""
        transport: Any = self.transport
        transport.closeStdin()
        self._timeout = self._clock.callLater(CHECK_TIMEOUT, self._too_slow)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """IProcessProtocol."""
        self._said = (self._said + data)[-_OUTPUT_MAX:]

    def processEnded(self, reason: Failure) -> None:
        """IProcessProtocol."""
        lines = [line.strip() for line in self._said.decode(errors="replace").splitlines()]
        said = "; ".join(line for line in lines if line)[-_OBJECTION_MAX:]
        self._finish("" if reason.check(ProcessDone) else said or reason.getErrorMessage())

    def _too_slow(self) -> None:
        self._finish(f"to see whether it would start takes longer than {CHECK_TIMEOUT} s")
        transport: Any = self.transport
        try:
            transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass

    def _finish(self, objection: str) -> None:
        done, self._done = self._done, None
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
        if done is not None:
            done.callback(objection)


class RestartSignal(Service):
    """
    SIGUSR2: restart in place.
    """

    def __init__(self, reactor: Any, restart: Callable[[], Any]) -> None:
        """
        :param restart: called in the reactor.
        """
        self._reactor = reactor
        self._restart = restart

    def startService(self) -> None:
        """Listen to the signal, and once everything runs to those that have waited since another program was here."""
        super().startService()
        signal.signal(signal.SIGUSR2, self._signalled)
        self._reactor.callWhenRunning(signal.pthread_sigmask, signal.SIG_UNBLOCK, _KEPT_SIGNALS)

    def stopService(self) -> None:
        """By default it would end the process in the midst of its stop."""
        super().stopService()
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)

    def _signalled(self, number: int, frame: Any) -> None:
        self._reactor.callFromThread(self._restart)
