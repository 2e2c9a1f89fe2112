"""Tests of `benchmarks.edge_config`."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.arms.edge import EdgeArm
from benchmarks.certificate import HOST
from benchmarks.edge_config import DIRECT

SERVER: dict[str, Any] = {"domain": "ngrok.localhost", "tcp": {"ports": "20000-20009"}, "store": "memory"}
"""What stands in a configuration already."""


class DirectTests(SynchronousTestCase):
    """Tests of `DIRECT`."""

    def test_carried(self) -> None:
        """Every way without a tunnel is one that the product says it carries."""
        self.assertLessEqual(set(DIRECT), EdgeArm.carries)

    def test_service(self) -> None:
        """Each leads to the service, but for handshakes, which are answered by the edge itself."""
        for way, more in DIRECT.items():
            backends = more(SERVER, 3000)["backends"]
            if way == "handshake":
                self.assertEqual(list(backends), ["http_response"])
            else:
                self.assertEqual(backends["static"][0]["address"], "127.0.0.1:3000", way)

    def test_name(self) -> None:
        """What has a name is reserved for it."""
        for way, more in DIRECT.items():
            if way != "relay-tcp":
                self.assertEqual(more(SERVER, 3000)["reserved_domains"], [{"domain": HOST}])
