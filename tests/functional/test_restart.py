"""
Restarts in place (SIGUSR2), and sockets that systemd holds: nobody who connects is refused or lost.
"""

from __future__ import annotations

import http.client
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.functional.clients import SSH, Answer, full_name, keep_open, open_tcp, read_all, tls_context
from tests.functional.edge import AS_SYSTEMD, TCP_HOST, Edge, twistd
from tests.functional.ports import free_range, is_free
from tests.functional.service import Service
from tests.functional.steady import Steady
from tests.functional.test_life import OwnEdgeTestCase
from tests.functional.tools import ROOT, require
from tests.functional.waiting import wait_until

#: Seconds: a restart on a machine that is busy with other tests.
RESTART = 40

#: What this Python imports from, for another one.
PATH = os.pathsep.join([str(ROOT), *(path for path in sys.path if "site-packages" in path)])


class Reconnecting(threading.Thread):
    """An ``ssh -R`` that is started again whenever it ends, as users' scripts do."""

    def __init__(self, edge: Edge, *forwards: str, command: str = "") -> None:
        super().__init__(daemon=True)
        self._edge, self._forwards, self._command = edge, forwards, command
        self._enough = False
        self.started = 0
        self.agent = self._connected()
        self.agent.wait_for("Forwarding")
        self.start()

    def run(self) -> None:
        """Until the end."""
        while not self._enough:
            if self.agent.process.poll() is not None:
                self.agent.close()
                self.agent = self._connected()
            time.sleep(0.02)

    def close(self) -> None:
        """No more."""
        self._enough = True
        self.join()
        self.agent.close()

    def _connected(self) -> SSH:
        self.started += 1
        return SSH(self._edge, self._forwards, *([self._command] if self._command else []))


class Visiting(Steady):
    """
    A new connection, one request and its answer, again and again.

    :ivar longest: seconds that the slowest one took.
    """

    def __init__(self, edge: Edge, name: str, *, plain: bool = False, status: int = 200) -> None:
        """
        :param plain: by http.
        :param status: of the answer that is expected.
        """
        super().__init__()
        self._edge, self._name, self._plain, self._status = edge, name, plain, status
        self.longest = 0.0
        self.start()

    def step(self) -> None:
        """One visit."""
        began = time.monotonic()
        connection = keep_open(self._edge, self._name, plain=self._plain)
        connection.request("GET", "/", headers={"Host": self._name})
        answer = Answer(connection.getresponse())
        connection.close()
        assert answer.status == self._status, answer
        self.longest = max(self.longest, time.monotonic() - began)


class Calling(Steady):
    """As `Visiting`, on a public TCP port."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self.longest = 0.0
        self.start()

    def step(self) -> None:
        """One call."""
        began, data = time.monotonic(), os.urandom(100)
        with open_tcp(self._port) as connection:
            connection.sendall(data)
            received = b""
            while len(received) < len(data):
                more = connection.recv(1000)
                assert more, f"the stream ended after {len(received)} bytes"
                received += more
        assert received == data
        self.longest = max(self.longest, time.monotonic() - began)
        time.sleep(0.005)


def keep_open_on(edge: Edge, name: str, connection: socket.socket) -> http.client.HTTPConnection:
    """As `keep_open`, on a TCP connection that is there already."""
    kept = http.client.HTTPConnection(name, edge.https, timeout=20)
    kept.sock = tls_context(edge).wrap_socket(connection, server_hostname=name)
    return kept


def python_of(user: str) -> str:
    """An interpreter that a user of this machine may run, with all that the edge needs."""
    for python in (sys.executable, "/usr/bin/python3"):
        command = [python, "-c", "import ngrok_twisted.tap"]
        try:
            subprocess.run(command, user=user, cwd="/", env={"PYTHONPATH": PATH}, check=True, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    require(False, f"a Python that {user} may run")
    raise AssertionError


def alive(pid: int) -> bool:
    """Whether there is such a process, which is no corpse that nobody has buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def end(pid: int) -> None:
    """End a process, if it is there."""
    if alive(pid):
        os.kill(pid, signal.SIGKILL)


def echo(connection: Any) -> None:
    """A service that says what it hears."""
    while data := connection.recv(65536):
        connection.sendall(data)


class RestartCase(OwnEdgeTestCase):
    """Restarts an edge."""

    seconds = 180

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.edge.process is not None
        self.edge.process.send_signal(number)

    def ready(self) -> int:
        """How often it has said that it is ready."""
        return self.edge.log().count(" is ready")

    def wait_ready(self, times: int) -> None:
        """Wait until it has said so."""
        said = lambda: f"restart; the log:\n{self.edge.log()[-3000:]}"
        wait_until(lambda: self.ready() >= times or not self.edge.alive, RESTART, said)
        self.assertTrue(self.edge.alive, self.edge.log()[-3000:])

    def restart(self) -> None:
        """Send the signal, and wait until the new program is ready."""
        before = self.ready()
        self.signal(signal.SIGUSR2)
        self.wait_ready(before + 1)

    def reconnecting(self, *forwards: str, command: str = "") -> Reconnecting:
        """One that ends with the test."""
        agent = Reconnecting(self.edge, *forwards, command=command)
        self.addCleanup(agent.close)
        return agent


class VisitorsTests(RestartCase):
    """Whoever connects."""

    def test_nobody_is_lost(self) -> None:
        """Of those who connect again and again during several restarts, everyone is served, on each listener."""
        web, names = self.web(), [self.new_name() for _ in range(2)]
        called = self.serve(Service(echo))
        port = self.edge.tcp[0]
        agents = [
            self.reconnecting(f"{names[0]}:443:127.0.0.1:{web.port}", command="http"),
            self.reconnecting(f"{names[1]}:80:127.0.0.1:{web.port}", command="http --scheme http"),
            self.reconnecting(f"{TCP_HOST}:{port}:127.0.0.1:{called.port}", command="tcp"),
        ]
        steady = [
            *(Visiting(self.edge, names[0]) for _ in range(3)),
            Visiting(self.edge, names[1], plain=True),
            *(Calling(port) for _ in range(3)),
        ]
        for _ in range(4):
            time.sleep(0.5)
            self.restart()
        time.sleep(0.5)
        for each in steady:
            each.end()
        self.assertTrue(all(agent.started > 4 for agent in agents))

    def test_just_let_in(self) -> None:
        """Who was let in just before, and has not said anything yet, or only begun a handshake or a request, is served."""
        name = self.new_name()
        agent = self.reconnecting(f"{name}:443:127.0.0.1:{self.web().port}", command="http")
        silent, shaken = open_tcp(self.edge.https), keep_open(self.edge, name)
        half = keep_open(self.edge, name)
        assert half.sock is not None
        half.sock.sendall(b"GET / HTTP/1.1\r\n")
        time.sleep(0.1)
        self.signal(signal.SIGUSR2)
        self.eventually(lambda: "restarting in place" in self.edge.log(), "restart")
        half.sock.sendall(f"Host: {name}\r\n\r\n".encode())
        shaken.request("GET", "/", headers={"Host": name})
        connection = keep_open_on(self.edge, name, silent)
        connection.request("GET", "/", headers={"Host": name})
        for each in (connection, shaken):
            self.assertEqual(Answer(each.getresponse()).status, 200)
        self.assertTrue(read_all(half.sock).startswith(b"HTTP/1.1 200"))
        self.assertEqual(agent.started, 1)
        self.wait_ready(2)

    def test_in_flight(self) -> None:
        """An answer that is under way is finished, and only then are agents sent away."""
        service, name = self.web(), self.new_name()
        agent = self.reconnecting(f"{name}:443:127.0.0.1:{service.port}", command="http")
        connection = keep_open(self.edge, name).sock
        assert connection is not None
        connection.sendall(f"GET /half/1000000 HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        received = b""
        while received.count(b"a") < 500000:
            received += connection.recv(65536)
        self.signal(signal.SIGUSR2)
        self.eventually(lambda: "restarting in place" in self.edge.log(), "restart")
        late = open_tcp(self.edge.https)
        time.sleep(0.5)
        self.assertEqual((agent.started, self.ready()), (1, 1))
        service.gate.set()
        received += read_all(connection)
        self.assertTrue(received.endswith(b"a" + b"b" * 500000))
        waiting = keep_open_on(self.edge, name, late)
        waiting.request("GET", "/", headers={"Host": name})
        self.assertEqual(Answer(waiting.getresponse()).headers.get("x-service"), "web")

    def test_misbehaving(self) -> None:
        """Visitors who do not end, do not read or say nothing, and agents that have stopped, delay it for a bounded time."""
        service, name = self.web(), self.new_name()
        frozen = self.ssh(f"{name}:443:127.0.0.1:{service.port}", command="http")
        frozen.url()
        for path in ("/wait", "/size/100000000"):
            connection = keep_open(self.edge, name)
            connection.request("GET", path, headers={"Host": name})
            self.addCleanup(connection.close)
        for port in (self.edge.https, self.edge.http, self.edge.ssh):
            self.addCleanup(open_tcp(port).close)
        half = keep_open(self.edge, name, plain=True)
        assert half.sock is not None
        half.sock.sendall(b"GET / HT")
        self.addCleanup(half.close)
        self.eventually(lambda: len(service.asked) == 2, "requests at the service")
        frozen.stop()
        began = time.monotonic()
        self.restart()
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(self.get(f"https://{name}/").headers.get("ngrok-error-code"), "ERR_NGROK_3200")

    def test_agent_stays_away(self) -> None:
        """Visitors of a name whose agent does not come back wait for a few seconds, and are told that it is offline."""
        name = self.new_name()
        agent = self.ssh(f"{name}:443:127.0.0.1:{self.web().port}", command="http")
        agent.url()
        self.restart()
        began = time.monotonic()
        self.assertEqual(self.get(f"https://{name}/").headers.get("ngrok-error-code"), "ERR_NGROK_3200")
        self.assertGreater(time.monotonic() - began, 1)
        began = time.monotonic()
        self.assertEqual(self.get(f"https://{name}/").headers.get("ngrok-error-code"), "ERR_NGROK_3200")
        self.assertLess(time.monotonic() - began, 3)

    def test_tcp_edge(self) -> None:
        """The port of a configured edge stays open, too, and its visitors wait for the agent that serves it."""
        called = self.serve(Service(echo))
        port = self.edge.tcp[1]
        self.edge.stop()
        self.edge.configure(
            {
                "reserved_addrs": [{"name": "edge", "addr": f"{TCP_HOST}:{port}"}],
                "backends": {"tunnel_group": [{"name": "group", "labels": {"app": "echo"}}]},
                "edges": {"tcp": [{"hostports": [f"{TCP_HOST}:{port}"], "backend": {"backend_id": "group"}}]},
            }
        )
        self.edge.start()
        self.reconnecting(f"0:127.0.0.1:{called.port}", command="tunnel --label app=echo")
        calling = Calling(port)
        for _ in range(2):
            time.sleep(0.3)
            self.restart()
        time.sleep(0.3)
        calling.end()


class ProcessTests(RestartCase):
    """The process stays the same in everything that it was started with."""

    def test_nothing_leaks(self) -> None:
        """It has as many descriptors and as much in its environment after many restarts as after one."""
        self.restart()
        assert self.edge.process is not None
        place = Path(f"/proc/{self.edge.process.pid}")

        def descriptors() -> list[str]:
            return sorted(re.sub(r"\d+", "N", os.readlink(each)) for each in (place / "fd").iterdir())

        def environment() -> set[bytes]:
            found = (place / "environ").read_bytes().split(b"\0")
            return {each for each in found if not each.startswith(b"NGROK_TWISTED_RESTART=")}

        before = descriptors(), environment(), (place / "cmdline").read_bytes(), os.readlink(place / "cwd")
        for _ in range(3):
            self.restart()
        after = descriptors(), environment(), (place / "cmdline").read_bytes(), os.readlink(place / "cwd")
        self.assertEqual(after, before)
        self.assertEqual(self.edge.stop(), 0)

    def test_new_config(self) -> None:
        """What waits for the next start is in force: listeners that are gone are closed, new ones opened, others kept."""
        host = "127.0.0.1"
        (new,), gone = free_range(1), self.edge.http
        listen = {
            "https": f"tcp:{self.edge.https}:interface={host}:backlog=1000",
            "ssh": f"tcp:port={self.edge.ssh}:interface={host}",
            "http": f"tcp:{new}:interface={host}",
        }
        self.edge.configure({"listen": listen})
        waiting = Visiting(self.edge, full_name("nobody"), status=404)
        self.restart()
        waiting.end()
        self.assertRaises(ConnectionRefusedError, open_tcp, gone)
        self.edge.http = new
        self.assertEqual(self.get(f"http://{full_name('nobody')}/").status, 404)
        self.assertEqual(self.get(self.publish(self.web())).status, 200)

    def refuses(self, reason: str) -> None:
        """It is not restarted, says why in one line, and goes on."""
        name = self.new_name()
        agent = self.ssh(f"{name}:443:127.0.0.1:{self.web().port}", command="http")
        agent.url()
        self.signal(signal.SIGUSR2)
        self.eventually(lambda: "not restarted" in self.edge.log(), "refusal")
        (line,) = [line for line in self.edge.log().splitlines() if "not restarted" in line]
        self.assertIn(reason, line)
        self.assertEqual((self.get(f"https://{name}/").status, self.ready()), (200, 1))
        self.assertIsNone(agent.process.poll())

    def test_bad_config(self) -> None:
        """A config that cannot be loaded any more is found before anything is stopped."""
        self.edge.configure({"domian": "typo.localhost"})
        self.refuses("domian")

    def test_taken_port(self) -> None:
        """So is a new listener whose port somebody else has."""
        port = self.web("other").port
        self.edge.configure({"listen": {"https": f"tcp:{port}:interface=127.0.0.1"}})
        self.refuses(f"tcp:{port}:interface=127.0.0.1 cannot be opened: Address already in use")

    def test_corrected(self) -> None:
        """When the config is good again, the next signal restarts it."""
        self.edge.configure({"domian": "typo.localhost"})
        self.refuses("domian")
        self.edge.configure({})
        self.restart()

    def test_interpreter_gone(self) -> None:
        """If the program cannot be replaced after all, the process ends with an error that says so."""
        python = self.edge.directory / "python"
        python.symlink_to(sys.executable)
        self.edge.stop()
        self.edge.command = (str(python), twistd())
        self.edge.environment = {**self.edge.environment, "PYTHONPATH": PATH}
        self.edge.start()
        service = self.web()
        url = self.publish(service)
        connection = keep_open(self.edge, url.removeprefix("https://").partition(":")[0])
        connection.request("GET", "/wait")
        self.eventually(lambda: service.asked, "request at the service")
        self.signal(signal.SIGUSR2)
        self.eventually(lambda: "restarting in place" in self.edge.log(), "restart")
        python.unlink()
        assert self.edge.process is not None
        self.assertEqual(self.edge.process.wait(RESTART), 1)
        self.assertIn("cannot be started again: [Errno 2] No such file or directory", self.edge.log())

    def test_stop_meanwhile(self) -> None:
        """A server that is told to stop while it restarts stops."""
        service = self.web()
        name = self.new_name()
        self.publish(service, name)
        connection = keep_open(self.edge, name)
        connection.request("GET", "/wait", headers={"Host": name})
        self.addCleanup(connection.close)
        self.eventually(lambda: service.asked, "request at the service")
        self.signal(signal.SIGUSR2)
        self.eventually(lambda: "restarting in place" in self.edge.log(), "restart")
        self.assertEqual(self.edge.stop(), 0)
        self.assertEqual(self.ready(), 1)

    def test_signals_meanwhile(self) -> None:
        """Signals that come at any moment of a restart do not end it; two restarts at once are at most two."""
        for _ in range(2):
            before = self.ready()
            self.signal(signal.SIGUSR2)
            ends = time.monotonic() + 1.5
            while time.monotonic() < ends:
                self.signal(signal.SIGHUP)
                self.signal(signal.SIGUSR2)
                time.sleep(0.01)
            self.wait_ready(before + 1)
        self.eventually(lambda: self.quiet(), "quiet log", RESTART)
        self.assertEqual(self.get(self.publish(self.web())).status, 200)
        self.assertEqual(self.edge.stop(), 0)

    def quiet(self) -> bool:
        """Nothing happens any more."""
        log = self.edge.log()
        time.sleep(3)
        return log == self.edge.log()

    def test_reload(self) -> None:
        """SIGHUP closes no listening socket, and nobody is refused meanwhile."""
        assert self.edge.process is not None
        listing = Path(f"/proc/{self.edge.process.pid}/fd")

        def listening() -> set[str]:
            return {name for name in map(os.readlink, listing.iterdir()) if name.startswith("socket:")}

        before = listening()
        visiting = Visiting(self.edge, full_name("nobody"), status=404)
        for _ in range(3):
            self.signal(signal.SIGHUP)
            time.sleep(0.3)
        visiting.end()
        self.eventually(lambda: self.edge.log().count("configuration reloaded") == 3, "reload")
        self.assertLessEqual(before, listening())


class LaunchTests(RestartCase):
    """Other ways to start it."""

    def shared_edge(self) -> Edge:
        """Not started: each test does it in its own way."""
        edge = self.make_edge()
        self.addCleanup(edge.remove)
        return edge

    def run_with(self, *words: str, **arguments: Any) -> subprocess.Popen[bytes]:
        """Start a process beside the edge's files, and let it be the edge's."""
        with self.edge.log_path.open("ab") as log:
            self.edge.process = subprocess.Popen(
                words, cwd=self.edge.directory, env=self.edge.environment, stdout=log, stderr=log, **arguments
            )
        return self.edge.process

    def serves(self) -> bool:
        """Whether a visitor gets an answer."""
        return self.get(f"https://{full_name('nobody')}/").status == 404

    def test_daemon(self) -> None:
        """A daemon stays one, with its id, its pidfile, its log file and its working directory."""
        directory = self.edge.directory
        log, pidfile = directory / "twistd.log", directory / "edge.pid"
        work = directory / "work"
        work.mkdir()
        self.run_with(twistd(), f"--rundir={work}", "--pidfile=edge.pid", "ngrok", "-c", "config.yaml")
        assert self.edge.process is not None
        self.assertEqual(self.edge.process.wait(RESTART), 0)
        pid = int(pidfile.read_text())
        self.addCleanup(end, pid)
        self.eventually(lambda: log.read_text().count("#info] ready") == 1, "ready daemon", RESTART)
        for times in (2, 3):
            visiting = Visiting(self.edge, full_name("nobody"), status=404)
            os.kill(pid, signal.SIGUSR2)
            self.eventually(lambda: log.read_text().count("#info] ready") == times, "restart", RESTART)
            visiting.end()
            self.assertEqual(int(pidfile.read_text()), pid)
            self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), str(work))
            self.assertEqual(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null")
        os.kill(pid, signal.SIGHUP)
        self.eventually(lambda: "configuration reloaded" in log.read_text(), "reload")
        os.kill(pid, signal.SIGTERM)
        self.eventually(lambda: not alive(pid), "end of the daemon", RESTART)
        self.assertFalse(pidfile.exists())
        self.assertNotIn("Traceback", log.read_text())

    def test_privileges(self) -> None:
        """A port that only root may open is kept by a server that is not root any more."""
        require(os.getuid() == 0, "root, who may open low ports,")
        nobody = pwd.getpwnam("nobody")
        self.edge.https = next(port for port in range(600, 1024) if is_free(port))
        self.edge.configure({})
        for path in (self.edge.directory, *self.edge.directory.iterdir()):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        self.edge.environment = {**self.edge.environment, "PYTHONPATH": PATH}
        python = python_of("nobody")
        self.run_with(python, twistd(), "-n", "--pidfile=", "--uid=nobody", "ngrok", "-c", "config.yaml")
        self.wait_ready(1)
        for _ in range(2):
            visiting = Visiting(self.edge, full_name("nobody"), status=404)
            self.restart()
            visiting.end()
            assert self.edge.process is not None
            self.assertEqual(os.stat(f"/proc/{self.edge.process.pid}").st_uid, nobody.pw_uid)
        self.edge.configure({"listen": {"https": f"tcp:{self.edge.https + 1}:interface=127.0.0.1"}})
        self.signal(signal.SIGUSR2)
        self.eventually(lambda: "cannot be opened: Permission denied" in self.edge.log(), "refusal")
        self.assertEqual(self.edge.stop(), 0)

    def test_module(self) -> None:
        """``python -m twisted`` runs it, too, and so it does after a restart."""
        self.run_with(sys.executable, "-X", "utf8", "-m", "twisted", "ngrok", "-c", "config.yaml")
        self.wait_ready(1)
        assert self.edge.process is not None
        command = Path(f"/proc/{self.edge.process.pid}/cmdline").read_bytes()
        for _ in range(2):
            visiting = Visiting(self.edge, full_name("nobody"), status=404)
            self.restart()
            visiting.end()
            self.assertEqual(Path(f"/proc/{self.edge.process.pid}/cmdline").read_bytes(), command)
        self.edge.stop()


class ActivationTests(RestartCase):
    """Sockets that systemd opened, and passes on."""

    def shared_edge(self) -> Edge:
        """Not started: each test does it in its own way. Its https listener is the socket ``held``."""
        edge = self.make_edge()
        self.addCleanup(edge.remove)
        self.held = socket.create_server(("127.0.0.1", edge.https), backlog=512)
        self.addCleanup(self.held.close)
        return edge

    def launch(self, names: str = "other:https") -> None:
        """Start the process as systemd does: with a socket nobody uses, and then the one of the https listener."""
        other = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(other.close)
        numbers = f"{other.fileno()},{self.held.fileno()}"
        with self.edge.log_path.open("ab") as log:
            self.edge.process = subprocess.Popen(
                [
                    *(sys.executable, "-c", AS_SYSTEMD, numbers, names),
                    *(twistd(), "-n", "--pidfile=", "ngrok", "-c", "config.yaml"),
                ],
                cwd=self.edge.directory,
                env=self.edge.environment,
                stdout=log,
                stderr=log,
                pass_fds=(other.fileno(), self.held.fileno()),
            )

    def listen(self, text: str) -> None:
        """Configure the https listener."""
        local = "interface=127.0.0.1"
        self.edge.configure({"listen": {"https": text, "ssh": f"tcp:{self.edge.ssh}:{local}"}})

    def test_by_index(self) -> None:
        """A socket by its number; nobody is refused over stops and starts, and everyone is served."""
        self.listen("systemd:domain=INET:index=1")
        self.launch()
        self.wait_ready(1)
        visiting = Visiting(self.edge, full_name("nobody"), status=404)
        for _ in range(2):
            time.sleep(0.3)
            self.assertEqual(self.edge.stop(), 0)
            time.sleep(0.3)
            self.launch()
            self.wait_ready(self.ready() + 1)
        visiting.end()

    def test_by_name(self) -> None:
        """A socket by its name, over restarts in place, too."""
        self.listen("systemd:domain=INET:name=https")
        self.launch()
        self.wait_ready(1)
        agent_name = self.new_name()
        self.reconnecting(f"{agent_name}:443:127.0.0.1:{self.web().port}", command="http")
        visiting = Visiting(self.edge, agent_name)
        for _ in range(2):
            self.restart()
        visiting.end()

    def test_changed(self) -> None:
        """A restart in place may go from a socket of systemd's to another listener, and back."""
        self.listen("systemd:domain=INET:index=1")
        self.launch()
        self.wait_ready(1)
        again, self.edge.https = self.edge.https, free_range(1)[0]
        self.listen(f"tcp:{self.edge.https}:interface=127.0.0.1")
        self.restart()
        self.assertEqual(self.get(f"https://{full_name('nobody')}/").status, 404)
        self.edge.https = again
        self.listen("systemd:domain=INET:name=https")
        self.restart()
        self.assertEqual(self.get(f"https://{full_name('nobody')}/").status, 404)

    def test_missing(self) -> None:
        """A socket that systemd did not give is named in the sentence with which the start is given up."""
        self.listen("systemd:domain=INET:name=htps")
        self.launch()
        assert self.edge.process is not None
        self.assertEqual(self.edge.process.wait(RESTART), 1)
        self.assertIn(
            "listen.https (systemd:domain=INET:name=htps): systemd gave this process 2 sockets (other, https), and this "
            "is none of them",
            self.edge.log(),
        )
