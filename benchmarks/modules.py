"""
What each module costs a request: ``python -m benchmarks.modules [REQUESTS]`` prints the table of ``docs/modules/README.md``.

A visitor with a browser's headers asks through a route, over HTTP/1.1 and in memory (`benchmarks.one_route`): with nothing on
the route, and with modules in typical settings. Rounds are interleaved, and of each row the best round counts: whatever else
the machine does can only add to it.
"""

from __future__ import annotations

import datetime
import gc
import hmac
import json
import platform
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from time import process_time
from typing import Any, Iterator, Mapping

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from benchmarks.one_route import ACCOUNT, Modules, OneRoute
from ngrok_twisted.records.certificate_authority import CertificateAuthority
from ngrok_twisted.records.ip_policy import IPPolicy, IPPolicyRule

#: Requests in one measurement, unless told otherwise, and rounds of measurements.
REQUESTS = 2_000
ROUNDS = 15

MICROSECOND = 1e6
KB = 1000

FIELDS = (
    b"Host: shop.example.com\r\nAuthorization: Basic YW5uOmNvcnJlY3QgaG9yc2U=\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-GB,en;q=0.5\r\n"
    b"Connection: keep-alive\r\nCookie: session=0123456789abcdef; theme=dark\r\nSec-Fetch-Dest: document\r\n"
    b"Sec-Fetch-Mode: navigate\r\nCache-Control: max-age=0\r\nX-Tenant: blue\r\n"
)
GET = b"GET /some/path?q=1 HTTP/1.1\r\n" + FIELDS + b"Accept-Encoding: %s\r\n\r\n"
GZIP, ZSTD = GET % b"gzip, deflate", GET % b"gzip, deflate, br, zstd"

SECRET = "a secret of GitHub's and ours"

RULES = 1000


def post(body: bytes) -> bytes:
    """A webhook as GitHub signs it."""
    signature = hmac.new(SECRET.encode(), body, "sha256").hexdigest().encode()
    head = b"POST /hook HTTP/1.1\r\n" + FIELDS + b"Content-Type: application/json\r\nX-Hub-Signature-256: sha256="
    return head + signature + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def answer(body: bytes) -> bytes:
    """What a service answers."""
    return (
        b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body
    )


def text(size: int) -> bytes:
    """JSON as services write it, of so many bytes."""
    random = Random(1)
    words = "id name created_at description active amount currency country status owner".split()
    items = [
        {word: f"{random.getrandbits(24):x} {random.choice(words)}" for word in words} for _ in range(size // 100 + 1)
    ]
    return json.dumps(items).encode()[:size]


def office() -> IPPolicy:
    """Many blocks, the last of which is the visitor's."""
    blocks = [f"10.{number // 256}.{number % 256}.0/24" for number in range(RULES - 1)]
    rules = [IPPolicyRule(id=f"ipr_{block}", cidr=block, action="allow") for block in (*blocks, "192.0.2.0/24")]
    return IPPolicy(id="ipp_1", account_id=ACCOUNT, rules=tuple(rules))


@lru_cache
def certificate() -> x509.Certificate:
    """A visitor's, which is its own authority's, too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ann")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("ann.example.com"), x509.RFC822Name("ann@example.com")])
    return builder.add_extension(names, False).sign(key, SHA256())


def staff() -> CertificateAuthority:
    """Who made that certificate."""
    pem = certificate().public_bytes(Encoding.PEM).decode()
    return CertificateAuthority(id="ca_1", account_id=ACCOUNT, ca_pem=pem)


SMALL, LARGE, WEBHOOK = answer(text(200)), answer(text(2 * KB)), text(2 * KB)

_POLICY = """
on_http_request:
- actions: [{type: restrict-ips, config: {allow: [192.0.2.0/24]}}]
- actions: [{type: redirect, config: {from: "/old/(.*)", to: "/new/$1"}}]
"""

CERTIFIED = {"mutual_tls": {"certificate_authority_ids": ["ca_1"]}}
IPS = {"ip_restriction": {"ip_policy_ids": ["ipp_1"]}}
USER_AGENTS = {"user_agent_filter": {"deny": ["(?i)curl", "bot|spider", "^python"]}}
PASSWORDS = {"basic_auth": {"credentials": [{"username": "ann", "password": "correct horse"}]}}
SIGNED = {"webhook_verification": {"provider": "github", "secret": SECRET}}
POLICY = {"traffic_policy": {"value": _POLICY}}
BREAKER: Modules = {"circuit_breaker": {}}
COMPRESSED: Modules = {"compression": {}}
TEMPLATES = {
    "add": {"x-client": "${conn.client_ip}", "x-asked": "${req.method} ${req.url.path}", "x-id": "${.http.request_id}"}
}
FIXED = {"add": {"x-one": "1", "x-two": "2", "x-three": "3"}, "remove": ["x-tenant", "server"]}
FOUR: Modules = {**IPS, "request_headers": TEMPLATES, **COMPRESSED, **BREAKER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    :ivar label: what is on the route.
    :ivar modules: the same as data.
    :ivar request: what is asked.
    :ivar answer: what the service answers.
    :ivar known: the visitor shows a certificate.
    :ivar enabled: whether the modules are switched on.
    """

    label: str
    modules: Modules = field(default_factory=dict)
    request: bytes = GZIP
    answer: bytes = SMALL
    known: bool = False
    enabled: bool = True

    def route(self) -> OneRoute:
        """The route, and those at its ends."""
        shown = certificate().public_bytes(Encoding.DER) if self.known else None
        return OneRoute(self.modules, self.request, self.answer, [office(), staff()], shown, self.enabled)

    @property
    def way(self) -> tuple[bytes, bytes]:
        """What must be the same in two rows that are compared."""
        return self.request, self.answer


#: What is compared with: the first row of each kind of request and answer has nothing on the route.
ROWS = (
    Row(label="nothing, 200 B"),
    Row(label="nothing, 2 KB", answer=LARGE),
    Row(label="nothing, 2 KB, zstd", answer=LARGE, request=ZSTD),
    Row(label="nothing, a webhook of 2 KB", request=post(WEBHOOK)),
    Row(label="seven modules, switched off", modules={**FOUR, **USER_AGENTS, **PASSWORDS, **POLICY}, enabled=False),
    Row(label=f"`ip_restriction`, {RULES} rules", modules=IPS),
    Row(label="`mutual_tls`, without the handshake", modules=CERTIFIED, known=True),
    Row(label="`user_agent_filter`, 3 expressions", modules=USER_AGENTS),
    Row(label="`basic_auth`, 1 pair", modules=PASSWORDS),
    Row(label="`webhook_verification`, GitHub, 2 KB", modules=SIGNED, request=post(WEBHOOK)),
    Row(label="`traffic_policy`, 2 rules", modules=POLICY),
    Row(label="`circuit_breaker`, closed", modules=BREAKER),
    Row(label="`request_headers`, 3 added, 2 removed", modules={"request_headers": FIXED}),
    Row(label="`request_headers`, 3 templates", modules={"request_headers": TEMPLATES}),
    Row(label="`response_headers`, 3 added, 2 removed", modules={"response_headers": FIXED}),
    Row(label="`response_headers`, 3 templates", modules={"response_headers": TEMPLATES}),
    Row(label="`compression`, too small", modules=COMPRESSED),
    Row(label="`compression`, 2 KB of JSON, gzip", modules=COMPRESSED, answer=LARGE),
    Row(label="`compression`, 2 KB of JSON, zstd", modules=COMPRESSED, answer=LARGE, request=ZSTD),
    Row(label="four: IPs, 3 header templates, gzip of 2 KB, breaker", modules=FOUR, answer=LARGE),
    Row(label="the same with zstd", modules=FOUR, answer=LARGE, request=ZSTD),
)


def measured(rows: tuple[Row, ...], count: int, rounds: int) -> list[float]:
    """
    :param count: requests in one measurement.
    :return: CPU microseconds of a request of each row.
    """
    routes = [row.route() for row in rows]
    best = [float("inf")] * len(rows)
    for _ in range(rounds):
        for number, route in enumerate(routes):
            gc.collect()
            started = process_time()
            for _ in range(count):
                route.ask()
            best[number] = min(best[number], process_time() - started)
    return [seconds / count * MICROSECOND for seconds in best]


def table(rows: tuple[Row, ...], costs: list[float]) -> Iterator[str]:
    """The lines of the table, in Markdown."""
    plain: Mapping[Any, float] = {}
    yield "| On the route | µs a request | more | times |"
    yield "| --- | ---: | ---: | ---: |"
    for row, cost in zip(rows, costs):
        if not row.modules:
            plain = {**plain, row.way: cost}
            yield f"| {row.label} | {cost:.1f} | | |"
        else:
            base = plain[row.way]
            yield f"| {row.label} | {cost:.1f} | {cost - base:+.1f} | {cost / base:.2f} |"


def main(arguments: list[str]) -> None:
    """Measure and print."""
    count = int(arguments[0]) if arguments else REQUESTS
    print(
        f"{datetime.date.today()}, CPython {platform.python_version()}, best of {ROUNDS} rounds of {count} requests\n"
    )
    print("\n".join(table(ROWS, measured(ROWS, count, ROUNDS))))


if __name__ == "__main__":
    main(sys.argv[1:])
