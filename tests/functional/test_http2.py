"""
Visitors that speak HTTP/2, with a service behind ssh that speaks HTTP/1.1.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import threading
import time
from typing import Any

from h2.errors import ErrorCodes

from tests.functional.case import EdgeTestCase
from tests.functional.clients import curl, full_name
from tests.functional.h2_client import H2Client
from tests.functional.http_case import HTTPTestCase
from tests.functional.test_life import OwnEdgeTestCase
from tests.functional.tools import ROOT, peer, program, require, tool
from tests.functional.web import Web, checksum, pattern

MEGABYTE = 1024 * 1024


class SpecificationTests(EdgeTestCase):
    """h2spec: one case for each thing that the specification demands."""

    def test_h2spec(self) -> None:
        """Not one of its cases fails, those for "should" included."""
        h2spec = ROOT / ".cache" / "go" / "h2spec"
        require(h2spec.exists(), "h2spec in .cache/go")
        command = [str(h2spec), "-h", "127.0.0.1", "-p", str(self.edge.https), "-t", "-k", "-o", "5", "-S"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=80)
        found = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", done.stdout)
        assert found is not None, done.stdout[-2000:] + done.stderr
        self.assertEqual(found[4], "0", done.stdout[-6000:])
        self.assertEqual(found[1], found[2])
        self.assertGreater(int(found[1]), 140)


class HTTP2TestCase(HTTPTestCase):
    """A connection to a service's name."""

    def client(self, **options: Any) -> H2Client:
        """A new connection."""
        client = H2Client(self.edge, self.host, **options)
        self.addCleanup(client.close)
        return client


class ClientTests(HTTP2TestCase):
    """Programs that people use."""

    def test_curl(self) -> None:
        """curl gets, posts, waits for 100, and asks for heads only, all in version 2."""
        path = self.edge.directory / "upload"
        path.write_bytes(b"".join(pattern(5 * MEGABYTE)))
        show = ("--http2", "-w", "\n%{http_version} %{http_code}")
        self.assertTrue(curl(self.edge, *show, self.url).endswith("hello from web\n\n2 200"))
        for words in (
            ("--data-binary", f"@{path}"),
            ("-T", str(path)),
            ("-H", "Expect: 100-continue", "-T", str(path)),
        ):
            body, _, shown = curl(self.edge, *show, *words, f"{self.url}/continue").rpartition("\n")
            self.assertEqual((shown, json.loads(body)["sha1"]), ("2 200", checksum(5 * MEGABYTE)), words)
        self.assertTrue(curl(self.edge, *show, "-I", f"{self.url}/size/77").endswith("\n2 200"))
        self.assertTrue(curl(self.edge, *show, "--data-binary", f"@{path}", f"{self.url}/early").endswith("\n2 413"))
        sized = curl(self.edge, "--http2", f"{self.url}/size/{3 * MEGABYTE}", text=False)
        self.assertEqual(hashlib.sha1(sized).hexdigest(), checksum(3 * MEGABYTE))

    def test_hyper(self) -> None:
        """hyper, as reqwest has it: many at once, uploads, downloads, early answers."""
        command = [tool("python"), peer("hyper_client.py"), str(self.edge.ca), str(self.edge.https), self.host]
        done = subprocess.run(command, capture_output=True, text=True, timeout=80)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(
            json.loads(done.stdout),
            {
                "version": "HTTP/2.0",
                "status": 200,
                "many": True,
                "upload": True,
                "download": checksum(5_000_000),
                "early": 413,
                "missing": 404,
            },
        )

    def test_nghttp(self) -> None:
        """nghttp, which sets priorities and depends streams upon each other."""
        url = f"https://127.0.0.1:{self.edge.https}"
        urls = [f"{url}/size/{size}" for size in (300_000, 200_000, 100_000, 1)]
        command = [program("nghttp"), "-n", "-s", "-p", "200", "--no-verify-peer", f"-H:authority: {self.host}", *urls]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(re.findall(r" 200 +\S+ /size/", done.stdout)), 4, done.stdout)

    def test_h2load(self) -> None:
        """h2load, with as many requests at once as it is told that there may be."""
        command = [program("h2load"), "-n", "2000", "-c", "2", "-m", "100", f"--connect-to=127.0.0.1:{self.edge.https}"]
        done = subprocess.run([*command, self.url + "/"], capture_output=True, text=True, timeout=80)
        self.assertIn("2000 succeeded, 0 failed, 0 errored", done.stdout)
        self.assertIn("2000 2xx", done.stdout)

    def test_api(self) -> None:
        """The management API is there, too."""
        shown = curl(self.edge, "--http2", "-w", "\n%{http_version} %{http_code}", self.edge.url("api", "/endpoints"))
        self.assertTrue(shown.endswith("\n2 403"), shown)


class MessageTests(HTTP2TestCase):
    """Requests and responses, frame by frame."""

    def test_one_request(self) -> None:
        """The service sees an ordinary request, with the visitor's cookies in one piece."""
        fields = [("cookie", "a=b"), ("accept", "*/*"), ("cookie", "c=d"), ("x-forwarded-for", "192.0.2.1")]
        seen = json.loads(self.client().answer("/echo?x=y", "POST", fields, b"hello").body)
        headers = {name.lower(): value for name, value in seen["headers"]}
        self.assertEqual((seen["method"], seen["target"], seen["version"]), ("POST", "/echo?x=y", "HTTP/1.1"))
        self.assertEqual((headers["cookie"], headers["x-forwarded-for"]), ("a=b; c=d", "192.0.2.1, 127.0.0.1"))
        self.assertEqual((headers["host"], headers["x-forwarded-proto"]), (f"{self.host}:{self.edge.https}", "https"))
        self.assertEqual((headers["transfer-encoding"], seen["length"]), ("chunked", 5))

    def test_trailers(self) -> None:
        """Trailers go both ways."""
        client = self.client()
        answer = client.answer("/chunks/3")
        self.assertEqual((len(answer.body), answer.heads[1]), (3000, {"x-count": "3"}))
        stream = client.ask("/echo", "POST", body=b"hello", end=False)
        client.h2.send_headers(stream.number, [("x-sum", "1")], end_stream=True)
        client.flush()
        client.wait(lambda: stream.over)
        self.assertEqual(json.loads(stream.body)["trailers"], [["x-sum", "1"]])

    def test_informational(self) -> None:
        """Informational responses come first."""
        client = self.client()
        self.assertEqual(client.answer("/hints").statuses, [103, 103, 200])
        stream = client.ask("/continue", "POST", [("expect", "100-continue")], end=False)
        client.wait(lambda: stream.heads)
        self.assertEqual(stream.statuses, [100])
        client.send(stream, b"x" * 1000, end=True)
        client.wait(lambda: stream.over)
        self.assertEqual((stream.statuses, json.loads(stream.body)["length"]), ([100, 200], 1000))

    def test_kinds_of_bodies(self) -> None:
        """However the service ends its body, the visitor sees one that ends; one that breaks off is reset."""
        client = self.client()
        for path, status, size in (
            ("/size/100000", 200, 100_000),
            ("/until-close/100000", 200, 100_000),
            ("/old", 200, 4),
            ("/status/204", 204, 0),
            ("/status/304", 304, 0),
        ):
            answer = client.answer(path)
            self.assertEqual((answer.statuses, len(answer.body), answer.ended), ([status], size, True), path)
        self.assertEqual(client.answer("/size/10", "HEAD").heads[0]["content-length"], "10")
        broken = client.answer("/short")
        self.assertEqual((broken.ended, broken.reset), (False, ErrorCodes.INTERNAL_ERROR))

    def test_events(self) -> None:
        """Server-sent events arrive one by one, as they happen."""
        client = self.client()
        stream = client.ask("/events")
        for number in range(5):
            self.service.tick.release()
            client.wait(lambda: f"data: event {number}\n\n".encode() in stream.body)
        self.assertFalse(stream.over)

    def test_large_head(self) -> None:
        """Heads of a hundred kilobytes pass, either way; those over the limit are answered 431."""
        client = self.client()
        answer = client.answer("/large-head/100000")
        self.assertEqual(len(answer.heads[0]["x-large"]), 100_000)
        seen = json.loads(client.answer("/echo", fields=[("x-large", "v" * 100_000)]).body)
        self.assertIn(["x-large", "v" * 100_000], seen["headers"])
        many = [(f"x-{number}", "") for number in range(1100)]
        self.assertEqual(client.answer("/echo", fields=many).statuses, [431])
        self.assertEqual(client.answer("/").statuses, [200])

    def test_other_names(self) -> None:
        """A name of another endpoint is not reached over this connection, which goes on."""
        other = self.publish(self.web("other"))
        client = self.client()
        for authority in (other.partition("://")[2], full_name("nobody"), "example.com"):
            self.assertEqual(client.answer(authority=authority).statuses, [421])
        self.assertEqual(client.answer("/").statuses, [200])

    def test_cancelled(self) -> None:
        """A visitor that cancels frees the service's connection."""
        client = self.client()
        stream = client.ask("/events")
        self.service.tick.release()
        client.wait(lambda: stream.body)
        lost = len(self.service.lost)
        client.h2.reset_stream(stream.number, ErrorCodes.CANCEL)
        client.flush()

        def gone() -> bool:
            self.service.tick.release()
            return len(self.service.lost) > lost

        self.eventually(gone, "end of the service's connection")

    def test_offline(self) -> None:
        """A name without a service says so; to gRPC in its own way."""
        name = full_name("offline-two")
        client = H2Client(self.edge, name)
        self.addCleanup(client.close)
        answer = client.answer("/")
        self.assertEqual((answer.statuses, answer.heads[0]["ngrok-error-code"]), ([404], "ERR_NGROK_3200"))
        answer = client.answer("/a.B/C", "POST", [("content-type", "application/grpc"), ("te", "trailers")], b"")
        self.assertEqual((answer.statuses, answer.heads[0]["grpc-status"]), ([200], "14"))


class SharingTests(HTTP2TestCase):
    """Many streams on one connection."""

    def test_slow_stream(self) -> None:
        """Streams that nobody reads hold up nobody else, in either direction."""
        client = self.client()
        stuck = [client.ask(f"/size/{50 * MEGABYTE}", reads=False) for _ in range(20)]
        waiting = [client.ask("/wait", "POST", body=bytes(60_000), end=False) for _ in range(20)]
        for _ in range(3):
            answer = client.answer(f"/size/{2 * MEGABYTE}")
            self.assertEqual(hashlib.sha1(answer.body).hexdigest(), checksum(2 * MEGABYTE))
        uploaded = client.answer("/echo", "POST", body=b"".join(pattern(2 * MEGABYTE)))
        self.assertEqual(json.loads(uploaded.body)["sha1"], checksum(2 * MEGABYTE))
        self.assertTrue(all(len(stream.body) == 65_535 for stream in stuck))
        self.assertFalse(any(stream.over for stream in waiting))

    def test_equal_shares(self) -> None:
        """A hundred downloads at once, for a visitor that takes less than they could send, get on alike."""
        client = self.client(window=MEGABYTE, connection_window=0)
        size = 200_000
        streams = [client.ask(f"/size/{size}") for _ in range(100)]
        time.sleep(3)  # what the edge may hold of each is there
        client.wait(lambda: sum(len(stream.body) for stream in streams) >= 65_535)
        early = [len(stream.body) for stream in streams]  # what was sent before all had asked
        client.wait(lambda: sum(len(stream.body) for stream in streams) > 4 * MEGABYTE)
        shares = [len(stream.body) - before for stream, before in zip(streams, early)]
        self.assertLess(max(shares) - min(shares), 3 * 16_384, shares)
        client.wait(lambda: all(stream.over for stream in streams))
        self.assertEqual({len(stream.body) for stream in streams}, {size})

    def test_memory(self) -> None:
        """A hundred endless downloads that nobody takes, and as many uploads, cost little; and it is given back."""
        before = self.edge.resident_megabytes()
        clients = [self.client(window=0) for _ in range(3)]
        for client in clients:
            for _ in range(100):
                client.ask(f"/size/{100 * MEGABYTE}", reads=False)
        time.sleep(2)
        self.assertLess(self.edge.resident_megabytes() - before, 200)
        for client in clients:
            client.close()
        self.assertEqual(self.client().answer("/").statuses, [200])


class AttackTests(HTTP2TestCase):
    """What must not work, with a real edge; the cases are in ``tests/edge/test_http2_attacks.py``."""

    def told_off(self, client: H2Client) -> None:
        """The connection was ended for what it did."""
        while client.read(10):
            pass
        self.assertTrue(client.closed)
        self.assertIn(client.goaways[-1:], ([ErrorCodes.ENHANCE_YOUR_CALM], []))

    def test_rapid_reset(self) -> None:
        """Requests that are cancelled at once end the connection, before the service has seen many."""
        client = self.client()
        for _ in range(5000):
            stream = client.ask("/wait")
            client.h2.reset_stream(stream.number, ErrorCodes.CANCEL)
            client.flush()
            if client.closed:
                break
        self.told_off(client)
        self.assertLess(len([asked for asked in self.service.asked if asked.target == "/wait"]), 400)

    def test_pings(self) -> None:
        """A flood of pings ends the connection, and costs others nothing."""
        client, other = self.client(), self.client()
        ping = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
        for _ in range(100):
            client.raw(ping * 1000)
            if client.closed:
                break
        self.told_off(client)
        self.assertEqual(other.answer("/").statuses, [200])

    def test_smuggling(self) -> None:
        """Nothing that a service could take for another line, or another request, passes."""
        for name, value in (
            ("x", "y\r\nx-smuggled: 1"),
            ("x\r\nx-smuggled", "1"),
            ("x: y\r\nx-smuggled", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "0"),
            ("connection", "x-forwarded-for"),
        ):
            self.service.asked.clear()
            client = self.client()
            client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
            body = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
            stream = client.ask("/echo", "POST", [(name, value)], body)
            client.wait(lambda: stream.over)
            self.assertEqual((stream.statuses, stream.reset), ([], ErrorCodes.PROTOCOL_ERROR), name)
            self.assertEqual([asked.target for asked in self.service.asked if asked.target == "/smuggled"], [])


class DrainTests(OwnEdgeTestCase):
    """The edge stops."""

    def test_in_flight(self) -> None:
        """What is under way is finished, and so is what the visitor sent before it knew; then everybody leaves."""
        service: Web = self.web()
        name = self.new_name()
        self.publish(service, name)
        client = H2Client(self.edge, name)
        self.addCleanup(client.close)
        streams = [client.ask("/wait") for _ in range(10)]
        self.eventually(lambda: len(service.asked) == 10, "ten requests")
        codes: list[int] = []
        stopping = threading.Thread(target=lambda: codes.append(self.edge.stop()))
        stopping.start()
        client.wait(lambda: client.goaways, "GOAWAY")
        service.gate.set()
        client.wait(lambda: all(stream.over for stream in streams))
        self.assertEqual({bytes(stream.body) for stream in streams}, {b"waited\n"})
        while client.read(10):
            pass
        stopping.join(40)
        self.assertEqual((codes, set(client.goaways), client.closed), ([0], {0}, True))
