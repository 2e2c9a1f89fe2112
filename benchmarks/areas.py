"""
Where a sample belongs: the area of the code whose Python function was running, and the kind of code that worked for it.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Sequence

from benchmarks.sampler import KERNEL

PYTHON, OPENSSL, CRYPTOGRAPHY, COMPRESSION, LIBC, EXTENSIONS = (
    "Python",
    "OpenSSL",
    "cryptography",
    "compression",
    "C library",
    "extensions",
)
PARTS: Sequence[str] = (PYTHON, EXTENSIONS, OPENSSL, CRYPTOGRAPHY, COMPRESSION, LIBC, KERNEL)
"""In the order of a table's columns: the interpreter and its objects; then what it calls; then the kernel."""

BEGINNINGS = {
    OPENSSL: ("libssl", "libcrypto"),
    CRYPTOGRAPHY: ("_rust.", "_openssl.", "_cffi_backend"),
    COMPRESSION: ("libz", "libbrotli", "libzstd", "zlib.", "_brotli", "backend_c", "_zstd"),
    LIBC: ("libc.", "libc-", "libm.", "libm-", "libpthread", "ld-linux", "[vdso]"),
}
"""How the names of libraries begin."""

PACKAGE = "ngrok_twisted"
INSTALLED = ("site-packages", "dist-packages")
"""Folders of packages that are not ours."""
STANDARD_LIBRARY = "standard library"


def part(library: str) -> str:
    """
    :param library: the file whose code was running, or what `benchmarks.sampler` has in its place.
    :return: one of `PARTS`.
    """
    if library == KERNEL:
        return KERNEL
    name = PurePath(library).name
    for kind, beginnings in BEGINNINGS.items():
        if name.startswith(beginnings):
            return kind
    return PYTHON if name.startswith(("python", "libpython")) else EXTENSIONS


def area(file: str) -> str:
    """
    :param file: of a Python function.
    :return: such as ``edge``, ``transports/ssh`` or ``flow.py`` in our own tree; the package's name if it is not ours.
    """
    folder, inside = _inside(file)
    if folder == PACKAGE:
        return "/".join(inside[: 2 if inside[0] == "transports" else 1])
    return inside[0] if folder else STANDARD_LIBRARY


def short(file: str) -> str:
    """A Python file's path within its package, or its name alone where it is at home in none that matters."""
    folder, inside = _inside(file)
    return "/".join(inside) if folder else PurePath(file).name


def _inside(file: str) -> tuple[str, Sequence[str]]:
    """The last folder that says whose a file is, and what stands behind it."""
    parts = PurePath(file).parts
    known = [index for index, name in enumerate(parts[:-1]) if name in (PACKAGE, *INSTALLED)]
    return (parts[known[-1]], parts[known[-1] + 1 :]) if known else ("", parts)
