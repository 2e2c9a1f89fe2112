"""
Tests for `ngrok_twisted.control.reload`.
"""

from __future__ import annotations

import os
import signal
from typing import Any, Callable

from twisted.python.failure import Failure
from twisted.logger import LogLevel, formatEvent, globalLogPublisher

from ngrok_twisted.control.config import Config
from ngrok_twisted.control.load import load
from ngrok_twisted.control.reload import Reloader
from ngrok_twisted.errors import InvalidConfig
from ngrok_twisted.records.base import Problem, Record
from ngrok_twisted.records.reserved_domain import ReservedDomain
from ngrok_twisted.records.ssh_credential import SSHCredential
from tests.control.declaring import KEY, OTHER_KEY, ConfigCase


class Control:
    """Notes what it is told to serve; refuses it if told to."""

    def __init__(self) -> None:
        self.first: tuple[Record, ...] = ()
        self.declared: list[list[Record]] = []
        self.refuse: list[Problem] = []

    def declare(self, records: Any, origins: Any) -> None:
        self.origins = origins
        if self.refuse:
            raise InvalidConfig(self.refuse)
        self.declared.append(list(records))

    def declare_also(self, more: Any, origins: Any) -> None:
        self.declare([*(self.declared[-1] if self.declared else self.first), *more], origins)

    async def redeclare(self, records: Any, origins: Any, elsewhere: Any) -> None:
        await elsewhere(lambda: None)
        self.declare(records, origins)


class Threads:
    """As much of a reactor as a signal and a thread need: what is called from a thread waits until `turn`."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []
        self.work: list[Callable[[], object]] = []

    def callFromThread(self, f: Callable[..., object], *arguments: Any) -> None:
        self.calls.append(lambda: f(*arguments))

    def getThreadPool(self) -> Threads:
        return self

    def callInThreadWithCallback(self, done: Any, work: Callable[..., object], *arguments: Any) -> None:
        def run() -> None:
            try:
                done(True, work(*arguments))
            except Exception:
                done(False, Failure())

        self.work.append(run)

    def turn(self) -> None:
        """Whatever waits is done, until nothing waits."""
        while self.work or self.calls:
            (self.work or self.calls).pop(0)()


class ReloadCase(ConfigCase):
    """A reloader of a config file."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.folder / "config.yaml"
        self.keys = self.folder / "keys"
        self.keys.write_text(KEY + " me\n")
        self.patch(os, "environ", {"HOME": str(self.folder / "home")})
        self.control = Control()
        self.reactor = Threads()
        self.said: list[tuple[LogLevel, str]] = []
        globalLogPublisher.addObserver(self.note)
        self.addCleanup(globalLogPublisher.removeObserver, self.note)

    def note(self, event: Any) -> None:
        """A log observer."""
        if event.get("log_namespace", "").startswith("ngrok_twisted.control.reload"):
            self.said.append((event["log_level"], formatEvent(event)))

    def heard(self, level: LogLevel) -> list[str]:
        """What was logged at this level, and forget it."""
        found, self.said = [text for each, text in self.said if each == level], []
        return found

    def reloader(self, text: str = "ssh: {authorized_keys: keys}\n") -> Reloader:
        """For the server that was started with this file."""
        self.path.write_text(text)
        config = load(self.path, {}, self.folder / "home")
        self.control.first = config.declared.records
        return Reloader(config, str(self.path), self.control, self.reactor)

    def reloaded(self, reloader: Reloader) -> bool:
        """Whether a new configuration is in force once everything was read again."""
        done = reloader.reload()
        self.assertNoResult(done)
        self.reactor.turn()
        result: bool = self.successResultOf(done)
        return result

    def served(self, cls: type[Record]) -> list[Any]:
        """The records of this class that were declared last."""
        return [record for record in self.control.declared[-1] if isinstance(record, cls)]


class ReloadTests(ReloadCase):
    """Read everything again."""

    def test_good(self) -> None:
        """A good file is in force at once."""
        reloader = self.reloader()
        self.path.write_text("ssh: {authorized_keys: keys}\nreserved_domains: [{domain: new.example.org}]\n")
        self.assertTrue(self.reloaded(reloader))
        self.assertEqual([record.domain for record in self.served(ReservedDomain)], ["new.example.org"])
        self.assertEqual(self.heard(LogLevel.info), [f"configuration reloaded from {self.path}"])

    def test_elsewhere(self) -> None:
        """The file is found though twistd has gone to another working directory since it was named."""
        first = self.reloader()
        reloader = Reloader(first._config, os.path.relpath(self.path), self.control, self.reactor)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir("/")
        self.assertTrue(self.reloaded(reloader))

    def test_bad(self) -> None:
        """A bad one changes nothing, and every problem is logged with its line."""
        reloader = self.reloader()
        self.path.write_text("nonsuch: 1\nnonsense: 2\n")
        self.assertFalse(self.reloaded(reloader))
        self.assertEqual(self.control.declared, [])
        problems = self.heard(LogLevel.error)
        self.assertEqual(len(problems), 2)
        self.assertIn(f"not reloaded: {self.path}:1: nonsuch: ", problems[0])
        self.assertIn(f"not reloaded: {self.path}:2: nonsense: ", problems[1])

    def test_gone(self) -> None:
        """So does one that is not there any more."""
        reloader = self.reloader()
        self.path.unlink()
        self.assertFalse(self.reloaded(reloader))
        self.assertEqual(self.control.declared, [])
        self.assertIn("cannot be read", self.heard(LogLevel.error)[0])

    def test_unservable(self) -> None:
        """A file that the edge cannot serve is refused like a bad one."""
        reloader = self.reloader()
        self.control.refuse = [Problem("ep_1", "port 20000 cannot be opened"), Problem("ep_2", "neither can 20001")]
        self.assertFalse(self.reloaded(reloader))
        self.assertEqual(len(self.heard(LogLevel.error)), 2)

    def test_broken(self) -> None:
        """What nobody expected is logged, and the old state stays."""
        reloader = self.reloader()
        self.control.declare = lambda records, origins: 1 / 0  # type: ignore[assignment, misc]
        self.assertFalse(self.reloaded(reloader))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_twice(self) -> None:
        """A second signal while the file is being read waits, and then reads it again."""
        reloader = self.reloader()
        first, second = reloader.reload(), reloader.reload()
        self.assertEqual(len(self.reactor.work), 1)
        self.path.write_text("reserved_domains: [{domain: new.example.org}]\n")
        self.reactor.turn()
        self.assertTrue(self.successResultOf(first) and self.successResultOf(second))
        self.assertEqual(len(self.control.declared), 2)

    def test_lines(self) -> None:
        """Whoever serves the records can tell where each of them stands in the file, and nobody keeps that."""
        reloader = self.reloader()
        self.path.write_text("reserved_domains:\n- domain: new.example.org\n")
        self.assertTrue(self.reloaded(reloader))
        (record,) = self.served(ReservedDomain)
        located = self.control.origins.locate(record.id, Problem("domain", "no"))
        self.assertEqual(str(located), f"{self.path}:2: reserved_domains[0].domain: no")
        self.assertNotIn(record.id, reloader._config.declared.origins.paths)

    def test_fixed(self) -> None:
        """A key that only counts at the start is named, every time, until the file is as it was."""
        first = "domain: one.example.com\nssh: {authorized_keys: keys}\n"
        reloader = self.reloader(first)
        self.path.write_text(first.replace("one", "two") + "public_port: 444\n")
        for _ in range(2):
            self.assertTrue(self.reloaded(reloader))
            self.assertEqual([text.split()[0] for text in self.heard(LogLevel.warn)], ["domain", "public_port", "tcp"])
        self.path.write_text(first)
        self.assertTrue(self.reloaded(reloader))
        self.assertEqual(self.heard(LogLevel.warn), [])

    def test_ssh(self) -> None:
        """Of the SSH keys' files another list counts at once; the rest of that block does not."""
        reloader = self.reloader()
        (self.folder / "more").write_text(OTHER_KEY + "\n")
        self.path.write_text("ssh: {authorized_keys: [keys, more]}\n")
        self.assertTrue(self.reloaded(reloader))
        self.assertEqual(self.heard(LogLevel.warn), [])
        self.assertEqual({record.public_key for record in self.served(SSHCredential)}, {KEY, OTHER_KEY})
        self.path.write_text("ssh: {authorized_keys: keys, max_forwards: 3}\n")
        self.assertTrue(self.reloaded(reloader))
        self.assertEqual(self.heard(LogLevel.warn), ["ssh was changed; that takes effect at the next start"])
        self.assertEqual({record.public_key for record in self.served(SSHCredential)}, {KEY})

    def test_warnings(self) -> None:
        """What an operator should know of the new file is logged."""
        reloader = self.reloader()
        self.keys.write_text(f'{KEY}\nfrom="x" {OTHER_KEY}\n')
        self.assertTrue(self.reloaded(reloader))
        (warning,) = self.heard(LogLevel.warn)
        self.assertIn(f"{self.keys}:2: this key may not connect", warning)


class FreshKeysTests(ReloadCase):
    """An unknown key was offered."""

    def test_new_key(self) -> None:
        """A key that was added meanwhile counts, and where it stands is logged."""
        reloader = self.reloader()
        reloader.fresh_keys()
        self.assertEqual(self.control.declared, [])
        self.keys.write_text(f"{KEY} me\n{OTHER_KEY} you\n")
        reloader.fresh_keys()
        self.assertEqual([record.public_key for record in self.served(SSHCredential)], [KEY, OTHER_KEY])
        self.assertEqual(self.heard(LogLevel.info), [f"a new key may connect: {self.keys}:2"])
        reloader.fresh_keys()
        self.assertEqual(len(self.control.declared), 1)

    def test_nothing_else(self) -> None:
        """Nothing else of the file is read."""
        reloader = self.reloader()
        self.path.write_text("ssh: {authorized_keys: keys}\nreserved_domains: [{domain: new.example.org}]\n")
        self.keys.write_text(f"{KEY}\n{OTHER_KEY}\n")
        reloader.fresh_keys()
        self.assertEqual(self.served(ReservedDomain), [])

    def test_removed(self) -> None:
        """A key that is not there any more stays until the whole is read again: a stranger's offer ends no session."""
        reloader = self.reloader()
        self.keys.write_text(f"{OTHER_KEY}\n")
        reloader.fresh_keys()
        self.assertEqual({record.public_key for record in self.served(SSHCredential)}, {KEY, OTHER_KEY})
        self.keys.unlink()
        reloader.fresh_keys()
        self.assertEqual(len(self.control.declared), 1)
        self.keys.write_text(f"{OTHER_KEY}\n")
        self.assertTrue(self.reloaded(reloader))
        self.assertEqual({record.public_key for record in self.served(SSHCredential)}, {OTHER_KEY})

    def test_refused(self) -> None:
        """Keys that cannot be served are not counted as known: the next offer tries again."""
        reloader = self.reloader()
        self.keys.write_text(f"{KEY}\n{OTHER_KEY}\n")
        self.control.refuse = [Problem("", "no")]
        reloader.fresh_keys()
        self.assertEqual(self.heard(LogLevel.error), ["new keys are not used: no"])
        self.control.refuse = []
        reloader.fresh_keys()
        self.assertEqual(len(self.control.declared), 1)

    def test_embedded(self) -> None:
        """Without a config file the user's own keys are looked at: the one just made with ssh-keygen may connect."""
        home = self.folder / "home"
        config: Config = load(None, {}, home, folder=self.folder, ipv6=False)
        reloader = Reloader(config, None, self.control, self.reactor)
        reloader.fresh_keys()
        self.assertEqual(self.control.declared, [])
        (home / ".ssh").mkdir(parents=True)
        (home / ".ssh" / "id_ed25519.pub").write_text(KEY + " me\n")
        reloader.fresh_keys()
        self.assertEqual([record.public_key for record in self.served(SSHCredential)], [KEY])


class SignalTests(ReloadCase):
    """SIGHUP."""

    def test_signal(self) -> None:
        """The signal reads the file again, in the reactor's own time, while the service runs."""
        before = signal.getsignal(signal.SIGHUP)
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        theirs = lambda number, frame: None
        signal.signal(signal.SIGHUP, theirs)
        reloader = self.reloader()
        reloader.startService()
        self.path.write_text("reserved_domains: [{domain: new.example.org}]\n")
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual(self.control.declared, [])
        self.reactor.turn()
        self.assertEqual([record.domain for record in self.served(ReservedDomain)], ["new.example.org"])
        reloader.stopService()
        self.assertIs(signal.getsignal(signal.SIGHUP), theirs)

    def test_while_stopping(self) -> None:
        """Where nobody had the signal, it does not end the process in the midst of its stop."""
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        reloader = self.reloader()
        reloader.startService()
        reloader.stopService()
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)
