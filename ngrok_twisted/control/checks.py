"""
What the shape of a config does not say of the server's own settings: whether they mean something, and fit together. What
must hold for declared records is in `ngrok_twisted.control.rules`, since it holds for those made over the API too.

Pure: every check takes the parsed config and yields problems with paths; `ngrok_twisted.control.load` adds the lines.
"""

from __future__ import annotations

from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Callable, Iterator

from twisted.internet.endpoints import serverFromString

from ngrok_twisted import kinds
from ngrok_twisted.control.config import Config
from ngrok_twisted.document import join
from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import RESERVATION_CODES, is_wildcard, normalise
from ngrok_twisted.interfaces import IStoreKind
from ngrok_twisted.net.activation import is_activated, mistake_in
from ngrok_twisted.net.listening import port_of
from ngrok_twisted.networks import parse_network
from ngrok_twisted.records.base import Problem
from ngrok_twisted.schema import suggestion

#: Seconds: a timeout longer than a day is a mistake of units.
TIMEOUT_MAX = 24 * 60 * 60

#: Processes of one server: more than the processors of most machines.
WORKERS_MAX = 64

#: Requests on one HTTP/2 connection: each may hold 64 KB in either direction.
HTTP2_REQUESTS_MAX = 1000

#: Kinds of endpoints that put something of their own in front of the ClientHello, which the edge reads from the socket.
_WRAPPING = frozenset({"haproxy", "ssl", "tls"})

#: The listeners on which TLS begins, each with an example.
_TLS = {"https": "tcp:443", "agent": "tcp:4443"}

#: Those that speak plain HTTP, each with an example, or what to do for TLS.
_PLAIN_HTTP = {
    "api": "tcp:4040; with TLS the API is on the https listener",
    "metrics": "tcp:9090:interface=127.0.0.1",
}

Problems = Iterator[Problem]


def problems(config: Config) -> list[Problem]:
    """Everything that is wrong with a config."""
    found: list[Problem] = []
    found += _server(config)
    found += _numbers(config)
    found += _listeners(config)
    found += _proxy_protocol(config)
    found += _accounts(config)
    return found


def _refusal(path: str, check: Callable[..., Any], *arguments: Any) -> Problems:
    """What a check that raises has to say."""
    try:
        check(*arguments)
    except Refused as refused:
        yield Problem(path, refused.message, code=refused.code or 0)


def _server(config: Config) -> Problems:
    refused = list(_refusal("domain", normalise, config.domain, RESERVATION_CODES))
    yield from refused
    # The one may follow from the other.
    for path, place in (("state", config.state), ("access_log", config.access_log)):
        if said := _no_path(place):
            yield Problem(path, said)
            break
    else:
        yield from _access_log(Path(config.access_log), Path(config.state))
    if is_wildcard(config.domain):
        yield Problem("domain", "must be a name without a star: the names under it are made by the server")
    if config.public_port is not None and not 1 <= config.public_port <= 65535:
        yield Problem("public_port", "must be a port from 1 to 65535")
    if not 1 <= config.workers <= WORKERS_MAX:
        yield Problem("workers", f"must be from 1 to {WORKERS_MAX}")
    if not refused:  # the TCP host may follow from the domain
        yield from _refusal("tcp.host", normalise, config.tcp.host)
    try:
        ip_address(config.tcp.interface)
    except ValueError:
        yield Problem("tcp.interface", "must be an IP address of this machine, 0.0.0.0 for all of IPv4, '::' for all")
    scheme = config.store.partition("://")[0]
    known = kinds.discover("ngrok_twisted.control.stores", IStoreKind)
    if scheme not in known or ("://" in config.store) != (scheme == "postgresql"):
        yield Problem("store", f"must be sqlite, memory, or a postgresql:// URL{suggestion(scheme, known)}")


def _no_path(place: str) -> str:
    """Why no file system has such a path; empty if one may."""
    if "\0" in place:
        return "holds a NUL character, which no path has"
    try:
        Path(place).exists()
    except OSError as error:
        return f"cannot be a path here: {error.strerror}"
    return ""


def _access_log(file: Path, state: Path) -> Problems:
    """The state directory is made at the start; any other folder must be there."""
    if file.is_dir() and file.name:
        yield Problem("access_log", f"{file} is a folder; name a file, or 'off'")
    elif file.parent != state and not file.parent.is_dir():
        yield Problem("access_log", f"there is no folder {file.parent}; make it, or name a file elsewhere")


def _numbers(config: Config) -> Problems:
    """Bounds of the numbers: those that are at least 1, and seconds. Transports may have others besides."""
    counts: dict[str, int] = {
        "limits.http_head_bytes": config.limits.http_head_bytes,
        "limits.http_fields": config.limits.http_fields,
        "limits.account_options_bytes": config.limits.account_options_bytes,
    }
    seconds: dict[str, float] = {}
    for name, block in (("ssh", config.ssh), ("agent", config.agent), ("timeouts", config.timeouts)):
        for each in fields(block):
            value = getattr(block, each.name)
            if type(value) is int:
                counts[join(name, each.name)] = value
            elif type(value) is float:
                seconds[join(name, each.name)] = value
    for path, count in counts.items():
        if count < 1:
            yield Problem(path, "must be at least 1")
    if not 0 <= config.limits.http2_requests <= HTTP2_REQUESTS_MAX:
        yield Problem("limits.http2_requests", f"must be at most {HTTP2_REQUESTS_MAX}, or 0 for no HTTP/2")
    for path, value in seconds.items():
        if not 0 < value <= TIMEOUT_MAX:
            yield Problem(path, f"is a time in seconds, more than 0 and at most {TIMEOUT_MAX}")
    rates = {
        "limits.api_requests_per_minute": config.limits.api_requests_per_minute,
        "limits.api_failures_per_minute": config.limits.api_failures_per_minute,
    }
    for path, rate in rates.items():
        if rate < 0:
            yield Problem(path, "must be at least 1, or 0 for no limit")


def _listeners(config: Config) -> Problems:
    seen: dict[str, str] = {}
    for listen in fields(config.listen):
        for number, text in enumerate(getattr(config.listen, listen.name)):
            path = join(f"listen.{listen.name}", number)
            if text in seen:
                yield Problem(path, f"is the same listener as {seen[text]}; each needs its own port")
            seen.setdefault(text, path)
            yield from _listener(listen.name, path, text)
    if not any(path for path in seen.values() if not path.startswith("listen.metrics")):
        yield Problem(
            "listen", "names no listener: give https, http, ssh, agent or api, or leave 'listen' out for the defaults"
        )


def _listener(name: str, path: str, text: str) -> Problems:
    kind = text.partition(":")[0]
    if name in _TLS and kind in _WRAPPING:
        yield Problem(
            path,
            f"must be a plain listener such as {_TLS[name]}: the edge reads TLS itself, not behind {kind}:"
            + (" (PROXY headers are what proxy_protocol.trusted is for)" if kind == "haproxy" else ""),
        )
    if name in _PLAIN_HTTP and kind in ("ssl", "tls"):
        yield Problem(path, f"is for plain HTTP, such as {_PLAIN_HTTP[name]}")
        return
    if is_activated(text):
        if mistake := mistake_in(text):
            yield Problem(path, mistake)
        return  # only the process that gets the sockets can see which there are
    try:
        # Nothing listens yet: an endpoint remembers the reactor and uses it later.
        serverFromString(object(), text)
    except Exception as error:  # endpoint parsers raise whatever a missing or odd argument leads to
        yield Problem(path, f"is not a Twisted endpoint string such as tcp:443 ({type(error).__name__}: {error})")
    if (port := port_of(text)) is not None and port > 65535:
        yield Problem(path, f"its port must be at most 65535, and {port} is more")


def _proxy_protocol(config: Config) -> Problems:
    for number, text in enumerate(config.proxy_protocol.trusted):
        try:
            parse_network(text, bare=True)
        except Refused as refused:
            yield Problem(join("proxy_protocol.trusted", number), refused.message)


def _accounts(config: Config) -> Problems:
    seen: set[str] = set()
    for number, account in enumerate(config.accounts):
        path = join("accounts", number)
        if not account.name or account.name in seen:
            yield Problem(join(path, "name"), "must be a name of its own; this one is empty or taken")
        seen.add(account.name)
