"""
``ssh -R`` as it is typed: which URL it gives, and that the URL leads to the local service.
"""

from __future__ import annotations

import re
import subprocess

from tests.functional.case import EdgeTestCase
from tests.functional.clients import curl, full_name, open_tcp
from tests.functional.edge import DOMAIN, TCP_HOST
from tests.functional.service import Service, echo


class RandomNameTests(EdgeTestCase):
    """Forwards without a name."""

    def assert_serves(self, url: str, service: str = "web") -> None:
        """The URL leads to this service."""
        answer = self.get(url)
        self.assertEqual((answer.status, answer.headers.get("x-service")), (200, service), answer)

    def test_shell(self) -> None:
        """Without a command an https endpoint with a random name under the domain comes up, and its URL is printed."""
        url = self.ssh(f"443:localhost:{self.web().port}").url()
        self.assertRegex(url, rf"^https://[a-z0-9-]+\.{re.escape(DOMAIN)}:{self.edge.https}$")
        self.assert_serves(url)

    def test_command(self) -> None:
        """``http`` says the same in words."""
        self.assert_serves(self.ssh(f"443:localhost:{self.web().port}", command="http").url())

    def test_local_port_after_command(self) -> None:
        """A port after the command, as old instructions have it, is tolerated."""
        port = self.web().port
        self.assert_serves(self.ssh(f"443:localhost:{port}", command=f"http {port}").url())

    def test_port_zero(self) -> None:
        """With port 0 the client is told 443, as long as that is free on its connection."""
        agent = self.ssh(f"0:localhost:{self.web().port}")
        self.assert_serves(agent.url())
        agent.wait_for("Allocated port 443 for remote forward")

    def test_two_port_zeros(self) -> None:
        """Two forwards with port 0 on one connection get different ports and URLs, and do not mix."""
        one, two = self.web("one"), self.web("two")
        agent = self.ssh(f"0:localhost:{one.port}", f"0:localhost:{two.port}", command="http")
        first, second = agent.urls(2)
        self.assert_serves(first, "one")
        self.assert_serves(second, "two")
        self.assertEqual(len(set(re.findall(r"Allocated port (\d+)", agent.err))), 2)

    def test_bind_addresses_without_meaning(self) -> None:
        """Bind addresses that mean "any" are no names: the endpoint gets a random one."""
        service = self.web()
        for address in ("*", "0.0.0.0", "127.0.0.1", "localhost", ""):
            url = self.ssh(f"{address}:443:localhost:{service.port}", command="http").url()
            self.assertRegex(url, rf"^https://[a-z0-9-]+\.{re.escape(DOMAIN)}:")
            self.assert_serves(url)

    def test_user_names(self) -> None:
        """The user name is a version of the command language; a login name means the latest."""
        service = self.web()
        for user in ("v2", "root", "V2"):
            self.assert_serves(self.ssh(f"443:localhost:{service.port}", command="http", user=user).url())

    def test_unknown_version(self) -> None:
        """A version of the future is refused with its code."""
        agent = self.ssh("443:localhost:1", command="http", user="v99")
        self.assertNotEqual(agent.exit_code(), 0)
        self.assertIn("ERR_NGROK_1106", agent.out + agent.err)

    def test_terminal(self) -> None:
        """With a terminal the same text comes with carriage returns, and Ctrl+C ends the session."""
        agent = self.ssh(f"443:localhost:{self.web().port}", options=["-tt"], stdin=subprocess.PIPE)
        url = agent.url()
        self.assert_serves(url)
        self.assertIn("\r\n", agent._out.read_bytes().decode())
        assert agent.process.stdin is not None
        agent.process.stdin.write(b"\x03")
        agent.process.stdin.flush()
        agent.exit_code()
        self.eventually(lambda: self.get(url).status == 404, "offline page")

    def test_same_name_after_reconnect(self) -> None:
        """A random name is handed out again to the same credential and forward when it comes back."""
        service = self.web()
        first = self.ssh(f"443:localhost:{service.port}", command="http --name again")
        url = first.url()
        first.close()
        self.eventually(lambda: self.get(url).status == 404, "offline page")
        self.assertEqual(self.ssh(f"443:localhost:{service.port}", command="http --name again").url(), url)


class NamedTests(EdgeTestCase):
    """Forwards that say their name."""

    def test_name(self) -> None:
        """A name under the domain is granted as asked."""
        name = self.new_name()
        url = self.publish(self.web(), name)
        self.assertEqual(url, f"https://{name}:{self.edge.https}")
        self.assertEqual(self.get(url).text, "hello from web\n")

    def test_without_session(self) -> None:
        """``-N`` opens no session; the endpoint comes up nevertheless."""
        name = self.new_name()
        self.ssh(f"{name}:443:localhost:{self.web().port}", options=["-N"])
        self.eventually(lambda: self.get(f"https://{name}/").status == 200, "answer from the service")

    def test_short_name(self) -> None:
        """A single label stands under the domain."""
        url = self.publish(self.web(), "shorty")
        self.assertEqual(url, f"https://{full_name('shorty')}:{self.edge.https}")
        self.assertEqual(self.get(url).status, 200)

    def test_capitals(self) -> None:
        """Capitals in the name change nothing: not for visitors, and not for the client that gets the channels."""
        name = self.new_name()
        url = self.publish(self.web(), name.upper().replace(".EDGE.LOCALHOST", ".Edge.Localhost"))
        self.assertEqual(url, f"https://{name}:{self.edge.https}")
        self.assertEqual(self.get(url).status, 200)
        self.assertEqual(self.get(url, headers={"Host": name.upper()}).status, 200)

    def test_wildcard(self) -> None:
        """A wildcard answers for every name below it at any depth; an exact name online goes first."""
        wildcard, exact = self.web("wildcard"), self.web("exact")
        self.publish(wildcard, f"*.wild.{DOMAIN}")
        self.publish(exact, f"exact.wild.{DOMAIN}")
        seen = {
            name: self.get(f"https://{name}.wild.{DOMAIN}/").headers.get("x-service")
            for name in ("one", "two.deep.below", "exact")
        }
        self.assertEqual(seen, {"one": "wildcard", "two.deep.below": "wildcard", "exact": "exact"})

    def test_url_flag(self) -> None:
        """``--url`` names the endpoint just as ``-R`` can."""
        name = self.new_name()
        agent = self.ssh(f"443:localhost:{self.web().port}", command=f"http --url https://{name}")
        self.assertEqual(agent.url(), f"https://{name}:{self.edge.https}")
        self.assertEqual(self.get(agent.url()).status, 200)

    def test_name_twice(self) -> None:
        """A name in ``-R`` and another in ``--domain`` contradict one another."""
        agent = self.ssh(f"{self.new_name()}:443:localhost:1", command=f"http --domain {self.new_name()}")
        self.assertNotEqual(agent.exit_code(), 0)
        self.assertIn("ERR_NGROK_1118", agent.out + agent.err)

    def test_several(self) -> None:
        """Several forwards on one connection lead to several services."""
        names = [self.new_name() for _ in range(4)]
        services = [self.web(f"service{number}") for number in range(4)]
        agent = self.ssh(
            *(f"{name}:443:localhost:{service.port}" for name, service in zip(names, services)), command="http"
        )
        agent.urls(4)
        seen = [self.get(f"https://{name}/").headers.get("x-service") for name in names]
        self.assertEqual(seen, [service.name for service in services])

    def test_cancelled(self) -> None:
        """A shared connection adds forwards and takes them away again, while the others stay."""
        name, added = self.new_name(), self.new_name()
        service = self.web()
        control = self.edge.directory / "mux"
        self.ssh(f"{name}:443:localhost:{service.port}", options=["-N", "-M", "-S", str(control)])
        self.eventually(lambda: self.get(f"https://{name}/").status == 200, "first endpoint")
        forward = ["-R", f"{added}:443:localhost:{service.port}", "127.0.0.1"]
        for verb, status in (("forward", 200), ("cancel", 404)):
            subprocess.run(["ssh", "-F", "none", "-S", str(control), "-O", verb, *forward], check=True, timeout=20)
            self.eventually(lambda: self.get(f"https://{added}/").status == status, f"status {status} after {verb}")
        self.assertEqual(self.get(f"https://{name}/").status, 200)

    def test_leaves(self) -> None:
        """When the client goes, its URL is offline."""
        name = self.new_name()
        agent = self.ssh(f"{name}:443:localhost:{self.web().port}", command="http")
        url = agent.url()
        self.assertEqual(self.get(url).status, 200)
        agent.process.kill()
        self.eventually(lambda: self.get(url).headers.get("ngrok-error-code") == "ERR_NGROK_3200", "offline page")


class PlainHTTPTests(EdgeTestCase):
    """Endpoints on the http listener."""

    def test_schemes(self) -> None:
        """``--schemes http`` with port 80 gives an ``http://`` URL, reached with curl."""
        agent = self.ssh(f"80:localhost:{self.web().port}", command="http --schemes http")
        url = agent.url()
        self.assertRegex(url, rf"^http://.*:{self.edge.http}$")
        self.assertEqual(curl(self.edge, url), "hello from web\n")

    def test_schemes_https(self) -> None:
        """``--schemes https`` is what 443 means anyway."""
        agent = self.ssh(f"443:localhost:{self.web().port}", command="http --schemes https")
        self.assertEqual(curl(self.edge, agent.url()), "hello from web\n")

    def test_contradiction(self) -> None:
        """``--schemes http`` on port 443 is refused."""
        agent = self.ssh("443:localhost:1", command="http --schemes http")
        self.assertNotEqual(agent.exit_code(), 0)
        self.assertIn("ERR_NGROK_1113", agent.out + agent.err)

    def test_redirect(self) -> None:
        """A name that is online for https only is redirected there from the http listener."""
        name = self.new_name()
        self.publish(self.web(), name)
        answer = self.get(f"http://{name}/path?query=1")
        self.assertEqual(
            (answer.status, answer.headers.get("location")), (307, f"https://{name}:{self.edge.https}/path?query=1")
        )

    def test_offline(self) -> None:
        """An unknown name on the http listener gets the offline answer."""
        answer = self.get("http://nobody.edge.localhost/")
        self.assertEqual((answer.status, answer.headers.get("ngrok-error-code")), (404, "ERR_NGROK_3200"))


class TCPTests(EdgeTestCase):
    """TCP addresses."""

    def round_trip(self, port: int, data: bytes = b"ping") -> bytes:
        """What the service behind a public port gives back."""
        with open_tcp(port) as connection:
            connection.sendall(data)
            answer = b""
            while len(answer) < len(data):
                answer += connection.recv(65536)
        return answer

    def test_random(self) -> None:
        """``tcp`` with port 0 gives an address from the range, and the client is told its port."""
        service = self.serve(Service(echo))
        agent = self.ssh(f"0:localhost:{service.port}", command="tcp")
        match = re.fullmatch(rf"tcp://{re.escape(TCP_HOST)}:(\d+)", agent.url())
        assert match is not None, agent.said()
        port = int(match[1])
        self.assertIn(port, self.edge.tcp)
        self.assertEqual(self.round_trip(port), b"ping")
        agent.wait_for(f"Allocated port {port} for remote forward")

    def test_reserved(self) -> None:
        """A reserved address is granted when it is asked for by host and port."""
        service = self.serve(Service(echo))
        port = self.edge.tcp[0]
        agent = self.ssh(f"{TCP_HOST}:{port}:localhost:{service.port}", command="tcp")
        self.assertEqual(agent.url(), f"tcp://{TCP_HOST}:{port}")
        self.assertEqual(self.round_trip(port), b"ping")

    def test_closed_after_leaving(self) -> None:
        """The public port is closed when the client has gone."""
        service = self.serve(Service(echo))
        agent = self.ssh(f"0:localhost:{service.port}", command="tcp")
        port = int(agent.url().rpartition(":")[2])
        agent.close()

        def refused() -> bool:
            try:
                open_tcp(port).close()
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:
                return False  # it was waiting to be accepted when the port was closed
            return False

        self.eventually(refused, "closed port")

    def test_not_reserved(self) -> None:
        """A port of one's own choice needs a reservation."""
        agent = self.ssh(f"{self.edge.tcp[3]}:localhost:1", command="tcp")
        self.assertNotEqual(agent.exit_code(), 0)
        self.assertIn("ERR_NGROK_1116", agent.out + agent.err)
