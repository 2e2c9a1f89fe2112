"""
`StateDirectory`: the one folder that the server writes to, kept to itself.
"""

from __future__ import annotations

import fcntl
import os
import stat
from typing import Any

from twisted.python.filepath import FilePath

from ngrok_twisted.errors import StoreUnusable

#: The owner may do everything, nobody else anything: host keys, a CA key and the database are in it.
MODE = 0o700

_LOCK = "lock"
#: Characters of a lock file that are read for the other process's id.
_PID_MAX = 20


class StateDirectory:
    """
    :ivar path: the folder, as a `FilePath`.
    """

    def __init__(self, path: FilePath[str]) -> None:
        self.path = path
        self._lock: int | None = None

    def open(self) -> None:
        """
        Make the folder if it is missing, close it to others, and lock it for this process.

        The lock is the kernel's (``flock``), so that a killed process leaves none behind. Whoever opens it again, such as a
        daemon that has another process id by now, only notes that id.

        :raises StoreUnusable: it cannot be made, belongs to someone else, or another process has it.
        """
        if self._lock is not None:
            self._note_process(self._lock)
            return
        try:
            os.makedirs(self.path.path, MODE, exist_ok=True)
            self._close_to_others()
            self._take_lock()
        except OSError as error:
            raise StoreUnusable(
                f"the state directory {self.path.path} cannot be used: {error.strerror}; "
                "give 'state' another folder, or this user the right to write there"
            ) from None

    def close(self) -> None:
        """Let another process have it. Nothing happens if it is not open."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def child(self, name: str) -> FilePath[Any]:
        """A file or folder in it."""
        return self.path.child(name)

    def _close_to_others(self) -> None:
        found = os.stat(self.path.path)
        if found.st_uid != os.geteuid():
            raise StoreUnusable(
                f"the state directory {self.path.path} belongs to another user (uid {found.st_uid}); "
                "run as that user, or give 'state' a folder of your own"
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            os.chmod(self.path.path, MODE)

    def _take_lock(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(self.path.child(_LOCK).path, flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(lock, _PID_MAX, 0).decode("ascii", "replace").strip()
            os.close(lock)
            raise StoreUnusable(
                f"the state directory {self.path.path} is in use by another server"
                f"{f' (process {other})' if other.isdigit() else ''}; stop it, or give this one another 'state'"
            ) from None
        self._note_process(lock)
        self._lock = lock

    def _note_process(self, lock: int) -> None:
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)
