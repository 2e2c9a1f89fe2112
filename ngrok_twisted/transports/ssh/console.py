"""
What a user reads in the session: text for people, or one JSON object a line for programs.

Pure: every method returns the bytes to send. Whatever came from a visitor or from another program is cleaned of control
characters first, so that nobody can write to the user's terminal but this server.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from time import gmtime, strftime
from typing import Any, Iterable

import segno

from ngrok_twisted.errors import Refused
from ngrok_twisted.flow import Flow
from ngrok_twisted.transports.ssh.flags import PUBLISHING, help_lines
from ngrok_twisted.transports.ssh.settings import GatewaySettings

#: Columns of the labels on the left, as ngrok prints them.
_LABEL_WIDTH = 12

#: Characters of a visitor's path that a log line shows.
_PATH_SHOWN = 120

#: Modules of empty space around a QR code. The standard asks for 4; 2 are enough for phones and fit a small terminal.
_QUIET_ZONE = 2

_KEYS = "Keys: Ctrl+C quit, q quit (asks), h help, r repeat the URLs, i log on or off, Q the QR code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """
    One URL as the user sees it.

    :ivar url: the URL, or for a labelled tunnel ``labels a=b,c=d``.
    :ivar endpoint_id: the endpoint's id, or empty.
    :ivar address: the bind address of the forward, as text.
    :ivar port: the bind port, or the allocated one.
    :ivar proto: ``https``, ``http``, ``tls``, ``tcp`` or ``labels``.
    :ivar binding: ``public``.
    """

    url: str
    endpoint_id: str
    address: str
    port: int
    proto: str
    binding: str = "public"


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """
    How to write to one session.

    :ivar pty: the client's terminal is in raw mode: lines end with CR LF.
    :ivar json: one JSON object a line.
    :ivar quiet: only URLs, one a line, and errors.
    """

    pty: bool = False
    json: bool = False
    quiet: bool = False

    def banner(self, settings: GatewaySettings, account: str, session_id: str, forwards: Iterable[Shown]) -> bytes:
        """The block that tells who is connected and which URLs are online."""
        if self.json:
            start = self._event(
                "session", account=account, region=settings.region, session_id=session_id, server=settings.server_name
            )
            return start + self.forwarding(forwards)
        if self.quiet:
            return self.forwarding(forwards)
        head = f"{settings.server_name} (via SSH) (Ctrl+C to quit)"
        lines = ["", head, "", _row("Account", account), _row("Region", settings.region)]
        return self.lines(lines) + self.forwarding(forwards)

    def forwarding(self, forwards: Iterable[Shown]) -> bytes:
        """A line for each URL."""
        if self.json:
            return b"".join(
                self._event(
                    "forward",
                    url=shown.url,
                    endpoint_id=shown.endpoint_id,
                    bind_address=shown.address,
                    bind_port=shown.port,
                    proto=shown.proto,
                    binding=shown.binding,
                )
                for shown in forwards
            )
        return self.lines(shown.url if self.quiet else _row("Forwarding", shown.url) for shown in forwards)

    def closed(self, url: str, reason: str) -> bytes:
        """A URL is offline from now on."""
        if self.json:
            return self._event("closed", url=url, reason=reason)
        return b"" if self.quiet else self.lines([_row("Closed", f"{url} ({reason})")])

    def error(self, refused: Refused) -> bytes:
        """Why something was refused."""
        if self.json:
            return self._event("error", code=refused.name, message=refused.message)
        name = [refused.name] if refused.name else []
        first, *more = clean(refused.message, keep_lines=True).split("\n")
        return self.lines([f"ERROR:  {first}", *(f"        {line}" for line in more), *name])

    def notice(self, text: str) -> bytes:
        """Something worth knowing that is no error."""
        if self.json:
            return self._event("notice", message=text)
        return b"" if self.quiet else self.lines(clean(text, keep_lines=True).split("\n"))

    def request(self, flow: Flow) -> bytes:
        """A line of the live log, for a flow that ended."""
        duration = max(flow.ended - flow.started, 0.0)
        method, path = clean(flow.method.decode("latin-1")), clean(flow.target.decode("latin-1"))
        if self.json:
            return self._event(
                "request",
                method=method,
                path=path,
                status=flow.status,
                duration_ms=round(duration * 1000, 1),
                client_ip=flow.peer_host,
            )
        time = clock_face(flow.ended)
        if flow.proto in ("tls", "tcp"):
            peer = f"{flow.peer_host}:{flow.peer_port}"
            return self.lines([f"{time} close {peer} in {flow.bytes_in} out {flow.bytes_out} bytes {_human(duration)}"])
        short = path if len(path) <= _PATH_SHOWN else f"{path[:_PATH_SHOWN]}..."
        return self.lines([f"{time} {method} {short} {flow.status or '-'} {_human(duration)}"])

    def opened(self, flow: Flow, now: float) -> bytes:
        """A line of the live log, for a stream that begins."""
        return b"" if self.json else self.lines([f"{clock_face(now)} open  {flow.peer_host}:{flow.peer_port}"])

    def qr(self, url: str) -> bytes:
        """The URL as a QR code, two modules a character; light on dark as in most terminals."""
        return b"" if self.json else self.lines(qr_lines(url))

    def help(self, topic: str, settings: GatewaySettings) -> bytes:
        """The flags of a command, or how to begin."""
        if topic not in PUBLISHING:
            return self.lines(usage(settings))
        rows = help_lines(topic, settings.module_kinds)
        lines = ["", f"The flags of the command {topic}:", ""]
        for form, does in rows:
            lines += [f"  {form:<44} {does}"] if len(form) <= 44 else [f"  {form}", f"  {'':<44} {does}"]
        return self.lines([*lines, ""])

    def keys(self) -> bytes:
        """What the keys of a terminal do."""
        return self.lines([_KEYS])

    def rows(self, event: str, pairs: dict[str, str]) -> bytes:
        """Facts with their labels; a single object in JSON."""
        if self.json:
            return self._event(event, **pairs)
        return self.lines(_row(key.replace("_", " ").capitalize(), clean(value)) for key, value in pairs.items())

    def lines(self, lines: Iterable[str]) -> bytes:
        """Text with the ends of line that this session needs."""
        end = "\r\n" if self.pty else "\n"
        return "".join(f"{line}{end}" for line in lines).encode("utf-8", "replace")

    def _event(self, event: str, **fields: Any) -> bytes:
        return self.lines([json.dumps({"event": event, **fields})])


def usage(settings: GatewaySettings) -> list[str]:
    """How to begin, with three sample commands."""
    port = "" if settings.connect_port == 22 else f"-p {settings.connect_port} "
    ssh, host = f"  ssh {port}-R", settings.connect_host
    return [
        "",
        "Publish a local service by adding -R to ssh:",
        "",
        f"{ssh} 443:localhost:3000 {host} http",
        f"{ssh} 0:localhost:22 {host} tcp",
        f"{ssh} myapp:443:localhost:3000 {host} http --qr",
        "",
        f"The commands are {', '.join(PUBLISHING)}, status, whoami and version; add --help to one for its flags.",
        "",
    ]


def reconnect_hint(settings: GatewaySettings, url_host: str, port: int) -> list[str]:
    """A stanza of ``~/.ssh/config`` that brings the tunnel back by itself."""
    forward = f"{url_host}:{port}" if url_host else str(port)
    port_line = [] if settings.connect_port == 22 else [f"    Port {settings.connect_port}"]
    return [
        "",
        "To keep this tunnel, put into ~/.ssh/config:",
        "  Host tunnel",
        f"    HostName {settings.connect_host}",
        *port_line,
        f"    RemoteForward {forward} localhost:3000",
        "    ExitOnForwardFailure yes",
        "    ServerAliveInterval 15",
        "and run: until ssh tunnel; do sleep 2; done",
    ]


def qr_lines(url: str) -> list[str]:
    """
    A QR code in half blocks: what is light in the code is drawn, what is dark is left to the background.
    """
    # Upper-case scheme and host would make a smaller code, but people read the URL in their scanner before they tap it.
    rows = [
        list(row) for row in segno.make(url, error="l", micro=False, boost_error=False).matrix_iter(border=_QUIET_ZONE)
    ]
    if len(rows) % 2:
        rows.append([1] * len(rows[0]))
    glyphs = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    return [
        "".join(glyphs[bool(above), bool(below)] for above, below in zip(upper, lower))
        for upper, lower in zip(rows[::2], rows[1::2])
    ]


def clean(text: str, keep_lines: bool = False) -> str:
    """Replace everything that could move a terminal's cursor or change its state."""
    return "".join(c if c.isprintable() or (keep_lines and c == "\n") else "\N{REPLACEMENT CHARACTER}" for c in text)


def clock_face(seconds: float) -> str:
    """
    :param seconds: since the epoch.
    :return: ``HH:MM:SS`` in UTC.
    """
    return strftime("%H:%M:%S", gmtime(seconds))


def _human(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.2f}s" if seconds < 100 else f"{seconds:.0f}s"


def _row(label: str, value: str) -> str:
    return f"{label:<{_LABEL_WIDTH}}{clean(value)}"
