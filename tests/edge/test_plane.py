"""
Tests for `ngrok_twisted.edge.plane`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ngrok_twisted.interfaces import IEdgePlane
from ngrok_twisted.records import edge as records
from ngrok_twisted.records.base import Problem, Put, Record, Snapshot
from ngrok_twisted.records.edge import BackendRef
from tests.edge.doubles import Edge, endpoint


def snapshot(*written: Record) -> Snapshot:
    """A snapshot of these."""
    return Snapshot().with_changes([Put(record) for record in written])


def tcp(id: str, port: int) -> Any:
    """A TCP endpoint."""
    return endpoint(id, "tcp", "tcp.example.com", port)


class PlaneTests(SynchronousTestCase):
    """A snapshot is checked, then served."""

    def setUp(self) -> None:
        self.edge = Edge()
        self.plane = self.edge.plane
        self.listening: dict[int, bool] = {}
        self.taken: set[int] = set()
        self.edge.reactor.listenTCP = self.listen  # type: ignore[method-assign, assignment]

    def listen(self, port: int, factory: Any, backlog: int, interface: str) -> Any:
        """IReactorTCP: notes the open ports and knows taken ones."""
        if port in self.taken:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        self.listening[port] = True
        listening = self.listening

        class Port:
            def stopListening(self) -> None:
                del listening[port]

        return Port()

    def test_interface(self) -> None:
        """It is an edge plane."""
        verifyObject(IEdgePlane, self.plane)

    def test_check_serves_nothing(self) -> None:
        """A check changes nothing for names."""
        before = self.plane.router
        self.assertEqual(self.plane.check(snapshot(endpoint("ep_1"))), [])
        self.assertIs(self.plane.router, before)
        self.assertEqual(self.edge.certificates.updates, [])

    def test_apply(self) -> None:
        """What is applied is served, certificates included."""
        served = snapshot(endpoint("ep_1"))
        self.plane.check(served)
        self.plane.apply(served)
        self.assertIsNotNone(self.plane.router.secure.get("app.example.com"))
        self.assertEqual(self.edge.certificates.updates, [served])
        self.plane.apply(snapshot())
        self.assertIsNone(self.plane.router.secure.get("app.example.com"))

    def test_checked_router_is_used(self) -> None:
        """What the check has built is not built again, but only if it is the same snapshot that is applied."""
        built: list[Snapshot] = []
        compile = self.plane._compile
        self.patch(self.plane, "_compile", lambda snapshot, *more: built.append(snapshot) or compile(snapshot, *more))
        first, second = snapshot(endpoint("ep_1")), snapshot(endpoint("ep_2", host="b.example.com"))
        self.plane.check(first)
        self.plane.apply(first)
        self.assertEqual(built, [first])
        self.plane.check(first)
        self.plane.apply(second)
        self.assertEqual(built, [first, first, second])
        self.assertIsNotNone(self.plane.router.secure.get("b.example.com"))
        self.assertIsNone(self.plane.router.secure.get("app.example.com"))

    def test_ports(self) -> None:
        """Ports are opened by the check, since nothing else proves that they can be had, and closed by the apply."""
        first = snapshot(tcp("ep_1", 20001), tcp("ep_2", 20002))
        self.assertEqual(self.plane.check(first), [])
        self.assertEqual(set(self.listening), {20001, 20002})
        self.plane.apply(first)
        second = snapshot(tcp("ep_2", 20002), tcp("ep_3", 20003))
        self.plane.check(second)
        self.assertEqual(set(self.listening), {20001, 20002, 20003})
        self.plane.apply(second)
        self.assertEqual(set(self.listening), {20002, 20003})

    def test_declared_ports(self) -> None:
        """TCP edges have ports, too; internal endpoints and other edges have none."""
        self.plane.check(
            snapshot(
                records.TCPEdge(id="edgtcp_1", hostports=("tcp.example.com:20005", "tcp.example.com:20006")),
                records.TLSEdge(id="edgtls_1", hostports=("a.example.com:443",)),
                endpoint("ep_1"),
                endpoint("ep_2", "tcp", "tcp.example.com", 20007, binding="internal"),
            )
        )
        self.assertEqual(set(self.listening), {20005, 20006})

    def test_taken(self) -> None:
        """A port that somebody else has is a problem of the record that wants it; the others are had."""
        self.taken = {20001}
        problems = self.plane.check(snapshot(tcp("ep_1", 20001), tcp("ep_2", 20002)))
        self.assertEqual(
            problems, [Problem("ep_1", "port 20001 cannot be opened on 127.0.0.1: Address already in use")]
        )
        rest = snapshot(tcp("ep_2", 20002))
        self.plane.apply(rest)
        self.assertEqual(set(self.listening), {20002})
        self.assertEqual(set(self.plane.router.ports), {20002})

    def test_do_without(self) -> None:
        """A record whose port cannot be had may be served without it; what else is wrong stays wrong."""
        self.taken = {20001}
        both = snapshot(tcp("ep_1", 20001), tcp("ep_2", 20002))
        self.plane.do_without(both, "ep_1")
        self.assertEqual(self.plane.check(both), [])
        self.plane.apply(both)
        self.assertEqual(set(self.listening), {20002})
        self.assertEqual(set(self.plane.router.ports), {20001, 20002})

    def test_missing_backend(self) -> None:
        """An edge that cannot be built is a problem, and what is served stays."""
        good = snapshot(endpoint("ep_1"))
        self.plane.apply(good)
        bad = snapshot(
            endpoint("ep_1"),
            records.TLSEdge(id="edgtls_1", hostports=("a.example.com:443",), backend=BackendRef(backend_id="bkd_x")),
        )
        (problem,) = self.plane.check(bad)
        self.assertEqual(problem.message, "edge edgtls_1: there is no backend bkd_x")
        self.assertRaises(LookupError, self.plane.apply, bad)
        self.assertIsNotNone(self.plane.router.secure.get("app.example.com"))
        self.assertEqual(self.edge.certificates.updates, [good])

    def test_owner(self) -> None:
        """Every name has an owner on the TLS front; that of unknown ones is always the same."""
        self.plane.apply(snapshot(endpoint("ep_1")))
        self.assertIs(self.plane.secure_owner("app.example.com"), self.plane.router.secure.get("app.example.com"))
        nobody = self.plane.secure_owner(None)
        self.assertIs(self.plane.secure_owner("nobody.example.com"), nobody)
        self.assertIsNot(nobody, self.plane.secure_owner("app.example.com"))

    def test_stop(self) -> None:
        """Stopping gives the ports back."""
        self.plane.startService()
        served = snapshot(tcp("ep_1", 20001))
        self.plane.check(served)
        self.plane.apply(served)
        self.assertIsNone(self.successResultOf(self.plane.stopService()))
        self.assertEqual(self.listening, {})
