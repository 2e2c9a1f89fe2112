"""
Tests of `ngrok_twisted.control.state`.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control import state
from ngrok_twisted.control.state import StateDirectory
from ngrok_twisted.errors import StoreUnusable

HOLDER = """
import sys, time
from twisted.python.filepath import FilePath
from ngrok_twisted.control.state import StateDirectory
held = StateDirectory(FilePath(sys.argv[1]))
held.open()
print("held", flush=True)
time.sleep(60)
"""


class StateDirectoryTests(SynchronousTestCase):
    """`StateDirectory`."""

    def setUp(self) -> None:
        self.folder = FilePath(self.mktemp())
        self.state = StateDirectory(self.folder.child("deep").child("state"))
        self.addCleanup(self.state.close)

    def mode(self) -> int:
        """Who may do what with the folder."""
        return stat.S_IMODE(os.stat(self.state.path.path).st_mode)

    def refused(self, directory: StateDirectory) -> str:
        """Why a directory does not open."""
        return str(self.assertRaises(StoreUnusable, directory.open))

    def test_made(self) -> None:
        """A missing folder is made, for its owner alone."""
        self.state.open()
        self.assertEqual(self.mode(), 0o700)
        self.assertEqual(self.state.child("lock").getContent(), b"%d\n" % os.getpid())

    def test_tightened(self) -> None:
        """A folder of ours that others can read is closed to them."""
        self.state.path.makedirs()
        os.chmod(self.state.path.path, 0o755)
        self.state.open()
        self.assertEqual(self.mode(), 0o700)

    def test_other_owner(self) -> None:
        """A folder of somebody else's is refused."""
        self.patch(state.os, "geteuid", lambda: 12345)
        self.assertIn("belongs to another user", self.refused(self.state))

    def test_not_a_folder(self) -> None:
        """A file in its place is refused, with a remedy."""
        self.folder.makedirs()
        self.folder.child("deep").setContent(b"")
        self.assertIn("give 'state' another folder", self.refused(self.state))

    def test_twice(self) -> None:
        """A second server is refused until the first has let go; opening one twice notes the process that it is by then."""
        self.state.open()
        self.patch(os, "getpid", lambda: 4711)
        self.state.open()
        self.assertEqual(self.state.child("lock").getContent(), b"4711\n")
        other = StateDirectory(self.state.path)
        self.assertIn(f"in use by another server (process {os.getpid()})", self.refused(other))
        self.state.close()
        self.state.close()
        other.open()
        other.close()

    def test_killed(self) -> None:
        """A server that was killed leaves no lock behind."""
        root = Path(__file__).resolve().parents[2]
        command = [sys.executable, "-c", HOLDER, self.state.path.path]
        environment = dict(os.environ, PYTHONPATH=str(root))
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), b"held\n")
            self.assertIn(f"(process {process.pid})", self.refused(self.state))
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.state.open()
