"""
``python -m ngrok_twisted.crew``: the program of a worker, see `ngrok_twisted.crew.worker`. Only a main process starts it.
"""

from __future__ import annotations

import signal

#: A terminal sends the first two to every process of its group, and an operator means the main process with the last.
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
    signal.signal(number, signal.SIG_IGN)  # before anything else is imported, which takes a second

from ngrok_twisted.crew.worker import main  # noqa: E402

main()
