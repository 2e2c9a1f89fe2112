"""
Tests for `ngrok_twisted.transports.ssh.console`.
"""

from __future__ import annotations

import json
from typing import Any

import segno
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import Refused
from ngrok_twisted.flow import Flow
from ngrok_twisted.transports.ssh.console import Console, Shown, qr_lines, reconnect_hint
from ngrok_twisted.transports.ssh.settings import GatewaySettings

SETTINGS = GatewaySettings(region="eu", connect_host="connect.example.com")
APP = Shown(url="https://app.example.com", endpoint_id="ep_1", address="app", port=443, proto="https")


def flow(**fields: Any) -> Flow:
    """A request that took a quarter of a second."""
    made = Flow("192.0.2.1", 4444, fields.pop("proto", "https"), 1_700_000_000.0)
    made.method, made.target, made.status, made.ended = b"GET", b"/x?y=1", 200, 1_700_000_000.25
    for name, value in fields.items():
        setattr(made, name, value)
    return made


class TextTests(SynchronousTestCase):
    """Text for people."""

    def test_line_ends(self) -> None:
        """Lines end with CR LF in a terminal, with LF elsewhere."""
        self.assertEqual(Console(pty=True).notice("a"), b"a\r\n")
        self.assertEqual(Console().notice("a\nb"), b"a\nb\n")

    def test_request(self) -> None:
        """A request is one line: time, method, path, status, duration."""
        self.assertEqual(Console().request(flow()), b"22:13:20 GET /x?y=1 200 250ms\n")
        self.assertEqual(Console().request(flow(status=0, ended=1_700_000_012.5)), b"22:13:32 GET /x?y=1 - 12.50s\n")

    def test_stream(self) -> None:
        """A stream has a line when it opens and one when it closes, with its peer and bytes."""
        stream = flow(proto="tcp", bytes_in=10, bytes_out=20)
        self.assertEqual(Console().opened(stream, stream.started), b"22:13:20 open  192.0.2.1:4444\n")
        self.assertEqual(Console().request(stream), b"22:13:20 close 192.0.2.1:4444 in 10 out 20 bytes 250ms\n")

    def test_hostile(self) -> None:
        """A visitor cannot write to the user's terminal."""
        for text in (b"/\x1b]0;owned\x07", b"/\x9b2J", b"/a\r\nb"):
            shown = Console(pty=True).request(flow(target=text)).decode()
            self.assertTrue(shown.removesuffix("\r\n").isprintable(), shown)
        self.assertLess(len(Console().request(flow(target=b"/" + b"x" * 5000))), 300)
        self.assertNotIn(b"\x1b", Console().error(Refused(1, "a\x1bb")))

    def test_error(self) -> None:
        """An error has its message first and its number below."""
        self.assertEqual(Console(pty=True).error(Refused(320, "No.")), b"ERROR:  No.\r\nERR_NGROK_320\r\n")
        self.assertEqual(Console().error(Refused(None, "a\nb")), b"ERROR:  a\n        b\n")

    def test_quiet(self) -> None:
        """Quiet prints URLs and errors only."""
        quiet = Console(quiet=True)
        self.assertEqual(quiet.banner(SETTINGS, "Ada", "ts_1", [APP]), b"https://app.example.com\n")
        self.assertEqual(quiet.notice("x") + quiet.closed("u", "r"), b"")
        self.assertIn(b"No.", quiet.error(Refused(1, "No.")))

    def test_help(self) -> None:
        """Help lists the flags that work here, and those of a module once it is there."""
        text = Console().help("tcp", SETTINGS).decode()
        self.assertIn("--remote-addr host:port", text)
        self.assertNotIn("--subdomain", text)
        self.assertNotIn("--cidr-allow", text)
        more = GatewaySettings(module_kinds={"ip_restriction": None})
        self.assertIn("--cidr-allow cidr", Console().help("tcp", more).decode())
        self.assertIn("ssh -R 443:localhost:3000 connect.example.com http", Console().help("", SETTINGS).decode())

    def test_hint(self) -> None:
        """The hint names the host, and the port only if it is unusual."""
        self.assertNotIn("Port", " ".join(reconnect_hint(SETTINGS, "", 443)))
        text = "\n".join(reconnect_hint(GatewaySettings(connect_port=2222), "app.example.com", 443))
        self.assertIn("    Port 2222\n    RemoteForward app.example.com:443 localhost:3000", text)


class CodeTests(SynchronousTestCase):
    """QR codes."""

    def test_drawing(self) -> None:
        """The half blocks, read back, are the code's modules with a border of two."""
        url = "https://brave-otter-3f9c.example.com"
        upper, lower = {"█": 0, "▀": 0, "▄": 1, " ": 1}, {"█": 0, "▀": 1, "▄": 0, " ": 1}
        rows = []
        for line in qr_lines(url):
            rows += [[upper[glyph] for glyph in line], [lower[glyph] for glyph in line]]
        code = segno.make(url, error="l", micro=False, boost_error=False)
        modules = [[int(bool(module)) for module in row] for row in code.matrix_iter(border=2)]
        self.assertEqual(rows[: len(modules)], modules)


class JSONTests(SynchronousTestCase):
    """One object a line, for programs."""

    def event(self, data: bytes) -> dict[str, Any]:
        """The only event."""
        (line,) = data.splitlines()
        event: dict[str, Any] = json.loads(line)
        return event

    def test_fields(self) -> None:
        """Every event has the fields of the contract."""
        console = Console(json=True)
        session, forward = console.banner(SETTINGS, "Ada", "ts_1", [APP]).splitlines()
        self.assertEqual(
            json.loads(session),
            {"event": "session", "account": "Ada", "region": "eu", "session_id": "ts_1", "server": "ngrok_twisted"},
        )
        self.assertEqual(
            json.loads(forward),
            {
                "event": "forward",
                "url": "https://app.example.com",
                "endpoint_id": "ep_1",
                "bind_address": "app",
                "bind_port": 443,
                "proto": "https",
                "binding": "public",
            },
        )
        self.assertEqual(
            self.event(console.request(flow())),
            {
                "event": "request",
                "method": "GET",
                "path": "/x?y=1",
                "status": 200,
                "duration_ms": 250.0,
                "client_ip": "192.0.2.1",
            },
        )
        self.assertEqual(self.event(console.closed("u", "r")), {"event": "closed", "url": "u", "reason": "r"})
        self.assertEqual(
            self.event(console.error(Refused(320, "No."))),
            {"event": "error", "code": "ERR_NGROK_320", "message": "No."},
        )

    def test_no_pictures(self) -> None:
        """Nothing but objects is printed."""
        self.assertEqual(Console(json=True).qr("https://x") + Console(json=True).opened(flow(), 0), b"")
