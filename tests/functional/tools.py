"""
The counterparts that tests need: programs and a second virtual environment with Python tools.

``scripts/install-test-tools`` provides all of them. On a developer's machine a test whose counterpart is missing is skipped;
where ``CI`` is ``true`` it fails, since a suite that skips proves nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from unittest import SkipTest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".venv-tools" / "bin"
NODE_MODULES = ROOT / ".cache" / "npm" / "node_modules"
PEERS = Path(__file__).resolve().parent / "peers"


class Missing(AssertionError):
    """A counterpart is missing where it must be there."""


def require(found: object, what: str) -> None:
    """
    :raises SkipTest: ``found`` is false, on a developer's machine.
    :raises Missing: the same, on a continuous integration machine.
    """
    if found:
        return
    advice = f"{what} is missing; scripts/install-test-tools may help"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        raise Missing(advice)
    raise SkipTest(advice)


def program(name: str) -> str:
    """The path of a program of the system."""
    path = shutil.which(name)
    require(path, name)
    return str(path)


def tool(name: str) -> str:
    """The path of a program in the tools' environment; ``python`` is its interpreter."""
    path = TOOLS / name
    require(path.exists(), f"{name} in .venv-tools")
    return str(path)


def peer(name: str) -> str:
    """The path of one of our own scripts that play a counterpart; see ``peers/``."""
    return str(PEERS / name)


def node_module(name: str) -> str:
    """The folder to put into ``NODE_PATH`` so that this npm package is found."""
    program("node")
    require((NODE_MODULES / name).is_dir(), f"npm {name}")
    return str(NODE_MODULES)
