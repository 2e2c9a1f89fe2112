"""
Whose a name is, with two accounts, agents and edges who all want it.
"""

from __future__ import annotations

from typing import Any

from tests.functional.clients import Answer, SSH, fetch, keep_open, open_tcp, said_at
from tests.functional.edge import TCP_HOST, Edge, make_key
from tests.functional.management import API_KEY, MANAGED, Management, Refusal
from tests.functional.service import Service, greet
from tests.functional.test_live_changes import LiveCase

OTHER_KEY = "an-operator-made-this-key-for-others"


class NamesCase(LiveCase):
    """Two accounts; ``theirs`` is the other one's API."""

    config = {**MANAGED, "accounts": [{"name": "other"}]}

    def make_edge(self) -> Edge:
        """An edge with a second account, its API key and its SSH key."""
        edge = Edge()
        other = make_key(edge.directory / "other")
        keys = [{"public_key": edge.public_key}]
        keys.append({"public_key": other.with_suffix(".pub").read_text().strip(), "account": "other"})
        tokens = [{"name": "tests", "token": API_KEY}, {"name": "other", "token": OTHER_KEY, "account": "other"}]
        config = {**MANAGED, "accounts": [{"name": "other"}], "api_keys": tokens, "ssh_credentials": keys}
        edge.configure({**config, "reserved_domains": [], "reserved_addrs": []})
        return edge

    def setUp(self) -> None:
        """Connect as both."""
        super().setUp()
        self.theirs = Management(self.edge, OTHER_KEY)
        self.addCleanup(self.theirs.close)
        self.service = self.web("agent")
        self.plain_name = self.new_name()

    def serve_edge(self, api: Management, name: str, says: str = "edge") -> str:
        """The path of an HTTPS edge that always says the same."""
        path = f"/edges/https/{api.make('/edges/https', hostports=[f'{name}:443'])}"
        backend = api.make("/backends/http_response", status_code=200, body=says)
        api.make(f"{path}/routes", match_type="path_prefix", match="/", backend={"backend_id": backend})
        return path

    def agent(self, name: str, *, port: int = 443, theirs: bool = False) -> SSH:
        """An agent on a name."""
        key = self.edge.directory / "other" if theirs else None
        return self.ssh(f"{name}:{port}:127.0.0.1:{self.service.port}", command="http", key=key)

    def refused(self, *call: Any, api: Management | None = None) -> str:
        """The code that the API refuses a call with."""
        with self.assertRaises(Refusal) as caught:
            (api or self.api)(*call)
        return caught.exception.code.removeprefix("ERR_NGROK_")

    def says(self, name: str, proto: str = "https") -> tuple[int, str]:
        """Who is there: an agent's service, an edge, or nobody."""
        answer = fetch(self.edge, f"{proto}://{name}/")
        return answer.status, answer.headers.get("x-service") or answer.headers.get("ngrok-error-code", answer.text)


class AgentAndEdgeTests(NamesCase):
    """A name that both want."""

    def test_in_turn(self) -> None:
        """Whoever has it keeps it; when one has left the other can have it, and the visitor's connection finds each."""
        name = self.plain_name
        agent = self.agent(name)
        agent.url()
        visitor = keep_open(self.edge, name)
        self.assertEqual(self.refused("POST", "/edges/https", {"hostports": [f"{name}:443"]}), "7132")
        self.assertEqual(self.refused("POST", "/edges/tls", {"hostports": [f"{name}:443"]}), "7132")
        agent.close()
        self.eventually(lambda: self.says(name)[0] == 404, "agent that has left")
        edge = self.serve_edge(self.api, name)
        late = self.agent(name)
        self.assertEqual(late.exit_code(), 1)
        self.assertIn("ERR_NGROK_381", late.err)
        for path, wanted in (("/", "edge"), (None, "hello from agent\n")):
            if path is None:
                self.api("DELETE", edge)
                self.agent(name).url()
            visitor.request("GET", "/", headers={"Host": name})
            self.assertEqual(Answer(visitor.getresponse()).text, wanted)

    def test_wildcards(self) -> None:
        """An exact name wins over wildcards, a longer wildcard over a shorter one, at any depth; who leaves is stood in for."""
        base = f"{self.plain_name.partition('.')[0]}.example.org"
        for domain in (f"*.{base}", f"*.b.{base}"):
            self.api.make("/reserved_domains", domain=domain)
        self.serve_edge(self.api, f"*.{base}", "short")
        self.serve_edge(self.api, f"*.b.{base}", "long")
        agent = self.agent(f"a.b.{base}")
        agent.url()
        wanted = {"x": "short", "x.y.z": "short", "b": "short", "x.b": "long", "x.a.b": "long", "a.b": "agent"}
        for name, who in wanted.items():
            self.assertEqual(self.says(f"{name}.{base}"), (200, who), name)
        self.assertEqual(self.refused("POST", "/edges/https", {"hostports": [f"{base}:443"]}), "7117")
        agent.close()
        self.eventually(lambda: self.says(f"a.b.{base}") == (200, "long"), "wildcard that stands in")

    def test_address(self) -> None:
        """A reserved address stays its owner's, whoever serves it: edge and agent in turn, and nobody between."""
        addr, port = self.address()
        service = self.serve(Service(greet(b"hi")))
        backend = {"backend_id": self.static(service)}
        for _ in range(10):
            edge = self.api.make("/edges/tcp", hostports=[addr], backend=backend)
            self.assertEqual(said_at(port), b"hi")
            self.assertEqual(self.refused("POST", "/edges/tcp", {"hostports": [addr]}, api=self.theirs), "7114")
            self.api("DELETE", f"/edges/tcp/{edge}")
            self.assertRaises(OSError, open_tcp, port)
        agent = self.ssh(f"{TCP_HOST}:{port}:127.0.0.1:{service.port}", command="tcp")
        agent.url()
        self.assertEqual(said_at(port), b"hi")
        self.assertEqual(self.refused("POST", "/edges/tcp", {"hostports": [addr]}), "7132")


class AccountTests(NamesCase):
    """A name that two accounts want."""

    def test_moving(self) -> None:
        """A domain goes over to another account when the first one has let go of it, not while something stands on it."""
        domain = f"{self.plain_name.partition('.')[0]}.example.org"
        id = self.api.make("/reserved_domains", domain=f"*.{domain}")
        edge = self.serve_edge(self.api, f"x.{domain}")
        self.assertEqual(self.refused("DELETE", f"/reserved_domains/{id}"), "446")
        for name in (domain, f"x.{domain}", f"*.x.{domain}", f"*.{domain}", f"*.{domain.partition('.')[2]}"):
            code = self.refused("POST", "/reserved_domains", {"domain": name}, api=self.theirs)
            self.assertIn(code, ("414", "417"), name)
        self.assertEqual(
            self.refused("POST", "/edges/https", {"hostports": [f"y.{domain}:443"]}, api=self.theirs), "7118"
        )
        self.api("DELETE", edge)
        agent = self.agent(f"x.{domain}")
        agent.url()
        self.api("DELETE", f"/reserved_domains/{id}")
        agent.exit_code()
        self.assertIn("was taken away", agent.out + agent.err)
        self.theirs.make("/reserved_domains", domain=f"*.{domain}")
        self.serve_edge(self.theirs, f"x.{domain}", "theirs")
        self.assertEqual(self.says(f"x.{domain}"), (200, "theirs"))
        self.assertEqual(self.agent(f"y.{domain}").exit_code(), 1)

    def test_all_ports(self) -> None:
        """Nobody gets the plain name beside another account's secure one, nor the other way round."""
        first, second = self.plain_name, self.new_name()
        self.agent(first, port=80).url()
        body = {"hostports": [f"{first}:443"]}
        self.assertEqual(self.refused("POST", "/edges/https", body, api=self.theirs), "7118")
        self.serve_edge(self.api, first)
        self.assertEqual((self.says(first), self.says(first, "http")), ((200, "edge"), (200, "agent")))
        self.serve_edge(self.theirs, second, "theirs")
        agent = self.agent(second, port=80)
        self.assertEqual(agent.exit_code(), 1)
        self.assertIn("ERR_NGROK_320", agent.err)
        cloud = {
            "url": f"http://{second}",
            "type": "cloud",
            "traffic_policy": "on_http_request: [{actions: [{type: deny}]}]",
        }
        self.assertEqual(self.refused("POST", "/endpoints", cloud), "18006")
