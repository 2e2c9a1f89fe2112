"""
Visitors who come for a single byte: a connection each, some at once. At the end one line of JSON with ``seconds`` and
``connections``.

Usage: ``python -m benchmarks.load.short_visits PORT CONNECTIONS AT_ONCE``; the service is `benchmarks.load.bulk_origin`.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.load import bulk
from benchmarks.load.bulk_visitor import visit


def main() -> None:
    """Visit and report."""
    port, connections, at_once = map(int, sys.argv[1:4])
    started = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda number: visit(port, bulk.DOWNLOAD, 1), range(connections)))
    print(json.dumps({"seconds": time.perf_counter() - started, "connections": connections}))


if __name__ == "__main__":
    main()
