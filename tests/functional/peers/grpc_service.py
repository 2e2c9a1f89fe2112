"""
A gRPC service on ``grpcio`` whose messages are plain bytes: ``grpc_service.py PORT [CERTIFICATE KEY]``. Prints ``ready``, and at
the end of each stream down ``over``, or ``cancelled`` if the caller gave up.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent import futures
from typing import Any, Iterator

import grpc

#: Bytes of one message; gRPC's own default is 4 MB.
LARGEST = 64 * 1024 * 1024


def tell(word: str) -> None:
    """Say something to whoever reads the standard output."""
    print(word, flush=True)


def echo(message: bytes, context: Any) -> bytes:
    """Give the message back, with metadata in front and behind."""
    context.send_initial_metadata((("x-before", "1"),))
    context.set_trailing_metadata((("x-after", "2"), ("x-after-bin", b"\x00\xff")))
    return message


def seen(message: bytes, context: Any) -> bytes:
    """What metadata came, and how much time is left."""
    left = context.time_remaining()
    return json.dumps({"metadata": dict(context.invocation_metadata()), "left": left}, default=str).encode()


def fail(message: bytes, context: Any) -> bytes:
    """End with a status that the caller has to see as it is."""
    context.set_trailing_metadata((("x-after", "2"),))
    context.abort(grpc.StatusCode.NOT_FOUND, "nothing héré")
    return b""


def collect(messages: Iterator[bytes], context: Any) -> bytes:
    """Count a stream."""
    sizes = [len(message) for message in messages]
    return json.dumps([len(sizes), sum(sizes)]).encode()


def count(message: bytes, context: Any) -> Iterator[bytes]:
    """Send so many messages of so many bytes, with so many seconds between."""
    number, size, pause = json.loads(message)
    sent = 0
    context.add_callback(lambda: tell("over") if sent == number else tell("cancelled"))
    for index in range(number):
        if not context.is_active():
            return
        sent += 1
        yield index.to_bytes(4, "big") + bytes(size)
        time.sleep(pause)


def chat(messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
    """Answer each message at once."""
    for message in messages:
        yield message[::-1]


def refuse(messages: Iterator[bytes], context: Any) -> bytes:
    """End the call before the caller has sent everything."""
    next(messages)
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "enough")
    return b""


METHODS = {
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
    "Seen": grpc.unary_unary_rpc_method_handler(seen),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Collect": grpc.stream_unary_rpc_method_handler(collect),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Refuse": grpc.stream_unary_rpc_method_handler(refuse),
}


def main(port: str, *pair: str) -> None:
    """Serve until the process ends."""
    options = [("grpc.max_receive_message_length", LARGEST), ("grpc.max_send_message_length", LARGEST)]
    server = grpc.server(futures.ThreadPoolExecutor(64), options=options)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Peer", METHODS),))
    if pair:
        certificate, key = (open(path, "rb").read() for path in pair)
        server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    tell("ready")
    server.wait_for_termination()


main(*sys.argv[1:])
