"""
A client on httpx, which has HTTP/2 from h2: ``httpx_client.py CA PORT HOST`` prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import sys
from typing import Any, AsyncIterator

import httpx

PARALLEL = 200


async def pieces() -> AsyncIterator[bytes]:
    """A body whose length nobody knows."""
    for _ in range(100):
        yield bytes(10_000)


async def main(ca: str, port: str, host: str) -> None:
    """Ask for many things at once, on one connection."""
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    address: Any = {"extensions": {"sni_hostname": host}, "headers": {"host": f"{host}:{port}"}}
    url = f"https://127.0.0.1:{port}"
    trusted = ssl.create_default_context(cafile=ca)
    async with httpx.AsyncClient(http1=False, http2=True, verify=trusted, limits=limits, timeout=60) as client:
        small = [client.get(f"{url}/size/{10_000 + number}", **address) for number in range(PARALLEL)]
        answers = await asyncio.gather(*small)
        uploads = [client.post(f"{url}/echo", content=pieces(), **address) for _ in range(20)]
        seen = [json.loads(answer.content)["length"] for answer in await asyncio.gather(*uploads)]
        async with client.stream("GET", f"{url}/size/5000000", **address) as answer:
            digest = hashlib.sha1()
            async for data in answer.aiter_bytes():
                digest.update(data)
        print(
            json.dumps(
                {
                    "versions": sorted({answer.http_version for answer in answers}),
                    "sizes": [len(answer.content) for answer in answers] == [10_000 + each for each in range(PARALLEL)],
                    "uploads": sorted(set(seen)),
                    "download": digest.hexdigest(),
                }
            )
        )


asyncio.run(main(*sys.argv[1:]))
