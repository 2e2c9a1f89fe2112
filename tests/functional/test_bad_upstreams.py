"""
Local services that are broken: visitors get a page that names the cause, and other tunnels do not notice.
"""

from __future__ import annotations

from http.client import IncompleteRead

from tests.functional.case import EdgeTestCase
from tests.functional.clients import open_tls, read_all
from tests.functional.ports import free_port
from tests.functional.service import Service, hang_up, resetting, say
from tests.functional.web import Web


class UnreachableTests(EdgeTestCase):
    """Services that are not there."""

    def test_refuses(self) -> None:
        """Nobody listens: 502 with the code; when the service starts, the same tunnel serves it."""
        port = free_port()
        url = self.ssh(f"{self.new_name()}:443:127.0.0.1:{port}", command="http").url()
        answer = self.get(url)
        self.assertEqual((answer.status, answer.headers.get("ngrok-error-code")), (502, "ERR_NGROK_8012"))
        self.serve(Web("late", port))
        self.assertEqual(self.get(url).headers.get("x-service"), "late")

    def test_restarts(self) -> None:
        """A service that restarts between two requests is found again, on a kept connection, too."""
        port = free_port()
        first = Web("first", port)
        url = self.publish(first)
        self.assertEqual(self.get(url).headers.get("x-service"), "first")
        first.close()
        self.eventually(lambda: self.get(url).status == 502, "answer 502")
        self.serve(Web("second", port))
        self.assertEqual(self.get(url).headers.get("x-service"), "second")

    def test_drops_idle_connections(self) -> None:
        """A service that closes connections it has kept open fails no request."""
        service = self.web()
        url = self.publish(service)
        for _ in range(10):
            self.assertEqual(self.get(url).status, 200)
            service.drop_connections()
            self.assertEqual(self.get(url).status, 200)


class BrokenAnswerTests(EdgeTestCase):
    """Services whose answers cannot be believed."""

    def assert_bad_gateway(self, service: Service) -> None:
        """The visitor gets 502 with a code."""
        answer = self.get(self.publish(self.serve(service)))
        self.assertEqual(answer.status, 502, answer)
        self.assertTrue(answer.headers["ngrok-error-code"].startswith("ERR_NGROK_"))

    def test_resets(self) -> None:
        """A reset instead of an answer."""
        self.assert_bad_gateway(Service(resetting))

    def test_hangs_up(self) -> None:
        """A close instead of an answer."""
        self.assert_bad_gateway(Service(hang_up))

    def test_garbage(self) -> None:
        """Answers that are no HTTP, or are ambiguous."""
        head = b"HTTP/1.1 200 OK\r\n"
        for answer in (
            b"\x00\x01\x02\x03" * 100,
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            head + b"Content-Length: x\r\n\r\n",
            head + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            head + b"Bad Name: x\r\nContent-Length: 0\r\n\r\n",
            head + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
            head + b"Transfer-Encoding: zip\r\n\r\n",
        ):
            self.assert_bad_gateway(Service(say(answer)))

    def test_endless_head(self) -> None:
        """A head that never ends is cut off at the limit."""
        self.assert_bad_gateway(Service(say(b"HTTP/1.1 200 OK\r\n", *[b"X-Flood: " + b"x" * 60000 + b"\r\n"] * 40)))

    def test_endless_hints(self) -> None:
        """1xx answers without an end are given up."""
        name = self.new_name()
        hints = [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"] * 20000
        self.publish(self.serve(Service(say(*hints))), name)
        connection = open_tls(self.edge, name)
        self.addCleanup(connection.close)
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        received = read_all(connection)
        self.assertLess(received.count(b"HTTP/1.1 103"), 1000)

    def test_short_body(self) -> None:
        """A body that ends early ends visibly early for the visitor."""
        url = self.publish(self.web())
        with self.assertRaises((IncompleteRead, OSError)):
            self.get(f"{url}/short")

    def test_broken_chunks(self) -> None:
        """A chunked body that breaks is never ended as if it were whole."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for body in (
            b"5\r\nhello\r\nxyz\r\n",
            b"5\r\nhello\r\n",
            b"5\r\nhello",
            b"-5\r\n",
            b"5\r\nhelloworld\r\n0\r\n\r\n",
        ):
            name = self.new_name()
            self.publish(self.serve(Service(say(head, body))), name)
            connection = open_tls(self.edge, name)
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            received = read_all(connection)
            connection.close()
            self.assertFalse(received.endswith(b"\r\n0\r\n\r\n") and b" 200 " in received[:20], received)

    def test_smuggled_answer(self) -> None:
        """What a service sends behind its answer is never another visitor's answer."""
        poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
        service = self.serve(Service(say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine" + poison)))
        url = self.publish(service)
        for _ in range(5):
            self.assertEqual(self.get(url).body, b"fine")

    def test_switches_unasked(self) -> None:
        """101 without a question is no answer."""
        self.assert_bad_gateway(
            Service(say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"))
        )


class SlowTests(EdgeTestCase):
    """Services that keep silent."""

    def test_others_go_on(self) -> None:
        """While one service keeps many visitors waiting, another on the same agent answers."""
        slow, quick = self.web("slow"), self.web("quick")
        names = [self.new_name(), self.new_name()]
        forwards = [f"{name}:443:127.0.0.1:{service.port}" for name, service in zip(names, (slow, quick))]
        self.ssh(*forwards, command="http").urls(2)
        waiting = [open_tls(self.edge, names[0]) for _ in range(40)]
        for connection in waiting:
            connection.sendall(f"GET /wait HTTP/1.1\r\nHost: {names[0]}\r\nConnection: close\r\n\r\n".encode())
        self.eventually(lambda: len(slow.asked) == 40, "40 waiting requests")
        for _ in range(5):
            self.assertEqual(self.get(f"https://{names[1]}/").headers.get("x-service"), "quick")
        slow.gate.set()
        for connection in waiting:
            self.assertTrue(read_all(connection).endswith(b"waited\n"))
            connection.close()
