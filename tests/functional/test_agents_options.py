"""
What some of ngrok's agents can ask for in words of their own: internal endpoints, certificates of the agent itself, the
configuration file of version 2; and what agents of several kinds share.
"""

from __future__ import annotations

import json
import re
import ssl
from collections import Counter
from pathlib import Path
from typing import Any, Mapping

from tests.functional.agents import CLIENTS, Agent, GoSDK, JavaScriptSDK, PythonSDK, V2, Wish
from tests.functional.clients import curl, full_name, open_tcp, open_tls
from tests.functional.edge import AUTHTOKEN
from tests.functional.management import MANAGED, Management
from tests.functional.service import Service, echo
from tests.functional.steady import upgraded
from tests.functional.test_agents_modules import EVERYBODY, NOBODY, PASSWORD, ModulesCase
from tests.functional.test_streams import own_certificate

#: The key of another account for the API.
OTHERS = "a-key-of-another-account-for-limits"

#: ngrok's codes, in whatever a client prints.
CODE = re.compile(r"ERR_NGROK_(\d+)")


class PythonTests(ModulesCase):
    """PyPI ``ngrok``."""

    client = PythonSDK

    def test_internal(self) -> None:
        """``domain``: a name below ``.internal`` is an internal endpoint's, whether that is said or not."""
        agent = self.agent(Wish(kind="http", port=self.web().port, domain="from-python.internal"))
        assert_internal(self, agent, "https://from-python.internal")


class JavaScriptTests(ModulesCase):
    """npm ``@ngrok/ngrok``, which has one option more than Python's SDK."""

    client = JavaScriptSDK

    def test_internal(self) -> None:
        """``binding``: an internal endpoint is reached by nobody but by what forwards to it."""
        agent = self.agent(
            Wish(kind="http", port=self.web().port, domain="from-js.internal", options=[("binding", "internal")])
        )
        assert_internal(self, agent, "https://from-js.internal")


class GoTests(ModulesCase):
    """ngrok-go, which leaves modules to traffic policies."""

    client = GoSDK

    def test_internal(self) -> None:
        """``WithBindings``: an internal endpoint is reached by nobody but by what forwards to it."""
        wish = Wish(kind="http", port=self.web().port, domain="from-go.internal", options=[("bindings", ["internal"])])
        assert_internal(self, self.agent(wish), "https://from-go.internal")

    def test_proxy_protocol(self) -> None:
        """``WithUpstreamProxyProto``."""
        service = self.serve(Service(echo))
        wishes = [Wish(kind="tcp", port=service.port, options=[("proxy_proto", f"v{number}")]) for number in (1, 2)]
        agent = self.agent(*wishes)
        for version in (1, 2):
            with open_tcp(self.port(agent.url(version - 1))) as connection:
                self.announced(connection, version)

    def test_own_certificate(self) -> None:
        """``WithAgentTLSTermination``: TLS ends at the agent."""
        assert_own_certificate(self)

    def test_diagnose(self) -> None:
        """``Diagnose``: the server is asked who it is without a login."""
        agent = self.agent()
        agent.heard("connected")
        agent.say("diagnose")
        self.assertEqual(agent.heard("diagnosed")["region"], "us")

    def test_plain(self) -> None:
        """A URL with ``http://``."""
        name = self.new_name()
        url = self.publish_with(self.web(), ("url", f"http://{name}"))
        self.assertEqual((url, self.get(url).status), (f"http://{name}:{self.edge.http}", 200))

    def test_policy_of_addresses(self) -> None:
        """A traffic policy is what its modules are."""
        policy = {"on_tcp_connect": [{"actions": [{"type": "restrict-ips", "config": {"deny": [EVERYBODY]}}]}]}
        url = self.publish_with(self.serve(Service(echo)), kind="tcp", policy=json.dumps(policy))
        with open_tcp(self.port(url)) as connection:
            self.assertEqual(self.said_back(connection), b"")


class V2Tests(ModulesCase):
    """The agent of version 2, and what its configuration file has words for."""

    client = V2

    def test_pair(self) -> None:
        """``bind_tls: both``: http and https under one name, and a random one is the same for both."""
        name, both = self.new_name(), ("bind_tls", "both")
        agent = self.agent(
            Wish(kind="http", port=self.web().port, domain=name, options=[both]),
            Wish(kind="http", port=self.web().port, options=[both]),
        )
        agent.heard("online", 4)
        urls = [event["url"] for event in agent.events() if event["event"] == "online"]
        hosts = Counter(url.partition("://")[2].partition(":")[0] for url in urls)
        self.assertEqual((set(hosts.values()), name in hosts), ({2}, True), urls)
        self.assertEqual({self.get(url).status for url in urls}, {200})

    def test_plain(self) -> None:
        """``bind_tls: false``: http alone."""
        url = self.publish_with(self.web(), ("bind_tls", False))
        self.assertEqual((url.partition(":")[0], self.get(url).status), ("http", 200))

    def test_password(self) -> None:
        """``auth``."""
        url = self.publish_with(self.web(), ("auth", f"ada:{PASSWORD}"))
        self.assertEqual(self.get(url).status, 401)
        self.assertEqual(curl(self.edge, "-u", f"ada:{PASSWORD}", url), "hello from web\n")
        self.assertNotIn(PASSWORD, self.edge.log())
        self.refused(360, ("auth", "ada:short"))

    def test_host_header(self) -> None:
        """``host_header``: the agent puts the service's name in."""
        web = self.web()
        for value, host in (("rewrite", f"localhost:{web.port}"), ("app.example", "app.example")):
            url = self.publish_with(web, ("host_header", value))
            self.assertEqual(self.get(url).status, 200)
            self.assertEqual(web.asked[-1].all("host"), [host])

    def test_subdomain(self) -> None:
        """``subdomain``: a name below the server's domain."""
        label = self.new_name().partition(".")[0]
        url = self.publish_with(self.web(), ("subdomain", label))
        self.assertEqual((url, self.get(url).status), (f"https://{full_name(label)}:{self.edge.https}", 200))

    def test_addresses(self) -> None:
        """``ip_policy``: the rules of a policy of the API, also when they change."""
        api = self.api()
        policy = api.make("/ip_policies")
        rule = api.make("/ip_policy_rules", ip_policy_id=policy, cidr=NOBODY, action="allow")
        url = self.publish_with(self.web(), ("ip_policy", policy))
        self.assertEqual(self.get(url).status, 403)
        api("PATCH", f"/ip_policy_rules/{rule}", {"cidr": EVERYBODY})
        self.assertEqual(self.get(url).status, 200)
        self.refused(341, ("ip_policy", "office"))

    def test_ingress(self) -> None:
        """The https listener takes agents under a name of their account's own, as soon as the API has it."""
        api = self.api()
        made = api.make("/agent_ingresses", domain="agents.example.org")
        self.addCleanup(api, "DELETE", f"/agent_ingresses/{made}")
        agent = self.agent(
            Wish(kind="http", port=self.web().port),
            session=[("server_sni", "connect.agents.example.org")],
            server=f"localhost:{self.edge.https}",
        )
        self.assertEqual(self.get(agent.url()).status, 200)

    def test_own_certificate(self) -> None:
        """``crt`` and ``key``: TLS ends at the agent."""
        assert_own_certificate(self)


class MixedTests(ModulesCase):
    """Clients of several kinds."""

    client = PythonSDK

    def test_by_address(self) -> None:
        """The agents' listener takes those that dial an address, and ask for no name."""
        for client in CLIENTS:
            agent = client(
                self.edge,
                AUTHTOKEN,
                Wish(kind="http", port=self.web().port),
                server=f"127.0.0.1:{self.edge.agent}",
            )
            self.addCleanup(agent.close)
            self.assertEqual(self.get(agent.url()).status, 200, client.name)

    def test_pool(self) -> None:
        """Three of them share a name; each has its own modules; who does not pool is refused."""
        name, agents = self.new_name(), {}
        deny = '{"on_http_request": [{"actions": [{"type": "deny", "config": {"status_code": 418}}]}]}'
        for client, wish in (
            (PythonSDK, Wish(kind="http", port=self.web("python").port, domain=name, pooling=True)),
            (JavaScriptSDK, Wish(kind="http", port=self.web("js").port, domain=name, pooling=True)),
            (GoSDK, Wish(kind="http", port=self.web("go").port, domain=name, pooling=True, policy=deny)),
        ):
            agents[client] = client(self.edge, AUTHTOKEN, wish)
            self.addCleanup(agents[client].close)
            agents[client].url()
        seen = {self.seen(name) for _ in range(60)}
        self.assertEqual(seen, {(200, "python"), (200, "js"), (418, None)})
        self.refused(334, domain=name)
        agents[GoSDK].process.kill()
        agents[JavaScriptSDK].close_endpoint(0)
        agents[JavaScriptSDK].heard("closed")
        self.eventually(lambda: {self.seen(name) for _ in range(20)} == {(200, "python")}, "all visitors at one")

    def seen(self, name: str) -> tuple[int, str | None]:
        """Who answers one visitor, and how."""
        answer = self.get(f"https://{name}/")
        return answer.status, answer.headers.get("x-service")


class LimitsTests(ModulesCase):
    """What an authtoken may not have, as each client is told."""

    client = PythonSDK
    config = {
        **MANAGED,
        "accounts": [{"name": "others"}],
        "api_keys": [*MANAGED["api_keys"], {"name": "others", "token": OTHERS, "account": "others"}],
        "agent": {"max_sessions_per_credential": 1, "max_endpoints_per_session": 2},
    }

    def codes(self, client: type[Agent], token: str, *wishes: Wish) -> tuple[Agent, set[str]]:
        """An agent that is refused something, and the codes that it tells."""
        agent = client(self.edge, token, *wishes)
        self.addCleanup(agent.close)
        self.eventually(lambda: "ERR_NGROK_" in agent.told(), f"a code of {client.name}: {agent.told()}")
        return agent, set(CODE.findall(agent.told()))

    def test_sessions(self) -> None:
        """One session of an authtoken, and the next one when that is gone, also if it went without a word."""
        wish = Wish(kind="http", port=self.web().port)
        for client in (PythonSDK, JavaScriptSDK, GoSDK, V2):
            token = self.api()("POST", "/credentials", {})["token"]
            first = client(self.edge, token, wish)
            self.addCleanup(first.close)
            url = first.url()
            for other in (PythonSDK, V2):
                self.assertEqual(self.codes(other, token, wish)[1], {"108"}, client.name)
            self.assertEqual(self.get(url).status, 200)
            first.process.kill()
            self.eventually(lambda: self.get(url).status == 404, "offline endpoint")
            second = client(self.edge, token, wish)
            self.addCleanup(second.close)
            self.assertEqual(self.get(second.url()).status, 200)

    def test_endpoints(self) -> None:
        """The third endpoint of a session is refused, and the others stay."""
        wishes = [Wish(kind="http", port=self.web().port) for _ in range(3)]
        for client in (PythonSDK, JavaScriptSDK, GoSDK):
            agent, codes = self.codes(client, self.api()("POST", "/credentials", {})["token"], *wishes)
            self.assertEqual(codes, {"350"}, client.name)
            self.assertEqual([self.get(agent.url(number)).status for number in (0, 1)], [200, 200])

    def test_names(self) -> None:
        """An authtoken binds what its rules permit."""
        name = self.new_name()
        made = self.api()("POST", "/credentials", {"acl": [f"bind:{name}"]})
        for client in (PythonSDK, GoSDK, V2):
            agent = client(self.edge, made["token"], Wish(kind="http", port=self.web().port, domain=name))
            self.assertEqual(self.get(agent.url()).status, 200)
            agent.close()
            self.eventually(lambda: self.get(f"https://{name}").status == 404, "offline endpoint")
            other, codes = self.codes(client, made["token"], Wish(kind="http", port=1, domain=self.new_name()))
            self.assertEqual(codes, {"316"}, client.name)
            other.close()
            self.eventually(lambda: not self.sessions(made["id"]), "end of the session")

    def test_places(self) -> None:
        """Agents from elsewhere are refused, once the account says from where they may come."""
        api = Management(self.edge, OTHERS)
        self.addCleanup(api.close)
        policy = api.make("/ip_policies")
        api.make("/ip_policy_rules", ip_policy_id=policy, cidr=NOBODY, action="allow")
        api.make("/ip_restrictions", type="agent", enforced=True, ip_policy_ids=[policy])
        token = api("POST", "/credentials", {})["token"]
        for client in (PythonSDK, JavaScriptSDK, GoSDK, V2):
            self.assertEqual(self.codes(client, token, Wish(kind="http", port=1))[1], {"115"}, client.name)

    def sessions(self, credential: str) -> list[Any]:
        """Those of a credential."""
        sessions = self.api()("GET", "/tunnel_sessions")["tunnel_sessions"]
        return [each for each in sessions if each["credential"]["id"] == credential]


def assert_internal(test: ModulesCase, agent: Agent, url: str) -> None:
    """An internal endpoint of an agent answers a cloud endpoint that forwards to it, and nobody else."""
    test.assertEqual(agent.url(), url)
    test.assertEqual(test.get(url.replace("https", "http") + "/").status, 404)
    visitor = ssl.create_default_context()
    visitor.check_hostname, visitor.verify_mode = False, ssl.CERT_NONE
    with open_tls(test.edge, url.removeprefix("https://"), context=visitor) as connection:
        test.assertIn(b" 404 ", test.asked(connection, url.removeprefix("https://")))
    name, api = test.new_name(), test.api()
    policy: Mapping[str, Any] = {
        "on_http_request": [{"actions": [{"type": "forward-internal", "config": {"url": url}}]}]
    }
    made = api.make("/endpoints", url=f"https://{name}", type="cloud", traffic_policy=json.dumps(policy))
    test.addCleanup(api, "DELETE", f"/endpoints/{made}")
    test.assertEqual(test.get(f"https://{name}/").headers.get("x-service"), "web")
    connection = upgraded(test.edge, name)
    test.addCleanup(connection.close)
    connection.sendall(b"ping")
    test.assertEqual(connection.recv(4), b"ping")


def assert_own_certificate(test: ModulesCase) -> None:
    """A tls endpoint of an agent that has a certificate itself; the service gets what is inside."""
    name = test.new_name()
    certificate, key = own_certificate(Path(test.edge.directory), name)
    url = test.publish_with(
        test.serve(Service(echo)), ("crt", str(certificate)), ("key", str(key)), kind="tls", domain=name
    )
    test.assertTrue(url.startswith(f"tls://{name}"), url)
    context = ssl.create_default_context(cafile=str(certificate))
    with open_tls(test.edge, name, context=context) as connection:
        test.assertEqual(test.said_back(connection), b"ping")
