"""
Finding kinds: every file of a plural folder, and of the same-named folders of other distributions.

Twisted's own ``getPlugins`` drops a module that fails to import, without a word; for an edge that would mean traffic
passing without its guard. `discover` therefore names the broken file and its cause, and refuses to go on.
"""

from __future__ import annotations

import sys
from dataclasses import is_dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Iterator, Mapping

from zope.interface.interface import InterfaceClass, Method

from ngrok_twisted.records.base import Record

RECORDS = "ngrok_twisted.records"


class BrokenKind(Exception):
    """A file in a folder of kinds cannot be used; the message names the file and the cause."""


def discover(package: ModuleType | str, interface: InterfaceClass) -> Mapping[str, Any]:
    """
    Find every provider of an interface in a folder of kinds.

    A kind is a module file, or a folder with a ``kind.py``; names that start with ``_`` are no kinds. The provider is
    any value at the top of the file: a class with ``@provider(IFooKind)``, or an instance.

    :param package: the plural package, or its dotted name. Its ``__path__`` says which folders belong to it.
    :param interface: what each file must provide at least once.
    :return: names to providers, in the order of their names.
    :raises BrokenKind: a file does not import, provides nothing, is incomplete, or repeats another's name.
    """
    package = import_module(package) if isinstance(package, str) else package
    return _discover(package.__name__, tuple(package.__path__), interface)


def records() -> Mapping[str, type[Record]]:
    """
    Find every record class, by its family.

    :raises BrokenKind: a file does not import, or two classes have the same family.
    """
    return _records(RECORDS, tuple(import_module(RECORDS).__path__))


@lru_cache(maxsize=None)
def _discover(package: str, path: tuple[str, ...], interface: InterfaceClass) -> Mapping[str, Any]:
    found: dict[str, tuple[Any, Path]] = {}
    for name, file in _files(path):
        module = _imported(f"{package}.{name}", file)
        providers = [value for value in _own_values(module) if interface.providedBy(value)]
        if not providers:
            raise BrokenKind(f"{file}: provides no {interface.__name__}")
        for provider in providers:
            _check(provider, interface, file)
            known, other = found.get(provider.name, (provider, file))
            if known is not provider:
                raise BrokenKind(f"{file}: the name {provider.name!r} is taken by {other}")
            found[provider.name] = (provider, file)
    return {name: found[name][0] for name in sorted(found)}


@lru_cache(maxsize=None)
def _records(package: str, path: tuple[str, ...]) -> Mapping[str, type[Record]]:
    found: dict[str, type[Record]] = {}
    for name, file in _files(path):
        for value in _own_values(_imported(f"{package}.{name}", file)):
            if isinstance(value, type) and issubclass(value, Record) and value.family:
                if found.setdefault(value.family, value) is not value:
                    raise BrokenKind(
                        f"{file}: the family {value.family!r} is taken by {found[value.family].__module__}"
                    )
    return {family: found[family] for family in sorted(found)}


def _files(path: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """The dotted tail and the file of every kind; a second file of the same name would never be imported."""
    seen: dict[str, Path] = {}
    for folder in path:
        for entry in sorted(Path(folder).iterdir()) if Path(folder).is_dir() else ():
            found = _kind_file(entry)
            if found is None:
                continue
            name, file = found
            if entry.stem in seen:
                raise BrokenKind(f"{file}: the name {entry.stem!r} is taken by {seen[entry.stem]}")
            seen[entry.stem] = file
            yield name, file


def _kind_file(entry: Path) -> tuple[str, Path] | None:
    if entry.name.startswith(("_", ".")):
        return None
    if entry.is_dir():
        if (entry / "kind.py").exists():
            return f"{entry.name}.kind", entry / "kind.py"
        if any(entry.glob("*.py")):
            raise BrokenKind(f"{entry}: a folder of kinds holds files, and folders with a kind.py; this has none")
        return None
    return (entry.stem, entry) if entry.suffix == ".py" else None


def _imported(name: str, file: Path) -> ModuleType:
    try:
        return import_module(name)
    except Exception as error:  # whatever a file raises while it is imported, it must not pass unnoticed
        sys.modules.pop(name, None)
        raise BrokenKind(f"{file}: does not import: {type(error).__name__}: {error}") from error


def _own_values(module: ModuleType) -> Iterator[Any]:
    """What the file itself defines: classes that it imported belong to another file."""
    for name, value in vars(module).items():
        if name.startswith("__") or isinstance(value, type) and value.__module__ != module.__name__:
            continue
        yield value


def _check(provider: Any, interface: InterfaceClass, file: Path) -> None:
    for name in interface.names(all=True):
        if not isinstance(interface[name], Method) and not hasattr(provider, name):
            raise BrokenKind(f"{file}: {provider!r} provides {interface.__name__} but has no {name}")
    if not isinstance(provider.name, str) or not provider.name:
        raise BrokenKind(f"{file}: the name of {provider!r} must be text")
    if "Config" in interface.names(all=True) and not is_dataclass(provider.Config):
        raise BrokenKind(f"{file}: the Config of {provider.name!r} must be a dataclass")
