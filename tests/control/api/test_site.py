"""
Tests for `ngrok_twisted.control.api.site`: the API over the edge's own HTTP server, in memory.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.api import access
from ngrok_twisted.control.api.access import Access, AccessLimits
from ngrok_twisted.control.api.errors import APIError
from ngrok_twisted.control.api.method import Answer, Method
from ngrok_twisted.control.api.requests import BODY_MAX
from ngrok_twisted.control.api.routes import Routes, all_methods
from ngrok_twisted.control.api.site import BODY_TIMEOUT, APIResource
from ngrok_twisted.errors import InvalidConfig, Refused, StoreUnusable
from ngrok_twisted.iam.principal import Principal
from ngrok_twisted.records.base import Problem
from ngrok_twisted.records.vault import Vault
from tests.control.api.harness import ACCOUNT, OTHER, APIHarness, principal
from tests.edge.wire import Visitor, statuses

KEY = "Bearer good"


class Keys:
    """
    Knows two keys.

    :ivar deleted: whether it knows them no more.
    """

    deleted = False

    def principal_for(self, authorization: str | None) -> Principal:
        if authorization == "Bearer other":
            return principal(OTHER)
        if authorization != KEY or self.deleted:
            raise Refused(200 if authorization is None else 203, "There is no such key.")
        return principal()


class Received:
    """
    One response as it came over the wire.

    :ivar rest: what came after it.
    """

    def __init__(self, data: bytes, bodiless: bool = False) -> None:
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.fields = dict(line.split(": ", 1) for line in lines)
        length = 0 if bodiless else int(self.fields.get("Content-Length", "0"))
        self.body, self.rest = rest[:length], rest[length:]

    @property
    def json(self) -> Any:
        """The body."""
        assert self.fields["Content-Type"] == "application/json"
        return json.loads(self.body)


class SiteCase(SynchronousTestCase):
    """
    One visitor of an API with the real resources, and with methods of the test's own.

    :ivar waiting: what the method ``POST /wait`` waits for.
    :ivar calls: every `Call` of the test's own methods.
    """

    proto = "https"

    def setUp(self) -> None:
        self.harness = APIHarness()
        self.waiting: Deferred[Answer] = Deferred()
        self.calls: list[Any] = []
        self.result: Callable[[], Any] = lambda: Answer(200, {})
        self.shut_out = False
        own = [
            self.method("POST", "/echo", lambda call: Answer(200, {"data": call.data})),
            self.method("POST", "/deaf", lambda call: Answer(204), body_ignored=True),
            self.method("POST", "/lenient", lambda call: Answer(200, {"data": call.data}), body_lenient=True),
            self.method("POST", "/wait", lambda call: self.waiting),
            self.method("GET", "/call", lambda call: self.result()),
            self.method("GET", "/open", lambda call: Answer(200, {}), public=True),
        ]
        self.keys = Keys()
        doors = Access(
            lambda: self.harness.control.records,
            self.keys,
            lambda records, account_id, host: not self.shut_out,
            self.harness.clock,
            AccessLimits(failures_per_minute=5),
        )
        url = "https://api.example.com:8443"
        self.api = APIResource(self.harness.parts, Routes([*all_methods(), *own]), doors, url, self.harness.clock)
        self.visitor = self.visit()

    def visit(self) -> Visitor:
        """Another connection."""
        return Visitor(self.api, proto=self.proto, clock=self.harness.clock)

    def method(self, verb: str, path: str, perform: Callable[[Any], Any], **more: Any) -> Method:
        """A method that notes its calls."""

        def noted(call: Any) -> Any:
            self.calls.append(call)
            return perform(call)

        return Method(verb=verb, path=path, action="do", perform=noted, **more)

    def head(self, verb: str, target: str, *lines: str, key: str | None = KEY, version: str | None = "2") -> bytes:
        """The head of a request."""
        usual = [f"Authorization: {key}"] if key else []
        usual += [f"ngrok-version: {version}"] if version else []
        host = [] if any(line.startswith("Host:") for line in lines) else ["Host: api.example.com"]
        return "\r\n".join([f"{verb} {target} HTTP/1.1", *host, *usual, *lines, "", ""]).encode()

    def send(self, data: bytes, bodiless: bool = False) -> Received:
        """Send bytes, and take the one response to them."""
        self.visitor.send(data)
        received = Received(self.visitor.take(), bodiless)
        self.assertEqual(received.rest, b"")
        self.assertRegex(received.fields["ngrok-operation-id"], r"\Aop_[0-9A-Za-z]{27}\Z")
        return received

    def ask(self, verb: str, target: str, body: Any = None, *lines: str, **more: Any) -> Received:
        """A request, with a JSON body if there is one."""
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None:
            lines = (*lines, f"Content-Length: {len(raw)}")
            lines = (
                lines
                if any(line.startswith("Content-Type") for line in lines)
                else (*lines, "Content-Type: application/json")
            )
        return self.send(self.head(verb, target, *lines, **more) + raw, bodiless=verb == "HEAD")

    def code(self, *arguments: Any, **more: Any) -> tuple[int, str]:
        """Status and code of an error in ngrok's shape."""
        received = self.ask(*arguments, **more)
        error = received.json
        self.assertEqual(error["status_code"], received.status)
        self.assertTrue(error["msg"])
        self.assertEqual({type(value) for value in error["details"].values()}, {str})
        self.assertEqual(error["details"]["operation_id"], received.fields["ngrok-operation-id"])
        return received.status, error.get("error_code", "")


class LifeTests(SiteCase):
    """Requests that succeed."""

    def test_life(self) -> None:
        """A record is made, listed, read, changed and deleted, on one connection."""
        made = self.ask("POST", "/vaults", {"name": "a"})
        self.assertEqual(made.status, 201)
        id = made.json["id"]
        self.assertEqual(made.json["uri"], f"https://api.example.com:8443/vaults/{id}")
        self.assertEqual([vault["id"] for vault in self.ask("GET", "/vaults").json["vaults"]], [id])
        self.assertEqual(self.ask("GET", f"/vaults/{id}").json, made.json)
        self.assertEqual(self.ask("PATCH", f"/vaults/{id}", {"metadata": "m"}).json["metadata"], "m")
        gone = self.ask("DELETE", f"/vaults/{id}")
        self.assertEqual((gone.status, gone.body), (204, b""))
        self.assertNotIn("Content-Type", gone.fields)
        self.assertNotIn("Content-Length", gone.fields)
        self.assertEqual(self.ask("GET", f"/vaults/{id}").status, 404)
        self.assertFalse(self.visitor.wire.ended)

    def test_clients_that_need_a_body(self) -> None:
        """Two clients get an empty object where others get nothing."""
        for agent in ("ngrok-api-python/0.0.0/3.11", "ngrok-api-typescript/0.10.0/v20"):
            id = self.ask("POST", "/vaults", {"name": "a"}).json["id"]
            gone = self.ask("DELETE", f"/vaults/{id}", None, f"User-Agent: {agent}")
            self.assertEqual((gone.status, gone.json), (200, {}))

    def test_slashes(self) -> None:
        """Slashes that are doubled or at the end do not matter."""
        for target in ("//vaults", "/vaults/", "//vaults//?limit=1"):
            self.assertEqual(self.ask("GET", target).status, 200)

    def test_head(self) -> None:
        """HEAD is GET without the body."""
        whole = self.ask("GET", "/vaults")
        head = self.ask("HEAD", "/vaults")
        self.assertEqual((head.status, head.fields["Content-Length"]), (200, str(len(whole.body))))
        self.assertEqual(self.ask("HEAD", "/vaults", version=None).status, 400)

    def test_paging(self) -> None:
        """Lists are asked for page by page."""
        for name in "abc":
            self.ask("POST", "/vaults", {"name": name})
        page = self.ask("GET", "/vaults?limit=2").json
        self.assertEqual([vault["name"] for vault in page["vaults"]], ["c", "b"])
        following = page["next_page_uri"].removeprefix("https://api.example.com:8443")
        self.assertEqual([vault["name"] for vault in self.ask("GET", following).json["vaults"]], ["a"])

    def test_call(self) -> None:
        """A method is told who calls, from where, and under which name."""
        received = self.ask("POST", "/echo", {"a": 1})
        (call,) = self.calls
        self.assertEqual(call.principal, principal())
        self.assertEqual((call.peer_host, call.base_url), ("192.168.1.1", "https://api.example.com:8443"))
        self.assertEqual(call.operation_id, received.fields["ngrok-operation-id"])

    def test_public(self) -> None:
        """A public method needs neither key nor version, and acts for nobody."""
        self.assertEqual(self.ask("GET", "/open", key=None, version=None).status, 200)
        self.assertEqual(self.calls[0].account_id, "")

    def test_pipelined(self) -> None:
        """Requests sent at once are answered in order, also where the first has to wait."""
        self.visitor.send(self.head("POST", "/wait") + self.head("GET", "/vaults") + self.head("GET", "/nonsuch"))
        self.assertEqual(self.visitor.take(), b"")
        self.waiting.callback(Answer(200, {"a": 1}))
        first = Received(self.visitor.take())
        second = Received(first.rest)
        third = Received(second.rest)
        self.assertEqual([first.json, second.status, third.status, third.rest], [{"a": 1}, 200, 404, b""])


class PlainTests(SiteCase):
    """The listener without TLS."""

    proto = "http"

    def test_base_url(self) -> None:
        """URLs in answers start with the host that was asked for."""
        self.assertEqual(
            self.ask("GET", "/vaults", None, "Host: localhost:4040").json["uri"], "http://localhost:4040/vaults"
        )
        self.assertEqual(self.ask("GET", "/vaults", None, "Host: [::1]:4040").json["uri"], "http://[::1]:4040/vaults")

    def test_no_host(self) -> None:
        """A client of HTTP/1.0 without a host is told the address that it came to."""
        self.visitor.send(b"GET /vaults HTTP/1.0\r\nAuthorization: " + KEY.encode() + b"\r\nngrok-version: 2\r\n\r\n")
        self.assertEqual(Received(self.visitor.take()).json["uri"], "http://10.0.0.1:12345/vaults")


class RefusalTests(SiteCase):
    """Requests that are refused, each in the one shape."""

    def test_unknown(self) -> None:
        """Unknown paths and methods are told so, key or not, without a code."""
        for verb, target, path in (
            ("GET", "/x", "/x"),
            ("PUT", "/vaults?a=b", "/vaults"),
            ("OPTIONS", "/vaults", "/vaults"),
            ("BREW", "/vaults", "/vaults"),
            ("GET", "/%C3%A9", "/é"),
            ("GET", "/%ff", "/%ff"),
            ("GET", "/vaults%2fx", "/vaults%2fx"),
            ("GET", "/" + "x" * 600, "/" + "x" * 499),
        ):
            received = self.ask(verb, target, key=None, version=None)
            self.assertEqual(received.status, 404)
            self.assertEqual(received.json, {"status_code": 404, "msg": "Not Found", "details": {"path": path}})

    def test_keys(self) -> None:
        """Nobody gets in without a key, and the answer does not ask a browser for one."""
        self.assertEqual(self.code("GET", "/vaults", key=None), (403, "ERR_NGROK_200"))
        self.assertEqual(self.code("GET", "/vaults", key="Bearer b4d"), (403, "ERR_NGROK_203"))
        received = self.ask("GET", "/vaults", None, f"Authorization: {KEY}")
        self.assertEqual(received.json["error_code"], "ERR_NGROK_201")
        self.assertNotIn("WWW-Authenticate", received.fields)

    def test_failures(self) -> None:
        """Too many wrong keys are answered 429, and when to come back."""
        for _ in range(5):
            self.code("GET", "/vaults", key="Bearer b4d")
        received = self.ask("GET", "/vaults")
        self.assertEqual((received.status, received.json["error_code"]), (429, "ERR_NGROK_226"))
        self.assertEqual(received.fields["Retry-After"], "60")

    def test_version(self) -> None:
        """The version is asked of those who have a key."""
        self.assertEqual(self.code("GET", "/vaults", version=None), (400, "ERR_NGROK_218"))
        self.assertEqual(self.code("GET", "/vaults", version="1"), (400, "ERR_NGROK_217"))
        self.assertEqual(self.code("GET", "/vaults", version=None, key=None), (403, "ERR_NGROK_200"))

    def test_restriction(self) -> None:
        """An address that is shut out does not get in with a good key."""
        self.shut_out = True
        self.assertEqual(self.code("GET", "/vaults"), (403, "ERR_NGROK_220"))

    def test_query(self) -> None:
        """The query is checked."""
        self.assertEqual(self.code("GET", "/vaults?nonsense=1"), (400, "ERR_NGROK_231"))
        self.assertEqual(self.code("GET", "/vaults?limit=0"), (400, "ERR_NGROK_233"))

    def test_resource_errors(self) -> None:
        """What a resource refuses has ngrok's codes, and each field's problem in the details."""
        self.assertEqual(self.code("GET", "/vaults/x"), (404, "ERR_NGROK_222"))
        self.assertEqual(self.code("GET", "/vaults/vault_" + "0" * 27), (404, ""))
        received = self.ask("POST", "/vaults", {"name": 1, "color": "red"})
        self.assertLessEqual({"name", "color"}, set(received.json["details"]))

    def test_other_account(self) -> None:
        """What another account has is not there."""
        id = self.ask("POST", "/vaults", {"name": "a"}).json["id"]
        self.assertEqual(self.code("GET", f"/vaults/{id}", key="Bearer other")[0], 404)

    def test_raised(self) -> None:
        """Whatever a method raises becomes an answer."""
        for error, expected in (
            (APIError(214, "a"), (400, "ERR_NGROK_214")),
            (Refused(414, "a"), (400, "ERR_NGROK_414")),
            (InvalidConfig([Problem("a", "b", code=600)]), (400, "ERR_NGROK_600")),
        ):
            self.result = _raising(error)
            self.assertEqual(self.code("GET", "/call"), expected)

    def test_defect(self) -> None:
        """A defect of ours is logged with its cause, and answered without."""
        self.result = _raising(ZeroDivisionError("s3cret"))
        received = self.ask("GET", "/call")
        self.assertEqual(received.status, 500)
        self.assertNotIn(b"s3cret", received.body)
        self.assertNotIn(b"ZeroDivision", received.body)
        self.assertEqual(received.json["details"], {"operation_id": received.fields["ngrok-operation-id"]})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.result = lambda: Answer(200, {})
        self.assertEqual(self.ask("GET", "/call").status, 200)

    def test_defect_in_answer(self) -> None:
        """So is an answer that cannot be written."""
        self.result = lambda: Answer(200, {"a": float("nan")})
        self.assertEqual(self.code("GET", "/call"), (500, ""))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_store(self) -> None:
        """Where the store is out of order, the caller is told to come again."""
        self.result = _raising(StoreUnusable("postgresql://user:s3cret@host"))
        received = self.ask("GET", "/call")
        self.assertEqual((received.status, received.fields["Retry-After"]), (503, "1"))
        self.assertNotIn(b"s3cret", received.body)
        self.assertEqual(len(self.flushLoggedErrors(StoreUnusable)), 1)


class BodyTests(SiteCase):
    """Bodies."""

    def test_no_body(self) -> None:
        """No body is an empty object, with and without a type, and also if it is sent in no chunks."""
        for lines in ((), ("Content-Length: 0",), ("Content-Type: application/json",)):
            self.assertEqual(self.ask("POST", "/echo", None, *lines).json, {"data": {}})
        self.assertEqual(
            self.send(self.head("POST", "/echo", "Transfer-Encoding: chunked") + b"0\r\n\r\n").json, {"data": {}}
        )

    def test_labels(self) -> None:
        """The type must be there, and be JSON."""
        length = "Content-Length: 2"
        raw = self.send(self.head("POST", "/echo", length) + b"{}")
        self.assertEqual(raw.json["error_code"], "ERR_NGROK_216")
        self.assertEqual(self.code("POST", "/echo", {}, "Content-Type: text/plain"), (400, "ERR_NGROK_210"))
        self.assertEqual(self.code("POST", "/echo", {}, "Content-Encoding: gzip"), (400, "ERR_NGROK_210"))

    def test_bad_json(self) -> None:
        """What is no JSON is refused, and the connection stays usable."""
        self.assertEqual(self.code("POST", "/echo", b'{"a": 1, "a": 2}'), (400, "ERR_NGROK_213"))
        self.assertEqual(self.ask("POST", "/echo", [1]).json, {"data": [1]})

    def test_ignored(self) -> None:
        """Methods without a body do not look at what comes with them."""
        junk = b'"ts_2NC" not json'
        self.assertEqual(self.ask("POST", "/deaf", junk).status, 204)
        self.assertEqual(self.ask("GET", "/vaults", junk, "Content-Type: text/plain").status, 200)
        self.assertEqual(self.ask("GET", "/vaults", None, "Content-Type: application/json").status, 200)

    def test_lenient(self) -> None:
        """A method that can do without a body takes one that cannot be used for none."""
        good = self.ask("POST", "/lenient", b'{"a":1}', "Content-Type: application/json")
        self.assertEqual(good.json, {"data": {"a": 1}})
        for body, *fields in ((b"ts_2NC", "Content-Type: application/json"), (b'{"a":1}', "Content-Type: text/plain")):
            self.assertEqual(self.ask("POST", "/lenient", body, *fields).json, {"data": {}})

    def test_in_pieces(self) -> None:
        """A body may come slowly, and in chunks."""
        data = self.head("POST", "/echo", "Content-Type: application/json", "Transfer-Encoding: chunked")
        for byte in data + b'4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n':
            self.visitor.send(bytes([byte]))
        self.assertEqual(self.visitor.take(), b"")
        self.assertEqual(self.send(b"\r\n").json, {"data": {"a": 1}})

    def test_continue(self) -> None:
        """A client that waits for 100 gets it, but only with a key that is good."""
        lines = ("Content-Type: application/json", "Content-Length: 2", "Expect: 100-continue")
        self.visitor.send(self.head("POST", "/echo", *lines))
        self.assertEqual(statuses(self.visitor.take()), [100])
        self.assertEqual(self.send(b"{}").status, 200)
        refused = self.send(self.head("POST", "/echo", *lines, key=None))
        self.assertEqual((refused.status, refused.fields["Connection"]), (403, "close"))

    def test_too_large(self) -> None:
        """A body has a bound, whether its length is told before or not."""
        head = self.head("POST", "/echo", "Content-Type: application/json", f"Content-Length: {BODY_MAX + 1}")
        received = self.send(head)
        self.assertEqual((received.status, received.json["status_code"]), (413, 413))
        self.visitor = self.visit()
        self.visitor.send(self.head("POST", "/echo", "Content-Type: application/json", "Transfer-Encoding: chunked"))
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        for _ in range(16):
            self.visitor.send(chunk)
        self.assertEqual(self.visitor.take(), b"")
        self.assertEqual(self.send(chunk).status, 413)

    def test_largest(self) -> None:
        """A body of exactly the bound is read."""
        self.assertEqual(self.ask("POST", "/echo", b"[" + b" " * (BODY_MAX - 2) + b"]").json, {"data": []})

    def test_broken(self) -> None:
        """A body whose chunks are not valid is answered in the API's shape, and the connection closes."""
        self.visitor.send(self.head("POST", "/echo", "Transfer-Encoding: chunked"))
        received = self.send(b"zz\r\n")
        self.assertEqual((received.status, received.json["status_code"]), (400, 400))
        self.assertTrue(self.visitor.wire.ended)

    def test_too_slow(self) -> None:
        """A body that does not go on is given up."""
        self.visitor.send(self.head("POST", "/echo", "Content-Length: 2") + b"{")
        self.harness.clock.advance(1)
        for _ in range(10):
            self.harness.clock.advance(60)
        received = Received(self.visitor.take())
        self.assertEqual((received.status, received.json["status_code"]), (408, 408))

    def test_trickle(self) -> None:
        """A body that never ends, though it goes on, is given up, and takes no place any more."""
        self.patch(access, "AT_ONCE_MAX", 1)
        self.visitor.send(self.head("POST", "/echo", "Content-Length: 1000") + b"{")
        for _ in range(5):
            self.harness.clock.advance(BODY_TIMEOUT / 6)
            self.visitor.send(b" ")
        self.assertEqual(self.visitor.take(), b"")
        self.harness.clock.advance(BODY_TIMEOUT / 6)
        received = Received(self.visitor.take())
        self.assertEqual((received.status, received.json["status_code"]), (408, 408))
        self.visitor = self.visit()
        self.assertEqual(self.ask("GET", "/vaults").status, 200)

    def test_key_deleted_meanwhile(self) -> None:
        """A key that is deleted while a body is sent is of no more use."""
        self.visitor.send(self.head("POST", "/echo", "Content-Length: 2", "Content-Type: application/json") + b"{")
        self.keys.deleted = True
        received = self.send(b"}")
        self.assertEqual((received.status, received.json["error_code"]), (403, "ERR_NGROK_203"))
        self.assertEqual(self.calls, [])

    def test_left(self) -> None:
        """Whoever leaves in mid-body has asked for nothing."""
        self.visitor.send(self.head("POST", "/echo", "Content-Length: 2") + b"{")
        self.visitor.leave()
        self.assertEqual(self.calls, [])


class LeavingTests(SiteCase):
    """Callers that do not wait."""

    def test_change_is_followed_to_its_end(self) -> None:
        """A change whose caller has left is made nevertheless, and logged."""
        self.visitor.send(self.head("POST", "/wait"))
        self.visitor.leave()
        with capturedLogs() as events:
            self.waiting.callback(Answer(201, {}))
        self.assertEqual([event["status"] for event in events if "status" in event], [201])
        self.assertEqual(self.visitor.take(), b"")

    def test_place_is_free_again(self) -> None:
        """Whoever has left takes no place among those who are worked on, once the work is done."""
        self.patch(access, "AT_ONCE_MAX", 1)
        self.visitor.send(self.head("POST", "/wait"))
        self.visitor.leave()
        self.visitor = self.visit()
        self.assertEqual(self.code("GET", "/vaults"), (429, "ERR_NGROK_225"))
        self.waiting.callback(Answer(200, {}))
        self.assertEqual(self.ask("GET", "/vaults").status, 200)

    def test_record_is_made(self) -> None:
        """A record that was posted and not waited for is there."""
        locked = self.harness.control._changing
        self.assertNoResult(locked.acquire().addCallback(lambda lock: Deferred()))
        raw = b'{"name":"a"}'
        lines = ("Content-Type: application/json", f"Content-Length: {len(raw)}")
        self.visitor.send(self.head("POST", "/vaults", *lines) + raw)
        self.assertEqual(self.visitor.take(), b"")
        self.visitor.leave()
        locked.release()
        self.assertEqual([vault.name for vault in self.harness.control.records.all(Vault)], ["a"])


class CORSTests(SiteCase):
    """Pages of other origins."""

    def test_preflight(self) -> None:
        """A preflight needs no key and lists the methods of the path."""
        lines = ("Origin: https://a.example", "Access-Control-Request-Method: PATCH")
        lines += ("Access-Control-Request-Headers: authorization",)
        received = self.ask("OPTIONS", "/vaults/x", None, *lines, key=None, version=None)
        self.assertEqual(received.status, 204)
        self.assertEqual(received.fields["Access-Control-Allow-Methods"], "DELETE, GET, PATCH")
        self.assertEqual(received.fields["Access-Control-Allow-Origin"], "https://a.example")
        self.assertEqual(received.fields["Access-Control-Allow-Headers"], "authorization")
        self.assertEqual(received.fields["Access-Control-Max-Age"], "600")
        self.assertEqual(self.ask("OPTIONS", "/x", None, *lines).status, 404)

    def test_answers(self) -> None:
        """Answers and errors say that the page may read them."""
        for key in (KEY, None):
            received = self.ask("GET", "/vaults", None, "Origin: https://a.example", key=key)
            self.assertEqual(received.fields["Access-Control-Allow-Origin"], "https://a.example")
        self.assertNotIn("Access-Control-Allow-Origin", self.ask("GET", "/vaults").fields)


class LogTests(SiteCase):
    """What is written about calls."""

    def lines(self, work: Callable[[], Any]) -> list[Mapping[str, Any]]:
        """The events that are logged meanwhile by the API."""
        with capturedLogs() as events:
            work()
        return [event for event in events if event["log_namespace"].endswith("APIResource")]

    def test_one_line(self) -> None:
        """A call is one line: who, what, how it went, and nothing of what was sent."""
        (event,) = self.lines(lambda: self.ask("PATCH", "/vaults/vault_s3cret?s3cret=1", {"name": "s3cret"}))
        self.assertEqual(event["log_level"], LogLevel.info)
        shown = {name: event[name] for name in ("verb", "path", "status", "key", "account")}
        self.assertEqual(
            shown,
            {
                "verb": "PATCH",
                "path": "/vaults/{id}",
                "status": 400,
                "key": principal().credential_id,
                "account": ACCOUNT,
            },
        )
        self.assertTrue(re.match("op_", event["operation"]))
        self.assertNotIn("s3cret", repr(event))

    def test_nobody(self) -> None:
        """A refused key is not repeated."""
        (event,) = self.lines(lambda: self.ask("GET", "/s3cret", key="Bearer s3cret"))
        self.assertEqual((event["key"], event["account"], event["path"]), ("-", "-", "-"))
        self.assertNotIn("s3cret", repr(event))


def _raising(error: Exception) -> Callable[[], Any]:
    def perform() -> Any:
        raise error

    return perform
