"""
Chromium, and what a page does on one connection of HTTP/2: through ssh, through an agent, and while the edge restarts.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.functional.agents import PythonSDK, Wish
from tests.functional.case import EdgeTestCase
from tests.functional.edge import AUTHTOKEN
from tests.functional.service import PATIENCE
from tests.functional.test_browser import FLAGS, key_pin
from tests.functional.test_http2_websocket import Chat
from tests.functional.test_restart import RestartCase
from tests.functional.tools import program
from tests.functional.web import Asked

#: What each page begins with: what it finds out is told to the service.
START = """<!doctype html><body><script>
const tell = told => fetch("/told", {method: "POST", body: JSON.stringify(told)});
const text = async (path, options) => (await fetch(path, options)).text();
"""

#: A hundred images, an upload that is sent as it is made, events, and a WebSocket, beside one another.
EVERYTHING = START + """
async function images() {
  await Promise.all([...Array(100).keys()].map(number => new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = resolve; image.onerror = reject;
    image.src = "/image/" + number;
  })));
  const entries = performance.getEntriesByType("resource").filter(entry => entry.name.includes("/image/"));
  return entries.map(entry => entry.nextHopProtocol).join();
}
async function upload() {
  let step = 0;
  const body = new ReadableStream({async pull(controller) {
    step += 1;
    if (step === 2) await text("/arrived/1000");
    if (step === 3) controller.close(); else controller.enqueue(new Uint8Array(step === 1 ? 1000 : 300000));
  }});
  return JSON.parse(await text("/echo", {method: "POST", body, duplex: "half"})).length;
}
function events() {
  return new Promise((resolve, reject) => {
    const source = new EventSource("/events"), heard = [];
    source.onerror = reject;
    source.onopen = () => fetch("/go");
    source.onmessage = event => {
      heard.push(event.data);
      if (heard.length < 3) return fetch("/go");
      source.close();
      resolve(heard);
    };
  });
}
function chat() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket("wss://" + location.host + "/chat"), heard = [];
    socket.onopen = () => socket.send("hello");
    socket.onmessage = event => { heard.push(event.data); socket.close(); };
    socket.onclose = event => resolve([...heard, event.code]);
    socket.onerror = reject;
  });
}
const settled = work => work().catch(error => "failed: " + error);
Promise.all([images, upload, events, chat].map(settled)).then(tell);
</script></body>"""

#: Images of another name, one of them before the others.
OTHERS = START + """
const other = new URLSearchParams(location.search).get("other");
const image = number => new Promise(resolve => {
  const image = new Image();
  image.onload = () => resolve("shown"); image.onerror = () => resolve("failed");
  image.src = other + "/image/" + number;
});
image(99).then(first => Promise.all([first, ...[...Array(20).keys()].map(image)])).then(tell);
</script></body>"""

#: Requests in flight while the edge restarts, requests meanwhile, then the page again.
RELOADED = START + """
async function first() {
  const waiting = text("/wait");
  await text("/restarting");
  const results = await Promise.all([waiting, ...[...Array(20).keys()].map(() => text("/"))]);
  await tell(results);
  location.hash = "again";
  location.reload();
}
const version = performance.getEntriesByType("navigation")[0].nextHopProtocol;
(location.hash ? tell(["again", version]) : first()).catch(error => tell(["failed: " + error]));
</script></body>"""


class Pages(Chat):
    """
    :ivar page: what is at ``/page``.
    :ivar told: what pages have told.
    :ivar restarting: ``/restarting`` answers when this is set.
    """

    page = EVERYTHING

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.restarting = threading.Event()
        super().__init__("pages")

    def do_page(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """The page."""
        self.send(
            connection, self.page.encode(), headers=[("Content-Type", "text/html"), ("Cache-Control", "no-store")]
        )

    def do_image(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """An image that nobody could see."""
        picture = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
        self.send(connection, picture, headers=[("Content-Type", "image/svg+xml")])

    def do_arrived(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """An answer once so many bytes of an upload are here."""
        while self.arrived < int(argument):
            self.gate.wait(0.01)
        self.send(connection)

    def do_go(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """The next event."""
        self.tick.release()
        self.send(connection)

    def do_restarting(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """The edge is about to restart."""
        self.restarting.wait(PATIENCE)
        self.send(connection)

    def do_told(self, connection: socket.socket, request: Asked, argument: str) -> None:
        """What a page tells."""
        self.told.append(json.loads(b"".join(request.body())))
        self.send(connection)


class Chromium(EdgeTestCase):
    """A browser that stays."""

    def pages(self, page: str) -> Pages:
        """The service."""
        service = Pages()
        service.page = page
        self.addCleanup(service.close)
        return service

    def browse(self, url: str, page: str = "/page", trusting: bool = False) -> Path:
        """
        Open a page.

        :param trusting: the name may show whatever certificate; else just the one that it shows now.
        :return: where the browser logs what it does in the network, once it is closed.
        """
        host = url.partition("://")[2].partition(":")[0]
        log = self.edge.directory / f"{host}.netlog"
        flags = [
            f"--user-data-dir={self.edge.directory}/{host}",
            "--ignore-certificate-errors" + ("" if trusting else f"-spki-list={key_pin(self.edge, host)}"),
            "--host-resolver-rules=MAP *.edge.localhost 127.0.0.1",
            f"--log-net-log={log}",
        ]
        command = [program("chromium"), *FLAGS, *flags, url + page]
        self.browser = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self.addCleanup(self.close)
        return log

    def close(self) -> None:
        """End the browser as somebody who logs out."""
        if self.browser.poll() is None:
            self.browser.terminate()
            try:
                self.browser.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.browser.pid, signal.SIGKILL)
                self.browser.wait(10)

    def sessions(self, log: Path, host: str) -> Counter[str]:
        """
        What the browser did over HTTP/2 with a name.

        :return: how many connections (``sessions``), how many WebSockets on them (``websockets``), and how often it was told to
            go elsewhere (``misdirected``).
        """
        self.close()
        lines = log.read_text().splitlines()
        names = json.loads(lines[0].removeprefix('{"constants":').rstrip(","))["logEventTypes"]
        found: Counter[str] = Counter()
        for line in lines[1:]:
            try:
                event = json.loads(line.rstrip(","))
            except ValueError:
                continue
            found.update(self.kinds(event, names, host))
        return found

    def kinds(self, event: Any, names: dict[str, int], host: str) -> list[str]:
        """What one event counts for."""
        parameters = event.get("params", {})
        if event["type"] == names["HTTP2_SESSION"] and event["phase"] == 1 and host in parameters.get("host", ""):
            return ["sessions"]
        headers = parameters.get("headers", [])
        if event["type"] == names["HTTP2_SESSION_SEND_HEADERS"] and ":protocol: websocket" in headers:
            return ["websockets"]
        if event["type"] == names["HTTP2_SESSION_RECV_HEADERS"] and ":status: 421" in headers:
            return ["misdirected"]
        return []


class PageTests(Chromium):
    """Everything on one page, on one connection."""

    def check(self, service: Pages, url: str) -> None:
        log = self.browse(url)
        self.eventually(lambda: service.told, "a word from the page", 40)
        images, uploaded, events, chat = service.told[0]
        self.assertEqual(Counter(str(images).split(",")), {"h2": 100})
        self.assertEqual(uploaded, 301_000)
        self.assertEqual(events, ["event 0", "event 1", "event 2"])
        self.assertEqual(chat, ["HELLO", 1005])
        host = url.partition("://")[2].partition(":")[0]
        self.assertEqual(self.sessions(log, host), {"sessions": 1, "websockets": 1})

    def test_ssh(self) -> None:
        """Through ssh."""
        service = self.pages(EVERYTHING)
        self.check(service, self.publish(service))

    def test_agent(self) -> None:
        """Through ngrok's agent."""
        service = self.pages(EVERYTHING)
        agent = PythonSDK(self.edge, AUTHTOKEN, Wish(kind="http", port=service.port, domain=self.new_name()))
        self.addCleanup(agent.close)
        self.check(service, agent.url())


class CoalescingTests(Chromium):
    """Two names with one certificate."""

    def test_two_names(self) -> None:
        """The browser tries the other name on the connection that it has, is told that it is wrong there, and comes back."""
        service, other = self.pages(OTHERS), self.pages(OTHERS)
        url = self.publish(service)
        log = self.browse(url, f"/page?other={self.publish(other)}")
        self.eventually(lambda: service.told, "a word from the page", 40)
        self.assertEqual((service.told, len(other.asked)), ([["shown"] * 21], 21))
        self.assertEqual(self.sessions(log, "edge.localhost"), {"sessions": 2, "misdirected": 1})


class ReloadTests(Chromium, RestartCase):
    """The edge restarts in place."""

    def test_reload(self) -> None:
        """What is in flight is finished, what is asked for meanwhile is answered, and the page can be loaded again."""
        service = self.pages(RELOADED)
        agent = PythonSDK(self.edge, AUTHTOKEN, Wish(kind="http", port=service.port, domain=self.new_name()))
        self.addCleanup(agent.close)
        self.browse(agent.url(), trusting=True)  # a restarted edge makes new certificates
        self.eventually(lambda: "/wait" in [asked.target for asked in service.asked], "a request in flight", 60)
        self.signal(signal.SIGUSR2)
        self.eventually(lambda: "restarting in place" in self.edge.log(), "restart")
        service.restarting.set()
        time.sleep(0.5)
        self.assertEqual(self.ready(), 1)
        service.gate.set()
        self.eventually(lambda: len(service.told) == 2, "a word from the reloaded page", 60)
        self.assertEqual(service.told, [["waited\n", *["hello from pages\n"] * 20], ["again", "h2"]])
        self.assertEqual(self.ready(), 2)
