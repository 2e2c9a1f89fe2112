"""
Tests for `ngrok_twisted.edge.ports`.
"""

from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.edge.ports import RETRY, Ports


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

    def test_close(self) -> None:
        """All ports are given back."""
        self.ports.prepare(20001)
        self.assertIsNone(self.successResultOf(self.ports.close()))
        self.assertNotIn(20001, self.ports)
