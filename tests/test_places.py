"""
Tests for `ngrok_twisted.places`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.config import Config, Listen
from ngrok_twisted.places import agent_address, api_host, api_url, exposed, first_port, nearest_api_url, public_ports


def config(public_port: int | None = None, **listen: Any) -> Config:
    """A config of example.com with these listeners."""
    listeners = {name: (value,) if isinstance(value, str) else value for name, value in listen.items()}
    return replace(Config(domain="example.com"), listen=Listen(**listeners), public_port=public_port)


class PortTests(SynchronousTestCase):
    """What visitors dial."""

    def test_first_port(self) -> None:
        """The first listener with a port counts."""
        self.assertEqual(first_port(("systemd:domain=INET:index=0", "tcp:1", "tcp:2"), 3), 1)
        self.assertEqual(first_port(("systemd:domain=INET:index=0",), 3), 3)
        self.assertEqual(first_port((), 3), 3)

    def test_public_ports(self) -> None:
        """They are those of the listeners, unless a load balancer has others."""
        self.assertEqual(public_ports(config(https="tcp:8443", http="tcp:8080")), {"https": 8443, "http": 8080})
        self.assertEqual(public_ports(config(443, https="tcp:8443")), {"https": 443, "http": 80})


class AgentTests(SynchronousTestCase):
    """Where ngrok's agents and SDKs connect."""

    def test_own_listener(self) -> None:
        """On the listener that is theirs, if there is one; a name below localhost is one that every machine knows."""
        self.assertEqual(agent_address(config(agent="tcp:4443", https="tcp:443")), "connect.example.com:4443")
        self.assertEqual(agent_address(config(agent="systemd:domain=INET:index=0")), "connect.example.com:4443")
        local = replace(config(agent="tcp:5443"), domain="ngrok.localhost")
        self.assertEqual(agent_address(local), "localhost:5443")

    def test_shared_listener(self) -> None:
        """Else by name on the https listener; else nowhere."""
        self.assertEqual(agent_address(config(https="tcp:8443")), "connect.example.com:8443")
        self.assertEqual(agent_address(config(443, https="tcp:8443")), "connect.example.com:443")
        local = replace(config(https="tcp:8443"), domain="ngrok.localhost")
        self.assertEqual(agent_address(local), "connect.ngrok.localhost:8443")
        self.assertEqual(agent_address(config(ssh="tcp:22")), "")


class APITests(SynchronousTestCase):
    """Where the management API is."""

    def test_public(self) -> None:
        """Under its name on the https listener; the usual port is not written."""
        self.assertEqual(api_host(config()), "api.example.com")
        self.assertEqual(api_url(config(https="tcp:443")), "https://api.example.com")
        self.assertEqual(api_url(config(https="tcp:8443")), "https://api.example.com:8443")
        self.assertEqual(api_url(config(443, https="tcp:8443")), "https://api.example.com")

    def test_nearest(self) -> None:
        """On the plain listener, if there is one with a port; else on the https listener; else nowhere."""
        for listener, url in (
            ("tcp:4040", "http://127.0.0.1:4040"),
            ("tcp:4040:interface=0.0.0.0", "http://127.0.0.1:4040"),
            ("tcp:4040:interface=10.0.0.5", "http://10.0.0.5:4040"),
            (r"tcp:4040:interface=\:\:1", "http://[::1]:4040"),
            (("unix:/run/api", "tcp:4040"), "http://127.0.0.1:4040"),
            ("unix:/run/api", "https://api.example.com:8443"),
        ):
            self.assertEqual(nearest_api_url(config(api=listener, https="tcp:8443")), url)
        self.assertEqual(nearest_api_url(config(ssh="tcp:22")), "")

    def test_exposed(self) -> None:
        """Listeners on loopback and on sockets without an address are for this machine."""
        for listener in (
            "tcp:4040:interface=127.0.0.1",
            "tcp:4040:127.0.0.1",
            r"tcp:4040:interface=\:\:1",
            "unix:/run/api",
        ):
            self.assertFalse(exposed(listener), listener)
        self.assertFalse(exposed("tcp:4040:interface=localhost"))
        for listener in (
            "tcp:4040",
            "tcp:4040:interface=0.0.0.0",
            r"tcp6:4040:interface=\:\:",
            "tcp:4040:interface=10.0.0.5",
        ):
            self.assertTrue(exposed(listener), listener)
        self.assertTrue(exposed("tcp:4040:interface=host.example.com"))
