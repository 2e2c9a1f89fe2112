"""
Several agents and one name: pooling, takeover, and names that belong to somebody else.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tests.functional.case import EdgeTestCase
from tests.functional.edge import DOMAIN, Edge, make_key


class PoolingTests(EdgeTestCase):
    """Endpoints that share a URL on purpose."""

    def test_share(self) -> None:
        """Two pooled endpoints share the visitors; when one goes, the other takes them all."""
        name = self.new_name()
        one, two = self.web("one"), self.web("two")
        forward = f"{name}:443:localhost:%d"
        first = self.ssh(forward % one.port, command="http --pooling-enabled")
        url = first.url()
        self.ssh(forward % two.port, command="http --pooling-enabled").url()
        seen = Counter(self.get(url).headers.get("x-service") for _ in range(40))
        self.assertEqual(set(seen), {"one", "two"})
        first.close()
        self.eventually(
            lambda: {self.get(url).headers.get("x-service") for _ in range(20)} == {"two"}, "all traffic at the second"
        )

    def test_not_pooled(self) -> None:
        """A live endpoint that does not pool keeps its name: the newcomer is refused with the code."""
        name = self.new_name()
        url = self.publish(self.web("first"), name)
        late = self.ssh(f"{name}:443:localhost:1", command="http")
        self.assertNotEqual(late.exit_code(), 0)
        self.assertIn("ERR_NGROK_334", late.out + late.err)
        self.assertEqual(self.get(url).headers.get("x-service"), "first")


class TakeoverTests(EdgeTestCase):
    """A name whose holder has died."""

    def test_stopped(self) -> None:
        """A client that no longer answers loses its name to the next one of the same credential."""
        name = self.new_name()
        old = self.ssh(f"{name}:443:localhost:{self.web('old').port}", command="http")
        url = old.url()
        old.stop()
        new = self.ssh(f"{name}:443:localhost:{self.web('new').port}", command="http")
        self.assertEqual(new.url(), url)
        self.assertEqual(self.get(url).headers.get("x-service"), "new")

    def test_late_death(self) -> None:
        """When the old client dies at last, the new one's endpoint stays."""
        name = self.new_name()
        old = self.ssh(f"{name}:443:localhost:{self.web('old').port}", command="http")
        old.url()
        old.stop()
        url = self.publish(self.web("new"), name)
        old.process.kill()
        old.process.wait(10)
        for _ in range(20):
            self.assertEqual(self.get(url).headers.get("x-service"), "new")

    def test_killed(self) -> None:
        """After SIGKILL the same name is there for the next client."""
        name = self.new_name()
        old = self.ssh(f"{name}:443:localhost:{self.web('old').port}", command="http")
        old.url()
        old.process.kill()
        url = self.publish(self.web("new"), name)
        self.assertEqual(self.get(url).headers.get("x-service"), "new")

    def test_always(self) -> None:
        """``--takeover always`` takes the name from a living client of the same credential, which is told and ends."""
        name = self.new_name()
        old = self.ssh(f"{name}:443:localhost:{self.web('old').port}", command="http")
        old.url()
        url = self.publish(self.web("new"), name, "http --takeover always")
        self.assertEqual(self.get(url).headers.get("x-service"), "new")
        self.assertEqual(old.exit_code(), 3, old.said())


class AccountsTests(EdgeTestCase):
    """Two accounts on one server."""

    def make_edge(self) -> Edge:
        """An edge with a second account that owns a name and a key."""
        edge = Edge()
        self._other_key(edge)
        mine = {"public_key": edge.public_key}
        other: dict[str, Any] = {
            "public_key": self._other_key(edge).with_suffix(".pub").read_text().strip(),
            "account": "other",
        }
        edge.configure(
            {
                "accounts": [{"name": "other"}],
                "ssh_credentials": [mine, other],
                "reserved_domains": [{"domain": f"theirs.{DOMAIN}", "account": "other"}],
            }
        )
        return edge

    config = {"accounts": "two"}  # names this class's edge; make_edge writes the real keys

    @staticmethod
    def _other_key(edge: Edge) -> Path:
        path = edge.directory / "other"
        return path if path.exists() else make_key(path)

    def assert_refused(self, name: str, *codes: int) -> None:
        """The default account's user does not get this name."""
        agent = self.ssh(f"{name}:443:localhost:1", command="http")
        self.assertNotEqual(agent.exit_code(), 0, agent.said())
        said = agent.out + agent.err
        self.assertTrue(any(f"ERR_NGROK_{code}" in said for code in codes), said)

    def test_reserved_by_another(self) -> None:
        """A name that another account has reserved is refused, and so is every name below it."""
        self.assert_refused(f"theirs.{DOMAIN}", 320)
        self.assert_refused(f"below.theirs.{DOMAIN}", 320)

    def test_owner(self) -> None:
        """Its owner gets it."""
        url = self.publish(self.web("theirs"), f"theirs.{DOMAIN}", key=self._other_key(self.edge))
        self.assertEqual(self.get(url).headers.get("x-service"), "theirs")

    def test_in_use_by_another(self) -> None:
        """A name that another account uses just now is refused, pooled or not."""
        name = self.new_name()
        url = self.publish(self.web("theirs"), name, "http --pooling-enabled", key=self._other_key(self.edge))
        agent = self.ssh(f"{name}:443:localhost:1", command="http --pooling-enabled --takeover always")
        self.assertNotEqual(agent.exit_code(), 0)
        self.assertIn("ERR_NGROK_3", agent.out + agent.err)
        self.assertEqual(self.get(url).headers.get("x-service"), "theirs")
