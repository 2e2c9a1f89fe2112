"""Tests of `ngrok_twisted.transports.ssh.sessions`."""

from __future__ import annotations

import struct
from typing import Any

from twisted.conch.ssh.common import NS, getNS
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh.sessions import MAX_OUTPUT, Pty
from tests.transports.ssh.client import ScriptedClient, data

SIZE = struct.pack(">IIII", 80, 24, 0, 0)


class SessionTests(SynchronousTestCase):
    """One session (RFC 4254 section 6)."""

    def start(self, window: int = 1 << 20) -> Any:
        """Open one."""
        self.client = ScriptedClient().login()
        self.number = self.client.open_session(remote=5, window=window)
        self.gateway = self.client.gateway
        self.client.take()
        session = self.gateway.calls[0][1]
        self.assertEqual(self.gateway.calls, [("opened", session)])
        self.gateway.calls.clear()
        return session

    def test_shell(self) -> None:
        """A terminal, a variable and a shell, in the usual order."""
        session = self.start()
        self.client.request(self.number, b"pty-req", NS(b"xterm") + SIZE + NS(b""))
        self.client.request(self.number, b"env", NS(b"GOOD") + NS(b"1"))
        self.client.request(self.number, b"env", NS(b"LANG") + NS(b"C"))
        self.client.request(self.number, b"shell")
        self.assertEqual([message[0] for message in self.client.take()], [99, 99, 100, 99])
        self.assertEqual(session.pty, Pty(term="xterm", columns=80, rows=24))
        self.assertEqual(self.gateway.calls, [("env", b"GOOD", b"1"), ("env", b"LANG", b"C"), ("command", None)])

    def test_command_after_answer(self) -> None:
        """A command's output comes behind the success of its request."""
        session = self.start()
        gateway: Any = self.gateway
        gateway.session_command = lambda session, command: (session.write(command), session.exit(3))
        self.client.request(self.number, b"exec", NS(b"http --x"))
        messages = self.client.take()
        self.assertEqual([message[0] for message in messages], [99, 94, 98, 96, 97])
        self.assertEqual(messages[1], data(5, b"http --x"))
        name, rest = getNS(messages[2][5:])
        self.assertEqual((name, rest), (b"exit-status", b"\0" + struct.pack(">I", 3)))
        self.assertTrue(session.closed)
        self.assertEqual(self.gateway.calls, [("closed", session)])
        self.client.send(struct.pack(">BI", 97, self.number))
        self.assertEqual(self.gateway.connection.channels, {})

    def test_once(self) -> None:
        """A session runs one command."""
        self.start()
        self.client.request(self.number, b"exec", NS(b"one"))
        self.client.request(self.number, b"exec", NS(b"two"))
        self.client.request(self.number, b"pty-req", NS(b"xterm") + SIZE + NS(b""))
        self.assertEqual([message[0] for message in self.client.take()], [99, 100, 100])
        self.assertEqual(self.gateway.calls, [("command", b"one")])

    def test_refused(self) -> None:
        """Subsystems, agents, X11 and malformed requests are refused."""
        self.start()
        for name, body in (
            (b"subsystem", NS(b"sftp")),
            (b"auth-agent-req@openssh.com", b""),
            (b"x11-req", b"\0" * 20),
            (b"exec", b"\xff\xff\xff\xff"),
            (b"window-change", SIZE),
            (b"env", NS(b"x" * 5000) + NS(b"y" * 5000)),
        ):
            self.client.request(self.number, name, body)
            self.assertEqual(self.client.take(), [struct.pack(">BI", 100, 5)], name)
        self.assertEqual(self.gateway.calls, [])

    def test_long_command(self) -> None:
        """A command of any length reaches the gateway, which tells the user when it is too long."""
        self.start()
        self.client.request(self.number, b"exec", NS(b"x" * 65537))
        self.assertEqual(self.gateway.calls, [("command", b"x" * 65537)])

    def test_input(self) -> None:
        """Input reaches the gateway, its end does not end the session, and the window is given back."""
        session = self.start()
        self.client.send(data(self.number, b"a"), data(self.number, b"b"))
        self.client.send(*[data(self.number, bytes(30_000))] * 3)
        adjusts = self.client.take(93)
        self.assertEqual(adjusts, [struct.pack(">BII", 93, 5, 90_002)])
        self.client.send(struct.pack(">BI", 96, self.number))
        self.assertEqual([call[0] for call in self.gateway.calls], ["input", "input", "eof"])
        self.assertFalse(session.closed)

    def test_resize_and_signal(self) -> None:
        """The terminal's size and signals are passed on."""
        session = self.start()
        self.client.request(self.number, b"pty-req", NS(b"vt100") + SIZE + NS(b""))
        self.client.request(self.number, b"window-change", struct.pack(">IIII", 100, 50, 0, 0), False)
        self.client.request(self.number, b"signal", NS(b"INT"), False)
        self.assertEqual(self.gateway.calls, [("resized", 100, 50), ("signal", b"INT")])
        self.assertEqual(session.pty, Pty(term="vt100", columns=100, rows=50))

    def test_output_respects_the_window(self) -> None:
        """Output waits for the window, in order, errors and all."""
        session = self.start(window=10)
        session.write(b"0123456")
        session.write_error(b"abcdef")
        self.assertEqual(self.client.take(), [data(5, b"0123456"), struct.pack(">BII", 95, 5, 1) + NS(b"abc")])
        session.exit(0)
        self.assertEqual(self.client.take(), [])
        self.client.send(struct.pack(">BII", 93, self.number, 100))
        self.assertEqual([message[0] for message in self.client.take()], [95, 98, 96, 97])

    def test_output_is_bounded(self) -> None:
        """What a terminal that does not read is sent on top of the bound is dropped."""
        session = self.start(window=0)
        for _ in range(1000):
            session.write(bytes(1000))
        self.client.send(struct.pack(">BII", 93, self.number, 1 << 30))
        received = sum(len(getNS(message[5:])[0]) for message in self.client.take(94))
        self.assertTrue(MAX_OUTPUT - 1000 <= received <= MAX_OUTPUT)

    def test_exit_does_not_wait_for_ever(self) -> None:
        """A client that does not read its last lines is told the exit status after 5 s all the same."""
        session = self.start(window=0)
        session.write(b"last words")
        session.exit(1)
        self.assertEqual(self.client.take(), [])
        self.client.clock.advance(5)
        self.assertEqual([message[0] for message in self.client.take(96, 97, 98)], [98, 96, 97])
        session.write(b"more")
        session.exit(2)
        self.assertEqual(self.client.take(94, 98), [])

    def test_client_closes(self) -> None:
        """A close is answered with a close, and told once."""
        session = self.start()
        self.client.send(struct.pack(">BI", 97, self.number))
        self.assertEqual(self.client.take(), [struct.pack(">BI", 97, 5)])
        self.client.lose()
        self.assertEqual(self.gateway.calls, [("closed", session), ("disconnected",)])
        self.assertTrue(session.closed)

    def test_connection_lost(self) -> None:
        """The session is closed before the gateway hears of the connection."""
        session = self.start()
        self.client.lose()
        self.assertEqual([call[0] for call in self.gateway.calls], ["closed", "disconnected"])
        self.assertTrue(session.closed)
        session.write(b"x")
        session.exit(0)
