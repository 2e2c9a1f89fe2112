"""
The facts a figure depends on: processor, kernel, versions. Nothing that names the machine or its user.
"""

from __future__ import annotations

import os
import platform
import ssl
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version

from benchmarks.arm import which

PACKAGES = ("ngrok_twisted", "Twisted", "cryptography", "httptools")
PROGRAMS = {
    "openssh": ("ssh", "-V"),
    "nginx": ("nginx", "-v"),
    "haproxy": ("haproxy", "-v"),
    "wrk": ("wrk", "-v"),
    "h2load": ("h2load", "--version"),
    "sish": ("sish", "--version"),
    "frp": ("frps", "--version"),
    "go": ("go", "version"),
}


def facts() -> dict[str, str]:
    """Names and values, in the order they are to be read; what is not installed is left out."""
    found = {
        "cpu": cpu_model(_read("/proc/cpuinfo")),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": memory(_read("/proc/meminfo")),
        "kernel": f"{platform.system()} {platform.release()}",
        "load average at start": f"{os.getloadavg()[0]:.2f}",
        "python": f"{platform.python_version()}, {'optimised build' if _optimised() else 'built without optimisation'}",
        "python ssl": ssl.OPENSSL_VERSION,
        "cryptography openssl": _cryptography_openssl(),
    }
    found |= {package.lower(): _package(package) for package in PACKAGES}
    found |= {name: _program(*command) for name, command in PROGRAMS.items()}
    return {name: value for name, value in found.items() if value}


def cpu_model(cpuinfo: str) -> str:
    """
    :param cpuinfo: ``/proc/cpuinfo``.
    :return: the first processor's model; the architecture where the file has none.
    """
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def memory(meminfo: str) -> str:
    """
    :param meminfo: ``/proc/meminfo``.
    :return: such as ``24 GiB``; empty if the file does not say.
    """
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return f"{int(line.split()[1]) / 2**20:.0f} GiB"
    return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _optimised() -> bool:
    """As ``scripts/fast-python`` sees it: distributions build theirs with profiles, and remove what says so."""
    return "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "") or sys.base_prefix == "/usr"


def _cryptography_openssl() -> str:
    try:
        from cryptography.hazmat.backends.openssl.backend import backend
    except ImportError:
        return ""
    return backend.openssl_version_text()


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _program(name: str, option: str) -> str:
    """The first line of what a program says of its version, on either stream; some end with an error after it."""
    path = which(name)
    if path is None:
        return ""
    try:
        done = subprocess.run([path, option], capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines else ""
