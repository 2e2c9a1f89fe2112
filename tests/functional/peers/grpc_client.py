"""
A gRPC client on ``grpcio``: ``grpc_client.py PORT HOST CA`` reads one JSON list a line, the name of a function below and its
arguments, and prints one JSON value a line: the result, or what error there was.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import grpc

LARGEST = 64 * 1024 * 1024

#: Seconds for a call that says nothing else.
DEADLINE = 30


class Calls:
    """What can be asked for, each over the same channel."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel

    def echo(self, size: int, metadata: list[list[str]] = []) -> Any:
        """A unary call."""
        call = self.channel.unary_unary("/test.Peer/Echo")
        message = bytes(range(256)) * (size // 256) + bytes(size % 256)
        answer, done = call.with_call(message, metadata=[tuple(pair) for pair in metadata], timeout=DEADLINE)
        behind = {key: str(value) for key, value in done.trailing_metadata()}
        return [answer == message, dict(done.initial_metadata()).get("x-before"), behind]

    def seen(self, metadata: list[list[str]] = [], timeout: float = DEADLINE) -> Any:
        """What the service sees of a call."""
        call = self.channel.unary_unary("/test.Peer/Seen")
        return json.loads(call(b"", metadata=[tuple(pair) for pair in metadata], timeout=timeout))

    def fail(self) -> Any:
        """A call that the service fails."""
        return self.channel.unary_unary("/test.Peer/Fail")(b"x", timeout=DEADLINE)

    def missing(self) -> Any:
        """A method that is not there."""
        return self.channel.unary_unary("/test.Peer/Missing")(b"x", timeout=DEADLINE)

    def collect(self, number: int, size: int) -> Any:
        """A stream up."""
        call = self.channel.stream_unary("/test.Peer/Collect")
        return json.loads(call((bytes(size) for _ in range(number)), timeout=DEADLINE))

    def refuse(self, size: int) -> Any:
        """A stream up that the service ends early."""
        return self.channel.stream_unary("/test.Peer/Refuse")((bytes(size) for _ in range(1000)), timeout=DEADLINE)

    def count(self, number: int, size: int, pause: float = 0) -> Any:
        """A stream down."""
        call = self.channel.unary_stream("/test.Peer/Count")
        answers = list(call(json.dumps([number, size, pause]).encode(), timeout=DEADLINE))
        return [len(answers), sum(map(len, answers)), int.from_bytes(answers[-1][:4], "big")]

    def deadline(self, seconds: float) -> Any:
        """A stream down that takes longer than the caller waits."""
        call = self.channel.unary_stream("/test.Peer/Count")
        return len(list(call(json.dumps([1000, 1, 0.05]).encode(), timeout=seconds)))

    def cancel(self, after: int) -> Any:
        """A stream down that the caller ends."""
        call = self.channel.unary_stream("/test.Peer/Count")(json.dumps([10000, 1, 0.01]).encode(), timeout=DEADLINE)
        for _ in range(after):
            next(call)
        call.cancel()
        return call.code().name

    def endless(self) -> Any:
        """A stream down that somebody else has to end: says when it has begun."""
        call = self.channel.unary_stream("/test.Peer/Count")(json.dumps([10000, 1, 0.05]).encode(), timeout=DEADLINE)
        next(call)
        print(json.dumps("begun"), flush=True)
        return len(list(call))

    def chat(self, number: int, size: int) -> Any:
        """Both ways, one message at a time: how many came back right, and the slowest in seconds."""
        asked: list[bytes] = []
        begun: list[float] = []
        slowest, right = 0.0, 0

        def questions() -> Any:
            for index in range(number):
                while right < index:
                    time.sleep(0.001)
                asked.append(index.to_bytes(4, "big") + bytes(size))
                begun.append(time.monotonic())
                yield asked[-1]

        for answer in self.channel.stream_stream("/test.Peer/Chat")(questions(), timeout=DEADLINE):
            slowest = max(slowest, time.monotonic() - begun[-1])
            right += answer == asked[-1][::-1]
        return [right, slowest]

    def median(self, number: int, size: int) -> Any:
        """Unary calls, one after another: how many seconds half of them took at most."""
        call = self.channel.unary_unary("/test.Peer/Echo")
        took = []
        for _ in range(number):
            begun = time.monotonic()
            call(bytes(size), timeout=DEADLINE)
            took.append(time.monotonic() - begun)
        return sorted(took)[number // 2]

    def many(self, number: int, size: int) -> Any:
        """Unary calls, all at once: how many came back right."""
        call = self.channel.unary_unary("/test.Peer/Echo")
        messages = [index.to_bytes(4, "big") + bytes(size) for index in range(number)]
        waiting = [call.future(message, timeout=DEADLINE) for message in messages]
        return sum(one.result() == message for one, message in zip(waiting, messages))


def main(port: str, host: str, ca: str) -> None:
    """Answer each line."""
    options = [
        ("grpc.ssl_target_name_override", host),
        ("grpc.default_authority", host),
        ("grpc.max_receive_message_length", LARGEST),
        ("grpc.max_send_message_length", LARGEST),
        ("grpc.enable_retries", 0),
    ]
    credentials = grpc.ssl_channel_credentials(open(ca, "rb").read())
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel:
        calls = Calls(channel)
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            try:
                result = getattr(calls, name)(*arguments)
            except grpc.RpcError as error:
                behind = {key: str(value) for key, value in error.trailing_metadata() or ()}
                result = {"error": error.code().name, "details": error.details(), "behind": behind}
            print(json.dumps(result), flush=True)


main(*sys.argv[1:])
