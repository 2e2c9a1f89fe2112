"""
Tests of `ngrok_twisted.crew.abroad`.
"""

from __future__ import annotations

from functools import partial
from socket import socketpair
from typing import Any

from twisted.internet.defer import Deferred

from ngrok_twisted.crew.abroad import TOLD_AT_ONCE, AbroadOfMain, AbroadOfWorker
from ngrok_twisted.crew.elsewhere import Advert, ElsewhereTunnel
from ngrok_twisted.crew.wire import Wire
from ngrok_twisted.errors import EndpointOffline, TunnelLost
from ngrok_twisted.flow import Flow
from ngrok_twisted.tunnels import Tunnels
from ngrok_twisted.upstream.opening import ConnectionFactory
from tests.crew.tunnels import Tunnel
from tests.net.loop import LoopCase
from tests.net.test_eager import HalfCloseable


class Serving:
    """What a process has: idle connections, as `spare` says."""

    def __init__(self, spare: Any) -> None:
        self.pool = self
        self.spare = spare
        self.spare_elsewhere: Any = None


def _once(asked: list[Any], tunnel: Any) -> bool:
    """Have one to spare."""
    asked.append(tunnel)
    return len(asked) == 1


class Worker:
    """One of the other processes, with its wire."""

    def __init__(self, case: PlacesTests, place: int) -> None:
        here, there = socketpair()
        self.tunnels = Tunnels()
        self.to_main = Wire(case.reactor, there, "main", {})
        self.abroad = AbroadOfWorker(place, self.tunnels, case.reactor, self.to_main)
        self.to_main.handlers.update(self.abroad.handlers())
        self.wire = Wire(case.reactor, here, f"worker {place}", {})
        self.wire.handlers.update(case.abroad.handlers_for(place))
        self.wire.when_lost(lambda: case.abroad.gone(place))
        for wire in (self.wire, self.to_main):
            wire.start()
            case.addCleanup(wire.close)
        case.abroad.ready(place, self.wire)


class PlacesTests(LoopCase):
    """The main process and two workers, in one."""

    def setUp(self) -> None:
        super().setUp()
        self.tunnels = Tunnels()
        self.abroad = AbroadOfMain(self.tunnels, self.reactor)
        self.workers = {place: Worker(self, place) for place in (1, 2)}

    def tables(self) -> list[Tunnels]:
        """Of all places."""
        return [self.tunnels, *(worker.tunnels for worker in self.workers.values())]

    def everywhere(self, id: str) -> list[Any]:
        """The tunnel in all places."""
        return [table.get(id) for table in self.tables()]

    def known(self, tunnel: Tunnel) -> None:
        """Wait until a tunnel is known everywhere."""
        self.until(lambda: all(self.everywhere(tunnel.id)))

    def flow(self) -> Flow:
        """A visitor's."""
        flow = Flow("192.0.2.1", 50000, "https", 5.0)
        flow.host = "app.example.com"
        flow.method, flow.target, flow.status = b"GET", b"/path?query", 200
        return flow

    def test_of_a_worker(self) -> None:
        """What is online in one place is known in all, with all that can be told of it."""
        tunnel = Tunnel(labels={"a": "b"})
        self.workers[1].tunnels.online(tunnel)
        self.known(tunnel)
        main, first, second = self.everywhere("tn_1")
        self.assertIs(first, tunnel)
        for other in (main, second):
            self.assertIsInstance(other, ElsewhereTunnel)
            self.assertEqual(other.place, 1)
            for name in (
                "id endpoint_id account_id principal labels url upstream session_id started_at metadata forwards_to "
                "body_wait crowded"
            ).split():
                self.assertEqual(getattr(other, name), getattr(tunnel, name), name)
            self.assertEqual(other.principal.proof, "hash")
        self.assertIs(self.tunnels.serving("ep_1"), main)
        self.assertEqual(self.tunnels.matching("ac_1", {"a": "b"}), (main,))

    def test_heard(self) -> None:
        """The main process can have it at once: the worker has said it before anything that it does then."""
        self.workers[1].tunnels.online(Tunnel())
        self.abroad.hear()
        self.assertEqual(self.tunnels.get("tn_1").place, 1)

    def test_of_main(self) -> None:
        """So is what the main process has."""
        tunnel = Tunnel()
        self.tunnels.online(tunnel)
        self.known(tunnel)
        self.assertEqual([getattr(other, "place", None) for other in self.everywhere("tn_1")], [None, 0, 0])

    def test_gone(self) -> None:
        """What goes offline in its place goes everywhere."""
        for table in (self.tunnels, self.workers[1].tunnels):
            tunnel = Tunnel()
            table.online(tunnel)
            self.known(tunnel)
            table.offline(tunnel)
            self.until(lambda: not any(self.everywhere("tn_1")))

    def test_new_worker(self) -> None:
        """A worker that comes later learns of everything."""
        self.workers[1].tunnels.online(Tunnel())
        self.tunnels.online(Tunnel("tn_2", "ep_2"))
        self.known(Tunnel())
        self.workers[3] = Worker(self, 3)
        self.until(lambda: len(self.workers[3].tunnels) == 2)
        self.assertEqual([self.workers[3].tunnels.get(id).place for id in ("tn_1", "tn_2")], [1, 0])

    def test_many(self) -> None:
        """Of many tunnels it learns bit by bit, and of none that has gone meanwhile; until then it is not ready for visitors."""
        many = [Tunnel(f"tn_{number}", f"ep_{number}") for number in range(2 * TOLD_AT_ONCE + 1)]
        for tunnel in many:
            self.tunnels.online(tunnel)
        worker = self.workers[3] = Worker(self, 3)
        self.assertFalse(self.abroad.has_told(3))
        self.tunnels.offline(many[-1])
        late = Tunnel("tn_late", "ep_late")
        self.tunnels.online(late)
        self.until(lambda: self.abroad.has_told(3))
        self.until(lambda: len(worker.tunnels) == 2 * TOLD_AT_ONCE + 1)
        self.assertIsNone(worker.tunnels.get(many[-1].id))
        self.assertEqual(worker.tunnels.get("tn_late").place, 0)

    def test_dies_early(self) -> None:
        """A worker that dies before it has learnt of all is forgotten."""
        for number in range(TOLD_AT_ONCE + 1):
            self.tunnels.online(Tunnel(f"tn_{number}", f"ep_{number}"))
        Worker(self, 3).to_main.close()
        self.until(lambda: 3 not in self.abroad._wires)
        self.turn(20)
        self.assertFalse(self.abroad.has_told(3))

    def test_worker_dies(self) -> None:
        """With a worker all of its tunnels are gone, and only those."""
        for number, table in enumerate(self.tables()):
            table.online(Tunnel(f"tn_{number}", f"ep_{number}"))
        self.until(lambda: all(len(table) == 3 for table in self.tables()))
        self.workers.pop(1).to_main.close()
        self.until(lambda: all(len(table) == 2 for table in self.tables()))
        self.assertEqual([self.tunnels.get(f"tn_{number}") is None for number in range(3)], [False, True, False])

    def test_moved(self) -> None:
        """A tunnel that comes back in another place under its id is there at once; the late news of its end changes nothing."""
        old, new = Tunnel(started_at=1.0), Tunnel(started_at=2.0)
        self.workers[1].tunnels.online(old)
        self.known(old)
        self.workers[2].tunnels.online(new)
        self.until(lambda: getattr(self.tunnels.get("tn_1"), "place", 0) == 2)
        self.until(lambda: getattr(self.workers[1].tunnels.get("tn_1"), "place", 0) == 2)
        self.workers[1].tunnels.offline(old)
        self.turn(20)
        self.assertIs(self.workers[2].tunnels.get("tn_1"), new)
        self.assertEqual([getattr(found, "place", None) for found in self.everywhere("tn_1")], [2, 2, None])

    def test_old_news(self) -> None:
        """News of a tunnel that has come here since is too late."""
        new = Tunnel(started_at=2.0)
        self.workers[2].tunnels.online(new)
        self.workers[1].tunnels.online(Tunnel(started_at=1.0))
        self.turn(20)
        self.assertIs(self.workers[2].tunnels.get("tn_1"), new)

    def dialled(self, table: Tunnels, tunnel: Tunnel) -> tuple[Deferred[Any], HalfCloseable]:
        """Connect from a place to a tunnel of another."""
        near = HalfCloseable()
        opening = table.get(tunnel.id).connect(ConnectionFactory(self.flow(), near))
        self.until(lambda: tunnel.factories)
        return opening, near

    def test_connections(self) -> None:
        """From every place one can connect to a tunnel of every other."""
        for number, home in enumerate(self.tables()):
            tunnel = Tunnel(f"tn_{number}", f"ep_{number}")
            home.online(tunnel)
            self.known(tunnel)
            for table in self.tables():
                if table is not home:
                    opening, near = self.dialled(table, tunnel)
                    service = HalfCloseable()
                    tunnel.succeed(service, self.reactor)
                    self.until(lambda: near.transport)
                    self.assertIs(self.successResultOf(opening), near)
                    near.transport.write(b"hello")  # type: ignore[union-attr]
                    self.until(lambda: service.received == b"hello")
                    seen = tunnel.dialled.pop()
                    assert seen is not None
                    self.assertEqual((seen.peer_host, seen.host), ("192.0.2.1", "app.example.com"))

    def test_errors(self) -> None:
        """What the tunnel fails with arrives."""
        tunnel = Tunnel()
        self.workers[1].tunnels.online(tunnel)
        self.known(tunnel)
        opening, _ = self.dialled(self.workers[2].tunnels, tunnel)
        tunnel.results[0].errback(EndpointOffline.named("app.example.com"))
        self.until(lambda: opening.called)
        self.assertIn("app.example.com", self.failureResultOf(opening, EndpointOffline).value.sentence)

    def test_connected_to_the_dead(self) -> None:
        """Who dials a worker that has just died is told that the tunnel is lost."""
        tunnel = Tunnel()
        self.workers[1].tunnels.online(tunnel)
        self.known(tunnel)
        elsewhere = self.workers[2].tunnels.get("tn_1"), self.tunnels.get("tn_1")
        self.workers.pop(1).to_main.close()
        for one in elsewhere:
            opening = one.connect(ConnectionFactory(self.flow(), HalfCloseable()))
            self.until(lambda: opening.called)
            self.failureResultOf(opening, TunnelLost)

    def test_observed(self) -> None:
        """A tunnel sees the flows that it answered through other places."""
        tunnel = Tunnel()
        self.workers[1].tunnels.online(tunnel)
        self.known(tunnel)
        for number, table in enumerate((self.tunnels, self.workers[2].tunnels)):
            flow = self.flow()
            flow.tunnel = table.get("tn_1")
            flow.error = TunnelLost()
            flow.finish(7.0)
            self.until(lambda: len(tunnel.seen) == number + 1)
            seen = tunnel.seen[-1]
            self.assertEqual(
                (seen.method, seen.target, seen.status, seen.peer_host, seen.started, seen.ended, seen.error.code),
                (b"GET", b"/path?query", 200, "192.0.2.1", 5.0, 7.0, 3209),
            )

    def test_closed(self) -> None:
        """A tunnel can be closed from any place."""
        tunnel = Tunnel()
        self.workers[1].tunnels.online(tunnel)
        self.known(tunnel)
        self.tunnels.get("tn_1").close("from main")
        self.workers[2].tunnels.get("tn_1").close("from a worker")
        self.until(lambda: len(tunnel.closed) == 2)
        self.assertEqual(sorted(tunnel.closed), ["from a worker", "from main"])
        own = Tunnel("tn_2", "ep_2")
        self.tunnels.online(own)
        self.known(own)
        self.workers[1].tunnels.get("tn_2").close("enough")
        self.until(lambda: own.closed)

    def test_amended(self) -> None:
        """What an agent changes of a tunnel is known everywhere, and of no other tunnel under its id."""
        for table in (self.workers[1].tunnels, self.tunnels):
            tunnel = Tunnel(str(len(self.tunnels)), None)
            table.online(tunnel)
            self.known(tunnel)
            tunnel.metadata = "changed"
            table.amended(tunnel)
            self.until(lambda: all(known.metadata == "changed" for known in self.everywhere(tunnel.id)))
        self.workers[2].abroad.tell("tunnel-amended", Advert.of(Tunnel(tunnel.id), 2))
        self.turn(20)
        self.assertEqual([known.metadata for known in self.everywhere(tunnel.id)], ["changed"] * 3)

    def share(self) -> tuple[dict[int, list[Any]], Serving]:
        """Let main and the second worker have one idle connection each; give what they were asked for, and the first's."""
        asked: dict[int, list[Any]] = {0: [], 1: [], 2: []}
        first = Serving(lambda tunnel: False)
        self.workers[1].abroad.share(first)
        for place, abroad in ((0, self.abroad), (2, self.workers[2].abroad)):
            abroad.share(Serving(partial(_once, asked[place])))
        return asked, first

    def test_full(self) -> None:
        """Where an agent has no room, processes with connections to it close idle ones, or keep fewer from then on."""
        asked, first = self.share()
        tunnel = Tunnel()
        self.workers[1].tunnels.online(tunnel)
        self.known(tunnel)
        opening, near = self.dialled(self.tunnels, tunnel)
        self.assertFalse(first.spare_elsewhere(tunnel))
        self.until(lambda: asked[0] and asked[2])
        main, second = self.tunnels.get("tn_1"), self.workers[2].tunnels.get("tn_1")
        self.assertEqual((asked[0], asked[2], main.crowded), ([main], [second], False))
        first.spare_elsewhere(tunnel)
        self.until(lambda: len(asked[0]) == len(asked[2]) == 2)
        self.assertEqual([main.crowded, main.crowded, second.crowded, second.crowded], [True, False, True, False])
        opening.cancel()
        self.failureResultOf(opening)

    def test_not_full(self) -> None:
        """A tunnel that nobody elsewhere has a connection to has nobody asked, and a tunnel of one's own is not owed any."""
        asked, first = self.share()
        tunnel = Tunnel()
        self.workers[1].tunnels.online(tunnel)
        self.known(tunnel)
        self.assertFalse(first.spare_elsewhere(tunnel))
        self.workers[1].abroad.full("tn_1")
        self.turn(20)
        self.assertEqual(asked, {0: [], 1: [], 2: []})
