"""
What ngrok's own agents can ask for beside a URL: every option that the edge has a module for, as each client spells it, and as
visitors meet it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import tempfile
from typing import Any

from tests.functional.agents import JavaScriptSDK, OldPythonSDK, PythonSDK, Wish
from tests.functional.clients import curl, open_tcp, open_tls, tls_context
from tests.functional.service import Service, echo
from tests.functional.test_agents import AgentTestCase
from tests.functional.test_ssh_modules import UPGRADE, Wordy, read_until
from tests.functional.test_streams import own_certificate
from tests.tls.authority import Made

NOBODY, EVERYBODY = "192.0.2.0/24", "127.0.0.0/8"
PASSWORD = "correct-horse-battery"
SECRET = "s3cret-of-github"

#: How headers of the PROXY protocol begin; see the specification of HAProxy, section 2.
PROXY = {1: b"PROXY TCP4 127.0.0.1 127.0.0.1 ", 2: b"\r\n\r\n\0\r\nQUIT\n\x21\x11"}


class ModulesCase(AgentTestCase):
    """Endpoints with options."""

    def publish_with(self, service: Service, *options: tuple[Any, ...], **wish: Any) -> str:
        """The URL of a service, behind these options of the client's own."""
        return self.agent(Wish(kind=wish.pop("kind", "http"), port=service.port, options=options, **wish)).url()

    def refused(self, code: int, *options: tuple[Any, ...], **wish: Any) -> str:
        """
        The client is told this code.

        :return: all that it says.
        """
        agent = self.agent(Wish(kind=wish.pop("kind", "http"), port=1, options=options, **wish))
        self.eventually(lambda: f"ERR_NGROK_{code}" in agent.told(), f"ERR_NGROK_{code}")
        return agent.told()

    def file(self, *texts: str) -> str:
        """The path of a file with these texts."""
        with tempfile.NamedTemporaryFile("w", dir=self.edge.directory, delete=False) as file:
            file.write("".join(texts))
        return file.name

    def visit(self, host: str, visitor: Made | None = None) -> ssl.SSLSocket:
        """A connection of somebody who shows a certificate, or none."""
        context = tls_context(self.edge)
        if visitor is not None:
            context.load_cert_chain(self.file(visitor.pem, visitor.key_pem))
        connection = open_tls(self.edge, host, context=context)
        self.addCleanup(connection.close)
        return connection

    def asked(self, connection: Any, host: str) -> bytes:
        """The beginning of the answer to a request; nothing if there is none."""
        try:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return bytes(connection.recv(4096))
        except OSError:
            return b""

    def said_back(self, connection: Any) -> bytes:
        """What an echo makes of a word; nothing if the connection is closed."""
        try:
            connection.sendall(b"ping")
            return bytes(connection.recv(16))
        except OSError:
            return b""

    def announced(self, connection: Any, version: int) -> None:
        """What an echo says at once is a PROXY header, and the rest what it hears."""
        connection.sendall(b"ping")
        said = read_until(connection, b"ping")
        self.assertTrue(said.startswith(PROXY[version]), said)

    def port(self, url: str) -> int:
        """Of a tcp URL."""
        return int(url.rpartition(":")[2])


class BuilderTests:
    """What the SDKs that are made of ngrok-rust have methods for."""

    self: Any

    def test_addresses(self: Any) -> None:
        """``allow_cidr`` and ``deny_cidr``: http visitors from elsewhere read 403, the connections of others are closed."""
        web, service = self.web(), self.serve(Service(echo))
        agent = self.agent(
            Wish(kind="http", port=web.port, options=[("allow_cidr", EVERYBODY), ("allow_cidr", "::1/128")]),
            Wish(kind="http", port=web.port, options=[("allow_cidr", NOBODY)]),
            Wish(kind="http", port=web.port, options=[("allow_cidr", "0.0.0.0/0"), ("deny_cidr", "127.0.0.1/32")]),
            Wish(kind="tcp", port=service.port, options=[("allow_cidr", EVERYBODY)]),
            Wish(kind="tcp", port=service.port, options=[("allow_cidr", NOBODY)]),
        )
        self.assertEqual([self.get(agent.url(number)).status for number in range(3)], [200, 403, 403])
        self.assertEqual(self.get(agent.url(1)).headers["ngrok-error-code"], "ERR_NGROK_3203")
        self.assertEqual(len(web.asked), 1)
        for number, answer in (3, b"ping"), (4, b""):
            with open_tcp(self.port(agent.url(number))) as connection:
                self.assertEqual(self.said_back(connection), answer)

    def test_password(self: Any) -> None:
        """``basic_auth``: 401 without; the password stands neither in the log nor in the API."""
        url = self.publish_with(self.web(), ("basic_auth", "ada", PASSWORD), ("basic_auth", "bob", PASSWORD + "2"))
        self.assertEqual(self.get(url).status, 401)
        self.assertEqual(curl(self.edge, "-u", f"bob:{PASSWORD}2", url), "hello from web\n")
        self.assertNotIn(PASSWORD, self.edge.log())
        api = self.api()
        told = json.dumps([api("GET", "/endpoints"), api("GET", "/tunnels"), api("GET", "/tunnel_sessions")])
        self.assertIn(url.partition("//")[2].partition(":")[0], told)
        self.assertNotIn(PASSWORD, told)

    def test_headers(self: Any) -> None:
        """Headers are added and taken away, both ways."""
        web = self.web()
        url = self.publish_with(
            web,
            ("request_header", "is-ngrok", "1 and more"),
            ("request_header", "client", "${conn.client_ip}"),
            ("remove_request_header", "X-Secret"),
            ("response_header", "X-Via", "two words"),
            ("remove_response_header", "x-service"),
        )
        answer = self.get(url, headers={"X-Secret": "1"})
        asked = web.asked[-1]
        self.assertEqual((asked.all("is-ngrok"), asked.all("client")), (["1 and more"], ["127.0.0.1"]))
        self.assertEqual(asked.all("x-secret"), [])
        self.assertEqual((answer.headers["x-via"], answer.headers.get("x-service")), ("two words", None))

    def test_compression(self: Any) -> None:
        """``compression``: curl unpacks what it gets."""
        web = Wordy()
        self.addCleanup(web.close)
        url = self.publish_with(web, ("compression",))
        head = curl(self.edge, "--compressed", "-D", "-", "-o", "/dev/null", url).lower()
        self.assertIn("content-encoding:", head)
        self.assertEqual(curl(self.edge, "--compressed", url), curl(self.edge, url))

    def test_circuit_breaker(self: Any) -> None:
        """``circuit_breaker``: a service that fails more than that share of the time is left alone."""
        web = self.web()
        url = self.publish_with(web, ("circuit_breaker", 0.4)) + "/status/500"
        statuses = [self.get(url).status for _ in range(21)]
        self.assertEqual((set(statuses[:20]), statuses[20]), ({500}, 503))
        self.assertEqual(len(web.asked), 20)

    def test_user_agents(self: Any) -> None:
        """``allow_user_agent`` and ``deny_user_agent``."""
        url = self.publish_with(self.web(), ("allow_user_agent", "^good"), ("deny_user_agent", "bot"))
        statuses = [self.get(url, headers={"User-Agent": name}).status for name in ("badbot", "good bot", "other")]
        self.assertEqual(statuses, [403, 200, 200])

    def test_webhooks(self: Any) -> None:
        """``webhook_verification``: a signed delivery passes, others read 403."""
        url = self.publish_with(self.web(), ("webhook_verification", "github", SECRET)) + "/echo"
        body = b'{"zen": "Keep it logically awesome."}'
        signature = {"X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}
        good = self.get(url, method="POST", body=body, headers=signature)
        self.assertEqual((good.status, json.loads(good.body)["length"]), (200, len(body)))
        bad = self.get(url, method="POST", body=body + b" ", headers=signature)
        self.assertEqual((bad.status, bad.headers["ngrok-error-code"]), (403, "ERR_NGROK_3204"))
        self.assertNotIn(SECRET, self.edge.log())

    def test_converter(self: Any) -> None:
        """``websocket_tcp_conversion``: messages become bytes to the service, and its bytes messages."""
        name = self.new_name()
        service = self.serve(Service(echo))
        self.publish_with(service, ("websocket_tcp_conversion",), domain=name, scheme="tcp")
        with open_tls(self.edge, name) as connection:
            connection.sendall(UPGRADE % name.encode())
            head, _, early = read_until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
            self.assertIn(b" 101 ", head)
            connection.sendall(b"\x82\x84\0\0\0\0ping")
            self.assertEqual(early + read_until(connection, b"ping"), b"\x82\x04ping")

    def test_certificates_of_visitors(self: Any) -> None:
        """``mutual_tlsca`` with http: without a certificate of that authority there is no request."""
        authority, web, name = Made("Visitors"), self.web(), self.new_name()
        self.publish_with(web, ("mutual_tlsca", authority.pem), domain=name)
        self.assertIn(b"200 OK", self.asked(self.visit(name, authority.issue("ada.example")), name))
        self.assertEqual(web.asked[-1].all("ngrok-mtls-subject-cn"), ["ada.example"])
        for visitor in (None, Made("Others").issue("eve.example")):
            with self.assertRaises(OSError):
                self.assertEqual(self.asked(self.visit(name, visitor), name), b"")
                raise OSError("closed, as TLS 1.3 does it")
        self.assertEqual(len(web.asked), 1)

    def test_termination(self: Any) -> None:
        """``termination``: TLS ends at the edge, with the certificate that is given; visitors may have to show theirs."""
        service, names = self.serve(Service(echo)), [self.new_name() for _ in range(2)]
        authority = Made("Visitors")
        pairs = [[path.read_text() for path in own_certificate(self.edge.directory, name)] for name in names]
        self.agent(
            Wish(kind="tls", port=service.port, domain=names[0], options=[("termination", *pairs[0])]),
            Wish(
                kind="tls",
                port=service.port,
                domain=names[1],
                options=[("termination", *pairs[1]), ("mutual_tlsca", authority.pem)],
            ),
        ).url(1)
        for name, (certificate, _), visitor in zip(names, pairs, (None, authority.issue("ada.example"))):
            context = ssl.create_default_context(cadata=certificate)
            if visitor is not None:
                context.load_cert_chain(self.file(visitor.pem, visitor.key_pem))
            with open_tls(self.edge, name, context=context) as connection:
                self.assertEqual(self.said_back(connection), b"ping")
        with self.assertRaises(OSError):
            with open_tls(self.edge, names[1], context=ssl.create_default_context(cadata=pairs[1][0])) as stranger:
                self.assertEqual(self.said_back(stranger), b"")
                raise OSError("closed, as TLS 1.3 does it")

    def test_certificate_of_the_server(self: Any) -> None:
        """Without one that is given, TLS ends at the edge with the server's own certificate for the name."""
        name = self.new_name()
        self.publish_with(self.serve(Service(echo)), ("termination", "", ""), kind="tls", domain=name)
        with self.visit(name) as connection:
            self.assertEqual(self.said_back(connection), b"ping")
        authority = ("mutual_tlsca", Made("Visitors").pem)
        self.assertIn("TLS termination", self.refused(7062, authority, kind="tls", domain=self.new_name()))

    def test_service_with_tls(self: Any) -> None:
        """The agent speaks TLS to a service that wants it, unless it is the visitor's TLS that comes."""
        names = [self.new_name() for _ in range(2)]
        certificate, key = own_certificate(self.edge.directory, names[0])
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)
        service = self.serve(Service(lambda connection: echo(server.wrap_socket(connection, server_side=True))))
        options = [("verify_upstream_tls", False)]
        ends = [("termination", "", "")]
        self.agent(
            Wish(kind="tls", port=service.port, domain=names[0], scheme="tls", options=options),
            Wish(kind="tls", port=service.port, domain=names[1], scheme="tls", options=options + ends),
        ).url(1)
        contexts = ssl.create_default_context(cafile=str(certificate)), tls_context(self.edge)
        for name, context in zip(names, contexts):
            with open_tls(self.edge, name, context=context) as connection:
                self.assertEqual(self.said_back(connection), b"ping")

    def test_proxy_protocol(self: Any) -> None:
        """``proxy_proto``: what the service hears first is where the visitor is; for http, too."""
        service, web = self.serve(Service(echo)), self.serve(Service(first_line))
        agent = self.agent(
            *(Wish(kind="tcp", port=service.port, options=[("proxy_proto", version)]) for version in ("1", "2")),
            Wish(kind="http", port=web.port, options=[("proxy_proto", "1")]),
        )
        for version in (1, 2):
            with open_tcp(self.port(agent.url(version - 1))) as connection:
                self.announced(connection, version)
        self.assertEqual(self.get(agent.url(2)).body[: len(PROXY[1])], PROXY[1])

    def test_scheme(self: Any) -> None:
        """``scheme("HTTP")``: a plain http endpoint; https for the same name is somebody else's, even the agent's own."""
        web, name = self.web(), self.new_name()
        agent = self.agent(Wish(kind="http", port=web.port, domain=name, options=[("scheme", "HTTP")]))
        self.assertEqual(agent.url(), f"http://{name}:{self.edge.http}")
        self.assertEqual(self.get(agent.url()).status, 200)
        self.assertEqual(self.get(f"https://{name}/").status, 404)
        agent.open(Wish(kind="http", port=web.port, domain=name))
        self.assertEqual(agent.url(1), f"https://{name}:{self.edge.https}")
        self.assertEqual([self.get(agent.url(number)).status for number in (0, 1)], [200, 200])

    def test_refused(self: Any) -> None:
        """What is not there, or makes no sense, is refused with ngrok's number; the session goes on."""
        agent = self.agent(Wish(kind="http", port=self.web().port))
        agent.url()
        cases: list[tuple[int, str, tuple[Any, ...]]] = [
            (7041, "http", ("oauth", "google")),
            (7098, "http", ("oidc", "https://id.example", "client", "a-secret-of-oidc")),
            (362, "http", ("allow_cidr", "10.0.0.0/33")),
            (360, "http", ("basic_auth", "ada", "short")),
            (361, "http", ("circuit_breaker", 1.5)),
            (2090, "http", ("allow_user_agent", "(")),
            (364, "http", ("webhook_verification", "nobody", SECRET)),
            (372, "http", ("request_header", "b@d", "1")),
            (362, "tcp", ("deny_cidr", "nonsense")),
        ]
        for number, (code, kind, option) in enumerate(cases, 1):
            agent.open(Wish(kind=kind, port=1, options=[option]))
            said = agent.heard("refused", number)
            # JavaScript has the code in the message alone.
            self.assertIn(f"ERR_NGROK_{code}", said["code"] or said["message"], said)
            self.assertTrue(said["message"])
        told = agent.told()
        for secret in ("short", "a-secret-of-oidc", SECRET):
            self.assertNotIn(secret, told)
        self.assertEqual(self.get(agent.url()).status, 200)


class PythonTests(BuilderTests, ModulesCase):
    """PyPI ``ngrok`` 1.7.0."""

    client = PythonSDK


class OldPythonTests(BuilderTests, ModulesCase):
    """PyPI ``ngrok`` 1.4.0."""

    client = OldPythonSDK


class JavaScriptTests(BuilderTests, ModulesCase):
    """npm ``@ngrok/ngrok``."""

    client = JavaScriptSDK


def first_line(connection: Any) -> None:
    """A web service that says with which line a connection has begun."""
    file = connection.makefile("rb")
    line = file.readline()
    while file.readline().strip():
        pass
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(line), line))
