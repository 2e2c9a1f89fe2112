"""
What a connection leaves in memory when it is gone: nothing that the garbage collector would have to find, since it does not look at
what has lasted for a while.
"""

from __future__ import annotations

import gc
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.transports.ssh.connection import Connection
from ngrok_twisted.transports.ssh.forwards import Forwards
from ngrok_twisted.transports.ssh.gateway import Gateway
from ngrok_twisted.transports.ssh.hold import Hold
from ngrok_twisted.transports.ssh.packets import PacketReader
from ngrok_twisted.transports.ssh.server import SSHTransport
from tests.transports.ssh.client import ScriptedClient
from tests.transports.ssh.doubles import World


def alive(*kinds: type[Any]) -> set[int]:
    """Which objects of these kinds there are."""
    return {id(one) for one in gc.get_objects() if isinstance(one, kinds)}


class RingTests(SynchronousTestCase):
    """The garbage collector does nothing in these tests."""

    def setUp(self) -> None:
        """It does not now."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def test_transport(self) -> None:
        """The transport of a client that was logged in goes with its socket."""
        before = alive(SSHTransport, Connection, PacketReader)
        client = ScriptedClient().login()
        client.open_session()
        self.assertEqual(len(alive(SSHTransport, Connection) - before), 2)
        client.lose()
        client.socket.producer = client.server = None
        client.gateways.clear()
        self.assertEqual(alive(SSHTransport, Connection, PacketReader) - before, set())

    def test_gateway(self) -> None:
        """So does what its forwards and sessions were."""
        before = alive(Gateway, Forwards, Hold)
        world = World()
        world.forward()
        world.run(b"http")
        self.assertEqual(len(alive(Gateway, Forwards, Hold) - before), 3)
        world.gateway.disconnected(None)
        world.gateway.forward_cancelled(b"localhost", 443)  # whoever still holds it may ask
        world.gateway.close("too late")
        world.gone.clear()
        del world.gateway
        self.assertEqual(alive(Gateway, Forwards, Hold) - before, set())
