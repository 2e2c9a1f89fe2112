"""
A WebSocket echo server on the ``websockets`` package: ``websocket_echo.py PORT``. Prints ``ready``.
"""

from __future__ import annotations

import asyncio
import logging
import sys

import websockets

logging.getLogger("websockets").setLevel(logging.CRITICAL)


async def echo(connection: object) -> None:
    """Give back every message."""
    try:
        async for message in connection:  # type: ignore[attr-defined]
            await connection.send(message)  # type: ignore[attr-defined]
    except websockets.ConnectionClosed:
        pass


async def main() -> None:
    """Serve until the process ends."""
    async with websockets.serve(echo, "127.0.0.1", int(sys.argv[1]), max_size=None, compression=None):
        print("ready", flush=True)
        await asyncio.Future()


asyncio.run(main())
