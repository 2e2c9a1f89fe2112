"""
Which arms and suites there are: every class of that kind in a module of `benchmarks.arms` and `benchmarks.suites`.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeVar

from benchmarks import arms, suites
from benchmarks.arm import Arm
from benchmarks.suite import Suite

_Kind = TypeVar("_Kind")


def all_arms() -> list[type[Arm]]:
    """Every arm, the product first, since the others are compared with it."""
    return sorted(_classes(arms, Arm), key=lambda arm: (arm.label != "edge", arm.label))


def all_suites() -> list[type[Suite]]:
    """
    Every suite. First those with few rounds, which take the time that they take, so that the others can share what is left of it;
    then by name, the longest-lived part of the product first: tunnels before requests.
    """
    key = lambda suite: (suite.most_rounds >= Suite.most_rounds, suite.name != "ssh", suite.name)
    return sorted(_classes(suites, Suite), key=key)


def _classes(package: ModuleType, base: type[_Kind]) -> list[type[_Kind]]:
    """The classes that derive from this one and are at home in a module of the package."""
    modules = [import_module(f"{package.__name__}.{module.name}") for module in iter_modules(package.__path__)]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]
