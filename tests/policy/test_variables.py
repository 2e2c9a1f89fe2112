"""
Tests for `ngrok_twisted.policy.variables` and `ngrok_twisted.policy.facts`: what each variable is for a request.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.policy.facts import ARGUMENTS_MAX, Facts
from ngrok_twisted.policy.template import parse_template
from ngrok_twisted.policy.variables import VARIABLES
from ngrok_twisted.wrapper import ResponseHead
from tests.policy.asked import asked, facts
from tests.tls.authority import Made

ROOT = Path(__file__).resolve().parents[2]

FIELDS = (
    b"User-Agent: curl/8",
    b"X-Two: 1",
    b"x-two: 2",
    b"Cookie: theme=dark; id=1; id=2; broken",
    b'Content-Type: Text/HTML; Charset="utf-8"; x=y',
    b"Content-Length: 0",
)
TARGET = b"/a/./b%20c/%61?x=1&x=2&y=%C3%A9&z"


class VariableCase(SynchronousTestCase):
    """Looks at variables."""

    def assertValues(self, about: Any, expected: dict[str, str]) -> None:
        """These texts stand for these names."""
        found = {name: parse_template("${%s}" % name).render(about) for name in expected}
        self.assertEqual(found, expected)


class RequestTests(VariableCase):
    """What is known of a request."""

    def test_request(self) -> None:
        """Method, host, headers, cookies and type, in the names of both generations."""
        self.assertValues(
            facts(TARGET, *FIELDS),
            {
                "req.method": "GET",
                ".http.request.method": "GET",
                "req.host": "A.Example:8443",
                "req.version": "HTTP/1.1",
                ".http.request.version": "HTTP/1.1",
                "req.user_agent": "curl/8",
                ".http.request.user_agent": "curl/8",
                "req.headers['X-Two']": '["1","2"]',
                "req.headers.x-two[1]": "2",
                "req.headers['none'][0]": "",
                "req.cookies.id[1].value": "2",
                "req.cookies.theme[0]": '{"name":"theme","value":"dark"}',
                "req.content_type": "text/html",
                "req.content_type.raw": 'Text/HTML; Charset="utf-8"; x=y',
                "req.content_type.parameters.Charset": "utf-8",
                "req.content_length": "0",
                "req.location": "",
                "req.trailers": "{}",
            },
        )

    def test_url(self) -> None:
        """The parts of the URL, as they were sent and normalised."""
        self.assertValues(
            facts(TARGET),
            {
                "req.url": "https://a.example:8443/a/b%20c/a?x=1&x=2&y=%C3%A9&z",
                "req.url.raw": "https://A.Example:8443/a/./b%20c/%61?x=1&x=2&y=%C3%A9&z",
                ".http.request.url.raw": "https://A.Example:8443/a/./b%20c/%61?x=1&x=2&y=%C3%A9&z",
                "req.url.scheme": "https",
                "req.url.authority": "A.Example:8443",
                "req.url.host": "a.example",
                ".http.request.url.host": "a.example",
                "req.url.port": "8443",
                "req.url.path": "/a/b c/a",
                "req.url.raw_path": "/a/./b%20c/%61",
                "req.url.query": "x=1&x=2&y=%C3%A9&z",
                ".http.request.url.query": "x=1&x=2&y=%C3%A9&z",
                "req.url.query_params.x": '["1","2"]',
                "req.url.query_params['y'][0]": "é",
                "req.url.query_params.z[0]": "",
                "req.url.uri": "/a/./b%20c/%61?x=1&x=2&y=%C3%A9&z",
                "req.url.user": "",
            },
        )

    def test_short_url(self) -> None:
        """A default port is not part of it; without a query there is no question mark."""
        self.assertValues(facts(b"/", host=b"a.example:443"), {"req.url": "https://a.example/", "req.url.port": "443"})
        self.assertValues(facts(b"/", host=b"a.example", proto="http"), {"req.url": "http://a.example/"})

    def test_many_arguments(self) -> None:
        """Too many arguments are none."""
        self.assertValues(facts(b"/?" + b"x=1&" * (ARGUMENTS_MAX + 1)), {"req.url.query_params": "{}"})

    def test_connection(self) -> None:
        """Who came, when, and where to."""
        about = facts(TARGET)
        about.request.channel.transport.getHost = lambda: IPv4Address("TCP", "203.0.113.9", 443)
        self.assertValues(
            about,
            {
                "conn.client_ip": "192.168.1.1",
                ".conn.client_ip": "192.168.1.1",
                ".ngrok.client_ip": "192.168.1.1",
                "conn.client_port": "54321",
                "conn.server_ip": "203.0.113.9",
                "conn.server_port": "443",
                "conn.start_ts": "2023-11-14T22:11:49.750000Z",
                "conn.ts.start": "2023-11-14T22:11:49.750000Z",
                "conn.duration": "1m30.5s",
                "conn.end_ts": "",
                "conn.bytes_in": "0",
                "conn.server_name": "",
                "conn.tls.version": "",
                "conn.tls.cipher_suite": "",
                "conn.tls.client.subject.common_name": "",
                ".ngrok.geo.country_code": "",
            },
        )

    def test_ids(self) -> None:
        """Requests have ids of their own, and share that of their connection."""
        one, two = facts(), facts()
        texts = [parse_template("${.conn.id} ${.http.request_id}").render(about).split() for about in (one, one, two)]
        self.assertEqual(texts[0], texts[1])
        self.assertNotEqual(texts[0][1], texts[2][1])
        self.assertTrue(texts[0][1].endswith(f"_{one.flow.number}"))
        two.request.channel._opened += 1
        self.assertNotEqual(parse_template("${.conn.id}").render(two), texts[2][0])

    def test_backend(self) -> None:
        """Where the request goes, and how long it took to get there."""
        about = facts()
        name = "${.backend.connection_reused} ${.backend.dial_duration} ${.backend.id}"
        for dialled, expected in ((None, "false  bkd_1"), (0.0, "true 0s bkd_1"), (0.0015, "false 1.5ms bkd_1")):
            about.flow.dialled, about.flow.backend_id = dialled, "bkd_1"
            self.assertEqual(parse_template(name).render(about), expected)

    def test_noted(self) -> None:
        """What other modules have noted."""
        about = facts()
        self.assertValues(about, {".basic_auth.username": "", "compression.algorithm": ""})
        about.flow.remember("basic_auth.username", "ada")
        about.flow.remember("oauth.user.email", "ada@example.com")
        self.assertValues(about, {".basic_auth.username": "ada", "oauth.user.email": "ada@example.com"})

    def test_foreign_bytes(self) -> None:
        """Bytes that are not UTF-8 go through as they are."""
        text = parse_template("${req.headers.x[0]}").render(facts(b"/", b"X: \xff\xc3\xa9"))
        self.assertEqual(text.encode("utf-8", "surrogateescape"), b"\xff\xc3\xa9")


class TLS:
    """A visitor's TLS connection."""

    negotiatedProtocol = b"http/1.1"

    def __init__(self, certificate: bytes | None) -> None:
        self._certificate = certificate

    def version(self) -> str:
        return "TLSv1.2"

    def cipher(self) -> str:
        return "ECDHE-RSA-AES128-GCM-SHA256"

    def getPeerCertificate(self) -> bytes | None:
        return self._certificate


class TLSTests(VariableCase):
    """What is known of the handshake."""

    def test_tls(self) -> None:
        """Version, cipher suite, name and certificate."""
        request = asked()
        made = Made("me.example")
        request.channel.transport = TLS(made.certificate.public_bytes(Encoding.DER))
        request.channel.site = SimpleNamespace(server_name="a.example")
        serial = f"{made.certificate.serial_number:x}"
        self.assertValues(
            Facts(request),
            {
                "conn.tls.version": "1.2",
                ".tls.version": "1.2",
                "conn.tls.cipher_suite": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "conn.tls.negotiated_alpn": "http/1.1",
                "conn.tls.sni": "a.example",
                ".conn.server_name": "a.example",
                ".tls.client_cert.subject": "CN=me.example",
                ".tls.client_cert.subject.cn": "me.example",
                ".tls.client_cert.serial_number": serial,
                "conn.tls.client.serial_number": serial,
                "conn.tls.client.san.dns_names[0]": "me.example",
                "conn.tls.client.subject.organization": "[]",
                "conn.tls.client.extensions[0].critical": "true",
            },
        )


class ResponseTests(VariableCase):
    """What is known of a response."""

    HEAD = ResponseHead(
        201,
        b"Created",
        [
            (b"Location", b"/new"),
            (b"Content-Type", b"application/json; charset=utf-8"),
            (b"Set-Cookie", b"id=1; Path=/; Max-Age=90; HttpOnly; Secure; SameSite=Lax; Odd=1"),
            (b"Set-Cookie", b"id=2; Path=/deep; Expires=Sun, 01 Feb 2026 10:00:00 GMT"),
            (b"Set-Cookie", b"bad; Max-Age=x; Expires=never"),
        ],
        12,
    )

    def test_response(self) -> None:
        """Status, type, length, headers, cookies."""
        self.assertValues(
            facts(response=self.HEAD),
            {
                "res.status_code": "201",
                ".http.response.status_code": "201",
                "res.headers.location[0]": "/new",
                "res.location": "/new",
                "res.content_length": "12",
                "res.content_type": "application/json",
                "res.content_type.parameters.charset": "utf-8",
                "res.cookies.id[0].value": "2",
                "res.cookies.id[0].expires": "2026-02-01T10:00:00Z",
                "res.cookies.id[1].max_age": "1m30s",
                "res.cookies.id[1].http_only": "true",
                "res.cookies.id[0].secure": "false",
                "res.cookies.id[1].same_site": "Lax",
                "res.cookies.id[1].unparsed_attributes": '{"odd":"1"}',
                "res.cookies.bad[0].max_age": "",
                "res.trailers": "{}",
            },
        )

    def test_before(self) -> None:
        """Before there is a response, there is nothing of it."""
        self.assertValues(facts(), {"res.status_code": "", "res.headers": "", "res.headers.x[0]": ""})


class PageTests(SynchronousTestCase):
    """The page about templates."""

    def test_every_variable(self) -> None:
        """Every variable is on it."""
        page = (ROOT / "docs" / "modules" / "variables.md").read_text()
        self.assertEqual([name for name in VARIABLES if f"`{name}`" not in page], [])
