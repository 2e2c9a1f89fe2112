"""
What the shape of a config does not say: whether its values mean something, and fit together.

Pure: every check takes the parsed config and yields problems with paths; `ngrok_twisted.control.load` adds the lines.
"""

from __future__ import annotations

from collections import defaultdict
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

from twisted.internet.endpoints import serverFromString

from ngrok_twisted import kinds
from ngrok_twisted.control.checks_edges import edge_problems
from ngrok_twisted.control.config import SERVICE_LABELS, Config
from ngrok_twisted.control.names import DEFAULT_ACCOUNT, Named, Names, declared_items, rewrite
from ngrok_twisted.control.authorized_keys import canonical
from ngrok_twisted.document import join
from ngrok_twisted.errors import Refused
from ngrok_twisted.hostnames import RESERVATION_CODES, is_wildcard, normalise, parents, split_hostport
from ngrok_twisted.iam.permissions import parse_rule
from ngrok_twisted.interfaces import IStoreKind
from ngrok_twisted.net.listening import port_of
from ngrok_twisted.records.base import Problem
from ngrok_twisted.schema import suggestion
from ngrok_twisted.tls.pem import check_pair

#: Bytes that ngrok's API allows.
DESCRIPTION_MAX = 255
METADATA_MAX = 4096

#: Seconds: a timeout longer than a day is a mistake of units.
TIMEOUT_MAX = 24 * 60 * 60

#: Kinds of endpoints that put something of their own in front of the ClientHello, which the edge reads from the socket.
_WRAPPING = frozenset({"haproxy", "ssl", "tls"})

Problems = Iterator[Problem]


def coded(code: int, sentence: str) -> str:
    """A sentence with ngrok's number, under which its documentation explains it."""
    return f"{sentence} (ERR_NGROK_{code})"


def problems(config: Config) -> list[Problem]:
    """Everything that is wrong with a config."""
    names = Names(config)
    found: list[Problem] = []
    found += _server(config)
    found += _numbers(config)
    found += _listeners(config)
    found += _texts(config)
    found += _accounts(config)
    found += _unique_names(config)
    found += _credentials(config)
    found += _domains(config)
    found += _addresses(config)
    found += _certificates(config)
    found += _references(config, names)
    found += edge_problems(config)
    return found


def _refusal(path: str, check: Callable[..., Any], *arguments: Any) -> Problems:
    """What a check that raises has to say."""
    try:
        check(*arguments)
    except Refused as refused:
        message = refused.message if refused.code is None else coded(refused.code, refused.message)
        yield Problem(path, message)


def _server(config: Config) -> Problems:
    refused = list(_refusal("domain", normalise, config.domain, RESERVATION_CODES))
    yield from refused
    # The one may follow from the other.
    for path, place in (("state", config.state), ("access_log", config.access_log)):
        if "\0" in place:
            yield Problem(path, "holds a NUL character, which no path has")
            break
    else:
        yield from _access_log(Path(config.access_log), Path(config.state))
    if is_wildcard(config.domain):
        yield Problem("domain", "must be a name without a star: the names under it are made by the server")
    if config.public_port is not None and not 1 <= config.public_port <= 65535:
        yield Problem("public_port", "must be a port from 1 to 65535")
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


def _access_log(file: Path, state: Path) -> Problems:
    """The state directory is made at the start; any other folder must be there."""
    if file.is_dir() and file.name:
        yield Problem("access_log", f"{file} is a folder; name a file, or 'off'")
    elif file.parent != state and not file.parent.is_dir():
        yield Problem("access_log", f"there is no folder {file.parent}; make it, or name a file elsewhere")


def _numbers(config: Config) -> Problems:
    """Bounds of the numbers: those that are at least 1, and seconds."""
    counts = {
        "ssh.max_forwards": config.ssh.max_forwards,
        "ssh.max_sessions_per_credential": config.ssh.max_sessions_per_credential,
        "ssh.keepalive_misses": config.ssh.keepalive_misses,
        "limits.http_head_bytes": config.limits.http_head_bytes,
        "limits.http_fields": config.limits.http_fields,
    }
    for path, count in counts.items():
        if count < 1:
            yield Problem(path, "must be at least 1")
    seconds = {
        "ssh.login_grace_seconds": config.ssh.login_grace_seconds,
        "ssh.keepalive_seconds": config.ssh.keepalive_seconds,
        "timeouts.http_first_head": config.timeouts.http_first_head,
        "timeouts.http_idle": config.timeouts.http_idle,
        "timeouts.stream_idle": config.timeouts.stream_idle,
    }
    for path, value in seconds.items():
        if not 0 < value <= TIMEOUT_MAX:
            yield Problem(path, f"is a time in seconds, more than 0 and at most {TIMEOUT_MAX}")


def _listeners(config: Config) -> Problems:
    seen: dict[str, str] = {}
    any_at_all = False
    for name in ("https", "http", "ssh"):
        for number, text in enumerate(getattr(config.listen, name)):
            any_at_all, path = True, join(f"listen.{name}", number)
            if text in seen:
                yield Problem(path, f"is the same listener as {seen[text]}; each needs its own port")
            seen.setdefault(text, path)
            kind = text.partition(":")[0]
            if name == "https" and kind in _WRAPPING:
                yield Problem(
                    path, f"must be a plain listener such as tcp:443: the edge reads TLS itself, not behind {kind}:"
                )
            try:
                # Nothing listens yet: an endpoint remembers the reactor and uses it later.
                serverFromString(object(), text)
            except Exception as error:  # endpoint parsers raise whatever a missing or odd argument leads to
                yield Problem(
                    path, f"is not a Twisted endpoint string such as tcp:443 ({type(error).__name__}: {error})"
                )
            if (port := port_of(text)) is not None and port > 65535:
                yield Problem(path, f"its port must be at most 65535, and {port} is more")
    if not any_at_all:
        yield Problem("listen", "names no listener: give https, http or ssh, or leave 'listen' out for the defaults")


def _texts(config: Config) -> Problems:
    """Lengths of what people write."""
    for path, item in _described(config):
        if len(item.description.encode("utf-8")) > DESCRIPTION_MAX:
            yield Problem(join(path, "description"), f"is longer than {DESCRIPTION_MAX} bytes")
        if len(getattr(item, "metadata", "").encode("utf-8")) > METADATA_MAX:
            yield Problem(join(path, "metadata"), f"is longer than {METADATA_MAX} bytes")


def _described(config: Config) -> Iterator[tuple[str, Any]]:
    yield from ((join("accounts", number), item) for number, item in enumerate(config.accounts))
    yield from ((join("ssh_credentials", number), item) for number, item in enumerate(config.ssh_credentials))
    yield from ((named.path, named.item) for named in declared_items(config))
    for number, edge in enumerate(config.edges.https):
        for count, route in enumerate(edge.routes):
            yield join(join(join("edges.https", number), "routes"), count), route


def _accounts(config: Config) -> Problems:
    seen: dict[str, int] = {}
    for number, account in enumerate(config.accounts):
        if not account.name or account.name in seen:
            yield Problem(
                join(join("accounts", number), "name"), "must be a name of its own; this one is empty or taken"
            )
        seen.setdefault(account.name, number)
    known = {DEFAULT_ACCOUNT, *seen}
    owned = [(join("ssh_credentials", number), item) for number, item in enumerate(config.ssh_credentials)]
    owned += [(named.path, named.item) for named in declared_items(config)]
    for path, item in owned:
        if item.account and item.account not in known:
            close = suggestion(item.account, known) or "; declare it under 'accounts'"
            yield Problem(join(path, "account"), f"there is no account of this name{close}")


def _unique_names(config: Config) -> Problems:
    seen: dict[tuple[str, str], str] = {}
    for named in declared_items(config):
        if named.item.name:
            other = seen.setdefault((named.list, named.item.name), named.path)
            if other != named.path:
                yield Problem(join(named.path, "name"), f"is the name of {other} already; names are unique in a list")


def _credentials(config: Config) -> Problems:
    owners: dict[str, tuple[str, str]] = {}
    for number, item in enumerate(config.ssh_credentials):
        path = join("ssh_credentials", number)
        for count, rule in enumerate(item.acl):
            yield from _refusal(join(join(path, "acl"), count), parse_rule, rule)
        try:
            key, _ = canonical(item.public_key)
        except ValueError as error:
            yield Problem(join(path, "public_key"), coded(612, str(error)))
            continue
        if key in owners:
            code = 609 if owners[key][1] == (item.account or DEFAULT_ACCOUNT) else 610
            yield Problem(join(path, "public_key"), coded(code, f"this key is declared by {owners[key][0]} already"))
        owners.setdefault(key, (path, item.account or DEFAULT_ACCOUNT))
    for found in config.keys:
        path, owner = owners.get(found.public_key, ("", DEFAULT_ACCOUNT))
        if owner != DEFAULT_ACCOUNT:
            message = f"the key in {found.source} is declared by {path} for the account {owner}; take it out of one"
            yield Problem("ssh.authorized_keys", coded(610, message))


def _domains(config: Config) -> Problems:
    taken: dict[str, tuple[str, str]] = {}
    below: dict[str, list[str]] = defaultdict(list)
    for number, item in enumerate(config.reserved_domains):
        path, owner = join(join("reserved_domains", number), "domain"), item.account or DEFAULT_ACCOUNT
        refused = list(_refusal(path, normalise, item.domain, RESERVATION_CODES))
        if refused:
            yield from refused
            continue
        domain = normalise(item.domain)
        if domain in {f"{label}.{config.domain}" for label in SERVICE_LABELS}:
            yield Problem(path, coded(404, f"{domain} is the service's own name; choose another"))
        if domain in taken:
            yield Problem(path, coded(413, f"{domain} is declared by {taken[domain][1]} already"))
            continue
        for other in _related(domain, below):
            if other in taken and taken[other][0] != owner:
                message = f"{domain} overlaps {taken[other][1]}, which belongs to another account"
                yield Problem(path, coded(417, message))
                break
        taken[domain] = owner, path
        for parent in parents(domain):
            below[parent].append(domain)


def _related(domain: str, below: Mapping[str, list[str]]) -> Iterator[str]:
    """
    The domains that may share names with this one: a reserved domain owns all names below it.

    :param below: the domains below each name.
    """
    exact = domain.removeprefix("*.")
    yield exact
    for parent in parents(exact):
        yield from (parent, f"*.{parent}")
    yield from below.get(exact, ())


def _addresses(config: Config) -> Problems:
    taken: dict[int, str] = {}
    size = config.tcp.ports.last - config.tcp.ports.first + 1
    if len(config.reserved_addrs) > size:
        yield Problem("reserved_addrs", f"there are more addresses than ports in tcp.ports ({config.tcp.ports})")
    for number, item in enumerate(config.reserved_addrs):
        path = join("reserved_addrs", number)
        if not item.addr:
            if not item.name:
                yield Problem(path, "needs a name or an addr: without an addr the port is chosen by the name")
            continue
        refused = list(_refusal(join(path, "addr"), split_hostport, item.addr))
        if refused:
            yield from refused
            continue
        host, port = split_hostport(item.addr)
        if host != config.tcp.host:
            yield Problem(join(path, "addr"), f"its host must be tcp.host, which is {config.tcp.host}")
        if port not in config.tcp.ports:
            yield Problem(join(path, "addr"), f"its port must be one of tcp.ports, which is {config.tcp.ports}")
        if port in taken:
            yield Problem(join(path, "addr"), f"is declared by {taken[port]} already")
        taken.setdefault(port, path)


def _certificates(config: Config) -> Problems:
    for number, item in enumerate(config.tls_certificates):
        path = join("tls_certificates", number)
        for code, sentence in check_pair(item.certificate_pem, item.private_key_pem):
            field = "private_key_pem" if code in _KEY_CODES else "certificate_pem"
            yield Problem(join(path, field), coded(code, sentence))


#: Findings about the key and not about the certificate (specification of endpoints, section 8.1).
_KEY_CODES = frozenset({1901, 1902, 1903, 1923, 1924})


def _references(config: Config, names: Names) -> list[Problem]:
    found: list[Problem] = []
    children: dict[str, list[str]] = {}

    for named in declared_items(config):

        def check(reference: str, list_: str, path: str, named: Named = named) -> str:
            other = names.get(list_, reference)
            if other is None:
                close = suggestion(reference, names.all(list_))
                found.append(Problem(path, f"there is nothing of this name or id in {list_}{close}"))
            elif (other.item.account or DEFAULT_ACCOUNT) != (named.item.account or DEFAULT_ACCOUNT):
                found.append(Problem(path, f"{other.path} belongs to another account"))
            elif named.list == "backends":
                children.setdefault(named.path, []).append(other.path)
            return reference

        rewrite(named.item, named.path, check)
    return found + [Problem(path, "this backend leads back to itself; break the ring") for path in _rings(children)]


def _rings(children: dict[str, list[str]]) -> Iterator[str]:
    """The backends that can be reached from themselves."""
    for start in children:
        waiting, seen = list(children[start]), set()
        while waiting:
            path = waiting.pop()
            if path == start:
                yield start
                break
            if path not in seen:
                seen.add(path)
                waiting += children.get(path, [])
