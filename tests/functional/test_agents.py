"""
ngrok's own agents and SDKs, unmodified: what users do with each of them.

`AgentTests` says what every client does; below it is a class for each client, so that none of them can be left out.
"""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
from typing import Any, ClassVar

from tests.functional.agents import Agent, GoSDK, JavaScriptSDK, OldPythonSDK, PythonSDK, V2, Wish
from tests.functional.clients import keep_open, open_tcp
from tests.functional.edge import AUTHTOKEN
from tests.functional.management import MANAGED, Management, Refusal
from tests.functional.service import Service, echo
from tests.functional.steady import upgraded
from tests.functional.test_streams import StreamTestCase, own_certificate
from tests.functional.web import checksum, pattern

MEGABYTE = 1 << 20

# What tests declare: an edge onto labelled tunnels, and who may call the API.
LABELLED = {
    "edges": {
        "https": [
            {
                "name": "labelled",
                "hostports": ["labelled.edge.localhost:443"],
                "routes": [{"match_type": "path_prefix", "match": "/", "backend": {"backend_id": "web"}}],
            }
        ]
    },
    "backends": {"tunnel_group": [{"name": "web", "labels": {"app": "web"}}]},
}


class AgentTestCase(StreamTestCase):
    """
    One client against one edge.

    :cvar client: the client.
    """

    config = {**MANAGED, **LABELLED}
    seconds = 150
    client: ClassVar[type[Agent]]

    def agent(self, *wishes: Wish, token: str = AUTHTOKEN, **arguments: Any) -> Agent:
        """A client that ends with the test."""
        agent = self.client(self.edge, token, *wishes, **arguments)
        self.addCleanup(agent.close)
        return agent

    def api(self) -> Management:
        """The management API."""
        api = Management(self.edge)
        self.addCleanup(api.close)
        return api

    def can(self, kind: str) -> bool:
        """Whether the client opens such endpoints at all."""
        return kind in self.client.kinds


class AgentTests:
    """What every client does."""

    # The class of each client is an `AgentTestCase` too; `Any` spares the checker from knowing.
    self: Any

    def test_requests(self: Any) -> None:
        """Requests, uploads, downloads, event streams and upgrades pass; the name asked for is the one given."""
        web, name = self.web(), self.new_name()
        agent = self.agent(Wish(kind="http", port=web.port, domain=name, metadata="of a test"))
        url = agent.url()
        self.assertEqual(url, f"https://{name}:{self.edge.https}")
        self.assertEqual(self.get(url).headers["x-service"], "web")
        body = b"".join(pattern(8 * MEGABYTE))
        seen = json.loads(self.get(f"{url}/echo", method="POST", body=body).body)
        self.assertEqual((seen["length"], seen["sha1"]), (len(body), checksum(len(body))))
        if self.client is not GoSDK:  # which asks the service itself, and tells it nothing of who asked before
            self.assertIn(["X-Forwarded-Proto", "https"], seen["headers"])
        chunked = json.loads(self.get(f"{url}/echo", method="PUT", body=pattern(MEGABYTE), chunked=True).body)
        self.assertEqual(chunked["sha1"], checksum(MEGABYTE))
        download = self.get(f"{url}/size/{8 * MEGABYTE}").body
        self.assertEqual(hashlib.sha1(download).hexdigest(), checksum(8 * MEGABYTE))
        self.assertEqual(len(self.get(f"{url}/chunks/50").body), 50_000)
        self._events(web, name)
        self._upgrade(name)

    def _events(self: Any, web: Any, name: str) -> None:
        connection = keep_open(self.edge, name).sock
        self.addCleanup(connection.close)
        connection.sendall(f"GET /events HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        received = b""
        for number in range(3):
            web.tick.release()
            while f"data: event {number}\n\n".encode() not in received:
                received += connection.recv(65536)

    def _upgrade(self: Any, name: str) -> None:
        connection = upgraded(self.edge, name)
        self.addCleanup(connection.close)
        self.assert_round_trip(connection, b"".join(pattern(MEGABYTE)))

    def test_random_names(self: Any) -> None:
        """Without a name there is a random one below the domain; two endpoints of an agent have two."""
        web = self.web()
        agent = self.agent(Wish(kind="http", port=web.port), Wish(kind="http", port=web.port))
        urls = {agent.url(0), agent.url(1)}
        self.assertEqual(len(urls), 2)
        for url in urls:
            self.assertEqual(self.get(url).status, 200)

    def test_tcp(self: Any) -> None:
        """A tcp endpoint has a port of the server, and passes bytes both ways until both ends have closed."""
        service = self.serve(Service(echo))
        agent = self.agent(Wish(kind="tcp", port=service.port))
        port = int(agent.url().rpartition(":")[2])
        with open_tcp(port) as connection:
            connection.sendall(b"first")
            self.assertEqual(connection.recv(5), b"first")
            data = b"".join(pattern(4 * MEGABYTE))
            self.assert_round_trip(connection, data, finish=False)

    def test_tcp_address(self: Any) -> None:
        """A reserved address is had by asking for it."""
        service = self.serve(Service(echo))
        address = f"tcp.edge.localhost:{self.edge.tcp[0]}"
        agent = self.agent(Wish(kind="tcp", port=service.port, address=address))
        self.assertEqual(agent.url(), f"tcp://{address}")
        with open_tcp(self.edge.tcp[0]) as connection:
            connection.sendall(b"here")
            self.assertEqual(connection.recv(4), b"here")

    def test_tls(self: Any) -> None:
        """A tls endpoint passes TLS through: the visitor sees the service's own certificate."""
        name = self.new_name()
        certificate, key = own_certificate(self.edge.directory, name)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)

        def talk(connection: socket.socket) -> None:
            with server.wrap_socket(connection, server_side=True) as inner:
                while data := inner.recv(65536):
                    inner.sendall(data)

        service = self.serve(Service(talk))
        agent = self.agent(Wish(kind="tls", port=service.port, domain=name))
        self.assertEqual(agent.url().rpartition(":")[0] or agent.url(), f"tls://{name}")
        trusting = ssl.create_default_context(cafile=str(certificate))
        with trusting.wrap_socket(open_tcp(self.edge.https), server_hostname=name) as connection:
            self.assert_round_trip(connection, b"".join(pattern(MEGABYTE)))

    def test_labels(self: Any) -> None:
        """A labelled tunnel answers for the edge whose backend wants its labels, and for nobody once it is gone."""
        if not self.can("labeled"):
            with self.assertRaises(KeyError):
                _ = {kind: None for kind in self.client.kinds}["labeled"]
            return
        web = self.web()
        agent = self.agent(Wish(kind="labeled", port=web.port, labels={"app": "web"}))
        agent.heard("online")
        url = f"https://labelled.edge.localhost:{self.edge.https}"
        self.eventually(lambda: self.get(url).status == 200, "an answer through the edge")
        agent.close_endpoint(0)
        agent.heard("closed")
        self.eventually(lambda: self.get(url).status != 200, "the edge without a tunnel")

    def test_service_down(self: Any) -> None:
        """Without a service the visitor gets an error of a gateway, and the tunnel lives on."""
        web = self.web()
        port = web.port
        web.close()
        agent = self.agent(Wish(kind="http", port=port))
        url = agent.url()
        for _ in range(3):
            self.assertEqual(self.get(url).status, 502)

    def test_wrong_token(self: Any) -> None:
        """A wrong authtoken is refused with ngrok's code, which the client shows."""
        for token, code in (("2" * 27 + "_" + "x" * 21, "107"), ("nonsense", "105")):
            agent = self.agent(Wish(kind="http", port=1), token=token)
            self.eventually(lambda: f"ERR_NGROK_{code}" in agent.told(), f"ERR_NGROK_{code}")

    def test_name_taken(self: Any) -> None:
        """A name that somebody has is refused with 334; who has it keeps it."""
        web, name = self.web("first"), self.new_name()
        self.publish(web, name)
        agent = self.agent(Wish(kind="http", port=1, domain=name))
        self.eventually(lambda: "ERR_NGROK_334" in agent.told(), "ERR_NGROK_334")
        self.assertEqual(self.get(f"https://{name}/").headers["x-service"], "first")

    def test_leaving(self: Any) -> None:
        """An agent whose process is killed takes its endpoints along at once."""
        web, name = self.web(), self.new_name()
        agent = self.agent(Wish(kind="http", port=web.port, domain=name))
        url = agent.url()
        self.assertEqual(self.get(url).status, 200)
        agent.process.kill()
        self.eventually(lambda: self.get(url).status == 404, "an endpoint that is offline", 5)

    def test_listed(self: Any) -> None:
        """The API lists the session, its tunnel and its endpoint, with what the user said of them."""
        web, name = self.web(), self.new_name()
        agent = self.agent(Wish(kind="http", port=web.port, domain=name, metadata="for the list"))
        agent.url()
        api = self.api()
        tunnels = [each for each in api("GET", "/tunnels")["tunnels"] if name in each["public_url"]]
        self.assertEqual(len(tunnels), 1, tunnels)
        session = api("GET", f"/tunnel_sessions/{tunnels[0]['tunnel_session']['id']}")
        self.assertEqual(session["ip"], "127.0.0.1")
        self.assertIn(session["transport"], ("ngrok/2", "ngrok/3"))
        self.assertTrue(session["agent_version"])
        if self.client is not V2:
            self.assertEqual(tunnels[0]["metadata"], "for the list")
            self.assertIn("app://" if self.client is GoSDK else str(web.port), tunnels[0]["forwards_to"])

    def test_credential_deleted(self: Any) -> None:
        """When a credential is deleted its sessions end within a second, and cannot come back."""
        api = self.api()
        made = api("POST", "/credentials", {"description": "to be deleted"})
        web, name = self.web(), self.new_name()
        agent = self.agent(Wish(kind="http", port=web.port, domain=name), token=made["token"])
        url = agent.url()
        self.assertEqual(self.get(url).status, 200)
        api("DELETE", f"/credentials/{made['id']}")
        self.eventually(lambda: self.get(url).status == 404, "an endpoint that is offline", 1)
        sessions = api("GET", "/tunnel_sessions")["tunnel_sessions"]
        self.assertNotIn(made["id"], [each["credential"]["id"] for each in sessions if each["credential"]])

    def test_policy(self: Any) -> None:
        """What a module refuses never reaches the service; bad policies are refused with the bind."""
        if self.client is V2:
            web = self.web()
            agent = self.agent(Wish(kind="http", port=web.port, options=[("auth", "ann:a-long-password")]))
            self.assertEqual(self.get(agent.url()).status, 401)
            self.assertEqual(web.asked, [])
            return
        web = self.web()
        policy = json.dumps({"on_http_request": [{"actions": [{"type": "deny", "config": {"status_code": 418}}]}]})
        agent = self.agent(Wish(kind="http", port=web.port, policy=policy))
        self.assertEqual(self.get(agent.url()).status, 418)
        self.assertEqual(web.asked, [])
        agent.open(Wish(kind="http", port=web.port, policy='{"on_http_request": [{"actions": [{"type": "no"}]}]}'))
        self.assertRegex(agent.heard("refused")["code"] or agent.told(), "ERR_NGROK_")

    def test_stop(self: Any) -> None:
        """An order to stop reaches the agent, or the caller is told why not."""
        web, name = self.web(), self.new_name()
        agent = self.agent(Wish(kind="http", port=web.port, domain=name), commands=["stop"])
        agent.url()
        api = self.api()
        session = next(each for each in api("GET", "/tunnels")["tunnels"] if name in each["public_url"])
        path = f"/tunnel_sessions/{session['tunnel_session']['id']}/stop"
        api("POST", path, {})
        if self.client is V2:
            self.eventually(lambda: agent.process.poll() is not None, "the end of the agent")
        else:
            self.assertIn("stop", agent.heard("command")["command"].lower())

    def test_no_orders(self: Any) -> None:
        """An agent without a handler refuses orders, and the caller reads that."""
        if self.client in (V2, GoSDK):
            return
        web, name = self.web(), self.new_name()
        agent = self.agent(Wish(kind="http", port=web.port, domain=name))
        agent.url()
        api = self.api()
        session = next(each for each in api("GET", "/tunnels")["tunnels"] if name in each["public_url"])
        with self.assertRaises(Refusal) as caught:
            api("POST", f"/tunnel_sessions/{session['tunnel_session']['id']}/restart", {})
        self.assertEqual(caught.exception.code, "ERR_NGROK_804")
        self.assertEqual(self.get(agent.url()).status, 200)


class PythonTests(AgentTests, AgentTestCase):
    """PyPI ``ngrok`` 1.7.0."""

    client = PythonSDK


class OldPythonTests(AgentTests, AgentTestCase):
    """PyPI ``ngrok`` 1.4.0."""

    client = OldPythonSDK


class JavaScriptTests(AgentTests, AgentTestCase):
    """npm ``@ngrok/ngrok``."""

    client = JavaScriptSDK


class GoTests(AgentTests, AgentTestCase):
    """ngrok-go."""

    client = GoSDK


class V2Tests(AgentTests, AgentTestCase):
    """The agent of version 2."""

    client = V2

    def test_through_the_front(self) -> None:
        """The https listener hands agents over by the name that they ask for."""
        web, name = self.web(), self.new_name()
        agent = self.agent(
            Wish(kind="http", port=web.port, domain=name),
            session=[("server_sni", "connect.edge.localhost")],
            server=f"localhost:{self.edge.https}",
        )
        self.assertEqual(self.get(agent.url()).headers["x-service"], "web")
