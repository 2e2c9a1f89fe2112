"""
`Receiver`: a local HTTP server that plays somebody's API: it keeps every POST and answers as a test says.
"""

from __future__ import annotations

import gzip
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Mapping


@dataclass(frozen=True)
class Post:
    """
    :ivar path: with its query.
    :ivar headers: by lower-case names.
    :ivar body: uncompressed.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Receiver:
    """
    :ivar url: where it listens.
    :ivar posts: what has come, the newest last.
    :ivar answer: gives the status and the JSON of the answer to a post; tests may replace it.
    """

    def __init__(self, answer: Callable[[Post], tuple[int, Any]] = lambda post: (200, {})) -> None:
        self.posts: list[Post] = []
        self.answer = answer
        receiver = self

        class _Reader(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                post = Post(self.path, headers, body)
                status, told = receiver.answer(post)
                receiver.posts.append(post)
                data = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Nothing: the test looks at what came."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Reader)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
