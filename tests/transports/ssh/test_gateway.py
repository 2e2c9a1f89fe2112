"""
Tests for `ngrok_twisted.transports.ssh.gateway`.
"""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.errors import Refused
from ngrok_twisted.flow import Flow
from ngrok_twisted.interfaces import IAgentSession, ITunnel
from ngrok_twisted.transports.ssh.forwards import STOPPED
from ngrok_twisted.transports.ssh.gateway import STOPPED_REMOTELY
from tests.transports.ssh.doubles import NOW, PTY, World


class OrderTests(SynchronousTestCase):
    """The orders in which clients send their requests (measured)."""

    def test_openssh(self) -> None:
        """OpenSSH and plink send the forward first: its answer waits for the command, and then the URL is shown."""
        world = World()
        answer = world.forward()
        self.assertEqual((answer, world.reservations.claims), ([], []))
        session = world.run(b"http")
        self.assertEqual(answer, [443])
        self.assertIn(b"Forwarding  https://random1.example.com\n", session.out)
        self.assertEqual(world.urls, ["https://random1.example.com"])
        self.assertIsNone(session.status)

    def test_shell(self) -> None:
        """A shell without a command implies http, and the block of text is ngrok's."""
        world = World()
        world.forward()
        session = world.run(None)
        self.assertEqual(
            session.out.decode(),
            "\nngrok_twisted (via SSH) (Ctrl+C to quit)\n\nAccount     Ada\nRegion      local\n"
            "Forwarding  https://random1.example.com\n",
        )

    def test_dropbear(self) -> None:
        """Dropbear opens the session first, and the answer still waits for its command."""
        world = World()
        session = world.session()
        answer = world.forward(port=0)
        world.clock.advance(1)
        self.assertEqual(answer, [])
        world.gateway.session_command(session, b"tcp")
        self.assertEqual(answer, [20001])
        self.assertIn(b"tcp://tcp.example.com:20001", session.out)

    def test_session_without_command(self) -> None:
        """A session that never says its command holds the answer for two seconds, not longer."""
        world = World()
        world.session()
        answer = world.forward()
        world.clock.advance(1.9)
        self.assertEqual(answer, [])
        world.clock.advance(0.2)
        self.assertEqual(answer, [443])

    def test_no_session(self) -> None:
        """With -N the implied command starts after 300 ms."""
        world = World()
        answer = world.forward()
        world.clock.advance(0.2)
        self.assertEqual(answer, [])
        world.clock.advance(0.1)
        self.assertEqual(answer, [443])
        self.assertEqual(world.urls, ["https://random1.example.com"])
        world.clock.advance(3600)
        self.assertEqual(world.connection.disconnects, [])

    def test_late_session(self) -> None:
        """A session that opens within 300 ms gives its command the full time."""
        world = World()
        answer = world.forward()
        world.clock.advance(0.2)
        session = world.session()
        world.clock.advance(1.5)
        self.assertEqual(answer, [])
        world.gateway.session_command(session, b"tls")
        self.assertEqual(world.urls, ["tls://random1.example.com"])

    def test_mux_forward(self) -> None:
        """A forward that comes when a command was seen is answered at once: a mux client waits for nothing else."""
        world = World()
        world.forward()
        world.run(b"http")
        self.assertEqual(world.forward(b"other", 443), [443])
        self.assertEqual(world.urls[1], "https://other.example.com")

    def test_mux_command_same(self) -> None:
        """The command of a mux client's session applies to the forward it has just made."""
        world = World()
        world.forward()
        world.run(None)
        self.assertEqual(world.forward(b"other", 443), [443])
        world.clock.advance(1)
        session = world.run(b"http --description late")
        self.assertEqual(world.reservations.claims[-1].description, "late")
        self.assertEqual(len(world.reservations.held), 2)
        self.assertEqual(len(world.tunnels), 2)
        self.assertIn(b"Forwarding  https://other.example.com\n", session.out)

    def test_mux_command_unchanged(self) -> None:
        """A command that says what is so anyway leaves the endpoint alone and shows it."""
        world = World()
        world.forward()
        world.clock.advance(0.3)
        session = world.run(b"http")
        self.assertEqual(len(world.reservations.claims), 1)
        self.assertIn(b"https://random1.example.com", session.out)

    def test_mux_command_other(self) -> None:
        """A command of another kind leaves the endpoint unchanged, with a message."""
        world = World()
        world.forward()
        world.clock.advance(0.3)
        session = world.run(b"tls")
        self.assertIn(b"started as http", session.out)
        self.assertEqual(world.urls, ["https://random1.example.com"])
        self.assertIsNone(session.status)

    def test_mux_command_while_claiming(self) -> None:
        """A command that comes while its forward is being claimed without it replaces that claim."""
        world = World()
        world.reservations.waiting = []
        answer = world.forward()
        world.clock.advance(0.3)
        world.run(b"http --name x")
        first, second = world.reservations.waiting
        self.assertEqual(answer, [])
        second.callback(None)
        self.assertEqual(answer, [443])
        self.assertEqual([grant.claim.name for grant in world.reservations.held], ["x"])

    def test_mux_command_late(self) -> None:
        """A command more than five seconds later is not for the old forward, and waits for a new one."""
        world = World()
        world.forward()
        world.clock.advance(0.3)
        world.clock.advance(6)
        session = world.run(b"http --name x")
        self.assertEqual(len(world.reservations.claims), 1)
        self.assertEqual(world.forward(b"other", 443), [443])
        self.assertEqual(world.reservations.claims[-1].name, "x")
        self.assertIn(b"https://other.example.com", session.out)

    def test_mux_shell(self) -> None:
        """A shell on a connection that has endpoints shows them and stays."""
        world = World()
        world.forward()
        world.clock.advance(0.3)
        world.clock.advance(6)
        session = world.run(None)
        self.assertIn(b"https://random1.example.com", session.out)
        self.assertIsNone(session.status)

    def test_command_before_forward(self) -> None:
        """A command may come before its forwards; two commands wait for two."""
        world = World()
        world.run(b"http + tcp")
        first = world.forward(port=443)
        self.assertEqual(first, [])
        second = world.forward(port=0)
        self.assertEqual((first, second), ([443], [20002]))

    def test_session_closes(self) -> None:
        """When a session closes its forwards stay."""
        world = World()
        world.forward()
        session = world.run(b"http")
        world.gateway.session_closed(session)
        self.assertEqual(len(world.tunnels), 1)
        self.assertEqual(world.connection.disconnects, [])

    def test_end_of_input(self) -> None:
        """The end of standard input does not end the session."""
        world = World()
        world.forward()
        session = world.run(b"http")
        world.gateway.session_eof(session)
        self.assertIsNone(session.status)


class SeveralTests(SynchronousTestCase):
    """Several forwards on one connection."""

    def test_one_command(self) -> None:
        """One command applies to each forward."""
        world = World()
        answers = [world.forward(b"one", 443), world.forward(b"two", 443)]
        session = world.run(b"http --name n")
        self.assertEqual(answers, [[443], [443]])
        self.assertEqual([claim.name for claim in world.reservations.claims], ["n", "n"])
        self.assertEqual([claim.slot for claim in world.reservations.claims], ["0:http", "1:http"])
        self.assertEqual(session.out.count(b"(Ctrl+C to quit)"), 1)

    def test_commands_in_order(self) -> None:
        """Commands joined with + map to the forwards in order, the last one to the rest."""
        world = World()
        for port in (443, 0, 0):
            world.forward(port=port)
        world.run(b"http + tcp")
        self.assertEqual([claim.proto for claim in world.reservations.claims], ["https", "tcp", "tcp"])

    def test_too_many_commands(self) -> None:
        """More commands than forwards are refused with 1105, and nothing is published."""
        world = World()
        answer = world.forward()
        session = world.run(b"http + tcp")
        self.assertEqual(answer[0].code, 1105)
        self.assertIn(b"ERR_NGROK_1105", session.err)
        self.assertEqual((session.status, world.urls), (1, []))

    def test_name_for_several(self) -> None:
        """One name flag for several forwards is refused with 1105."""
        world = World()
        answers = [world.forward(b"", 443), world.forward(b"", 0)]
        session = world.run(b"http --domain app.example.com")
        self.assertEqual([answer[0].code for answer in answers], [1105, 1105])
        self.assertEqual(session.err.count(b"ERR_NGROK_1105"), 1)

    def test_port_zero_twice(self) -> None:
        """Two forwards of port 0 get different ports, so that the client can tell their channels apart."""
        world = World()
        answers = [world.forward(port=0), world.forward(b"", 0), world.forward(b"app", 0)]
        world.run(b"http")
        self.assertEqual(answers, [[443], [444], [443]])
        for tunnel in world.tunnels:
            tunnel.connect(_Factory())
        self.assertEqual(
            [opened[:2] for opened in world.connection.opened], [(b"localhost", 443), (b"", 444), (b"app", 443)]
        )

    def test_port_zero_beside_443(self) -> None:
        """The port for 0 keeps clear of a port that another forward asks for."""
        world = World()
        answers = [world.forward(port=0), world.forward(port=443)]
        world.run(b"http")
        self.assertEqual(answers, [[444], [443]])

    def test_duplicate(self) -> None:
        """The same address and port twice: the second is refused, the first works, and the session tells."""
        world = World()
        first, second = world.forward(), world.forward(b"")
        self.assertEqual(second[0].code, 1105)
        session = world.run(b"http")
        self.assertEqual(first, [443])
        self.assertIn(b"ERR_NGROK_1105", session.err)
        self.assertIsNone(session.status)
        self.assertEqual(len(world.tunnels), 1)

    def test_limit(self) -> None:
        """Forwards over the limit are refused."""
        world = World(max_forwards=2)
        answers = [world.forward(port=0) for _ in range(3)]
        self.assertEqual(answers[2][0].code, 1105)

    def test_both_schemes(self) -> None:
        """Port 80 without a command publishes https and http under one name, behind one forward."""
        world = World()
        answer = world.forward(port=80)
        session = world.run(None)
        self.assertEqual(answer, [80])
        self.assertEqual(world.urls, ["https://random1.example.com", "http://random1.example.com"])
        self.assertEqual(session.out.count(b"Forwarding"), 2)


class RefusalTests(SynchronousTestCase):
    """Where the text of a refusal goes."""

    def test_bad_command(self) -> None:
        """A mistake in the command refuses the forward, is told on standard error, and exits with 2."""
        world = World()
        answer = world.forward()
        session = world.run(b"htp")
        self.assertEqual(answer[0].code, 1108)
        self.assertEqual(session.err, b"ERROR:  'htp' is not a command. Did you mean http?\nERR_NGROK_1108\n")
        self.assertEqual(session.status, 2)

    def test_claim_refused(self) -> None:
        """A name that is refused fails the forward and exits with 1."""
        world = World()
        world.reservations.refusal = Refused(320, "Not yours.")
        answer = world.forward()
        session = world.run(b"http", pty=PTY)
        self.assertEqual(answer[0].code, 320)
        self.assertEqual(session.err, b"ERROR:  Not yours.\r\nERR_NGROK_320\r\n")
        self.assertEqual(session.status, 1)
        self.assertEqual(world.connection.disconnects, [])

    def test_one_of_two(self) -> None:
        """When one of two forwards is refused the other works on, and so does the session."""
        world = World()
        answers = [world.forward(b"app", 443), world.forward(b"app", 0)]
        session = world.run(b"http")
        self.assertEqual(answers[0], [443])
        self.assertEqual(answers[1][0].code, 334)
        self.assertIn(b"ERR_NGROK_334", session.err)
        self.assertIsNone(session.status)

    def test_second_scheme_refused(self) -> None:
        """If the second URL of a forward is refused, the first is given back."""
        world = World()
        world.forward(b"app", 80)
        world.run(b"http")
        answer = world.forward(b"app", 443)
        self.assertEqual(answer, [443])
        world.run(b"http --force-https")
        self.assertEqual(world.urls, ["http://app.example.com"])
        self.assertEqual([grant.url for grant in world.reservations.held], ["http://app.example.com"])

    def test_no_session(self) -> None:
        """With -N the text travels in the disconnect, after the failure."""
        world = World()
        world.reservations.refusal = Refused(320, "Not yours.")
        answer = world.forward()
        world.clock.advance(0.3)
        self.assertEqual(answer[0].code, 320)
        world.clock.advance(0.3)
        self.assertEqual(world.connection.disconnects, [(11, "Not yours. ERR_NGROK_320")])

    def test_no_session_but_alive(self) -> None:
        """With -N a refused forward does not end the connection while another is alive."""
        world = World()
        world.forward(b"app", 443)
        world.forward(b"", 9999)
        world.clock.advance(5)
        self.assertEqual(world.urls, ["https://app.example.com"])
        self.assertEqual(world.connection.disconnects, [])

    def test_unexpected(self) -> None:
        """A fault of ours refuses the forward without its details, and is logged."""
        world = World()
        world.reservations.refusal = ValueError("secret")
        answer = world.forward()
        session = world.run(b"http")
        self.assertIsInstance(answer[0], Refused)
        self.assertNotIn(b"secret", session.err)
        self.assertEqual(session.status, 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_version(self) -> None:
        """An unknown version of the language is refused with 1106, with a session and without."""
        world = World(username=b"v7")
        answer = world.forward()
        session = world.run(b"http")
        self.assertEqual((answer[0].code, session.status), (1106, 1))
        world = World(username=b"V7")
        answer = world.forward()
        world.clock.advance(0.3)
        self.assertEqual(answer[0].code, 1106)

    def test_old_language(self) -> None:
        """The user name v1 selects the old language."""
        world = World(username=b"v1")
        world.forward()
        world.run(b"http -subdomain=app 80")
        self.assertEqual(world.urls, ["https://app.example.com", "http://app.example.com"])

    def test_no_forward(self) -> None:
        """A command without a forward is refused with 1112 after ten seconds."""
        world = World()
        session = world.run(b"http")
        world.clock.advance(9)
        self.assertIsNone(session.status)
        world.clock.advance(1)
        self.assertIn(b"ERR_NGROK_1112", session.err)
        self.assertEqual(session.status, 1)

    def test_nothing(self) -> None:
        """A connection that asks for nothing is ended after ten seconds."""
        world = World()
        world.clock.advance(10)
        self.assertEqual(world.connection.disconnects[0][0], 11)
        self.assertIn("ERR_NGROK_1112", world.connection.disconnects[0][1])

    def test_strict_shell(self) -> None:
        """Where a command is required, a shell is refused with 1107."""
        world = World(require_command=True)
        answer = world.forward()
        session = world.run(None)
        self.assertEqual((answer[0].code, session.status), (1107, 2))

    def test_strict_no_session(self) -> None:
        """Where a command is required, -N is refused with 1111 after ten seconds."""
        world = World(require_command=True)
        answer = world.forward()
        world.clock.advance(9.9)
        self.assertEqual(answer, [])
        world.clock.advance(0.2)
        self.assertEqual(answer[0].code, 1111)

    def test_over_the_limit(self) -> None:
        """A connection that may publish nothing says why, and still informs."""
        world = World()
        world.gateway = world.another(refusal=Refused(108, "Too many sessions."))
        answer = world.forward()
        self.assertEqual(answer[0].code, 108)
        self.assertIn(b"ERR_NGROK_108", world.run(b"http").err)
        self.assertEqual(world.run(b"whoami").status, 0)


class InformTests(SynchronousTestCase):
    """Commands that publish nothing."""

    def test_help(self) -> None:
        """--help prints the flags, exits with 0 and publishes nothing."""
        world = World()
        answer = world.forward()
        session = world.run(b"http --help")
        self.assertIn(b"--host-header", session.out)
        self.assertNotIn(b"--basic-auth", session.out)
        self.assertEqual(session.status, 0)
        self.assertIsInstance(answer[0], Refused)
        self.assertEqual(world.urls, [])

    def test_whoami(self) -> None:
        """whoami tells the account and the key."""
        session = World().run(b"whoami")
        self.assertIn(b"Ada", session.out)
        self.assertIn(b"sshcr_1", session.out)
        self.assertEqual(session.status, 0)

    def test_version(self) -> None:
        """version tells the server's."""
        self.assertIn(b"ngrok_twisted 0.9", World(version="0.9").run(b"version").out)

    def test_status(self) -> None:
        """status and ls list what is online, also for programs."""
        world = World()
        self.assertIn(b"No endpoint", world.run(b"status").out)
        world.forward(b"app", 443)
        world.run(b"http")
        self.assertIn(b"https://app.example.com", world.run(b"ls").out)
        self.assertEqual(json.loads(world.run(b"status --output json").out)["url"], "https://app.example.com")

    def test_welcome(self) -> None:
        """A shell without a forward shows who the user is and how to begin, and exits with 0."""
        session = World(connect_port=2222).run(None)
        self.assertIn(b"ssh -p 2222 -R 443:localhost:3000 connect.example.com http", session.out)
        self.assertEqual(session.status, 0)


class EndTests(SynchronousTestCase):
    """How forwards end."""

    def setUp(self) -> None:
        self.world = World()

    def test_cancel(self) -> None:
        """A cancelled forward takes its URL offline; its streams get five seconds."""
        world = self.world
        world.forward(port=0)
        session = world.run(b"http")
        (tunnel,) = world.tunnels
        protocol = self.successResultOf(tunnel.connect(_Factory()))
        self.assertFalse(world.gateway.forward_cancelled(b"localhost", 0))
        self.assertTrue(world.gateway.forward_cancelled(b"localhost", 443))
        self.assertEqual((world.urls, world.reservations.held), ([], []))
        self.assertIn(b"Closed      https://random1.example.com (cancelled)", session.out)
        world.clock.advance(4.9)
        self.assertFalse(protocol.transport.lost)
        world.clock.advance(0.2)
        self.assertTrue(protocol.transport.lost)
        self.assertIsNone(session.status)
        self.failureResultOf(tunnel.connect(_Factory()))

    def test_cancel_and_again(self) -> None:
        """A cancelled forward may be asked for again, and takes the same place."""
        self.world.forward()
        self.world.run(b"http")
        self.world.gateway.forward_cancelled(b"localhost", 443)
        self.assertEqual(self.world.forward(), [443])
        self.assertEqual(self.world.reservations.claims[-1].slot, "0:http")

    def test_cancel_held(self) -> None:
        """A forward that waits for its command can be cancelled."""
        answer = self.world.forward()
        self.assertTrue(self.world.gateway.forward_cancelled(b"localhost", 443))
        self.assertIsInstance(answer[0], Refused)
        self.world.clock.advance(3)
        self.assertEqual(self.world.reservations.claims, [])

    def test_stopped(self) -> None:
        """A session that is stopped over the API tells its user so, and ends."""
        world = self.world
        world.forward()
        session = world.run(b"http")
        self.assertIsNone(self.successResultOf(world.gateway.order("stop", "")))
        self.assertIn(STOPPED_REMOTELY.encode(), session.err)
        self.assertEqual((world.urls, session.status), ([], STOPPED))
        world.clock.advance(2)
        self.assertEqual([text for _, text in world.connection.disconnects], [STOPPED_REMOTELY])

    def test_orders(self) -> None:
        """An SSH client can neither be restarted nor updated, and goes on."""
        self.world.forward()
        self.world.run(b"http")
        for order, code in (("restart", 1122), ("update", 1121)):
            refused = self.failureResultOf(self.world.gateway.order(order, "3"), Refused).value
            self.assertEqual(refused.code, code)
        self.assertEqual(len(self.world.urls), 1)

    def test_described(self) -> None:
        """A session says how it came, with what, and when; metadata is that of its first SSH session that has any."""
        world = self.world
        gateway = world.gateway
        self.assertEqual((gateway.transport, gateway.agent_version, gateway.os), ("ssh", "OpenSSH_9.2", ""))
        self.assertEqual((gateway.started_at, gateway.metadata), (NOW, ""))
        world.forward()
        first, second = world.session(), world.session()
        for session, value in ((first, b"x" * 5000), (first, b"one"), (second, b"two")):
            gateway.session_env(session, b"NGROK_METADATA", value)
        self.assertEqual(gateway.metadata, "one")

    def test_ids(self) -> None:
        """A tunnel's id is its endpoint's but for the prefix, and the tunnel has what its user gave."""
        self.world.forward()
        self.world.run(b"http --metadata mine")
        (tunnel,) = self.world.tunnels
        self.assertEqual(tunnel.id.partition("_")[2], tunnel.endpoint_id.partition("_")[2])
        self.assertEqual((tunnel.metadata, tunnel.forwards_to), ("mine", ""))

    def test_cancel_unknown(self) -> None:
        """Nothing is cancelled if there is no such forward."""
        self.assertFalse(self.world.gateway.forward_cancelled(b"x", 1))

    def test_disconnected(self) -> None:
        """A lost connection gives back all it had, and no call is left behind."""
        world = self.world
        answers = [world.forward(b"app", 443)]
        world.run(b"http --expires 1h")
        world.reservations.waiting = []
        answers.append(world.forward(b"other", 443))
        world.gateway.disconnected(Failure(ConnectionError()))
        self.assertEqual((world.urls, world.reservations.held), ([], []))
        self.assertIsInstance(answers[1][0], Refused)
        self.assertEqual(world.gone, [world.gateway])
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_grant_after_disconnect(self) -> None:
        """A grant that comes although its claim was cancelled is given back."""
        world = self.world
        stubborn: Deferred[None] = Deferred()
        world.forward()
        original = world.reservations.claim

        def claim(session: object, wanted: object) -> Deferred:
            late: Deferred = Deferred(lambda d: d.callback(self.successResultOf(original(session, wanted))))
            return late

        world.reservations.claim = claim
        world.run(b"http")
        world.gateway.disconnected(Failure(ConnectionError()))
        self.assertEqual(len(world.reservations.released), 1)
        self.assertEqual(world.urls, [])
        del stubborn

    def test_takeover(self) -> None:
        """A revoked grant ends the session with 3 and tells why; the grant is not given back, for it is not ours."""
        world = self.world
        world.forward()
        session = world.run(b"http")
        (grant,) = world.reservations.held
        world.gateway.revoke(grant, "taken over")
        self.assertIn(b"taken over", session.err)
        self.assertEqual((session.status, world.urls, world.reservations.released), (3, [], []))
        world.clock.advance(2)
        self.assertEqual(world.connection.disconnects, [(11, "https://random1.example.com was closed: taken over")])

    def test_takeover_without_session(self) -> None:
        """Without a session the disconnect carries the reason."""
        world = self.world
        world.forward()
        world.clock.advance(0.3)
        world.gateway.revoke(world.reservations.held[0], "taken over")
        world.clock.advance(0)
        self.assertEqual(world.connection.disconnects, [(11, "https://random1.example.com was closed: taken over")])

    def test_takeover_of_one(self) -> None:
        """When one of two URLs is taken over the session goes on."""
        world = self.world
        world.forward(b"one", 443)
        world.forward(b"two", 443)
        session = world.run(b"http")
        world.gateway.revoke(world.reservations.held[0], "taken over")
        world.clock.advance(60)
        self.assertEqual(world.urls, ["https://two.example.com"])
        self.assertEqual((session.status, world.connection.disconnects), (None, []))

    def test_stop(self) -> None:
        """A tunnel that the API closes gives its grant back and ends the session with 3."""
        world = self.world
        world.forward()
        session = world.run(b"http")
        (tunnel,) = world.tunnels
        tunnel.close("stopped by an operator")
        self.assertEqual((session.status, world.reservations.held, world.urls), (3, [], []))

    def test_expiry(self) -> None:
        """--expires closes the endpoint then, with 4."""
        world = self.world
        world.forward(port=80)
        session = world.run(b"--expires 15m")
        self.assertEqual(len(world.tunnels), 2)
        world.clock.advance(15 * 60 - 1)
        self.assertIsNone(session.status)
        world.clock.advance(1)
        self.assertEqual((session.status, world.urls, world.reservations.held), (4, [], []))

    def test_drain(self) -> None:
        """A server that shuts down tells its users, takes nothing new, and ends the connection last."""
        world = self.world
        world.forward()
        session = world.run(b"http")
        world.gateway.drain("The server is shutting down.")
        self.assertIn(b"shutting down", session.out)
        self.assertIsInstance(world.forward(b"new", 443)[0], Refused)
        self.assertEqual(len(world.tunnels), 1)
        world.gateway.close("The server is shutting down.")
        self.assertIn(b"ERROR:  The server is shutting down.", session.err)
        self.assertEqual((session.status, world.urls, world.reservations.held), (3, [], []))
        self.assertEqual(world.connection.disconnects, [])
        world.clock.advance(1)
        self.assertEqual(world.connection.disconnects, [(11, "The server is shutting down.")])


class TerminalTests(SynchronousTestCase):
    """Keys, signals and the environment."""

    def setUp(self) -> None:
        self.world = World()
        self.world.forward()
        self.session = self.world.run(None, pty=PTY)

    def type(self, keys: bytes) -> bytes:
        """Type, and read what that shows."""
        self.session.out = b""
        self.world.gateway.session_input(self.session, keys)
        return self.session.out

    def test_quit(self) -> None:
        """Ctrl+C, Ctrl+D and q twice end the session with 0."""
        for keys in (b"\x03", b"\x04", b"qq", b"qy"):
            self.setUp()
            self.type(keys)
            self.assertEqual(self.session.status, 0)

    def test_quit_takes_all_offline(self) -> None:
        """When the last user quits, nothing stays online, so that no idle channel keeps the client from leaving."""
        self.assertEqual(len(list(self.world.tunnels)), 1)
        self.type(b"\x03")
        self.assertEqual(list(self.world.tunnels), [])

    def test_quit_asks(self) -> None:
        """A single q asks; any other key takes it back."""
        self.assertIn(b"again", self.type(b"q"))
        self.type(b"x")
        self.type(b"y")
        self.assertIsNone(self.session.status)

    def test_keys(self) -> None:
        """h, r, i and Q help, repeat, switch the log and show the code."""
        self.assertIn(b"Keys:", self.type(b"h"))
        self.assertIn(b"https://random1.example.com\r\n", self.type(b"r"))
        self.assertIn(b"off", self.type(b"i"))
        self.assertIn("█".encode(), self.type(b"Q"))

    def test_without_terminal(self) -> None:
        """Without a terminal, bytes are no keys."""
        session = self.world.run(None)
        self.world.gateway.session_input(session, b"\x03\x04qq")
        self.assertIsNone(session.status)

    def test_signals(self) -> None:
        """INT, TERM and HUP end the session; others do not."""
        self.world.gateway.session_signal(self.session, "USR1")
        self.assertIsNone(self.session.status)
        self.world.gateway.session_signal(self.session, "TERM")
        self.assertEqual(self.session.status, 0)

    def test_environment(self) -> None:
        """NGROK_METADATA is the metadata, unless a flag says otherwise; no other variable is taken."""
        world = World()
        world.forward()
        session = world.session()
        self.assertFalse(world.gateway.session_env(session, b"LANG", b"C"))
        self.assertFalse(world.gateway.session_env(session, b"NGROK_METADATA", b"x" * 5000))
        self.assertTrue(world.gateway.session_env(session, b"NGROK_METADATA", b"mine"))
        world.gateway.session_command(session, b"http")
        self.assertEqual(world.reservations.claims[0].metadata, "mine")

    def test_hint(self) -> None:
        """How to reconnect is shown when it is wanted, and in a terminal only."""
        for pty, expected in ((PTY, True), (None, False)):
            world = World()
            asked: list[str] = []
            world.gateway = world.another(wants_hint=lambda credential: not asked.append(credential))
            world.forward()
            self.assertEqual(b"RemoteForward" in world.run(None, pty).out, expected)


class OutputTests(SynchronousTestCase):
    """What flags of output do."""

    def test_json(self) -> None:
        """--output json gives one object a line, errors included, on standard output."""
        world = World()
        world.forward()
        session = world.run(b"http --output json")
        events = [json.loads(line) for line in session.out.splitlines()]
        self.assertEqual([event["event"] for event in events], ["session", "forward"])
        self.assertEqual(events[0]["session_id"], world.gateway.id)
        self.assertEqual(events[1]["bind_port"], 443)
        world.gateway.revoke(world.reservations.held[0], "taken over")
        events = [json.loads(line) for line in session.out.splitlines()]
        self.assertEqual([event["event"] for event in events[2:]], ["closed", "error"])

    def test_quiet(self) -> None:
        """--quiet prints the URL and nothing else."""
        world = World()
        world.forward()
        self.assertEqual(world.run(b"http -q", PTY).out, b"https://random1.example.com\r\n")

    def test_log(self) -> None:
        """Requests are shown on a session that was opened before its tunnel was online, and on one that came later."""
        for late in (False, True):
            world = World()
            world.forward()
            world.clock.advance(1 if late else 0)
            session = world.run(None, PTY)
            (tunnel,) = world.tunnels
            session.out = b""
            flow = Flow("192.0.2.1", 1, "https", NOW)
            flow.method, flow.target, flow.status, flow.ended = b"GET", b"/seen", 200, NOW
            tunnel.observe(flow)
            self.assertIn(b"/seen", session.out)

    def test_code(self) -> None:
        """--qr draws the URL."""
        world = World()
        world.forward()
        self.assertIn("▄".encode(), world.run(b"http --qr").out)

    def test_notice(self) -> None:
        """A flag without effect is told of."""
        world = World()
        world.forward()
        self.assertIn(b"--region is ignored", world.run(b"http --region eu").out)


class SessionTests(SynchronousTestCase):
    """The gateway as an agent's session."""

    def test_interfaces(self) -> None:
        """It provides IAgentSession, and its tunnels ITunnel."""
        world = World()
        verifyObject(IAgentSession, world.gateway)
        self.assertTrue(world.gateway.id.startswith("ts_"))
        self.successResultOf(world.gateway.probe())
        world.forward()
        world.run(b"http")
        (tunnel,) = world.tunnels
        verifyObject(ITunnel, tunnel)


class _Transport:
    lost = False

    def loseConnection(self) -> None:
        self.lost = True


class _Protocol:
    def __init__(self) -> None:
        self.transport = _Transport()


class _Factory:
    def buildProtocol(self, addr: object) -> _Protocol:
        return _Protocol()


class PolicyTests(SynchronousTestCase):
    """Traffic policies that stand elsewhere than in the command."""

    def setUp(self) -> None:
        self.world = World(module_kinds={"traffic_policy": None})
        self.answers: dict[str, Deferred[str]] = {}
        self.cancelled: list[str] = []
        self.world.gateway.disconnected(None)
        self.world.gateway = self.world.another(fetch=self.fetch)

    def fetch(self, url: str) -> Deferred[str]:
        """Answers come later."""
        answer = self.answers[url] = Deferred(lambda _: self.cancelled.append(url))
        return answer

    def test_standard_input(self) -> None:
        """A forward waits for the policy on standard input, keys of a terminal included; a bad one is refused."""
        answer = self.world.forward()
        session = self.world.run(b"http --traffic-policy-file -", PTY)
        for data in (b"{", b"}\x03"):
            self.world.gateway.session_input(session, data)
        self.world.clock.advance(3)
        self.assertEqual((answer, session.status), ([], None))
        self.world.gateway.session_eof(session)
        self.assertIsInstance(answer[0], Refused)
        self.assertIn(b"ERR_NGROK_1110", session.err)
        self.assertEqual(self.world.reservations.claims, [])

    def test_claim(self) -> None:
        """The claim has it, byte for byte."""
        answer = self.world.forward()
        session = self.world.run(b"http --traffic-policy-file -")
        self.world.gateway.session_input(session, b"# mine\non_http_request: []\n")
        self.world.gateway.session_eof(session)
        (claim,) = self.world.reservations.claims
        self.assertEqual((claim.traffic_policy, answer), ("# mine\non_http_request: []\n", [443]))

    def test_late(self) -> None:
        """Without an end of standard input nothing is published, and the user is told."""
        answer = self.world.forward()
        session = self.world.run(b"http --traffic-policy-file -")
        self.world.clock.advance(10)
        self.assertIsInstance(answer[0], Refused)
        self.assertIn(b"did not end", session.err)
        self.assertEqual((session.status, self.world.urls), (2, []))

    def test_url(self) -> None:
        """A forward waits for what is behind a URL."""
        answer = self.world.forward()
        self.world.run(b"http --traffic-policy-url https://a.example/p")
        self.assertEqual(answer, [])
        self.answers["https://a.example/p"].callback("{}")
        self.assertEqual(answer, [443])
        self.assertEqual(self.world.reservations.claims[0].traffic_policy, "{}")

    def test_cancelled(self) -> None:
        """A forward that is cancelled meanwhile is not published when the policy comes; the connection's end is the last."""
        first, second = self.world.forward(b"a"), self.world.forward(b"b")
        self.world.run(b"http --traffic-policy-url https://a.example/p")
        self.assertTrue(self.world.gateway.forward_cancelled(b"a", 443))
        self.assertIsInstance(first[0], Refused)
        self.answers["https://a.example/p"].callback("{}")
        self.assertEqual(second, [443])
        self.assertEqual([claim.label for claim in self.world.reservations.claims], ["b"])

    def test_disconnected(self) -> None:
        """Nothing is fetched, and nobody waits, once the connection is gone."""
        self.world.forward()
        self.world.forward(b"b")
        self.world.run(b"http --traffic-policy-url https://a.example/p + http --traffic-policy-file -")
        self.world.gateway.disconnected(None)
        self.assertEqual(self.cancelled, ["https://a.example/p"])
        self.assertEqual(self.world.reservations.claims, [])
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_command_behind_its_forward(self) -> None:
        """A mux client's command reaches the forward that began without one."""
        self.world.forward()
        self.world.clock.advance(1)
        self.assertEqual(len(self.world.urls), 1)
        self.world.run(b"http --traffic-policy-url https://a.example/p")
        self.assertEqual(self.world.urls, [])
        self.answers["https://a.example/p"].callback("{}")
        self.assertEqual(len(self.world.urls), 1)
        self.assertEqual(self.world.reservations.claims[-1].traffic_policy, "{}")
