"""
The lives of workers: one that dies, is replaced, or hangs, and the end and the restart of the whole server.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from http.client import HTTPException
from typing import Any

from tests.functional.agents import PythonSDK, Wish
from tests.functional.clients import SSH, keep_open
from tests.functional.edge import AUTHTOKEN, TCP_HOST
from tests.functional.half_answer import HalfAnswer
from tests.functional.management import MANAGED, Management
from tests.functional.places import holder, ports_of, processes
from tests.functional.service import Service
from tests.functional.steady import Asking
from tests.functional.test_restart import Calling, RestartCase, Visiting, echo
from tests.functional.waiting import wait_until
from tests.functional.web import Web

WORKERS = 2

#: That a key may have.
SESSIONS = 6

#: Seconds until another worker is there: some two, on a machine that is busy with other tests.
ANOTHER = 40


class LifeCase(RestartCase):
    """A server of two processes for each test."""

    config = {**MANAGED, "workers": WORKERS, "ssh": {"max_sessions_per_credential": SESSIONS}}
    seconds = 150

    def workers(self) -> list[int]:
        """The ids of the processes beside the main one."""
        assert self.edge.process is not None
        return [process for process in processes(self.edge) if process != self.edge.process.pid]

    def worker(self) -> int:
        """The one worker, when it is there."""
        wait_until(lambda: len(self.workers()) == WORKERS - 1 and self.serving() > 0, ANOTHER, "worker")
        return self.workers()[0]

    def serving(self) -> int:
        """How many workers have begun to serve since the start."""
        return self.edge.log().count(" serves")

    def in_worker(self, web: Web, command: str = "http", port: int = 443) -> tuple[str, SSH]:
        """A tunnel in the worker: its name, and its agent."""
        for _ in range(4):
            name = self.new_name()
            agent = self.ssh(f"{name}:{port}:127.0.0.1:{web.port}", command=command)
            agent.url()
            if self.worker() in [holder(self.edge, port) for port in ports_of(agent.process.pid)]:
                return name, agent
        raise AssertionError("no agent comes to the worker")

    def statuses(self, *names: str) -> list[int]:
        """What visitors of these get now."""
        return [self.get(self.edge.url(name.partition(".")[0])).status for name in names]

    def reads(self, status: int, *urls: str) -> bool:
        """Whether visitors read that; those who come in the moment of a worker's death may see it instead."""
        try:
            return {self.get(url).status for url in urls} == {status}
        except (OSError, HTTPException):
            return False


class DeathTests(LifeCase):
    """A worker that is killed."""

    def test_killed(self) -> None:
        """Its tunnels are offline at once, whoever else is served notices nothing, and another worker comes."""
        web = self.web()
        worker = self.worker()
        names: dict[bool, list[str]] = {True: [], False: []}
        for _ in range(4):
            name = self.new_name()
            agent = self.ssh(f"{name}:443:127.0.0.1:{web.port}", command="http")
            agent.url()
            names[worker in [holder(self.edge, port) for port in ports_of(agent.process.pid)]].append(name)
        self.assertEqual(sorted(map(len, names.values())), [2, 2])
        here = names[False][0]
        asking, visiting = Asking(self.edge, here), Visiting(self.edge, here)
        asking.start()
        os.kill(worker, signal.SIGKILL)
        urls = [self.edge.url(name.partition(".")[0]) for name in names[True]]
        self.eventually(lambda: self.reads(404, *urls), "offline pages")
        self.assertEqual(self.statuses(*names[False]), [200, 200])
        wait_until(lambda: self.serving() == 2, ANOTHER, "another worker")
        again, _ = self.in_worker(web)
        self.assertEqual(self.statuses(again), [200])
        for each in (asking, visiting):
            each.end()
        self.assertIn("has died", self.edge.log())

    def test_given_back(self) -> None:
        """What its agents had can be had again at once, by the same name, and the API knows nothing of them any more."""
        web, management = self.web(), Management(self.edge)
        self.addCleanup(management.close)
        name, agent = self.in_worker(web)
        os.kill(self.worker(), signal.SIGKILL)
        agent.exit_code()
        again = self.ssh(f"{name}:443:127.0.0.1:{web.port}", command="http")
        again.url()
        self.assertEqual(self.statuses(name), [200])
        sessions = management("GET", "/tunnel_sessions")["tunnel_sessions"]
        self.assertEqual(len(sessions), len(management("GET", "/endpoints")["endpoints"]))

    def test_agents_come_back(self) -> None:
        """An agent of ngrok's that was there comes back by itself, with what it had."""
        agents = [PythonSDK(self.edge, AUTHTOKEN, Wish(kind="http", port=self.web().port)) for _ in range(2)]
        for agent in agents:
            self.addCleanup(agent.close)
        urls = [agent.url() for agent in agents]
        os.kill(self.worker(), signal.SIGKILL)
        self.eventually(lambda: self.reads(200, *urls), "return")

    def test_hangs(self) -> None:
        """A worker that gives no sign of life is killed, and another one comes."""
        worker = self.worker()
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: self.serving() == 2, ANOTHER, "another worker")
        self.assertNotIn(worker, self.workers())
        self.assertIn("gives no sign of life", self.edge.log())

    def test_main_process(self) -> None:
        """When the main process is killed, its workers end by themselves."""
        worker = self.worker()
        self.edge.kill()
        self.eventually(lambda: not _exists(worker), "end of the worker")


class ReplacementTests(LifeCase):
    """SIGTERM to one worker."""

    def test_nobody_is_lost(self) -> None:
        """Of those who connect again and again while workers are replaced, everyone is served, on each listener."""
        web, called = self.web(), self.serve(Service(echo))
        names = [self.new_name() for _ in range(4)]
        port = self.edge.tcp[0]
        agents = [
            *(self.reconnecting(f"{name}:443:127.0.0.1:{web.port}", command="http") for name in names[:2]),
            *(self.reconnecting(f"{name}:80:127.0.0.1:{web.port}", command="http --scheme http") for name in names[2:]),
            self.reconnecting(f"{TCP_HOST}:{port}:127.0.0.1:{called.port}", command="tcp"),
        ]
        steady: list[Any] = [
            *(Visiting(self.edge, name) for name in names[:2]),
            *(Visiting(self.edge, name, plain=True) for name in names[2:]),
            *(Calling(port) for _ in range(2)),
        ]
        for number in range(3):
            worker = self.worker()
            os.kill(worker, signal.SIGTERM)
            wait_until(lambda: not _exists(worker), ANOTHER, "end of the worker")  # noqa: B023
            time.sleep(1)
        for each in steady:
            each.end()
        self.assertGreater(sum(agent.started for agent in agents), len(agents))

    def test_in_flight(self) -> None:
        """An answer that is under way is finished, and only then is the agent sent away."""
        web = self.web()
        name, agent = self.in_worker(web)
        answer = HalfAnswer(self.edge, name, web)
        self.addCleanup(answer.close)
        os.kill(self.worker(), signal.SIGTERM)
        wait_until(lambda: self.serving() == 2, ANOTHER, "another worker")
        time.sleep(0.5)
        self.assertIsNone(agent.process.poll())
        answer.finish()
        agent.exit_code()

    def test_agents_of_ngrok(self) -> None:
        """An agent of ngrok's that was there comes to another process, and its visitors wait that long."""
        web = self.web()
        agents = [PythonSDK(self.edge, AUTHTOKEN, Wish(kind="http", port=web.port)) for _ in range(2)]
        for agent in agents:
            self.addCleanup(agent.close)
        names = [agent.url().partition("//")[2].partition(":")[0] for agent in agents]
        visiting = [Visiting(self.edge, name) for name in names]
        worker = self.worker()
        os.kill(worker, signal.SIGTERM)
        wait_until(lambda: not _exists(worker), ANOTHER, "end of the worker")
        time.sleep(1)
        for each in visiting:
            each.end()


class WholeTests(LifeCase):
    """The server as one."""

    def test_stop(self) -> None:
        """It ends with 0, with all its processes, when what is under way in a worker is finished."""
        web = self.web()
        worker = self.worker()
        name, agent = self.in_worker(web)
        kept = keep_open(self.edge, name)
        self.addCleanup(kept.close)
        self.assertEqual(self.edge.stop(), 0)
        self.assertFalse(_exists(worker))
        agent.exit_code()

    def test_group(self) -> None:
        """A signal to the whole group, as a terminal or a supervisor sends it, is the main process's affair."""
        web = self.web()
        name, agent = self.in_worker(web)
        answer = HalfAnswer(self.edge, name, web)
        self.addCleanup(answer.close)
        assert self.edge.process is not None
        os.killpg(self.edge.process.pid, signal.SIGINT)
        self.eventually(lambda: "stopping" in self.edge.log(), "beginning of the end")
        time.sleep(0.5)
        answer.finish()
        self.assertEqual(self.edge.process.wait(40), 0)

    def test_credential(self) -> None:
        """When a credential is deleted, its agents in every process are sent away."""
        management = Management(self.edge)
        self.addCleanup(management.close)
        token = management("POST", "/credentials", {})
        agents = [PythonSDK(self.edge, token["token"], Wish(kind="http", port=self.web().port)) for _ in range(3)]
        for agent in agents:
            self.addCleanup(agent.close)
        urls = [agent.url() for agent in agents]
        self.assertEqual([self.get(url).status for url in urls], [200, 200, 200])
        self.assertEqual(len(management("GET", "/tunnel_sessions")["tunnel_sessions"]), 3)
        management("DELETE", f"/credentials/{token['id']}")
        for url in urls:
            self.eventually(lambda url=url: self.get(url).status == 404, f"{url} to be offline")  # type: ignore[misc]
        self.assertEqual(management("GET", "/tunnel_sessions")["tunnel_sessions"], [])

    def test_restart(self) -> None:
        """A restart in place replaces all processes, and nobody who connects meanwhile is lost."""
        web = self.web()
        names = [self.new_name() for _ in range(2)]
        for name in names:
            self.reconnecting(f"{name}:443:127.0.0.1:{web.port}", command="http")
        worker, visiting = self.worker(), [Visiting(self.edge, name) for name in names]
        for _ in range(2):
            self.restart()
            time.sleep(0.5)
        for each in visiting:
            each.end()
        self.assertFalse(_exists(worker))
        self.assertEqual(len(self.workers()), 1)

    def test_reload(self) -> None:
        """What is declared anew is in force in every process."""
        name = self.new_name()
        for here in ("200", "201"):
            backend = {"name": "fixed", "status_code": int(here), "body": "fixed"}
            route = {"match_type": "path_prefix", "match": "/", "backend": {"backend_id": "fixed"}}
            edge = {"name": "fixed", "hostports": [f"{name}:443"], "routes": [route]}
            declared = {"backends": {"http_response": [backend]}, "edges": {"https": [edge]}}
            self.edge.configure({**self.config, **declared})
            self.signal(signal.SIGHUP)
            said = lambda: self.edge.log().count("configuration reloaded") >= int(here) - 199  # noqa: B023
            self.eventually(said, "reload")
            self.assertEqual(set(self.statuses(*[name] * 6)), {int(here)})

    def test_limit(self) -> None:
        """The sessions that a credential may have are counted over all processes."""
        agents = [
            self.ssh(f"{self.new_name()}:443:127.0.0.1:{self.web().port}", command="http") for _ in range(SESSIONS)
        ]
        for agent in agents:
            agent.url()
        more = self.ssh(f"{self.new_name()}:443:127.0.0.1:{self.web().port}", command="http")
        more.wait_for("ERR_NGROK_108")

    def test_log(self) -> None:
        """Requests in every process are in one access log, and what happens there is in one log."""
        web = self.web()
        name, _ = self.in_worker(web)
        self.assertEqual(self.statuses(name, name), [200, 200])
        log = self.edge.state / "access.log"
        self.eventually(lambda: log.exists() and log.read_text().count(f"host={name}") == 2, "lines")
        self.assertIn("(worker 1) tunnel ", self.edge.log())


def _exists(process: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")
