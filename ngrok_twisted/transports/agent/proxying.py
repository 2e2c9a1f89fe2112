"""
The header of a proxied stream: what an agent is told of a visitor before the visitor's first byte.

Pure. Source: specification of the agent protocol, section 8.1.
"""

from __future__ import annotations

import struct
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from ngrok_twisted.transports.agent.typed import StreamType

#: The only number of the protocol that is little-endian.
_LENGTH = struct.Struct("<q")

_TYPE = StreamType.PROXY.word

#: Kinds of edges; text, since the SDKs refuse a number.
NO_EDGE = "0"
EDGE_TYPES = {"tcp": "1", "tls": "2", "https": "3"}

#: What an agent is told of the visitor when there is none, such as for a health check.
NOBODY = "0.0.0.0:0"


def proxy_header(id: str, client: str, proto: str, edge_type: str = NO_EDGE, passthrough_tls: bool = False) -> bytes:
    """
    :param id: what the agent calls the endpoint.
    :param client: the visitor, see `client_address`.
    :param proto: ``http``, ``https``, ``tls`` or ``tcp``.
    :param edge_type: one of `EDGE_TYPES`, or `NO_EDGE` for an endpoint of the agent's own.
    :param passthrough_tls: the visitor's own TLS is what comes.
    :return: all that stands before the visitor's first byte: the stream's type, and this. The SDKs need each member.
    """
    text = (  # a general encoder takes longer than all else that a new stream needs
        f'{{"Id":{quoted(id)},"ClientAddr":{quoted(client)},"Proto":{quoted(proto)},'
        f'"EdgeType":{quoted(edge_type)},"PassthroughTLS":{"true" if passthrough_tls else "false"}}}'
    ).encode("ascii")
    return _TYPE + _LENGTH.pack(len(text)) + text


def client_address(flow: Any) -> str:
    """
    The visitor as agents read it: ``192.0.2.1:50000``, ``[2001:db8::1]:50000``.

    :param flow: the `ngrok_twisted.flow.Flow`, or ``None``.
    """
    if flow is None:
        return NOBODY
    host: str = flow.peer_host.partition("%")[0]
    if ":" in host:
        return f"[{host}]:{flow.peer_port}"
    return f"{host}:{flow.peer_port}" if host[:1].isdigit() else NOBODY


def edge_of(flow: Any) -> tuple[str, str, bool]:
    """
    How a flow reaches a labelled tunnel, by the edge that it came through.

    :return: the protocol, the type of the edge, and whether the visitor's own TLS is what comes.
    """
    if flow is None:
        return "tcp", EDGE_TYPES["tcp"], False
    passes = flow.proto == "tls" and not getattr(flow.edge, "terminates", False)
    return flow.proto, EDGE_TYPES.get(flow.proto, NO_EDGE), passes
