"""
From ``config.yaml`` to a `Config`: read, refuse what this version cannot do, parse, fill in, check. Every problem is
reported with its line.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterable, Mapping

from ngrok_twisted import schema
from ngrok_twisted.control.authorized_keys import read_authorized_keys
from ngrok_twisted.control.checks import problems as config_problems
from ngrok_twisted.control.config import AuthorizedKey, Config, Listen
from ngrok_twisted.control.files import Files
from ngrok_twisted.control.first_key import FIRSTS
from ngrok_twisted.control.host_keys import check_host_key, is_inline
from ngrok_twisted.control.lists import Read, read_items, take_lists
from ngrok_twisted.control.seed import declare
from ngrok_twisted.document import Positions, load_yaml
from ngrok_twisted.errors import InvalidConfig, Refused
from ngrok_twisted.hostnames import normalise
from ngrok_twisted.records.base import Problem

#: The ports of a server without a config, in the order of `Listen`'s fields: anyone may open them.
DEFAULT_PORTS = {"https": 8443, "http": 8080, "ssh": 2222, "agent": 4443, "api": 4040}

_NOT_BUILT = "is not built into this version; take it out"

#: What ngrok's API, or the plan of this product, has and this version does not, with what to do about it.
NOT_BUILT: Mapping[str, str] = {
    "acme": f"{_NOT_BUILT}, and declare certificates under tls_certificates",
    "ssh.share_https_port": _NOT_BUILT,
    "ssh.password_authtoken": _NOT_BUILT,
    "ssh.direct_tcpip": _NOT_BUILT,
    "ssh.random_name_memory_seconds": _NOT_BUILT,
}


def load(
    path: str | Path | None,
    environ: Mapping[str, str],
    home: str | Path,
    *,
    folder: str | Path = ".",
    ipv6: bool | None = None,
) -> Config:
    """
    Read a config, or make that of a server without one.

    :param path: the file; ``None`` for the embedded defaults.
    :param environ: the environment's variables.
    :param home: the home of the user who runs the server.
    :param folder: what ``state`` is relative to where there is no file.
    :param ipv6: whether loopback has ``::1``; asked of the system if not given.
    :raises InvalidConfig: with every problem found, each with its line.
    """
    ipv6 = ipv6_loopback() if ipv6 is None else ipv6
    if path is None:
        files = Files(Path(folder).absolute(), environ, Path(home))
        config, warnings = _embedded_keys(Files(Path(home) / ".ssh", environ, Path(home)))
        return _checked(_with_firsts(_filled(config, files, ipv6, warnings)), Positions())
    data, positions = _read(Path(path))
    files = Files(Path(path).absolute().parent, environ, Path(home))
    found: list[Problem] = []
    wanted = _without_unbuilt(data, found)
    wanted, lists = take_lists(wanted) if isinstance(wanted, dict) else (wanted, {})
    read = read_items(lists, files.external)
    try:
        config = schema.parse(Config, wanted, external=files.external)
    except InvalidConfig as error:
        # Without the server's own settings nothing can be said of what is declared but that it is well written.
        raise _located([*found, *error.problems, *read.problems], positions) from None
    keys, warnings = _declared_keys(config, files, found)
    host_keys = _host_keys(config, files, found)
    config = replace(config, keys=tuple(keys), ssh=replace(config.ssh, host_keys=host_keys))
    listen = None if wanted.get("listen") is None else config.listen
    return _checked(_filled(config, files, ipv6, warnings, listen), positions, found, read)


def read_keys(
    config: Config, path: str | Path | None, environ: Mapping[str, str], home: str | Path
) -> tuple[AuthorizedKey, ...]:
    """
    The keys in the ``authorized_keys`` files of a config as they are now.

    :param config: as `load` gave it; of its keys' files, those that cannot be read any more count as empty.
    :param path: the config's file, or ``None`` for the embedded defaults.
    """
    if path is None:
        return _embedded_keys(Files(Path(home) / ".ssh", environ, Path(home)))[0].keys
    return tuple(_declared_keys(config, Files(Path(path).absolute().parent, environ, Path(home)), [])[0])


def ipv6_loopback() -> bool:
    """Whether this machine has ``::1``, to which ``localhost`` may resolve first."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _read(path: Path) -> tuple[Any, Positions]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InvalidConfig([Problem("", f"cannot be read: {error.strerror}", 0, str(path))]) from None
    data, positions = load_yaml(text, str(path))
    return {} if data is None else data, positions


def _without_unbuilt(data: Any, found: list[Problem]) -> Any:
    """The data without what this version cannot do, each noted as a problem: it is refused, never ignored."""
    if not isinstance(data, dict):
        return data
    for path, sentence in NOT_BUILT.items():
        block, _, key = path.rpartition(".")
        inner = data.get(block) if block else data
        if isinstance(inner, dict) and key in inner:
            kept = {name: value for name, value in inner.items() if name != key}
            data = {**data, block: kept} if block else kept
            if inner[key] is not None:
                found.append(Problem(path, sentence))
    tls = data.get("tls")
    if isinstance(tls, dict) and tls.get("issuer") == "acme":
        data = {**data, "tls": {name: value for name, value in tls.items() if name != "issuer"}}
        found.append(Problem("tls.issuer", "acme is not built into this version; use local, or tls_certificates"))
    return data


def _embedded_keys(ssh: Files) -> tuple[Config, list[str]]:
    """The defaults, and the keys of the user who runs the server."""
    keys: list[AuthorizedKey] = []
    warnings: list[str] = []
    for name in (*sorted(file.name for file in ssh.folder.glob("*.pub")), "authorized_keys"):
        try:
            more, said = read_authorized_keys(ssh.read(name), str(ssh.place(name)))
        except ValueError as error:
            if ssh.place(name).exists():
                warnings.append(f"{error}; its keys may not connect")
            continue
        keys += more
        warnings += said
    if not keys:
        warnings.append(
            f"no SSH key in {ssh.folder} may connect yet: make one with ssh-keygen -t ed25519; it counts at once"
        )
    return Config(keys=tuple(keys)), warnings


def _with_firsts(config: Config) -> Config:
    try:
        return replace(config, firsts={first: first.read(Path(config.state)) for first in FIRSTS})
    except ValueError as error:
        raise InvalidConfig([Problem("", str(error))]) from None


def _declared_keys(config: Config, files: Files, found: list[Problem]) -> tuple[list[AuthorizedKey], list[str]]:
    keys: list[AuthorizedKey] = []
    warnings: list[str] = []
    for number, name in enumerate(config.ssh.authorized_keys):
        try:
            more, said = read_authorized_keys(files.read(name), str(files.place(name)))
        except ValueError as error:
            found.append(Problem(f"ssh.authorized_keys[{number}]", str(error)))
            continue
        keys += more
        warnings += said
    return keys, warnings


def _filled(config: Config, files: Files, ipv6: bool, warnings: list[str], listen: Listen | None = None) -> Config:
    """What follows from other values: absolute paths, names in their one form, default listeners and hosts."""
    state = files.place(config.state)
    log = {"off": "", "": str(state / "access.log")}.get(config.access_log, str(files.place(config.access_log)))
    domain = _normal(config.domain)
    local = domain == "localhost" or domain.endswith(".localhost")
    host = _normal(config.tcp.host) or ("localhost" if local else f"tcp.{domain}")
    return replace(
        config,
        domain=domain,
        state=str(state),
        access_log=log,
        listen=_loopback(ipv6) if listen is None else listen,
        tcp=replace(config.tcp, host=host),
        warnings=tuple(warnings),
    )


def _loopback(ipv6: bool) -> Listen:
    """The default listeners: on both loopback addresses, since ``localhost`` may mean either."""
    interfaces = ("127.0.0.1", r"\:\:1") if ipv6 else ("127.0.0.1",)
    made = {
        name: tuple(f"tcp:{port}:interface={interface}" for interface in interfaces)
        for name, port in DEFAULT_PORTS.items()
    }
    return Listen(**made)


def _normal(name: str) -> str:
    try:
        return normalise(name) if name else name
    except Refused:
        return name  # the checks tell of it


def _host_keys(config: Config, files: Files, found: list[Problem]) -> tuple[str, ...]:
    """The texts of the host keys, some of which were given as paths."""
    texts = []
    for number, key in enumerate(config.ssh.host_keys):
        try:
            text = key if is_inline(key) else files.read(key)
            check_host_key(text)
            texts.append(text)
        except ValueError as error:
            found.append(Problem(f"ssh.host_keys[{number}]", str(error)))
    return tuple(texts)


def _checked(config: Config, positions: Positions, found: Iterable[Problem] = (), read: Read | None = None) -> Config:
    read = Read() if read is None else read
    declared, wrong = declare(config, read, positions)
    everything = [*found, *read.problems, *config_problems(config), *wrong]
    if everything:
        raise _located(everything, positions)
    return replace(config, declared=declared)


def _located(found: list[Problem], positions: Positions) -> InvalidConfig:
    located = [positions.locate(problem) for problem in found]
    return InvalidConfig(sorted(located, key=lambda problem: problem.line))
