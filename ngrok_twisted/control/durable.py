"""
Small files that survive a power cut: written beside their place, flushed, and moved there in one step.
"""

from __future__ import annotations

import os

#: For secrets: the owner reads and writes, nobody else does anything.
PRIVATE = 0o600


def create_private(path: str, content: bytes) -> None:
    """
    Make a file that only its owner can read, whole or not at all.

    :raises FileExistsError: it is there already.
    :raises OSError: it cannot be written.
    """
    temporary = f"{path}.{os.getpid()}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), PRIVATE)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    finally:
        os.unlink(temporary)
    _flush_folder(os.path.dirname(path) or ".")


def _flush_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
