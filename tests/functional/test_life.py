"""
The life of the process: start, reread, drain, end, and start again.
"""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import threading
from typing import Any

from tests.functional.case import EdgeTestCase
from tests.functional.clients import SSH, curl, fetch, open_tls
from tests.functional.edge import ALARMING, Edge, make_key
from tests.functional.half_answer import HalfAnswer
from tests.functional.service import PATIENCE
from tests.functional.tools import require
from tests.functional.waiting import wait_until


class OwnEdgeTestCase(EdgeTestCase):
    """Each test has an edge of its own."""

    def shared_edge(self) -> Edge:
        """A new edge that nobody shares; started."""
        edge = self.make_edge()
        self.addCleanup(edge.remove)
        return edge.start()

    def check_edge(self, edge: Edge) -> None:
        """Nothing alarming in the log; the process may have ended."""
        self.assertIsNone(ALARMING.search(edge.log_path.read_bytes()), edge.log()[-5000:])

    def begin(self, edge: Edge) -> None:
        """Start this edge, and use it from now on."""
        self.addCleanup(edge.kill)
        self.edge = edge.start()


class EndTests(OwnEdgeTestCase):
    """SIGTERM."""

    def test_idle(self) -> None:
        """An idle edge ends at once, with exit code 0."""
        self.assertEqual(self.edge.stop(), 0)

    def test_interrupt(self) -> None:
        """Ctrl+C does the same."""
        assert self.edge.process is not None
        self.edge.process.send_signal(signal.SIGINT)
        self.assertEqual(self.edge.process.wait(40), 0)

    def test_with_tunnels(self) -> None:
        """Agents are told; the exit code is 0 and the clients end."""
        agents = [self.ssh(f"443:127.0.0.1:{self.web().port}", command="http") for _ in range(3)]
        for agent in agents:
            self.assertEqual(self.get(agent.url()).status, 200)
        self.assertEqual(self.edge.stop(), 0)
        for agent in agents:
            agent.exit_code()

    def test_download_in_flight(self) -> None:
        """A download that is under way is finished, new visitors are turned away, and then the edge ends with 0."""
        service = self.web()
        name = self.new_name()
        self.publish(service, name)
        answer = HalfAnswer(self.edge, name, service)
        self.addCleanup(answer.close)
        results: list[int] = []
        thread = threading.Thread(target=lambda: results.append(self.edge.stop()), daemon=True)
        thread.start()

        def turned_away() -> bool:
            try:
                open_tls(self.edge, name).close()
            except OSError:
                return True
            return False

        self.eventually(turned_away, "closed listener")
        self.assertTrue(self.edge.alive)
        answer.finish()
        thread.join(PATIENCE)
        self.assertEqual(results, [0])

    def test_hanging_visitor(self) -> None:
        """A visitor that never finishes delays the end by the drain time at most."""
        service = self.web()
        name = self.new_name()
        self.publish(service, name)
        connection = open_tls(self.edge, name)
        self.addCleanup(connection.close)
        connection.sendall(f"GET /wait HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        self.eventually(lambda: service.asked, "request at the service")
        self.assertEqual(self.edge.stop(), 0)


class VanishedTests(EdgeTestCase):
    """An agent whose machine is gone without a word."""

    def test_noticed(self) -> None:
        """A client that is stopped is noticed by its silence, and its URL goes offline."""
        agent = self.ssh(f"{self.new_name()}:443:127.0.0.1:{self.web().port}", command="http")
        url = agent.url()
        agent.stop()
        self.eventually(self._offline(url), "offline page", 80)

    def _offline(self, url: str) -> Any:
        def look() -> bool:
            try:
                return self.get(url).headers.get("ngrok-error-code") == "ERR_NGROK_3200"
            except OSError:
                return False

        return look


class RereadTests(OwnEdgeTestCase):
    """SIGHUP."""

    def reread(self) -> None:
        """Send the signal."""
        assert self.edge.process is not None
        self.edge.process.send_signal(signal.SIGHUP)

    def test_new_key(self) -> None:
        """A key that is added to the config may connect after the signal; connected agents stay."""
        url = self.publish(self.web())
        newcomer = make_key(self.edge.directory / "newcomer")
        keys = [self.edge.public_key, newcomer.with_suffix(".pub").read_text().strip()]
        self.edge.configure({"ssh_credentials": [{"public_key": key} for key in keys]})
        self.reread()

        def connects() -> bool:
            agent = SSH(self.edge, ["443:localhost:1"], "http", key=newcomer)
            try:
                wait_until(lambda: agent.process.poll() is not None or "https://" in agent.out, 20, "decision")
                return "https://" in agent.out
            finally:
                agent.close()

        self.eventually(connects, "connection with the new key")
        self.assertEqual(self.get(url).status, 200)

    def test_removed_key(self) -> None:
        """A key that is taken out of the config loses its sessions."""
        agent = self.ssh(f"443:127.0.0.1:{self.web().port}", command="http")
        agent.url()
        other = make_key(self.edge.directory / "other-user").with_suffix(".pub").read_text().strip()
        self.edge.configure({"ssh_credentials": [{"public_key": other}]})
        self.reread()
        agent.exit_code()

    def test_bad_config(self) -> None:
        """A bad config is refused whole, with its problems in the log; the old one stays in force."""
        url = self.publish(self.web())
        self.edge.configure({"domian": "typo.localhost", "ssh_credentials": []})
        self.reread()
        self.eventually(lambda: "domian" in self.edge.log(), "complaint in the log")
        self.assertEqual(self.get(url).status, 200)
        self.assertEqual(self.get(self.publish(self.web("again"))).headers.get("x-service"), "again")


class StateTests(OwnEdgeTestCase):
    """What stays on disk."""

    def test_modes(self) -> None:
        """The state directory is its owner's alone, and so is every key in it."""
        self.assertEqual(stat.S_IMODE(self.edge.state.stat().st_mode), 0o700)
        for path in self.edge.state.rglob("*"):
            if path.is_file() and b"PRIVATE KEY" in path.read_bytes():
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, str(path))

    def test_restart(self) -> None:
        """After a restart the host keys and the CA are the same: a client that knows them reconnects by itself."""
        name = self.new_name()
        self.publish(self.web(), name)
        ca = self.edge.ca.read_bytes()
        ports = self.edge.ssh, self.edge.https
        self.assertEqual(self.edge.stop(), 0)
        again = Edge(directory=self.edge.directory)
        known = again.directory / "known_hosts"
        known.write_text(known.read_text().replace(f"]:{ports[0]} ", f"]:{again.ssh} "))
        self.begin(again)
        strict = ["-o", "StrictHostKeyChecking=yes"]
        self.assertEqual(self.get(self.publish(self.web(), name, options=strict)).status, 200)
        self.assertEqual(again.ca.read_bytes(), ca)

    def test_killed(self) -> None:
        """After SIGKILL the next start finds a usable state and no endpoints of the dead."""
        name = self.new_name()
        self.publish(self.web(), name)
        self.edge.kill()
        self.begin(Edge(directory=self.edge.directory))
        self.assertEqual(self.get(f"https://{name}/").headers.get("ngrok-error-code"), "ERR_NGROK_3200")
        self.assertEqual(self.get(self.publish(self.web(), name)).status, 200)

    def test_second_process(self) -> None:
        """A second process on the same state directory is refused with a sentence."""
        second = Edge(directory=self.edge.directory)
        first_log = self.edge.log()
        process = second.launch()
        self.addCleanup(second.kill)
        self.assertEqual(process.wait(40), 1)
        said = second.log()[len(first_log) :]
        self.assertIn("state", said)
        self.assertNotIn("Traceback", said)
        second.kill()
        self.assertEqual(self.get(self.publish(self.web())).status, 200)

    def test_umask(self) -> None:
        """No file in the state directory can be read by others."""
        open_to_others = [
            str(path) for path in self.edge.state.rglob("*") if path.is_file() and path.stat().st_mode & 0o007
        ]
        secrets = [path for path in open_to_others if not path.endswith((".pub", "ca.pem"))]
        self.assertEqual(secrets, [])


class ConfigTests(EdgeTestCase):
    """A config that cannot be used."""

    def setUp(self) -> None:
        """No edge is started beforehand."""
        self.watch(self.seconds)
        self.edge = Edge()
        self.addCleanup(self.edge.remove)

    def refused(self, extra: dict[str, Any]) -> str:
        """
        The process ends with 1.

        :return: what it printed.
        """
        self.edge.configure(extra)
        self.assertEqual(self.edge.launch().wait(40), 1)
        self.assertNotIn("Traceback", self.edge.log())
        return self.edge.log()

    def test_every_problem(self) -> None:
        """Every problem is printed with its path and line, and no port is opened."""
        said = self.refused(
            {
                "domian": "typo.localhost",
                "tcp": {"host": 5, "ports": "many"},
                "ssh_credentials": [{"pubilc_key": "x"}, {"public_key": 5}],
            }
        )
        lines = self.edge.config_path.read_text().splitlines()
        for wrong in ("domian", "tcp.host", "tcp.ports", "ssh_credentials[0]", "ssh_credentials[1].public_key"):
            self.assertIn(wrong, said)
        number = next(number for number, line in enumerate(lines, 1) if "domian" in line)
        self.assertIn(f"config.yaml:{number}:", said)
        self.assertFalse(self.edge.state.exists() and (self.edge.state / "ca.pem").exists())

    def test_every_wrong_value(self) -> None:
        """So is every value that has the right shape and makes no sense."""
        said = self.refused(
            {
                "ssh_credentials": [{"public_key": "ssh-ed25519 nonsense"}],
                "reserved_domains": [{"domain": "not a domain"}],
                "listen": {"https": "carrier-pigeon:443"},
            }
        )
        for wrong in ("ssh_credentials[0].public_key", "reserved_domains[0].domain", "listen.https"):
            self.assertRegex(said, rf"config.yaml:\d+: {re.escape(wrong)}")

    def test_no_yaml(self) -> None:
        """A file that is no YAML is refused with its line."""
        self.edge.config_path.write_text("domain: a\n  b: [\n")
        self.assertEqual(self.edge.launch().wait(40), 1)
        self.assertIn("config.yaml:", self.edge.log())
        self.assertNotIn("Traceback", self.edge.log())

    def test_missing_file(self) -> None:
        """A file that is not there is named."""
        self.edge.config_path.unlink()
        self.assertEqual(self.edge.launch().wait(40), 1)
        self.assertIn("config.yaml", self.edge.log())
        self.assertNotIn("Traceback", self.edge.log())

    def test_port_in_use(self) -> None:
        """A port that is taken is named, and the process ends with 1."""
        other = self.web()
        said = self.refused({"listen": {"https": f"tcp:{other.port}:interface=127.0.0.1"}})
        self.assertIn(str(other.port), said)

    def test_secret_not_shown(self) -> None:
        """A problem near a secret does not print the secret."""
        said = self.refused(
            {"tls_certificates": [{"name": "x", "certificate_pem": "no", "private_key_pem": "S3CR3T-KEY"}]}
        )
        self.assertNotIn("S3CR3T-KEY", said)


class DefaultsTests(EdgeTestCase):
    """No config at all: the embedded defaults, whose ports are fixed."""

    def setUp(self) -> None:
        """Nothing is started beforehand."""
        self.watch(self.seconds)

    def test_help(self) -> None:
        """``twistd ngrok --help`` explains."""
        edge = Edge()
        self.addCleanup(edge.remove)
        done = subprocess.run(
            [*edge.command, "ngrok", "--help"],
            env=edge.environment,
            cwd=edge.directory,
            capture_output=True,
            timeout=60,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"config", done.stdout)

    def test_runs(self) -> None:
        """Without ``-c`` the user's own key may connect, and the URL works with the CA that is printed."""
        edge = Edge()
        self.addCleanup(edge.remove)
        edge.https, edge.http, edge.ssh = 8443, 8080, 2222
        (edge.directory / ".ssh").mkdir(mode=0o700)
        (edge.directory / ".ssh" / "id_ed25519.pub").write_text(edge.public_key + "\n")
        environment = dict(edge.environment, HOME=str(edge.directory))
        with edge.log_path.open("ab") as log:
            command = [*edge.command, "-n", "--pidfile=", "ngrok"]
            edge.process = subprocess.Popen(command, cwd=edge.directory, env=environment, stdout=log, stderr=log)
        wait_until(lambda: "is ready" in edge.log() or not edge.alive, 40, edge.log)
        require(" in use" not in edge.log(), "one of the default ports, which somebody else uses,")
        (edge.directory / "state").symlink_to(edge.directory / "var")
        service = self.web()
        agent = SSH(edge, [f"443:localhost:{service.port}"])
        self.addCleanup(agent.close)
        self.assertRegex(agent.url(), r"^https://[a-z0-9-]+\.ngrok\.localhost:8443$")
        self.assertEqual(fetch(edge, agent.url()).headers.get("x-service"), "web")
        key = (edge.directory / "var" / "api-key").read_text().strip()
        asked = ["--header", f"authorization: Bearer {key}", "--header", "ngrok-version: 2"]
        self.assertIn('"vaults":[]', curl(edge, *asked, "http://127.0.0.1:4040/vaults"))
        self.assertNotIn(key, edge.log())
        self.assertEqual(edge.stop(), 0)
        self.assertIsNone(ALARMING.search(edge.log_path.read_bytes()))
        self.assertTrue(os.path.exists(edge.directory / "var" / "ca.pem"))
