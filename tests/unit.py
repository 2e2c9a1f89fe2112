"""
Names the unit tests for ``trial``: every test module but those of ``tests.functional``.

``python -m tests.unit`` prints them on one line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

HERE = Path(__file__).resolve().parent


def names() -> Iterator[str]:
    """The dotted name of every unit test module, in order."""
    for path in sorted(HERE.rglob("test_*.py")):
        relative = path.relative_to(HERE)
        if relative.parts[0] != "functional":
            yield ".".join(["tests", *relative.with_suffix("").parts])


if __name__ == "__main__":
    print(*names())
