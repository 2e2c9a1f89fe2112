"""
Tests for `ngrok_twisted.tunnels`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.tunnels import MATCHES_MAX, Tunnels
from tests.edge.doubles import Tunnel


class TunnelsTests(SynchronousTestCase):
    """What is connected right now."""

    def setUp(self) -> None:
        self.tunnels = Tunnels()

    def online(self, id: str, endpoint_id: str | None = None, account_id: str = "ac_1", **labels: str) -> Tunnel:
        """A tunnel comes."""
        tunnel = Tunnel(id, endpoint_id, labels)
        tunnel.account_id = account_id
        self.tunnels.online(tunnel)
        return tunnel

    def test_lookups(self) -> None:
        """A tunnel is found by its id and by its endpoint, until it goes."""
        tunnel = self.online("tn_1", "ep_1")
        self.assertIs(self.tunnels.get("tn_1"), tunnel)
        self.assertIs(self.tunnels.serving("ep_1"), tunnel)
        self.assertEqual((list(self.tunnels), len(self.tunnels)), ([tunnel], 1))
        self.tunnels.offline(tunnel)
        self.assertIsNone(self.tunnels.get("tn_1"))
        self.assertIsNone(self.tunnels.serving("ep_1"))
        self.assertEqual(len(self.tunnels), 0)

    def test_twice(self) -> None:
        """A tunnel cannot come twice."""
        tunnel = self.online("tn_1", "ep_1")
        self.assertRaises(ValueError, self.tunnels.online, tunnel)

    def test_moved_here(self) -> None:
        """One that another process had may come here under its id, and the end of the other one changes nothing."""
        there, here = Tunnel("tn_1", "ep_1"), Tunnel("tn_1", "ep_1")
        there.place = 2  # type: ignore[attr-defined]
        self.tunnels.online(there)
        self.tunnels.online(here)
        self.assertIs(self.tunnels.serving("ep_1"), here)
        self.tunnels.offline(there)
        self.assertIs(self.tunnels.get("tn_1"), here)
        self.assertRaises(ValueError, self.tunnels.online, there)

    def test_is_here(self) -> None:
        """A tunnel of another process is known, and not here."""
        self.online("tn_1")
        self.online("tn_2").place = 2  # type: ignore[attr-defined]
        self.assertEqual([self.tunnels.is_here(f"tn_{number}") for number in (1, 2, 3)], [True, False, False])

    def test_amended(self) -> None:
        """Listeners are told what has changed of a tunnel that is online."""
        told: list[Any] = []
        tunnel = self.online("tn_1")
        self.tunnels.subscribe(lambda *news: told.append(news))
        self.tunnels.amended(tunnel)
        self.tunnels.amended(Tunnel("tn_1"))
        self.assertEqual(told, [("amended", tunnel)])

    def test_impostor(self) -> None:
        """Only the tunnel that is online can go offline."""
        tunnel = self.online("tn_1", "ep_1")
        self.tunnels.offline(Tunnel("tn_1", "ep_1"))
        self.tunnels.offline(Tunnel("tn_2", "ep_1"))
        self.assertIs(self.tunnels.serving("ep_1"), tunnel)

    def test_successor(self) -> None:
        """An old tunnel that goes late does not take its endpoint's newer one with it."""
        old = self.online("tn_1", "ep_1")
        new = self.online("tn_2", "ep_1")
        self.tunnels.offline(old)
        self.assertIs(self.tunnels.serving("ep_1"), new)

    def test_matching(self) -> None:
        """Labelled tunnels of the account that carry every wanted label, in the order they came; no others."""
        one = self.online("tn_1", app="web", dc="eu")
        self.online("tn_2", dc="eu")
        self.online("tn_3", account_id="ac_2", app="web")
        self.online("tn_4", "ep_1")
        self.assertEqual(self.tunnels.matching("ac_1", {"app": "web"}), (one,))
        two = self.online("tn_5", app="web")
        self.assertEqual(self.tunnels.matching("ac_1", {"app": "web"}), (one, two))
        self.tunnels.offline(one)
        self.assertEqual(self.tunnels.matching("ac_1", {"app": "web"}), (two,))
        self.assertEqual(self.tunnels.matching("ac_1", {"app": "web", "dc": "eu"}), ())

    def test_remembered(self) -> None:
        """The answer is kept while nothing with labels comes or goes."""
        self.online("tn_1", app="web")
        selection = ("ac_1", frozenset({("app", "web")}))
        first = self.tunnels.group(selection)
        self.online("tn_2", "ep_1")
        self.assertIs(self.tunnels.group(selection), first)

    def test_loads(self) -> None:
        """One load a tunnel, by whatever it is found; a tunnel that comes anew begins anew."""
        tunnel = self.online("tn_1", "ep_1", app="web")
        load = self.tunnels.load_of("ep_1")
        assert load is not None
        self.assertEqual((load.target, self.tunnels.group(("ac_1", frozenset({("app", "web")})))), (tunnel, (load,)))
        self.tunnels.offline(tunnel)
        self.assertIsNone(self.tunnels.load_of("ep_1"))
        self.tunnels.online(tunnel)
        self.assertIsNot(self.tunnels.load_of("ep_1"), load)

    def test_revision(self) -> None:
        """Whoever remembers what it found is told that it may no longer hold."""
        seen = [self.tunnels.revision]
        tunnel = self.online("tn_1", "ep_1")
        seen.append(self.tunnels.revision)
        self.tunnels.offline(tunnel)
        seen.append(self.tunnels.revision)
        self.tunnels.offline(tunnel)
        self.assertEqual((len(set(seen)), self.tunnels.revision), (3, seen[-1]))

    def test_bounded(self) -> None:
        """However many selections are asked for, no more than some are remembered, and all answers are right."""
        one = self.online("tn_1", app="web")
        for number in range(3 * MATCHES_MAX):
            self.assertEqual(self.tunnels.matching("ac_1", {"app": str(number)}), ())
        self.assertLessEqual(len(self.tunnels._matches), MATCHES_MAX)
        self.assertEqual(self.tunnels.matching("ac_1", {"app": "web"}), (one,))

    def test_listeners(self) -> None:
        """Who subscribed is told of both, after the table has changed, until it unsubscribes."""
        seen: list[Any] = []
        end = self.tunnels.subscribe(lambda what, tunnel: seen.append((what, tunnel.id, len(self.tunnels))))
        tunnel = self.online("tn_1", "ep_1")
        self.tunnels.offline(tunnel)
        self.tunnels.offline(tunnel)
        end()
        self.online("tn_2", "ep_1")
        self.assertEqual(seen, [("online", "tn_1", 1), ("offline", "tn_1", 0)])

    def test_broken_listener(self) -> None:
        """A listener that fails is logged, and keeps nobody else from being told."""
        seen: list[str] = []

        def broken(what: str, tunnel: Any) -> None:
            raise ZeroDivisionError()

        self.tunnels.subscribe(broken)
        self.tunnels.subscribe(lambda what, tunnel: seen.append(what))
        self.online("tn_1", "ep_1")
        self.assertEqual(seen, ["online"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_iteration(self) -> None:
        """The table may change while somebody walks over it."""
        for number in range(3):
            self.online(f"tn_{number}", f"ep_{number}")
        for tunnel in self.tunnels:
            self.tunnels.offline(tunnel)
        self.assertEqual(len(self.tunnels), 0)
