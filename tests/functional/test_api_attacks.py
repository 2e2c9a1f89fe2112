"""
The API of the live product under attack: by strangers, by callers with a key, and by one account against another.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import Counter
from typing import Any, Callable, Iterator

from tests.control.api.ngrok import RESOURCES
from tests.functional.api_caller import APICaller, Answer, at_once, create_path
from tests.functional.api_plan import POLICY, filled, steps
from tests.functional.attack_case import KEYS, AttackCase
from tests.functional.clients import full_name, open_tcp, open_tls
from tests.functional.edge import DOMAIN
from tests.functional.pems import key_pair

#: Calls at the same moment. More than a thousand stack frames deep, if each were answered inside the one before.
CROWD = 150

#: Seconds that a hostile body may keep everybody else waiting, on a busy machine.
STALL_MAX = 0.5

#: What is put into every field. Some of it is right in some fields.
ODDITIES: tuple[Any, ...] = (
    *(None, "", 0, -1, 1e30, True, [], {}, [[]], [None], {"a": None}, 10**30),
    *("\0", "\x1b[31m\r\n", "ﬀ", "é" * 200, "😀" * 1100, "x" * 70_000, "*", "../..", "://", "env:HOME"),
)


class WireTests(AttackCase):
    """Bytes that mean one thing to one reader and another to the next."""

    HEAD = f"Host: x\r\nAuthorization: Bearer {KEYS['ours']}\r\nngrok-version: 2\r\nContent-Type: application/json\r\n"

    def statuses(self, *requests: tuple[str, str, str]) -> list[int]:
        """The statuses of the answers to requests: first line, more lines, body."""
        connection = open_tcp(self.edge.api)
        self.addCleanup(connection.close)
        for line, more, body in requests:
            connection.sendall(f"{line} HTTP/1.1\r\n{self.HEAD}{more}\r\n{body}".encode())
        connection.sendall(f"GET /end HTTP/1.1\r\n{self.HEAD}Connection: close\r\n\r\n".encode())
        received = b""
        while data := connection.recv(65536):
            received += data
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]

    def test_hidden_request(self) -> None:
        """A body is never taken for a request, whoever refuses it."""
        hidden = "GET /vaults HTTP/1.1\r\n" + self.HEAD + "\r\n"
        length = f"Content-Length: {len(hidden)}\r\n"
        for line, expected in (
            ("GET /vaults", 200),
            ("DELETE /vaults/x", 404),
            ("POST /nope", 404),
            ("PUT /vaults", 404),
        ):
            self.assertEqual(self.statuses((line, length, hidden)), [expected, 404])

    def test_ambiguous(self) -> None:
        """A message whose end is not certain ends its connection."""
        for more, body in (
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            ("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"),
            ("Content-Length: +2\r\n", "{}"),
            ("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
            ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", "2\n{}\n0\n\n"),
        ):
            self.assertEqual(self.statuses(("POST /vaults", more, body)), [400])

    def test_other_host(self) -> None:
        """A TLS connection to one name does not reach another, neither into the API nor out of it."""
        for name, host in (("api", "canary"), ("canary", "api")):
            with open_tls(self.edge, full_name(name)) as connection:
                head = self.HEAD.replace("Host: x", f"Host: {full_name(host)}")
                connection.sendall(f"GET /vaults HTTP/1.1\r\n{head}\r\n".encode())
                self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 421 "))

    def test_verbs(self) -> None:
        """A verb that a path does not have is as unknown as the path, in the API's shape."""
        for verb in ("PUT", "TRACE", "DELETE", "get", "OPTIONS", "PROPFIND", "G" * 500):
            error = self.refused(self.ours(verb, "/vaults"))
            self.assertEqual((error["status_code"], error["details"]), (404, {"path": "/vaults"}))

    def test_stalled_bodies(self) -> None:
        """Those who never finish their bodies take the places of their own account only, and give them back."""
        head = f"POST /vaults HTTP/1.1\r\n{self.HEAD}Content-Length: 1000\r\n\r\n"
        stalled = [open_tcp(self.edge.api) for _ in range(250)]
        for connection in stalled:
            connection.sendall(head.encode() + b"{")
        self.eventually(lambda: self.ours("GET", "/vaults")[0] == 429, "refusal while all places are taken")
        self.assertEqual(self.theirs("GET", "/vaults")[0], 200)
        for connection in stalled:
            connection.close()
        self.eventually(lambda: self.ours("GET", "/vaults")[0] == 200, "free place")


class BodyTests(AttackCase):
    """Hostile JSON."""

    def test_bombs(self) -> None:
        """What is deep, wide, long or false is refused, and nobody else waits for it."""
        many = b'{"acl":[' + b"1," * 150_000 + b"1]}"
        bodies = {
            "/vaults": [
                b"[" * 500_000,
                b'{"name":' * 100_000 + b"1" + b"}" * 100_000,
                b'{"name":[' + b"[]," * 300_000 + b"[]]}",
                b"{" + b",".join(b'"k%d":1' % number for number in range(80_000)) + b"}",
                b'{"name":1e999}',
                b'{"name":' + b"9" * 900_000 + b"}",
                b'{"name":"a","n\\u0061me":"b"}',
                b'{"name":"\\ud800"}',
                b'{"name":"\xed\xa0\x80"}',
                b"\xef\xbb\xbf{}",
            ],
            "/credentials": [many, b'{"acl":["' + b'","'.join([b"bind:" + b"*" * 20] * 9000) + b'"]}'],
            "/endpoints": [
                json.dumps({"url": f"https://{full_name(self.tag)}", "traffic_policy": text}).encode()
                for text in ("[" * 200_000, "- " * 200_000, "a: &a [x]\n" + "b: [*a, *a]\n" * 50_000, '"' * 500_001)
            ],
        }
        for path, texts in bodies.items():
            for text in texts:
                began = time.monotonic()
                error = self.refused(self.ours("POST", path, text))
                self.assertLess(time.monotonic() - began, STALL_MAX, (path, text[:40]))
                self.assertLess(len(json.dumps(error)), 100_000, (path, text[:40]))

    def test_fields(self) -> None:
        """Whatever stands in whatever field: it is taken whole, or refused and nothing has changed."""
        ids = self.filled(self.ours, self.tag)
        others = list(self.filled(self.theirs, f"o{self.tag}").values())
        for step in steps(f"f{self.tag}", DOMAIN):
            actions = {method["action"]: method for method in RESOURCES[step.resource]["methods"]}
            path = create_path(step.resource, step.parent, ids)
            good = filled(step.create, ids)
            for body in _spoiled(good, (*ODDITIES, others[0], others[-1])):
                self.created(path, body, deletable="delete" in actions)
            if "update" in actions:
                for body in _spoiled({**good, **filled(step.update, ids)}, ODDITIES, alone=True):
                    self.updated(f"{path}/{ids[step.resource]}", body)

    def created(self, path: str, body: Any, deletable: bool) -> None:
        """Something is made that is shown as it was answered, or it is refused."""
        status, data = self.ours("POST", path, body)
        if status != 201:
            self.refused((status, data))
            return
        item = f"{path}/{data.get('id') or data['type']}"
        shown = self.ours("GET", item)
        self.assertEqual(shown, (200, {**data, **({"token": None} if "token" in data else {})}))
        for name in ("description", "metadata"):
            self.assertEqual(data.get(name, ""), body.get(name) or data.get(name, ""))
        if deletable:
            self.assertEqual(self.ours("DELETE", item)[0], 204)

    def updated(self, item: str, body: Any) -> None:
        """Something is changed to what was answered, or it is refused and is as before."""
        before = self.ours("GET", item)
        answer = self.ours("PATCH", item, body)
        if answer[0] != 200:
            self.refused(answer)
        self.assertEqual(self.ours("GET", item), answer if answer[0] == 200 else before, body)

    def test_echo(self) -> None:
        """Metadata and policies come back byte for byte."""
        texts = ["\u2028\u202e\ufeff\u00a0\u0085\t\r\n", "e\u0301é\u1100\u1161", "".join(map(chr, range(1, 1000)))]
        texts += ["😀" * 1024, "é" * 2048, '{"a": 1,\r\n "b":"\\u0041"}', " ", "\x7f\ufffe\U0010ffff"]
        vault = self.made("/vaults", {"name": self.tag})
        for text in texts:
            for raw in (json.dumps({"metadata": text}), json.dumps({"metadata": text}, ensure_ascii=False)):
                self.assertEqual(self.ours("PATCH", vault["uri"], raw.encode())[1]["metadata"], text)
            self.assertEqual(self.ours("GET", vault["uri"])[1]["metadata"], text)
        for policy in (POLICY, f"# é\r\n{POLICY}\n\n", json.dumps(json.loads(POLICY), indent=7)):
            body = {"url": f"https://{full_name(self.tag)}", "traffic_policy": policy}
            endpoint = self.made("/endpoints", body)
            self.assertEqual(self.ours("GET", endpoint["uri"])[1]["traffic_policy"], policy)
            self.assertEqual(self.ours("DELETE", endpoint["uri"])[0], 204)


class RaceTests(AttackCase):
    """Many at the same moment."""

    def crowd(self, call: Callable[[APICaller, int], Answer], count: int = CROWD) -> Counter[int]:
        """How often each status was answered."""
        return Counter(status for status, _ in at_once(self.edge, KEYS["ours"], count, call))

    def test_same_name(self) -> None:
        """Of many who want the same name one gets it, and the server goes on."""
        policy = self.made("/ip_policies", {})
        rule = {"ip_policy_id": policy["id"], "cidr": "192.0.2.0/24", "action": "allow"}
        for path, body in (
            ("/vaults", {"name": self.tag}),
            ("/service_users", {"name": self.tag}),
            ("/reserved_domains", {"domain": f"{self.tag}.example.org"}),
            ("/endpoints", {"url": f"https://{full_name(self.tag)}", "traffic_policy": POLICY}),
            ("/ip_policy_rules", rule),
        ):
            counts = self.crowd(lambda caller, number: caller("POST", path, body))
            self.assertEqual(counts, {201: 1, 400: CROWD - 1}, path)

    def test_no_place(self) -> None:
        """Many refusals in a row do not stop the writes of everybody."""
        self.addCleanup(self.free_addresses)
        self.crowd(lambda caller, number: caller("POST", "/reserved_addrs", {}))
        self.made("/vaults", {"name": self.tag}, self.theirs)

    def free_addresses(self) -> None:
        """Leave some for other tests."""
        for address in self.ours("GET", "/reserved_addrs")[1]["reserved_addrs"]:
            if not address["created_at"].startswith("1970"):
                self.ours("DELETE", address["uri"])

    def test_no_update_is_lost(self) -> None:
        """What many change in one record is all there."""
        edge = self.made("/edges/https", {})
        counts = self.crowd(
            lambda caller, number: caller(
                "POST", f"/edges/https/{edge['id']}/routes", {"match": f"/{number}", "match_type": "path_prefix"}
            )
        )
        self.assertEqual(counts, {201: CROWD})
        self.assertEqual(len(self.ours("GET", edge["uri"])[1]["routes"]), CROWD)

    def test_deleted_meanwhile(self) -> None:
        """A vault is deleted, or has secrets, but not both."""
        vault = self.made("/vaults", {"name": self.tag})

        def call(caller: APICaller, number: int) -> Answer:
            if number % 2:
                return caller("DELETE", vault["uri"])
            return caller("POST", "/vault_secrets", {"vault_id": vault["id"], "name": f"s{number}", "value": "v"})

        counts = self.crowd(call, 50)
        there = self.ours("GET", vault["uri"])[0] == 200
        self.assertEqual((counts[201], counts[204]), (25, 0) if there else (0, 1))

    def test_pages_meanwhile(self) -> None:
        """Whoever turns pages while others come and go sees each that stays, once, and the newest first."""
        staying = [self.made("/vaults", {"name": f"{self.tag}.{number}"})["id"] for number in range(60)]
        seen: list[str] = []
        target = "/vaults?limit=7"
        while target:
            _, page = self.ours("GET", target)
            seen += [vault["id"] for vault in page["vaults"]]
            target = page["next_page_uri"]
            self.assertTrue(page["vaults"])
            comes = self.made("/vaults", {"name": f"{self.tag}.{len(seen)}.new"}, self.caller(KEYS["ours"]))
            gone = page["vaults"][-1]["id"]
            if gone not in staying:
                self.ours("DELETE", f"/vaults/{gone}")
            self.assertNotIn(comes["id"], seen)
        self.assertEqual(len(set(seen)), len(seen))
        self.assertLessEqual(set(staying), set(seen))
        created = [id for id in seen if id in staying]
        self.assertEqual(created, staying[::-1])


class AccountTests(AttackCase):
    """Accounts know nothing of one another."""

    def test_isolation(self) -> None:
        """Nothing of another account is seen, read, changed, deleted or told from what does not exist."""
        self.filled(self.ours, self.tag)
        theirs = {name: id for name, id in self.filled(self.theirs, f"o{self.tag}").items() if name != "event_sources"}
        shown, before = self.everything(self.ours), self.everything(self.theirs)
        self.assertEqual([id for id in theirs.values() if id in shown], [])
        for path, verbs in self.ours("GET", "/openapi.json")[1]["paths"].items():
            for verb, id in ((verb, id) for verb in verbs for id in theirs.values() if "{" in path):
                unknown = id[:-6] + "zzzzzz"
                found = [self.answer_about(verb, path, one) for one in (id, unknown)]
                self.assertEqual(found[0], found[1], (verb, path, id))
        self.assertEqual(self.everything(self.theirs), before)

    def answer_about(self, verb: str, path: str, id: str) -> Any:
        """What is said of an id at a path, without the id and what is new in each answer."""
        body = None if verb in ("get", "delete") else {"description": "not yours"}
        error = self.refused(self.ours(verb.upper(), re.sub(r"\{\w+\}", id, path), body))
        error["details"].pop("operation_id")
        return json.loads(json.dumps(error).replace(id, "…"))

    def test_references(self) -> None:
        """Nothing of another account can be referred to."""
        theirs = self.filled(self.theirs, self.tag)
        for path, body in (
            ("/backends/failover", {"backends": [theirs["http_response_backends"]]}),
            ("/backends/weighted", {"backends": {theirs["http_response_backends"]: 1}}),
            ("/edges/tcp", {"backend": {"backend_id": theirs["tunnel_group_backends"]}}),
            ("/edges/tcp", {"ip_restriction": {"ip_policy_ids": [theirs["ip_policies"]]}}),
            ("/edges/https", {"mutual_tls": {"certificate_authority_ids": [theirs["certificate_authorities"]]}}),
            ("/edges/https", {"hostports": [f"{self.tag}.example.org:443"]}),
            ("/endpoints", {"url": f"https://{self.tag}.example.org", "traffic_policy": POLICY}),
            ("/reserved_domains", {"domain": f"x{self.tag}.org", "certificate_id": theirs["tls_certificates"]}),
            ("/reserved_domains", {"domain": f"*.{self.tag}.example.org"}),
            ("/ip_policy_rules", {"ip_policy_id": theirs["ip_policies"], "cidr": "192.0.2.9/32", "action": "deny"}),
            ("/ip_restrictions", {"type": "agent", "ip_policy_ids": [theirs["ip_policies"]]}),
            ("/vault_secrets", {"vault_id": theirs["vaults"], "name": "n", "value": "v"}),
            ("/vault_secrets", {"vault_name": f"vault/{self.tag}", "name": "n", "value": "v"}),
            ("/event_subscriptions", {"destination_ids": [theirs["event_destinations"]]}),
            ("/api_keys", {"owner_id": theirs["service_users"]}),
            ("/credentials", {"owner_id": theirs["bot_users"]}),
        ):
            self.refused(self.ours("POST", path, body))

    def test_deleted_key(self) -> None:
        """A key that was deleted is of no use on a connection that it opened, not even for what was begun."""
        made = self.made("/api_keys", {})
        caller = self.caller(made["token"])
        self.assertEqual(caller("GET", "/self")[0], 200)
        self.assertEqual(caller("DELETE", f"/api_keys/{made['id']}")[0], 204)
        self.assertEqual(self.refused(caller("GET", "/self"))["error_code"], "ERR_NGROK_203")

    def test_declared(self) -> None:
        """What the operator declared cannot be changed or deleted."""
        declared = next(vault for vault in self.ours("GET", "/vaults")[1]["vaults"] if vault["name"] == "declared")
        key = next(key for key in self.ours("GET", "/api_keys")[1]["keys"] if key["created_at"].startswith("1970"))
        for item in (f"/vaults/{declared['id']}", f"/api_keys/{key['id']}"):
            self.refused(self.ours("PATCH", item, {"metadata": "mine"}))
            self.refused(self.ours("DELETE", item))


class SecretTests(AttackCase):
    """What was sent once is never seen again."""

    def test_nowhere(self) -> None:
        """No secret stands in the log, in an answer, or in the database."""
        hidden = iter(lambda: "Zq" + secrets.token_hex(15), None)
        sent = [next(hidden) for _ in range(7)]
        vault = self.made("/vaults", {"name": self.tag})
        secret = self.made("/vault_secrets", {"vault_id": vault["id"], "name": "s", "value": sent[0]})
        self.assertEqual(self.ours("PATCH", secret["uri"], {"value": sent[1]})[0], 200)
        target = {"datadog": {"api_key": sent[2]}}
        self.made("/event_destinations", {"format": "json", "target": target})
        for body in ({"value": [sent[3]]}, {"value": sent[3], "bogus": 1}, {sent[4][:1]: sent[4]}):
            self.refused(self.ours("POST", "/vault_secrets", {"vault_id": vault["id"], "name": "n", **body}))
        self.refused(self.ours("POST", "/vault_secrets", b'{"value": "' + sent[5].encode() + b'",}'))
        self.refused(self.caller(sent[6])("GET", "/vaults"))
        certificate, key = key_pair(f"{self.tag}.example.org")
        self.made("/tls_certificates", {"certificate_pem": certificate, "private_key_pem": key})
        sent.append(key.splitlines()[1])
        for path in ("/api_keys", "/credentials"):
            sent.append(self.made(path, {})["token"].partition("_")[2])
        sent += KEYS.values()
        files = [path for path in self.edge.state.iterdir() if path.is_file()]
        stored = b"".join(path.read_bytes() for path in files).decode("latin-1")
        for where in (self.edge.log(), stored, self.everything(self.ours)):
            self.assertEqual([text for text in sent if text in where], [])


def _spoiled(body: Any, values: tuple[Any, ...], alone: bool = False) -> Iterator[Any]:
    """
    The same body with each value in the place of each of its parts.

    :param alone: only the part that is spoiled, without the rest of the body.
    """
    for name in body:
        for spoiled in _variants(body[name], values):
            yield {name: spoiled} if alone else {**body, name: spoiled}


def _variants(part: Any, values: tuple[Any, ...]) -> Iterator[Any]:
    yield from values
    if isinstance(part, dict):
        yield from _spoiled(part, values)
    elif isinstance(part, list):
        for number, item in enumerate(part):
            for spoiled in _variants(item, values):
                yield [*part[:number], spoiled, *part[number + 1 :]]
