"""
Pipes that ``splice(2)`` moves bytes through, from one socket to another.

A pipe is borrowed for the length of one event and given back empty, so that connections that rest hold none.
"""

from __future__ import annotations

import fcntl
import os

# As large as an unprivileged process may make a pipe (fs.pipe-max-size); also the most that is moved in one go.
PIPE_SIZE = 1024 * 1024

# Empty pipes that are kept. Linux counts pipe memory against each user (fs.pipe-user-pages-soft, 64 MB).
POOL_SIZE = 32

#: The end to read from, and the one to write to.
Pipe = tuple[int, int]

_F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", None)

_pool: list[Pipe] = []


def borrow() -> Pipe:
    """
    An empty pipe that never blocks, as large as we may have it.

    :raises OSError: no descriptors are left.
    """
    if _pool:
        return _pool.pop()
    pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    if _F_SETPIPE_SZ is not None:
        try:
            fcntl.fcntl(pipe[1], _F_SETPIPE_SZ, PIPE_SIZE)
        except OSError:
            pass  # the user's share is used up: a pipe of the usual size works as well
    return pipe


def give_back(pipe: Pipe) -> None:
    """It is empty: others may have it."""
    if len(_pool) < POOL_SIZE:
        _pool.append(pipe)
    else:
        discard(pipe)


def discard(pipe: Pipe) -> None:
    """What is in it is lost."""
    os.close(pipe[0])
    os.close(pipe[1])
