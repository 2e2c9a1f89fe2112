"""
Tests for `ngrok_twisted.observability.traffic`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import EndpointOffline
from ngrok_twisted.flow import Flow
from ngrok_twisted.observability.traffic import TrafficEvents


class Named:
    """Something with attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Publisher:
    """
    Keeps what is published.

    :ivar wanted: the types that are.
    """

    def __init__(self, *wanted: str) -> None:
        self.wanted = wanted
        self.traffic = bool(wanted)
        self.published: list[tuple[Any, ...]] = []

    def wants(self, account_id: str, type: str) -> bool:
        """As the real one's."""
        return account_id == "ac_1" and type in self.wanted

    def publish(self, *event: Any) -> None:
        """As the real one's."""
        self.published.append(event)


def flow(proto: str = "https", account_id: str = "ac_1", **more: Any) -> Flow:
    """A flow that has ended."""
    made = Flow("192.0.2.1", 5000, proto, 0.0)
    made.edge = Named(account_id=account_id)
    made.host, made.ended = "a.example.com", 1.25
    made.bytes_in, made.bytes_out = 3, 4
    for name, value in more.items():
        setattr(made, name, value)
    return made


class TrafficEventTests(SynchronousTestCase):
    """What flows become."""

    def seen(self, *wanted: str, **of_flow: Any) -> list[tuple[Any, ...]]:
        """What is published of a flow where these types are wanted."""
        publisher = Publisher(*wanted)
        TrafficEvents(publisher, {"https": 8443, "http": 80})(flow(**of_flow))
        return publisher.published

    def test_request(self) -> None:
        """A request, as far as its flow knows it."""
        ((type, account_id, told),) = self.seen(
            "http_request_complete.v0",
            method=b"GET",
            target=b"/a?b=c?d",
            version=b"HTTP/2.0",
            status=200,
            tunnel=Named(endpoint_id="ep_1"),
        )
        self.assertEqual((type, account_id), ("http_request_complete.v0", "ac_1"))
        self.assertEqual(told["conn"], {"client_ip": "192.0.2.1", "server_name": "a.example.com", "server_port": 8443})
        request, response = told["http"]["request"], told["http"]["response"]
        self.assertEqual(
            request.pop("url"),
            {
                "raw": "https://a.example.com/a?b=c?d",
                "scheme": "https",
                "host": "a.example.com",
                "path": "/a",
                "query": "b=c?d",
            },
        )
        self.assertEqual(
            request,
            {"method": "GET", "version": "HTTP/2.0", "body_length": 3, "first_byte_ts": "1970-01-01T00:00:00.000Z"},
        )
        self.assertEqual(response, {"status_code": 200, "body_length": 4, "last_byte_ts": "1970-01-01T00:00:01.250Z"})
        self.assertEqual((told["endpoint"], told["error_code"]), ({"id": "ep_1"}, None))

    def test_connection(self) -> None:
        """A connection that was closed."""
        error = EndpointOffline()
        ((type, _, told),) = self.seen("tcp_connection_closed.v0", proto="tls", error=error)
        self.assertEqual(type, "tcp_connection_closed.v0")
        self.assertEqual((told["conn"]["bytes_in"], told["conn"]["bytes_out"]), (3, 4))
        self.assertEqual(told["conn"]["end_ts"], "1970-01-01T00:00:01.250Z")
        self.assertEqual((told["endpoint"], told["error_code"]), (None, "ERR_NGROK_3200"))

    def test_unwanted(self) -> None:
        """Nobody wants it: neither the type, nor of this account, nor of the service itself, nor at all."""
        request = {"method": b"GET", "target": b"/"}
        self.assertEqual(self.seen("tcp_connection_closed.v0", **request), [])
        self.assertEqual(self.seen("http_request_complete.v0", account_id="ac_2", **request), [])
        self.assertEqual(self.seen("http_request_complete.v0", edge=None, **request), [])
        self.assertEqual(self.seen(**request), [])
