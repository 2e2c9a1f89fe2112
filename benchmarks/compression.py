"""
What compressing bodies of several sizes costs in each coding: ``python -m benchmarks.compression [REQUESTS]``.

The figures are CPU microseconds per request, what is more than without compression, and how much smaller the body becomes; see
`benchmarks.modules` for how they are measured.
"""

from __future__ import annotations

import sys

from benchmarks.modules import COMPRESSED, GET, Row, answer, measured, text

#: Requests in one measurement of the smallest size, unless told otherwise; there are fewer of the others.
REQUESTS = 2_000
FEWEST = 20
ROUNDS = 7

CODINGS = ("identity", "zstd", "br", "gzip", "deflate")
SIZES = (1_000, 10_000, 100_000)


def rows(size: int) -> tuple[Row, ...]:
    """The same body in each coding, as it is first."""
    plain, *others = (GET % coding.encode() for coding in CODINGS)
    body = answer(text(size))
    coded = (Row(label="", modules=COMPRESSED, request=request, answer=body) for request in others)
    return (Row(label="", request=plain, answer=body), *coded)


def smaller(row: Row) -> float:
    """How many times smaller the body is that the visitor gets."""
    sent = row.route().answered().partition(b"\r\n\r\n")[2]
    return len(row.answer.partition(b"\r\n\r\n")[2]) / len(sent)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    count = int(arguments[0]) if arguments else REQUESTS
    print("| Body | Coding | µs a request | more | times smaller |\n| --- | --- | ---: | ---: | ---: |")
    for size in SIZES:
        made = rows(size)
        costs = measured(made, max(FEWEST, count * SIZES[0] // size), ROUNDS)
        for coding, row, cost in zip(CODINGS, made, costs):
            print(f"| {size // 1000} KB | {coding} | {cost:.1f} | {cost - costs[0]:+.1f} | {smaller(row):.1f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
