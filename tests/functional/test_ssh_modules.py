"""
Modules on the endpoints of ssh: every flag that guards or changes traffic, typed at a real ssh and seen by a real curl.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import tempfile
from typing import Any

from tests.functional.case import EdgeTestCase
from tests.functional.clients import curl, open_tcp, open_tls, tls_context
from tests.functional.management import MANAGED, Management
from tests.functional.service import Service, echo
from tests.functional.web import Web
from tests.tls.authority import Made

NOBODY, EVERYBODY = "192.0.2.0/24", "127.0.0.0/8"
PASSWORD = "correct-horse-battery"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class ModulesCase(EdgeTestCase):
    """An agent with flags, and what visitors see."""

    config: Any = MANAGED

    def guarded(self, flags: str, service: Service | None = None, command: str = "http") -> str:
        """The URL of a service behind these flags."""
        return self.publish(service or self.web(), command=f"{command} {flags}")

    def refused(self, command: str, code: int | str, *more: str) -> str:
        """A command that ends ssh with this code, and says why."""
        agent = self.ssh(f"{self.new_name()}:443:127.0.0.1:1", command=command)
        self.assertNotEqual(agent.exit_code(), 0)
        said = agent.out + agent.err
        self.assertIn(f"ERR_NGROK_{code}", said)
        for text in more:
            self.assertIn(text, said)
        return said


class VisitorTests(ModulesCase):
    """Who may visit."""

    def test_addresses(self) -> None:
        """``--cidr-allow`` and ``--cidr-deny``: http visitors from elsewhere read 403, streams are closed."""
        self.assertEqual(self.get(self.guarded(f"--cidr-allow {EVERYBODY},::1")).status, 200)
        answer = self.get(self.guarded(f"--cidr-allow {NOBODY}"), headers={"X-Forwarded-For": "192.0.2.1"})
        self.assertEqual((answer.status, answer.headers["ngrok-error-code"]), (403, "ERR_NGROK_3203"))
        denied = self.get(self.guarded("--cidr-allow 0.0.0.0/0 --cidr-deny 127.0.0.1"))
        self.assertEqual(denied.status, 403)

    def test_addresses_of_streams(self) -> None:
        """For tcp and tls, too."""
        service = self.serve(Service(echo))
        for cidr, expected in ((EVERYBODY, b"ping"), (NOBODY, b"")):
            agent = self.ssh(f"0:127.0.0.1:{service.port}", command=f"tcp --cidr-allow {cidr}")
            with open_tcp(int(agent.url().rpartition(":")[2])) as connection:
                self.assertEqual(_said_back(connection), expected)
        self.guarded(f"--cidr-allow {NOBODY}", service, "tls")
        name = self.new_name()
        self.publish(service, name, command=f"tls --terminate-at edge --cidr-allow {NOBODY}")
        with self.assertRaises((ssl.SSLError, OSError)):
            open_tls(self.edge, name)

    def test_password(self) -> None:
        """``--basic-auth``, by either name and in the bind address: 401 without, and the service with."""
        for flag in ("--basic-auth", "--auth"):
            url = self.guarded(f"{flag} ada:{PASSWORD} {flag} bob:{PASSWORD}2")
            self.assertEqual(curl(self.edge, "-o", "/dev/null", "-w", "%{http_code}", url), "401")
            self.assertEqual(curl(self.edge, "-u", f"bob:{PASSWORD}2", url), "hello from web\n")
        url = self.publish(self.web(), f"[eve:{PASSWORD}@{self.new_name()}]")
        self.assertEqual(curl(self.edge, "-u", f"eve:{PASSWORD}", url), "hello from web\n")
        self.assertEqual(self.get(url).status, 401)
        self.assertNotIn(PASSWORD, self.edge.log())

    def test_lost_quotes(self) -> None:
        """A name with a space arrives whole, although the local shell took its quotes."""
        url = self.guarded(f"--basic-auth ada lovelace:{PASSWORD}")
        self.assertEqual(curl(self.edge, "-u", f"ada lovelace:{PASSWORD}", url), "hello from web\n")

    def test_user_agent(self) -> None:
        """``--ua-filter-allow`` and ``--ua-filter-deny``."""
        url = self.guarded('--ua-filter-allow "(good)bot,curl/[0-9]{1,2}" --ua-filter-deny .*')
        self.assertEqual(curl(self.edge, url), "hello from web\n")
        answer = self.get(url, headers={"User-Agent": "badbot"})
        self.assertEqual((answer.status, answer.headers["ngrok-error-code"]), (403, "ERR_NGROK_3211"))

    def test_webhook(self) -> None:
        """``--verify-webhook``: a signed delivery passes, others read 403."""
        web = self.web()
        url = self.guarded("--verify-webhook github --verify-webhook-secret s3cret-of-github", web) + "/echo"
        body = b'{"zen": "Keep it logically awesome."}'
        digest = hmac.new(b"s3cret-of-github", body, hashlib.sha256).hexdigest()
        good = self.get(url, method="POST", body=body, headers={"X-Hub-Signature-256": f"sha256={digest}"})
        self.assertEqual((good.status, json.loads(good.body)["length"]), (200, len(body)))
        bad = self.get(url, method="POST", body=body + b" ", headers={"X-Hub-Signature-256": f"sha256={digest}"})
        self.assertEqual((bad.status, bad.headers["ngrok-error-code"]), (403, "ERR_NGROK_3204"))
        self.assertNotIn("s3cret-of-github", self.edge.log())


class TrafficTests(ModulesCase):
    """What happens to what passes."""

    def test_headers(self) -> None:
        """Headers are added and removed both ways; values with spaces and templates survive lost quotes."""
        web = self.web()
        url = self.guarded(
            "--request-header-add is-ngrok: 1 and more --request-header-add client: ${conn.client_ip}"
            " --request-header-remove X-Secret --response-header-remove x-service --response-header-add x-via: two  words",
            web,
        )
        answer = self.get(url, headers={"X-Secret": "1"})
        asked = web.asked[-1]
        self.assertEqual((asked.all("is-ngrok"), asked.all("client")), (["1 and more"], ["127.0.0.1"]))
        self.assertEqual(asked.all("x-secret"), [])
        self.assertNotIn("x-service", answer.headers)
        self.assertEqual(answer.headers["x-via"], "two words")

    def test_compression(self) -> None:
        """``--compression``: curl unpacks what it gets."""
        web = Wordy()
        self.addCleanup(web.close)
        url = self.guarded("--compression", web)
        head = curl(self.edge, "--compressed", "-D", "-", "-o", "/dev/null", url).lower()
        self.assertIn("content-encoding:", head)
        self.assertEqual(curl(self.edge, "--compressed", url), curl(self.edge, url))

    def test_circuit_breaker(self) -> None:
        """``--circuit-breaker``: a service that fails more than that share of the time is left alone."""
        web = self.web()
        url = self.guarded("--circuit-breaker 0.4", web) + "/status/500"
        statuses = [self.get(url).status for _ in range(21)]
        self.assertEqual((set(statuses[:20]), statuses[20]), ({500}, 503))
        self.assertEqual(len(web.asked), 20)

    def test_websocket(self) -> None:
        """``--websocket-tcp-converter``: messages become bytes to the service, and its bytes messages."""
        url = self.guarded("--websocket-tcp-converter", self.serve(Service(echo)))
        self.assertEqual(self.get(url).status, 400)
        host = url.removeprefix("https://").partition(":")[0]
        with open_tls(self.edge, host) as connection:
            connection.sendall(UPGRADE % host.encode())
            head, _, early = read_until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
            self.assertIn(b" 101 ", head)
            # RFC 6455 section 5.2: a binary frame whose mask is nothing but zeros, and the answer without one.
            connection.sendall(b"\x82\x84\0\0\0\0ping")
            self.assertEqual(early + read_until(connection, b"ping"), b"\x82\x04ping")

    def test_pool(self) -> None:
        """A member of a pool is chosen first; then what is typed for that member counts."""
        name = self.new_name()
        self.publish(self.web("open"), name, command="http --pooling-enabled")
        self.publish(self.web("closed"), name, command=f"http --pooling-enabled --cidr-allow {NOBODY}")
        seen = {
            (answer.status, answer.headers.get("x-service"))
            for answer in (self.get(f"https://{name}") for _ in range(40))
        }
        self.assertEqual(seen, {(200, "open"), (403, None)})


class HandshakeTests(ModulesCase):
    """TLS with flags."""

    def setUp(self) -> None:
        """Make an authority that the account knows."""
        super().setUp()
        api = Management(self.edge)
        self.addCleanup(api.close)
        self.api = api
        self.authority = Made("Visitors")
        self.id = api.make("/certificate_authorities", ca_pem=self.authority.pem)

    def visit(self, host: str, visitor: Made | None = None) -> ssl.SSLSocket:
        """A connection of somebody who shows a certificate, or none."""
        context = tls_context(self.edge)
        if visitor is not None:
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(visitor.pem + visitor.key_pem)
                file.flush()
                context.load_cert_chain(file.name)
        return open_tls(self.edge, host, context=context)

    def test_https(self) -> None:
        """``--mutual-tls-cas`` with http: without a certificate of that authority there is no request."""
        name, web = self.new_name(), self.web()
        self.publish(web, name, command=f"http --mutual-tls-cas {self.id}")
        with self.visit(name, self.authority.issue("ada.example")) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            self.assertIn(b"200 OK", connection.recv(4096))
        self.assertEqual(web.asked[-1].all("ngrok-mtls-subject-cn"), ["ada.example"])
        for visitor in (None, Made("Others").issue("eve.example")):
            with self.assertRaises((ssl.SSLError, OSError)):
                with self.visit(name, visitor) as connection:
                    connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
                    self.assertEqual(connection.recv(4096), b"", "something was answered")
                    raise OSError("closed")
        self.assertEqual(len(web.asked), 1)

    def test_tls(self) -> None:
        """``--terminate-at edge`` gives the service what is inside, and asks for certificates if it is told to."""
        service, name = self.serve(Service(echo)), self.new_name()
        self.publish(service, name, command="tls --terminate-at edge")
        with self.visit(name) as connection:
            self.assertEqual(_said_back(connection), b"ping")
        name = self.new_name()
        self.publish(service, name, command=f"tls --terminate-at edge --mutual-tls-cas {self.id}")
        with self.visit(name, self.authority.issue("ada.example")) as connection:
            self.assertEqual(_said_back(connection), b"ping")

    def test_speaks_tls_again(self) -> None:
        """``--upstream-tls`` with TLS that ends at the edge: the service gets TLS of the edge's own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made = Made("service.example")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(made.pem + made.key_pem)
            file.flush()
            context.load_cert_chain(file.name)
        service = self.serve(Service(lambda connection: echo(context.wrap_socket(connection, server_side=True))))
        name = self.new_name()
        self.publish(service, name, command="tls --terminate-at edge --upstream-tls")
        with self.visit(name) as connection:
            self.assertEqual(_said_back(connection), b"ping")
        self.refused("tls --upstream-tls", 1109)

    def test_deleted(self) -> None:
        """An endpoint whose authority is deleted is taken away, and its user is told."""
        name = self.new_name()
        agent = self.ssh(f"{name}:443:127.0.0.1:{self.web().port}", command=f"http --mutual-tls-cas {self.id}")
        agent.url()
        self.api("DELETE", f"/certificate_authorities/{self.id}")
        self.assertNotEqual(agent.exit_code(), 0)
        self.assertIn(self.id, agent.err)
        self.assertEqual(self.get(f"https://{name}").status, 404)

    def test_unknown(self) -> None:
        """An authority that the account does not have is refused."""
        self.refused("http --mutual-tls-cas ca_000000000000000000000000000", 7072, "no certificate authority")


class PolicyTests(ModulesCase):
    """Traffic policies."""

    config = {**MANAGED, "ssh": {"private_policy_urls": True}}

    POLICY = "on_http_request:\n- type: custom-response\n  config: {status_code: 418, content: short and stout}\n"

    def test_inline(self) -> None:
        """``--traffic-policy``: JSON as it is typed, and anything in Base64."""
        policy = '{"on_http_request": [{"type": "custom-response", "config": {"status_code": 418}}]}'
        self.assertEqual(self.get(self.guarded(f"--traffic-policy '{policy}'")).status, 418)
        self.assertEqual(self.get(self.guarded(f"--traffic-policy {policy}")).status, 418)

    def test_standard_input(self) -> None:
        """``--traffic-policy-file -`` reads what is fed to ssh, for all its forwards."""
        for flag in ("--traffic-policy-file", "--policy-file"):
            with tempfile.TemporaryFile() as file:
                file.write(self.POLICY.encode())
                file.seek(0)
                forwards = [f"{self.new_name()}:443:127.0.0.1:1" for _ in range(2)]
                agent = self.ssh(*forwards, command=f"http {flag} -", stdin=file)
                for url in agent.urls(2):
                    answer = self.get(url)
                    self.assertEqual((answer.status, answer.text), (418, "short and stout"))
        self.refused("http --traffic-policy-file -", 1110, "standard input")
        self.refused("http --traffic-policy-file policy.yaml", 1109, "standard input")

    def test_url(self) -> None:
        """``--traffic-policy-url``: the server fetches it; what it cannot have is said, and nothing is published."""
        web = Documents({"policy.yaml": self.POLICY, "bad.yaml": "on_nothing: []"})
        self.addCleanup(web.close)
        place = f"http://127.0.0.1:{web.port}"
        answer = self.get(self.guarded(f"--traffic-policy-url {place}/moved/policy.yaml"))
        self.assertEqual(answer.status, 418)
        self.refused(f"http --traffic-policy-url {place}/missing.yaml", 1110, "404")
        self.refused(f"http --traffic-policy-url {place}/bad.yaml", 1110, "on_nothing")
        self.refused("http --traffic-policy-url http://127.0.0.1:1/", 1110, "refused")
        self.refused("http --traffic-policy-url ftp://example.com/", 1110)
        self.refused(f"http --traffic-policy-url {place}/policy.yaml --traffic-policy '{{}}'", 9025)

    def test_order(self) -> None:
        """Modules that admit visitors come before the policy."""
        policy = '{"on_http_request": [{"type": "custom-response", "config": {"status_code": 418}}]}'
        self.assertEqual(self.get(self.guarded(f"--cidr-allow {NOBODY} --traffic-policy '{policy}'")).status, 403)


class PrivateTests(ModulesCase):
    """What only the server can reach."""

    def test_addresses(self) -> None:
        """The server itself and its network are not asked for policies, by whatever name."""
        web = self.web()
        for host in (
            "127.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "2130706433",
            "10.0.0.1",
            "169.254.169.254",
        ):
            self.refused(f"http --traffic-policy-url http://{host}:{web.port}/", 1110, "cannot be had")
        self.assertEqual(web.asked, [])


class RefusalTests(ModulesCase):
    """What cannot be used is refused, with ngrok's number and a sentence."""

    def test_values(self) -> None:
        """Each flag says what is wrong with its value, and never repeats a password."""
        for flags, code, *words in (
            ("--cidr-allow 10.0.0.0/33", 362, "--cidr-allow"),
            ("--cidr-deny 10.0.0.0/8", 393, "--cidr-deny"),
            ("--basic-auth :secret-enough", 359, "--basic-auth"),
            ("--basic-auth ada:short", 360, "--basic-auth"),
            ("--circuit-breaker 1.5", 361, "--circuit-breaker"),
            ("--ua-filter-allow (", 2090, "--ua-filter-allow"),
            ("--request-header-add nothing", 370),
            ("--request-header-add 'b@d: 1'", 372, "--request-header-add"),
            ("--response-header-add 'b@d: 1'", 373, "--response-header-add"),
            ("--verify-webhook nobody --verify-webhook-secret 12345678", 364, "--verify-webhook"),
            ("--oauth google", 1109, "--oauth"),
            ("--oidc https://id.example", 1109),
            ("--traffic-policy '{\"on_nothing\": []}'", 1110, "on_nothing"),
        ):
            said = self.refused(f"http {flags}", code, *words)
            self.assertNotIn("short", said)
            self.assertNotIn("Traceback", said)

    def test_help(self) -> None:
        """``--help`` lists what is there, and nothing else."""
        said = self.ssh(command="http --help").wait_for("--websocket-tcp-converter")
        for flag in ("--basic-auth", "--cidr-allow", "--compression", "--circuit-breaker", "--verify-webhook"):
            self.assertIn(flag, said)
        self.assertNotIn("--oauth", said)


class Wordy(Web):
    """A service with much to say."""

    def do_(self, connection: Any, request: Any, argument: str) -> None:
        """Text worth compressing."""
        self.send(connection, b"words, words, words\n" * 1000, headers=[("Content-Type", "text/plain")])


class Documents(Web):
    """Texts by their paths; below ``/moved`` is the way to them."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        super().__init__()

    def do_moved(self, connection: Any, request: Any, argument: str) -> None:
        """302."""
        self.send(connection, b"", "302 Found", [("Location", f"/{argument}")])

    def do_(self, connection: Any, request: Any, argument: str) -> None:
        """A text, or 404."""
        text = self.texts.get(request.target.lstrip("/"))
        self.send(connection, (text or "").encode(), "200 OK" if text else "404 Not Found")


def read_until(connection: Any, end: bytes) -> bytes:
    """What arrives up to these bytes, and what came along with them."""
    data = b""
    while end not in data:
        piece = connection.recv(4096)
        assert piece, data
        data += piece
    return data


def _said_back(connection: Any) -> bytes:
    """What an echo makes of a word; nothing if the connection is closed."""
    try:
        connection.sendall(b"ping")
        return bytes(connection.recv(16))
    except ConnectionError:
        return b""
