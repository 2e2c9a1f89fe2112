"""
Tests for `ngrok_twisted.observability.access`.
"""

import os
import stat

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.errors import EndpointOffline
from ngrok_twisted.flow import Flow
from ngrok_twisted.observability.access import FLUSH_BYTES, AccessLog, line


def request() -> Flow:
    """A flow of one finished request."""
    flow = Flow("192.0.2.7", 5000, "https", 10.0)
    flow.method, flow.target, flow.host, flow.status = b"GET", b"/a?b=c", "app.example.com", 200
    flow.version = b"HTTP/2.0"
    flow.bytes_in, flow.bytes_out, flow.ended = 3, 4, 10.5
    return flow


class LineTests(SynchronousTestCase):
    """One flow makes one line."""

    def test_request(self) -> None:
        """A request's line says who asked what of whom, and how it ended."""
        self.assertRegex(
            line(request(), 1.5),
            r"^time=1\.500 flow=\d+ proto=https peer=192\.0\.2\.7 host=app\.example\.com method=GET target=/a\?b=c "
            r"version=HTTP/2\.0 status=200 in=3 out=4 ms=500\.0\n$",
        )

    def test_error(self) -> None:
        """The code of an error is there to grep for."""
        flow = request()
        flow.error = EndpointOffline()
        self.assertIn(" error=ERR_NGROK_3200\n", line(flow, 0))

    def test_verdicts(self) -> None:
        """What modules decided is there to grep for; other things that they note are not."""
        flow = request()
        flow.remember("circuit_breaker.decision", "block")
        flow.remember("basic_auth.username", "a b")
        flow.remember("secret", "hush")
        self.assertTrue(line(flow, 0).endswith(" circuit_breaker.decision=block basic_auth.username=a\\x20b\n"))

    def test_one_line_whatever_comes(self) -> None:
        """A visitor cannot forge a second line or another field, or fill the disk."""
        flow = request()
        flow.target = b"/\r\ntime=0 status=200 \x00\xff\x85" + b"a" * 10000
        text = line(flow, 0)
        self.assertEqual(text.count("\n"), 1)
        self.assertNotIn("\r", text)
        self.assertEqual(text.count(" status="), 1)
        self.assertLess(len(text), 3000)


class AccessLogTests(SynchronousTestCase):
    """Lines reach the file soon, in few writes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.path = self.mktemp()
        self.log = AccessLog(self.path, self.clock)

    def lines(self) -> int:
        """How many lines the file holds."""
        if not os.path.exists(self.path):
            return 0
        with open(self.path) as file:
            return len(file.readlines())

    def test_within_a_second(self) -> None:
        """A line is in the file a second later, and the file is private."""
        self.log(request())
        self.assertEqual(self.lines(), 0)
        self.clock.advance(1)
        self.assertEqual(self.lines(), 1)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_bounded(self) -> None:
        """Under load the lines are written before the second is over."""
        for _ in range(FLUSH_BYTES // 100):
            self.log(request())
        self.assertGreater(self.lines(), 0)

    def test_rotated(self) -> None:
        """A file that was moved away is left alone and a new one begun."""
        self.log(request())
        self.log.flush()
        os.rename(self.path, self.path + ".1")
        self.log(request())
        self.log.flush()
        self.assertEqual(self.lines(), 1)

    def test_full_disk(self) -> None:
        """Lines that cannot be written are counted in the log; later ones are written again."""
        self.log = AccessLog(os.path.join(self.path, "missing", "access.log"), self.clock)
        self.log(request())
        self.log.flush()
        os.makedirs(os.path.join(self.path, "missing"))
        self.log(request())
        self.log.flush()
        with open(os.path.join(self.path, "missing", "access.log")) as file:
            self.assertEqual(len(file.readlines()), 1)

    def test_stop(self) -> None:
        """The last lines are written when the service stops, and no call is left behind."""
        self.log(request())
        self.log.stopService()
        self.assertEqual(self.lines(), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
