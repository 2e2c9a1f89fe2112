"""
Tests of `ngrok_twisted.crew.boot`.
"""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ngrok_twisted.control.config import Config
from ngrok_twisted.control.first_key import FIRSTS
from ngrok_twisted.control.load import load
from ngrok_twisted.crew.boot import boot_of, command, environment


class BootTests(SynchronousTestCase):
    """What a worker is told first."""

    def test_config(self) -> None:
        """The configuration comes to it as it is, but for what only the main process needs, which may be large or secret."""
        config = replace(
            load(None, {}, self.mktemp()),
            store="postgresql://u:secret@h/d",
            firsts={first: "secret" for first in FIRSTS},
        )
        boot = pickle.loads(pickle.dumps(boot_of(3, config, (443, 80), b"key")))
        self.assertEqual((boot.place, boot.ports, boot.tickets), (3, (443, 80), b"key"))
        for name in ("domain", "listen", "ssh", "agent", "limits", "timeouts", "tcp", "state", "access_log", "workers"):
            self.assertEqual(getattr(boot.config, name), getattr(config, name))
        self.assertNotIn(b"secret", pickle.dumps(boot_of(3, config, ())))

    def test_secrets(self) -> None:
        """Nothing of it is in a log or in the list of processes."""
        self.assertNotIn("secret", repr(boot_of(1, Config(store="secret"), (), b"secret")))
        self.assertEqual(command()[1:], ("-P", "-m", "ngrok_twisted.crew"))

    def test_modules(self) -> None:
        """It finds the same modules, wherever they are."""
        self.patch(sys, "path", ["", "/some/where"])
        self.assertEqual(environment()["PYTHONPATH"], os.getcwd() + os.pathsep + "/some/where")
        self.assertEqual(environment()["PATH"], os.environ["PATH"])
