"""
Tests for `ngrok_twisted.restart`. Programs are not replaced here: ``tests/functional/test_restart.py`` does that.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import Any, Mapping
from pathlib import Path

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted import restart
from ngrok_twisted.control.config import Listen
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.handover import VARIABLE, Handover, received
from ngrok_twisted.restart import (
    CHECK_TIMEOUT,
    Launch,
    RestartSignal,
    Successor,
    as_user,
    begin,
    keep_pidfile,
    require_sockets,
)

HANDOVER = Handover(
    sockets=(("tcp:443", 7), ("", 9)), daemon=True, since=12.5, online={"urls": ["a.example", 20001], "accounts": {}}
)


class BeginTests(SynchronousTestCase):
    """How a program finds out how it came to run."""

    def setUp(self) -> None:
        self.options: dict[str, Any] = dict.fromkeys(("uid", "gid", "umask", "logfile", "chroot"))
        self.options |= {"nodaemon": False, "syslog": False, "pidfile": ""}
        self.mine = {VARIABLE: f"{os.getpid()}:{Handover(daemon=True, since=5).written()}"}

    def pidfile(self, text: str) -> str:
        """A file that says this."""
        path = Path(self.mktemp())
        path.write_text(text)
        self.options["pidfile"] = str(path)
        return str(path.absolute())

    def test_launch(self) -> None:
        """It can be started again as it was: the interpreter and its arguments, the working directory, the mask."""
        self.patch(sys, "executable", "/opt/python")
        self.patch(sys, "orig_argv", ["python", "-X", "dev", "twistd", "-n", "ngrok"])
        before = os.umask(0o027)
        self.addCleanup(os.umask, before)
        launch = begin(self.options, {}).launch
        self.assertEqual(launch.command, ("/opt/python", "-X", "dev", "twistd", "-n", "ngrok"))
        self.assertEqual((launch.directory, launch.umask, launch.obstacle), (os.getcwd(), 0o027, ""))
        self.assertEqual(os.umask(0o027), 0o027)

    def test_obstacles(self) -> None:
        """Where it cannot be started again, it is known why."""
        self.options["chroot"] = "/jail"
        self.assertIn("--chroot", begin(self.options, {}).launch.obstacle)
        self.patch(sys, "executable", "")
        self.assertIn("interpreter", begin({}, {}).launch.obstacle)

    def test_first_start(self) -> None:
        """A start changes nothing in twistd's options, and nothing was left to it."""
        before = dict(self.options)
        beginning = begin(self.options, {})
        self.assertEqual((self.options, beginning.handover, beginning.held), (before, Handover(), None))
        self.assertTrue(beginning.launch.daemon)
        self.options["nodaemon"] = True
        self.assertFalse(begin(self.options, {}).launch.daemon)
        self.assertFalse(begin({}, {}).launch.daemon)  # python -m twisted knows of no daemons

    def test_daemon(self) -> None:
        """A daemon that is restarted does not become one again, but logs and writes as one, and stays one the next time."""
        beginning = begin(self.options, self.mine)
        self.assertEqual(self.mine, {})
        self.assertEqual((beginning.handover.since, beginning.launch.daemon), (5, True))
        self.assertEqual(self.options["nodaemon"], True)
        self.assertEqual((self.options["logfile"], self.options["umask"]), ("twistd.log", 0o077))

    def test_daemons_options(self) -> None:
        """What the user has said of these counts."""
        self.options |= {"logfile": "my.log", "umask": 0o022}
        begin(self.options, self.mine)
        self.assertEqual((self.options["logfile"], self.options["umask"]), ("my.log", 0o022))

    def test_daemon_with_syslog(self) -> None:
        """One that logs to the system writes no file."""
        self.options["syslog"] = True
        begin(self.options, self.mine)
        self.assertIsNone(self.options["logfile"])

    def test_user(self) -> None:
        """Who is the right user already does not become it again."""
        self.options |= {"uid": os.geteuid(), "gid": 5}
        begin(self.options, self.mine)
        self.assertEqual((self.options["uid"], self.options["gid"]), (None, None))

    def test_other_user(self) -> None:
        """Who is not, does."""
        self.options |= {"uid": os.geteuid() + 1, "gid": 5}
        begin(self.options, self.mine)
        self.assertEqual((self.options["uid"], self.options["gid"]), (os.geteuid() + 1, 5))

    def test_pidfile(self) -> None:
        """A file that names this process is no other server's; it is twistd's again once that has been seen."""
        path = self.pidfile(f"{os.getpid()}")
        beginning = begin(self.options, {})
        self.assertEqual((self.options["pidfile"], beginning.pidfile), ("", path))
        keep_pidfile(self.options, beginning)
        self.assertEqual(self.options["pidfile"], path)
        self.options["pidfile"] = ""
        self.patch(os, "access", lambda path, mode: False)
        keep_pidfile(self.options, beginning)
        keep_pidfile(None, beginning)
        self.assertEqual(self.options["pidfile"], "")

    def test_other_pidfiles(self) -> None:
        """Others are left alone."""
        for text in ("1", "", "nonsense", str(os.getpid()) + "0"):
            path = self.pidfile(text)
            beginning = begin(self.options, {})
            self.assertEqual((os.path.abspath(self.options["pidfile"]), beginning.pidfile), (path, ""))
            keep_pidfile(self.options, beginning)
            self.assertEqual(os.path.abspath(self.options["pidfile"]), path)

    def test_check(self) -> None:
        """Who only checks does not mind a server that runs."""
        self.pidfile("1")
        begin(self.options, {}, check=True)
        self.assertEqual(self.options["pidfile"], "")
        options: dict[str, Any] = {}
        begin(options, {}, check=True)
        self.assertEqual(options, {})

    def test_parent(self) -> None:
        """Who checks for a server learns what that has open."""
        environ = {VARIABLE: f"{os.getppid()}:{HANDOVER.written()}"}
        beginning = begin({}, environ, check=True)
        self.assertEqual((beginning.held, beginning.handover), (HANDOVER, Handover()))


class RequireSocketsTests(SynchronousTestCase):
    """Whether the listeners of a configuration can be had."""

    def setUp(self) -> None:
        self.other = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.other.close)
        self.port = self.other.getsockname()[1]
        self.listen = Listen(https=("tcp:0",), http=(f"tcp:{self.port}:interface=127.0.0.1",))

    def test_taken(self) -> None:
        """One that somebody else has is named."""
        error = self.assertRaises(InvalidConfig, require_sockets, self.listen, Handover())
        (problem,) = error.problems
        self.assertEqual(problem.path, "listen.http")
        self.assertEqual(
            problem.message, f"tcp:{self.port}:interface=127.0.0.1 cannot be opened: Address already in use"
        )

    def test_ours(self) -> None:
        """What the server has itself is not tried, in whatever words; nor is anything if this is about no restart."""
        for description in (f"tcp:{self.port}:interface=127.0.0.1", f"tcp:port={self.port}"):
            require_sockets(self.listen, Handover(sockets=((description, 5),)))
        require_sockets(self.listen, None)


class AsUserTests(SynchronousTestCase):
    """What is made before twistd becomes another user."""

    def setUp(self) -> None:
        self.calls: list[Any] = []
        self.patch(os, "geteuid", lambda: 0)
        self.patch(os, "getegid", lambda: 3)
        self.patch(os, "seteuid", lambda uid: self.calls.append(("uid", uid)))
        self.patch(os, "setegid", lambda gid: self.calls.append(("gid", gid)))

    def test_other(self) -> None:
        """It is made as that user, whatever happens, and then root is root again."""
        options: Mapping[str, Any] = {"uid": 65534, "gid": 77}

        def fails() -> None:
            with as_user(options):
                self.assertEqual(self.calls, [("gid", 77), ("uid", 65534)])
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fails)
        self.assertEqual(self.calls[2:], [("uid", 0), ("gid", 3)])

    def test_group(self) -> None:
        """Without a group it is that of the user."""
        self.patch(restart, "getpwuid", lambda uid: type("Entry", (), {"pw_gid": uid + 1}))
        with as_user({"uid": 5, "gid": None}):
            pass
        self.assertEqual(self.calls[0], ("gid", 6))

    def test_nobody_else(self) -> None:
        """Without another user, or without the right to become one, nothing is done."""
        for options in (None, {}, {"uid": None, "gid": None}):
            with as_user(options):
                pass
        self.patch(os, "geteuid", lambda: 5)
        with as_user({"uid": 5, "gid": None}):
            pass
        self.assertEqual(self.calls, [])


class Process:
    """A child process, as its protocol sees it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.ended = False

    def closeStdin(self) -> None:
        self.events.append("close stdin")

    def signalProcess(self, name: str) -> None:
        if self.ended:
            raise ProcessExitedAlready()
        self.events.append(name)


LAUNCH = Launch(command=("/opt/python", "twistd", "ngrok"), directory="/srv", umask=0o022)


class SuccessorCase(SynchronousTestCase):
    """With a reactor that starts no process."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.reactor.spawnProcess = self.spawn  # type: ignore[method-assign, assignment]
        self.successor = Successor(LAUNCH, self.reactor)
        self.process = Process()
        self.spawned: list[Any] = []
        self.left: Handover | None = None
        self.trouble: Exception | None = None

    def spawn(self, protocol: Any, *arguments: Any, childFDs: dict[int, Any]) -> None:
        """IReactorProcess."""
        if self.trouble is not None:
            raise self.trouble
        self.spawned.append((arguments, childFDs))
        environ = arguments[2]
        value, descriptor = environ[VARIABLE].rsplit(":", 1)
        duplicate = os.dup(childFDs[int(descriptor)])
        self.left = received({VARIABLE: f"{value}:{duplicate}"}, os.getpid())
        self.protocol = protocol
        protocol.makeConnection(self.process)


class ObjectionTests(SuccessorCase):
    """Whether another program would start."""

    def ask(self) -> Any:
        """What is said of it."""
        return self.successor.objection((("tcp:443", 7),))

    def end(self, reason: Exception, *said: bytes) -> None:
        """The process prints, and ends."""
        for data in said:
            self.protocol.childDataReceived(2, data)
        self.protocol.processEnded(Failure(reason))

    def test_fine(self) -> None:
        """The same command line is run with --check, in the same place, and is told what is open."""
        done = self.ask()
        (executable, command, environ, directory), descriptors = self.spawned[0]
        self.assertEqual((executable, command), ("/opt/python", ["/opt/python", "twistd", "ngrok", "--check"]))
        self.assertEqual((directory, environ["PATH"]), ("/srv", os.environ["PATH"]))
        self.assertEqual(self.left, Handover(sockets=(("tcp:443", 7),)))
        self.assertRaises(OSError, os.fstat, descriptors[3])
        self.assertEqual(self.process.events, ["close stdin"])
        self.assertNoResult(done)
        self.end(ProcessDone(0), b"config.yaml is fine\n")
        self.assertEqual(self.successResultOf(done), "")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """What it prints is the objection, in one line."""
        done = self.ask()
        self.end(ProcessTerminated(1), b"\na.yaml:1: x: wrong\n  a.yaml", b":2: y: wro\xffng\n\n")
        self.assertEqual(self.successResultOf(done), "a.yaml:1: x: wrong; a.yaml:2: y: wro�ng")

    def test_silent(self) -> None:
        """Without a word of its own it is how it ended."""
        done = self.ask()
        self.end(ProcessTerminated(status=256))
        self.assertIn("process ended", self.successResultOf(done).lower())

    def test_much(self) -> None:
        """However much it prints, the objection stays readable: it is the end of it."""
        done = self.ask()
        self.end(ProcessTerminated(1), *(b"x" * 10000 for _ in range(50)), b"the end")
        objection = self.successResultOf(done)
        self.assertEqual((len(objection), objection[-7:]), (1000, "the end"))

    def test_slow(self) -> None:
        """One that takes too long is ended, and would be no better when it counts."""
        done = self.ask()
        self.reactor.advance(CHECK_TIMEOUT)
        self.assertIn(f"longer than {CHECK_TIMEOUT} s", self.successResultOf(done))
        self.assertEqual(self.process.events, ["close stdin", "KILL"])
        self.end(ProcessTerminated(signal=9))

    def test_ended_but_held(self) -> None:
        """So is one that has ended and whose output somebody else keeps open."""
        done = self.ask()
        self.process.ended = True
        self.reactor.advance(CHECK_TIMEOUT)
        self.assertIn("longer than", self.successResultOf(done))

    def test_cannot_be_run(self) -> None:
        """An interpreter that is gone is an objection, too; nothing is left open."""
        self.trouble = FileNotFoundError(2, "No such file or directory")
        self.assertEqual(self.successResultOf(self.ask()), "/opt/python cannot be run: No such file or directory")

    def test_obstacle(self) -> None:
        """What is known without trying is not tried."""
        launch = Launch(command=("x",), directory="/", umask=0, obstacle="it is in a jail")
        objection = Successor(launch, self.reactor).objection(())
        self.assertEqual(self.successResultOf(objection), "it is in a jail")


class TakeOverTests(SuccessorCase):
    """The other program, in this process."""

    def setUp(self) -> None:
        super().setUp()
        self.calls: list[Any] = []
        for name in ("chdir", "umask"):
            self.patch(os, name, lambda value, name=name: self.calls.append((name, value)))
        self.patch(os, "execve", lambda *arguments: self.calls.append(arguments))

    def test_order(self) -> None:
        """It runs where the first one did, with its sockets, and learns what was left to it."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        handover = Handover(sockets=(("tcp:1", listening.fileno()),), since=5.0)
        self.patch(restart, "activation_environment", lambda process: {"LISTEN_PID": str(process)})
        successor = Successor(Launch(command=("/p", "x"), directory="/srv", umask=0o022, daemon=True), self.reactor)
        successor.take_over(handover)
        directory, mask, (executable, command, environ) = self.calls
        self.assertEqual((directory, mask), (("chdir", "/srv"), ("umask", 0o022)))
        self.assertEqual((executable, command), ("/p", ("/p", "x")))
        self.assertTrue(listening.get_inheritable())
        self.assertEqual((environ["LISTEN_PID"], environ["PATH"]), (str(os.getpid()), os.environ["PATH"]))
        wanted = Handover(sockets=handover.sockets, since=5.0, daemon=True)
        self.assertEqual(received(environ, os.getpid()), wanted)

    def test_signals(self) -> None:
        """Signals wait from one program to the next, and are met there once it runs."""
        blocked = lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ())
        before = blocked()
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        self.addCleanup(signal.signal, signal.SIGUSR2, signal.getsignal(signal.SIGUSR2))
        self.successor.hold_signals()
        self.assertLessEqual({signal.SIGHUP, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT}, blocked())
        restarts: list[bool] = []
        reactor = Running()
        service = RestartSignal(reactor, lambda: restarts.append(True))
        service.startService()
        os.kill(os.getpid(), signal.SIGUSR2)
        self.assertEqual(restarts, [])
        for function, arguments in reactor.waiting:
            function(*arguments)
        self.assertEqual((restarts, blocked()), ([True], before))
        signal.raise_signal(signal.SIGUSR2)
        self.assertEqual(len(restarts), 2)
        service.stopService()
        self.assertEqual(signal.getsignal(signal.SIGUSR2), signal.SIG_IGN)


class Running:
    """A reactor that is about to run."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def callWhenRunning(self, function: Any, *arguments: Any) -> None:
        self.waiting.append((function, arguments))

    def callFromThread(self, function: Any) -> None:
        function()
