"""
Tests for `ngrok_twisted.edge.ports`.
"""

import socket
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.ports import RETRY, Ports
from ngrok_twisted.net.inherited import InheritedSockets


class Listening:
    """A listening port."""

    def __init__(self, descriptor: int = 0) -> None:
        self.descriptor = descriptor
        self.events: list[str] = []

    def fileno(self) -> int:
        return self.descriptor

    def stopReading(self) -> None:
        self.events.append("rest")

    def startReading(self) -> None:
        self.events.append("accept")

    def stopListening(self) -> None:
        self.events.append("close")


class InheritedTests(SynchronousTestCase):
    """Ports that are open already."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.listening = Listening(9)
        self.held = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.held.getsockname()[1]
        self.adopted: list[Any] = []
        self.reactor.adoptStreamPort = self.adopt  # type: ignore[method-assign]
        self.inherited = InheritedSockets([("", self.held.detach())])
        self.owners = {self.port: object()}
        self.waiting: list[Any] = []
        self.ports = Ports(self.reactor, "127.0.0.1", self.owners.get, inherited=self.inherited, hold=self.hold)
        self.addCleanup(self.inherited.close)
        self.expected = False

    def adopt(self, descriptor: int, family: Any, factory: Any) -> Listening:
        """IReactorSocket."""
        self.adopted.append(factory)
        return self.listening

    def hold(self, port: int, owner: Any, go_on: Any) -> bool:
        """Whether an agent is expected."""
        self.assertIs(owner, self.owners[port])
        self.waiting.append(go_on)
        return self.expected

    def test_adopted(self) -> None:
        """It is served as it is, and whoever waits is let in when the port has its owner, not before."""
        self.assertIsNone(self.ports.prepare(self.port))
        self.assertEqual((len(self.adopted), self.reactor.tcpServers, len(self.inherited)), (1, [], 0))
        self.assertEqual(self.listening.events, ["rest"])
        self.ports.keep({self.port})
        self.ports.keep({self.port})
        self.assertEqual(self.listening.events, ["rest", "accept"])

    def test_expected(self) -> None:
        """Where an agent is expected they wait for it, even if it comes twice."""
        self.expected = True
        self.ports.prepare(self.port)
        self.ports.keep({self.port})
        self.assertEqual(self.listening.events, ["rest"])
        for go_on in self.waiting * 2:
            go_on()
        self.assertEqual(self.listening.events, ["rest", "accept"])

    def test_closed_meanwhile(self) -> None:
        """A port that is not wanted any more is closed, and does not come back when the agent does."""
        self.expected = True
        self.ports.prepare(self.port)
        self.ports.keep({self.port})
        self.ports.keep({})
        for go_on in self.waiting:
            go_on()
        self.assertEqual(self.listening.events, ["rest", "close"])

    def test_agent_comes_back(self) -> None:
        """A port whose agent goes and comes back stays open; whoever connects waits, and is let in by the next owner."""
        self.ports.prepare(self.port)
        self.ports.keep({self.port})
        self.expected = True
        self.waiting.clear()
        self.ports.rest([self.port, 1])
        owner, self.owners[self.port] = self.owners[self.port], None  # type: ignore[assignment]
        self.ports.keep({})
        self.ports.prepare(self.port)
        self.owners[self.port] = owner
        self.ports.keep({self.port})
        self.assertEqual(self.listening.events, ["rest", "accept", "rest"])
        for go_on in self.waiting:
            go_on()
        self.ports.close_inherited()
        self.assertEqual(self.listening.events, ["rest", "accept", "rest", "accept"])
        self.assertIn(self.port, self.ports)

    def test_agent_stays_away(self) -> None:
        """When nobody is expected any more, a port without an owner is closed."""
        self.ports.prepare(self.port)
        self.ports.keep({self.port})
        self.expected = True
        self.ports.rest([self.port])
        self.owners[self.port] = None  # type: ignore[assignment]
        self.ports.keep({})
        for go_on in self.waiting:
            go_on()
        self.ports.close_inherited()
        self.assertEqual(self.listening.events[-1], "close")
        self.assertNotIn(self.port, self.ports)

    def test_not_expected(self) -> None:
        """A port that nobody is expected at goes on as it was."""
        self.ports.prepare(self.port)
        self.ports.keep({self.port})
        self.ports.rest([self.port])
        self.assertEqual(self.listening.events, ["rest", "accept", "rest", "accept"])

    def test_other_ports(self) -> None:
        """Other ports are opened as always."""
        self.ports.prepare(20001)
        self.assertEqual((len(self.reactor.tcpServers), len(self.inherited)), (1, 1))

    def test_handed_on(self) -> None:
        """What nobody has wanted yet is handed on in turn, and is closed when nobody will want it any more."""
        (descriptor,) = self.inherited.descriptors()
        self.assertEqual(self.ports.hand_over(), [descriptor])
        self.assertEqual(len(self.inherited), 1)
        self.ports.close_inherited()
        self.assertEqual(len(self.inherited), 0)


class PortsTests(SynchronousTestCase):
    """Listeners follow what the snapshots want."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.owners: dict[int, Factory] = {}
        self.ports = Ports(self.reactor, "127.0.0.1", self.owners.get)

    def test_prepare_opens_once(self) -> None:
        """A port is opened on the operator's interface, and not a second time."""
        self.assertIsNone(self.ports.prepare(20001))
        self.assertIsNone(self.ports.prepare(20001))
        self.assertEqual([(server[0], server[3]) for server in self.reactor.tcpServers], [(20001, "127.0.0.1")])
        self.assertIn(20001, self.ports)

    def test_around(self) -> None:
        """What stands around each port is met first."""
        around: list[object] = []

        def note(factory: object) -> object:
            around.append(factory)
            return "around"

        Ports(self.reactor, "127.0.0.1", self.owners.get, note).prepare(20003)
        self.assertEqual((len(around), self.reactor.tcpServers[-1][:2]), (1, (20003, "around")))

    def test_taken(self) -> None:
        """A port that somebody else has is named in the answer, with the cause."""

        def listenTCP(port: int, *args: object, **kwargs: object) -> None:
            raise CannotListenError("127.0.0.1", port, OSError(98, "Address already in use"))

        self.reactor.listenTCP = listenTCP  # type: ignore[method-assign, assignment]
        trouble = self.ports.prepare(20001)
        self.assertEqual(trouble, "port 20001 cannot be opened on 127.0.0.1: Address already in use")
        self.assertNotIn(20001, self.ports)

    def test_owner_is_asked_for_each_connection(self) -> None:
        """A connection goes to whoever owns the port when it arrives; without an owner it is dropped."""
        self.ports.prepare(20001)
        factory = self.reactor.tcpServers[0][1]
        self.assertIsNone(factory.buildProtocol(None))
        self.owners[20001] = Factory.forProtocol(Protocol)
        self.assertIsInstance(factory.buildProtocol(None), Protocol)

    def test_keep(self) -> None:
        """Ports that nobody wants any more are closed, the others stay open."""
        self.ports.prepare(20001)
        self.ports.prepare(20002)
        self.ports.keep({20002})
        self.assertNotIn(20001, self.ports)
        self.assertIn(20002, self.ports)

    def test_do_without(self) -> None:
        """A port that is waited for is no trouble, is opened when it can be had, and is forgotten when nobody wants it."""
        taken = {20001, 20002}
        listen = self.reactor.listenTCP

        def listenTCP(port: int, *args: Any, **kwargs: Any) -> Any:
            if port in taken:
                raise CannotListenError("127.0.0.1", port, OSError(98, "Address already in use"))
            return listen(port, *args, **kwargs)

        self.reactor.listenTCP = listenTCP  # type: ignore[method-assign]
        for port in (20001, 20002):
            self.ports.do_without(port)
            self.assertIsNone(self.ports.prepare(port))
        self.reactor.advance(RETRY)
        self.assertNotIn(20001, self.ports)
        taken.clear()
        self.ports.keep({20001})
        self.reactor.advance(RETRY)
        self.assertIn(20001, self.ports)
        self.assertNotIn(20002, self.ports)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.ports.do_without(20003)
        self.successResultOf(self.ports.close())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_hand_over(self) -> None:
        """Ports that are handed over accept nobody, are closed by nobody here, and are not tried again."""
        ports, sockets = Ports(self.reactor, "127.0.0.1", self.owners.get), [Listening(7), Listening(8)]
        made = iter(sockets)
        self.reactor.listenTCP = lambda *args, **kwargs: next(made)  # type: ignore[method-assign]
        for port in (20001, 20002):
            ports.prepare(port)
        ports.do_without(20003)
        self.assertEqual(ports.hand_over(), [7, 8])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        ports.keep({})
        self.successResultOf(ports.close())
        self.assertEqual([one.events for one in sockets], [["rest"], ["rest"]])

    def test_close(self) -> None:
        """All ports are given back."""
        self.ports.prepare(20001)
        self.assertIsNone(self.successResultOf(self.ports.close()))
        self.assertNotIn(20001, self.ports)
