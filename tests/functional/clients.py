"""
The visitors: `SSH` agents and sockets that speak TLS and HTTP.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Iterable, Mapping, Sequence

from tests.functional.edge import DOMAIN, Edge
from tests.functional.tools import program
from tests.functional.waiting import wait_until

# Seconds for one answer on a busy machine; nobody should ever wait that long.
ANSWER = 20

URL = re.compile(r"\b(?:https?|tls|tcp)://[^\s\"',\\]+")


class SSH:
    """
    A real OpenSSH client that holds forwards.

    What it prints goes to files, so that nothing can block it.
    """

    def __init__(
        self,
        edge: Edge,
        forwards: Sequence[str],
        *command: str,
        options: Sequence[str] = (),
        key: Path | None = None,
        user: str | None = None,
        stdin: Any = subprocess.DEVNULL,
        first: Sequence[str] = (),
    ) -> None:
        """
        :param forwards: the arguments of ``-R``.
        :param first: words before the usual options, which they override.
        :param command: the words after the host.
        :param options: words before the host, such as ``-N``.
        """
        self._directory = tempfile.TemporaryDirectory(prefix="ssh-")
        self._out, self._err = (Path(self._directory.name) / name for name in ("out", "err"))
        words = [
            program("ssh"),
            "-F",
            "none",
            *first,
            "-p",
            str(edge.ssh),
            *base_options(edge, key or edge.key),
            *options,
        ]
        for forward in forwards:
            words += ["-R", forward]
        words += [f"{user}@127.0.0.1" if user else "127.0.0.1", *command]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(words, stdin=stdin, stdout=out, stderr=err, env=_plain_environment())

    @property
    def out(self) -> str:
        """Standard output so far."""
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        """Standard error so far."""
        return self._err.read_text(errors="replace")

    def urls(self, count: int = 1, seconds: float = ANSWER) -> list[str]:
        """The public URLs it has printed, once there are this many."""
        return wait_until(lambda: self._found(count), seconds, lambda: f"{count} URLs; {self.said()}")

    def url(self) -> str:
        """The public URL it has printed."""
        return self.urls()[0]

    def wait_for(self, text: str, seconds: float = ANSWER) -> str:
        """
        :param text: a regular expression that either stream should come to hold.
        :return: everything printed so far.
        """
        wait_until(lambda: re.search(text, self.out + self.err), seconds, lambda: f"{text!r}; {self.said()}")
        return self.out + self.err

    def exit_code(self, seconds: float = ANSWER) -> int:
        """Wait for its end."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"ssh did not end; {self.said()}") from None

    def stop(self) -> None:
        """Stop the process where it stands: it is there, and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        """End it and forget what it printed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self._directory.cleanup()

    def said(self) -> str:
        """All that is known, for the reader of a failure."""
        return f"exit code {self.process.poll()}\n-- stdout\n{self.out}\n-- stderr\n{self.err}"

    def _found(self, count: int) -> list[str]:
        found = list(dict.fromkeys(URL.findall(self.out)))
        if len(found) < count and self.process.poll() is not None:
            raise AssertionError(f"ssh ended without {count} URLs; {self.said()}")
        return found if len(found) >= count else []


def base_options(edge: Edge, key: Path) -> list[str]:
    """The options that make a client independent of the machine's own settings."""
    known = edge.directory / "known_hosts"
    settings = {
        "UserKnownHostsFile": known,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "accept-new",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "NumberOfPasswordPrompts": "1",
        "ConnectTimeout": "15",
        "LogLevel": "INFO",
    }
    return ["-i", str(key), *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]


def _plain_environment() -> dict[str, str]:
    hidden = ("SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY")
    return {name: value for name, value in os.environ.items() if name not in hidden}


# -- sockets -----------------------------------------------------------------------------------------------------------


def tls_context(edge: Edge, alpn: Iterable[str] = ("http/1.1",)) -> ssl.SSLContext:
    """A strict client context that trusts the edge's own CA and nothing else."""
    context = ssl.create_default_context(cafile=str(edge.ca))
    protocols = list(alpn)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def open_tcp(port: int, seconds: float = ANSWER) -> socket.socket:
    """A plain connection to a loopback port."""
    connection = socket.create_connection(("127.0.0.1", port), seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def said_at(port: int) -> bytes:
    """All that comes from a port by itself; a server may hang up before the connection is known to be there."""
    try:
        connection = open_tcp(port)
    except ConnectionResetError:
        return b""
    return read_all(connection)


def open_tls(edge: Edge, host: str, *, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    """
    :param host: the full name: sent as SNI, and checked against the certificate.
    """
    context = context or tls_context(edge)
    return context.wrap_socket(open_tcp(edge.https), server_hostname=host, suppress_ragged_eofs=False)


class Answer:
    """
    :ivar status: the HTTP status.
    :ivar headers: the fields, names in lower case; `http.client.HTTPMessage` is under ``message``.
    """

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.reason = response.reason
        self.version = response.version
        self.message = response.headers
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.body = response.read()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    def __repr__(self) -> str:
        return f"<Answer {self.status} {self.headers} {self.body[:300]!r}>"


def keep_open(edge: Edge, host: str, *, plain: bool = False) -> http.client.HTTPConnection:
    """An HTTP/1.1 connection to a name, over TLS unless ``plain``, that can be used again and again."""
    connection = http.client.HTTPConnection(host, edge.http if plain else edge.https, timeout=ANSWER)
    connection.sock = open_tcp(edge.http) if plain else open_tls(edge, host)
    return connection


def fetch(
    edge: Edge,
    url: str,
    method: str = "GET",
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    chunked: bool = False,
) -> Answer:
    """One request on a connection of its own. The URL's host decides where it goes; its port is not looked at."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    connection = keep_open(edge, authority.partition(":")[0], plain=scheme == "http")
    try:
        connection.request(method, slash + path or "/", body, dict(headers or {}), encode_chunked=chunked)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def send_raw(connection: socket.socket, data: bytes) -> bytes:
    """
    Send these bytes, and read until the other side closes or is silent for long.

    A reset counts as the end, since an answer may be followed by one.
    """
    try:
        connection.sendall(data)
    except OSError:
        pass
    return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Read until the end of the connection, in whatever way it ends."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise AssertionError(f"the connection was left open; it said {received[:500]!r}") from None
    return received


def curl(edge: Edge, *words: str, seconds: float = 60, text: bool = True) -> Any:
    """
    Run curl, which resolves every name to the edge and trusts its CA.

    :return: its standard output, ``str`` or ``bytes``.
    """
    command = [program("curl"), "--silent", "--show-error", "--cacert", str(edge.ca), "--max-time", str(int(seconds))]
    for port in (edge.https, edge.http):
        command += ["--connect-to", f":{port}:127.0.0.1:{port}"]
    done = subprocess.run([*command, *words], capture_output=True, timeout=seconds + 10)
    if done.returncode:
        raise AssertionError(f"curl {' '.join(words)}: exit code {done.returncode}: {done.stderr.decode()}")
    return done.stdout.decode() if text else done.stdout


def full_name(name: str) -> str:
    """``name`` under the edge's domain."""
    return f"{name}.{DOMAIN}"
