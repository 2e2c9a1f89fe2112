"""
Tests for `ngrok_twisted.edge.door`.
"""

from __future__ import annotations

import ssl
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.edge.door import OPTIONS, AgentDoor
from ngrok_twisted.edge.front import CLIENT_HELLO_TIMEOUT
from ngrok_twisted.net.tls import TLSConnection
from ngrok_twisted.records.agent_ingress import AgentIngress
from ngrok_twisted.records.reserved_domain import ReservedDomain
from tests.edge.doubles import Edge, endpoint, get
from tests.edge.wire import statuses
from tests.net.loop import Recorder
from tests.net.wire import Wire

CONNECT = "connect.example.com"


class Echo(Protocol):
    """What the transport speaks with agents: it says everything twice."""

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        self.transport.write(data * 2)  # type: ignore[union-attr]


class Agents(Factory):
    """
    The transport's factory.

    :ivar met: the addresses of those who came in.
    """

    protocol = Echo
    noisy = False

    def __init__(self) -> None:
        self.met: list[Any] = []

    def buildProtocol(self, addr: Any) -> Any:
        """IProtocolFactory."""
        self.met.append(addr)
        return super().buildProtocol(addr)


class Agent:
    """An agent, as far as TLS goes. It offers ALPN although agents do not."""

    def __init__(self, edge: Edge, front: Any, server_name: str | None, dialled: Any = None) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.inner = Recorder()
        self.tls = TLSConnection(
            context, self.inner, clock=edge.reactor, server_side=False, server_hostname=server_name
        )
        self.wire = Wire(self.tls, front.buildProtocol(None))
        if dialled is not None:
            self.wire.server.getHost = lambda: dialled  # type: ignore[method-assign]
        self.wire.run()

    def say(self, data: bytes) -> bytes:
        """What is answered to this."""
        self.tls.write(data)
        self.wire.run()
        return bytes(self.inner.received)


class DoorCase(SynchronousTestCase):
    """A plane that lets agents in."""

    def setUp(self) -> None:
        self.edge = Edge()
        self.agents = Agents()
        self.front = self.edge.plane.host_agents(CONNECT, self.agents)
        self.edge.serve()

    def visit(self, server_name: str | None) -> Agent:
        """An agent on the https listener."""
        return Agent(self.edge, self.edge.plane.secure_front, server_name)

    def assertInside(self, agent: Agent) -> None:
        """The agent speaks with the transport, through TLS without ALPN, and is no visitor."""
        self.assertEqual(agent.say(b"ab"), b"abab")
        self.assertIsNone(agent.tls.negotiatedProtocol)
        self.assertEqual(len(self.edge.plane.visitors), 0)


class SharedListenerTests(DoorCase):
    """Agents on the https listener, by name."""

    def test_interfaces(self) -> None:
        """Doors and fronts are factories."""
        door = AgentDoor(CONNECT, self.agents, self.edge.certificates, self.edge.reactor)
        verifyObject(IProtocolFactory, door)
        verifyObject(IProtocolFactory, door.at(""))
        verifyObject(IProtocolFactory, self.front)

    def test_by_name(self) -> None:
        """Whoever asks for the name speaks with the transport, with the name's certificate."""
        self.assertInside(self.visit(CONNECT))
        self.assertEqual(self.edge.certificates.asked, [(CONNECT, OPTIONS)])
        (address,) = self.agents.met
        self.assertEqual((address.host, address.server_name), ("192.0.2.1", CONNECT))

    def test_others(self) -> None:
        """Visitors of other names, and of none, do not get there, whatever host they ask for."""
        self.edge.serve(endpoint("ep_1"))
        self.assertEqual(self.edge.visit("app.example.com").ask(CONNECT), 421)
        self.assertEqual(self.edge.visit(None).ask(CONNECT), 404)
        self.assertEqual(self.edge.visit("nobody.example.com").ask("nobody.example.com"), 404)
        self.assertEqual(self.agents.met, [])

    def test_first(self) -> None:
        """No endpoint gets what agents send to the name."""
        for proto, host in (("https", CONNECT), ("https", "*.example.com"), ("tls", CONNECT), ("tls", "*.example.com")):
            self.edge.serve(endpoint("ep_1", proto, host))
            self.assertInside(self.visit(CONNECT))

    def test_ingress(self) -> None:
        """The name of an agent ingress leads there too, as long as there is one, even if somebody has reserved it since."""
        ingress = AgentIngress(id="agin_1", account_id="ac_1", domain="agents.example.org")
        theirs = ReservedDomain(id="rd_1", account_id="ac_2", domain="connect.agents.example.org")
        edge = endpoint("ep_1", host="connect.agents.example.org")
        self.edge.serve(ingress, theirs, edge)
        self.assertInside(self.visit("connect.agents.example.org"))
        self.edge.serve(theirs)
        self.assertEqual(self.edge.visit("connect.agents.example.org").ask("connect.agents.example.org"), 404)

    def test_no_agents(self) -> None:
        """Where no transport lets agents in, the name is nobody's."""
        edge = Edge()
        edge.serve(AgentIngress(id="agin_1", account_id="ac_1", domain="agents.example.org"))
        for name in (CONNECT, "connect.agents.example.org"):
            self.assertEqual(edge.visit(name).ask(name), 404)

    def test_turned_away(self) -> None:
        """A transport that takes nobody closes the connection."""
        self.agents.buildProtocol = lambda addr: None  # type: ignore[method-assign]
        agent = self.visit(CONNECT)
        self.assertEqual(agent.say(b"ab"), b"")
        self.assertTrue(agent.wire.server.closed)


class OwnListenerTests(DoorCase):
    """Agents on a listener of their own."""

    def connect(self, server_name: str | None, dialled: Any = None) -> Agent:
        """An agent that dialled this address of ours."""
        return Agent(self.edge, self.front, server_name, dialled)

    def test_any_name(self) -> None:
        """Agents come in whatever name they ask for; what is not the service's own is not what a certificate is made for."""
        self.edge.serve(endpoint("ep_1"), AgentIngress(id="agin_1", account_id="ac_1", domain="agents.example.org"))
        for name in (CONNECT, "connect.agents.example.org", "app.example.com", "strange.example", "localhost", None):
            self.assertInside(self.connect(name))
        self.assertEqual(self.edge.certificates.asked, [(CONNECT, OPTIONS), ("connect.agents.example.org", OPTIONS)])
        near = (CONNECT, "localhost", "127.0.0.1", "::1", "192.0.2.2")
        self.assertEqual(self.edge.certificates.issued, [(near, OPTIONS)] * 4)

    def test_addresses(self) -> None:
        """The certificate names the address that was dialled, as an agent knows it, once."""
        near = (CONNECT, "localhost", "127.0.0.1", "::1")
        for dialled, more in (
            (IPv4Address("TCP", "127.0.0.1", 4443), ()),
            (IPv6Address("TCP", "::1", 4443), ()),
            (IPv6Address("TCP", "2001:DB8::1", 4443), ("2001:db8::1",)),
            (IPv6Address("TCP", "::ffff:198.51.100.7", 4443), ("198.51.100.7",)),
            (IPv6Address("TCP", "fe80::1%eth0", 4443), ("fe80::1",)),
            (UNIXAddress("/run/agents"), ()),
        ):
            self.assertInside(self.connect(None, dialled))
            self.assertEqual(self.edge.certificates.issued.pop(), (near + more, OPTIONS))

    def test_plain(self) -> None:
        """Plain HTTP is answered with a sentence."""
        wire = Wire(Recorder(), self.front.buildProtocol(None))
        wire.client.write(get("localhost"))
        wire.run()
        answer = bytes(wire.client.protocol.received)
        self.assertEqual(statuses(answer), [400])
        self.assertIn(b"for ngrok's agents", answer)

    def test_silence(self) -> None:
        """Who says nothing is not waited for."""
        wire = Wire(Recorder(), self.front.buildProtocol(None))
        self.edge.reactor.advance(CLIENT_HELLO_TIMEOUT + 3)
        wire.run()
        self.assertTrue(wire.server.closed)
        self.assertEqual(self.edge.reactor.getDelayedCalls(), [])
