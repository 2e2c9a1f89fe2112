"""
`TrafficEvents`: requests that were answered and connections that were closed, as events, where somebody subscribed to them.
"""

from __future__ import annotations

from typing import Any, Mapping

from ngrok_twisted.event_types import HTTP_REQUEST, TCP_CONNECTION
from ngrok_twisted.flow import Flow
from ngrok_twisted.observability.events import moment


class TrafficEvents:
    """
    A flow observer. Where nobody subscribed to traffic it costs one look at a flag.
    """

    def __init__(self, publisher: Any, public_ports: Mapping[str, int]) -> None:
        """
        :param publisher: the `ngrok_twisted.observability.publisher.Publisher`.
        :param public_ports: ``https`` and ``http`` to the port that visitors dial.
        """
        self._publisher = publisher
        self._public_ports = public_ports

    def __call__(self, flow: Flow) -> None:
        """Tell whoever wants to know of the end of a flow."""
        if not self._publisher.traffic:
            return
        account_id: str = getattr(flow.edge, "account_id", "")
        type = HTTP_REQUEST if flow.method else TCP_CONNECTION
        if account_id and self._publisher.wants(account_id, type):
            object = self._request(flow) if flow.method else self._connection(flow)
            self._publisher.publish(type, account_id, object)

    def _request(self, flow: Flow) -> dict[str, Any]:
        """Section 8.1 of the specification of events, as far as a flow knows it."""
        port = self._public_ports.get(flow.proto, 0)
        return {
            "conn": {"client_ip": flow.peer_host, "server_name": flow.host, "server_port": port},
            "http": {
                "request": {
                    "method": flow.method.decode("latin-1"),
                    "version": flow.version.decode("ascii"),
                    "url": _url(flow),
                    "body_length": flow.bytes_in,
                    "first_byte_ts": moment(flow.started),
                },
                "response": {
                    "status_code": flow.status,
                    "body_length": flow.bytes_out,
                    "last_byte_ts": moment(flow.ended),
                },
            },
            **_answerer(flow),
        }

    def _connection(self, flow: Flow) -> dict[str, Any]:
        """Section 8.2, likewise."""
        return {
            "conn": {
                "client_ip": flow.peer_host,
                "server_name": flow.host,
                "start_ts": moment(flow.started),
                "end_ts": moment(flow.ended),
                "bytes_in": flow.bytes_in,
                "bytes_out": flow.bytes_out,
            },
            **_answerer(flow),
        }


def _url(flow: Flow) -> dict[str, str]:
    target = flow.target.decode("latin-1")
    path, _, query = target.partition("?")
    raw = f"{flow.proto}://{flow.host}{target}" if target.startswith("/") else target
    return {"raw": raw, "scheme": flow.proto, "host": flow.host, "path": path, "query": query}


def _answerer(flow: Flow) -> dict[str, Any]:
    endpoint_id = getattr(flow.tunnel, "endpoint_id", None)
    return {
        "endpoint": {"id": endpoint_id} if endpoint_id else None,
        "error_code": None if flow.error is None else flow.error.name,
    }
