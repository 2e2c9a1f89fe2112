"""
The way of a shop, with nothing but official clients: a domain, a certificate, an edge with two routes and a failover, a
labelled tunnel behind it; and the same from one ``config.yaml``.
"""

from __future__ import annotations

import ssl
from typing import Any, ClassVar, Mapping

from tests.control.api.ngrok import RESOURCES
from tests.functional.api_client import Complaint, OfficialClient
from tests.functional.case import EdgeTestCase
from tests.functional.clients import SSH, Answer, keep_open, open_tls
from tests.functional.edge import make_key
from tests.functional.pems import key_pair
from tests.functional.test_api_clients import API_KEY

CERTIFICATE, KEY = key_pair("shop.example.net")
NAME = "shop.example.net"


class _ShopCase(EdgeTestCase):
    """What the shop does, however it was made."""

    def shop(self, path: str = "/") -> Answer:
        """One request, by a visitor who trusts the shop's own certificate and nothing else."""
        context = ssl.create_default_context(cadata=CERTIFICATE)
        connection = keep_open(self.edge, NAME, plain=True)
        connection.sock.close()
        connection.sock = open_tls(self.edge, NAME, context=context)
        try:
            connection.request("GET", path, headers={"host": NAME})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def labelled(self) -> SSH:
        """A labelled tunnel to a web service."""
        agent = self.ssh(f"0:127.0.0.1:{self.web('shop').port}", command="tunnel --label app=shop")
        self.eventually(lambda: "app=shop" in agent.out or agent.process.poll() is not None, "labelled tunnel")
        self.assertIsNone(agent.process.poll(), agent.said())
        return agent

    def is_open(self) -> None:
        """The shop answers: from the tunnel while there is one, else from the fixed answer."""
        self.assertEqual((self.shop().status, self.shop().body), (503, b"back soon\n"))
        agent = self.labelled()
        self.assertEqual(self.shop("/buy").headers.get("x-service"), "shop")
        self.assertEqual(self.shop("/health").body, b"fine\n")
        agent.close()
        self.eventually(lambda: self.shop().status == 503, "the failover")


class ByClientsTests(_ShopCase):
    """Everything is made, changed and deleted by one of ngrok's clients while the server runs."""

    language: ClassVar[str] = "python"
    config = {"api_keys": [{"name": "tests", "token": API_KEY}]}

    def setUp(self) -> None:
        super().setUp()
        self.client = OfficialClient(self.language, self.edge, API_KEY)
        self.addCleanup(self.client.close)

    def make(self, resource: str, **given: Any) -> Any:
        """Make something that is deleted after the test."""
        methods = {method["action"]: method["clients"] for method in RESOURCES[resource]["methods"]}
        made = self.client(methods["create"][self.language], given)
        where: Mapping[str, Any] = {"id": made["id"]}
        if "edge_id" in given:
            where = {"edge_id": given["edge_id"], **where}
        else:
            self.addCleanup(self.client, methods["delete"][self.language], where)
        return made

    def test_shop(self) -> None:
        """It is open as soon as the last call has answered, and follows each change at once."""
        certificate = self.make("tls_certificates", certificate_pem=CERTIFICATE, private_key_pem=KEY)
        domain = self.make("reserved_domains", domain=NAME, certificate_id=certificate["id"])
        self.assertEqual(domain["certificate"]["id"], certificate["id"])
        sorry = self.make("http_response_backends", status_code=503, body="back soon\n")
        fine = self.make("http_response_backends", status_code=200, body="fine\n")
        web = self.make("tunnel_group_backends", labels={"app": "shop"})
        main = self.make("failover_backends", backends=[web["id"], sorry["id"]])
        edge = self.make("https_edges", hostports=[f"{NAME}:443"])
        for kind, path, backend in (("exact_path", "/health", fine), ("path_prefix", "/", main)):
            module = {"backend_id": backend["id"]}
            self.make("https_edge_routes", edge_id=edge["id"], match_type=kind, match=path, backend=module)
        self.is_open()
        with self.assertRaises(Complaint) as caught:
            self.client("reserved_domains.delete", {"id": domain["id"]})
        self.assertEqual(caught.exception.code, "ERR_NGROK_446")
        self.client("backends.http_response.update", {"id": fine["id"], "body": "very fine\n"})
        self.assertEqual(self.shop("/health").body, b"very fine\n")

    def test_revoked(self) -> None:
        """Deleting an SSH credential ends its tunnels."""
        web = self.web("revoked")
        key = make_key(self.edge.directory / "revoked")
        made = self.client("ssh_credentials.create", {"public_key": key.with_suffix(".pub").read_text().strip()})
        agent = self.ssh(f"{self.new_name()}:443:127.0.0.1:{web.port}", key=key)
        self.assertEqual(self.get(agent.url()).headers.get("x-service"), "revoked")
        self.client("ssh_credentials.delete", {"id": made["id"]})
        self.assertNotEqual(agent.exit_code(), 0)
        self.assertEqual(self.get(agent.url()).status, 404)

    def test_session_stop(self) -> None:
        """A session that an agent opened is listed, and ends when it is stopped."""
        agent = self.ssh(f"{self.new_name()}:443:127.0.0.1:{self.web('stopped').port}")
        url = agent.url().rstrip("/")
        endpoints = [item for item in self.client("endpoints.list") if item["public_url"].startswith(url)]
        self.assertEqual(len(endpoints), 1, self.client("endpoints.list"))
        session = endpoints[0]["tunnel_session"]["id"]
        self.assertEqual(self.client("tunnel_sessions.get", {"id": session})["transport"], "ssh")
        with self.assertRaises(Complaint):
            self.client("tunnel_sessions.restart", {"id": session})
        self.client("tunnel_sessions.stop", {"id": session})
        agent.exit_code()
        self.assertNotIn(session, [item["id"] for item in self.client("tunnel_sessions.list")])

    def test_new_key(self) -> None:
        """A key that was made over the API serves at once, and not any more once it is deleted."""
        made = self.client("api_keys.create", {"description": "second"})
        second = OfficialClient(self.language, self.edge, made["token"])
        self.addCleanup(second.close)
        self.assertIn(made["id"], [key["id"] for key in second("api_keys.list")])
        self.client("api_keys.delete", {"id": made["id"]})
        with self.assertRaises(Complaint) as caught:
            second("api_keys.list")
        self.assertEqual((caught.exception.status, caught.exception.code), (403, "ERR_NGROK_203"))


class ByConfigTests(_ShopCase):
    """Everything stands in ``config.yaml``."""

    config = {
        "reserved_domains": [{"domain": NAME, "certificate_id": "shop"}],
        "tls_certificates": [{"name": "shop", "certificate_pem": CERTIFICATE, "private_key_pem": KEY}],
        "backends": {
            "tunnel_group": [{"name": "web", "labels": {"app": "shop"}}],
            "http_response": [
                {"name": "sorry", "status_code": 503, "body": "back soon\n"},
                {"name": "fine", "status_code": 200, "body": "fine\n"},
            ],
            "failover": [{"name": "main", "backends": ["web", "sorry"]}],
        },
        "edges": {
            "https": [
                {
                    "hostports": [f"{NAME}:443"],
                    "routes": [
                        {"match_type": "exact_path", "match": "/health", "backend": {"backend_id": "fine"}},
                        {"match_type": "path_prefix", "match": "/", "backend": {"backend_id": "main"}},
                    ],
                }
            ]
        },
    }

    def test_shop(self) -> None:
        """It is open as soon as the server is ready."""
        self.is_open()
