"""Tests of `benchmarks.areas`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.areas import area, part, short

LIB = "/usr/lib/x86_64-linux-gnu/"
SITE = "/home/me/.venv/lib/python3.11/site-packages/"


class PartTests(SynchronousTestCase):
    """Tests of `part`."""

    def test_libraries(self) -> None:
        """A library is known by the beginning of its name, wherever it lies and whatever its version is."""
        expected = {
            "kernel": "kernel",
            "/usr/bin/python3.11": "Python",
            "/usr/lib/libpython3.12.so.1.0": "Python",
            LIB + "libssl.so.3": "OpenSSL",
            LIB + "libcrypto.so.3": "OpenSSL",
            SITE + "cryptography/hazmat/bindings/_rust.abi3.so": "cryptography",
            LIB + "libz.so.1.2.13": "compression",
            SITE + "zstandard/backend_c.cpython-311-x86_64-linux-gnu.so": "compression",
            LIB + "libc.so.6": "C library",
            "[vdso]": "C library",
            SITE + "httptools/parser/parser.cpython-311-x86_64-linux-gnu.so": "extensions",
            "unknown": "extensions",
        }
        self.assertEqual({library: part(library) for library in expected}, expected)


class AreaTests(SynchronousTestCase):
    """Tests of `area` and `short`."""

    def test_ours(self) -> None:
        """Our own tree is told apart by its folders, transports by their kinds, and a single file has its name."""
        tree = "/src/ngrok_twisted/ngrok_twisted/"
        self.assertEqual(area(tree + "edge/http1.py"), "edge")
        self.assertEqual(area(tree + "transports/ssh/packets.py"), "transports/ssh")
        self.assertEqual(area(tree + "flow.py"), "flow.py")

    def test_others(self) -> None:
        """What is installed is one area for each package, and what came with Python is one."""
        self.assertEqual(area(SITE + "twisted/internet/base.py"), "twisted")
        self.assertEqual(area("/usr/lib/python3/dist-packages/yaml/nodes.py"), "yaml")
        self.assertEqual(area(SITE + "ngrok_twisted/edge/http1.py"), "edge")
        self.assertEqual(area("/src/ngrok_twisted/.venv/lib/python3.11/site-packages/twisted/web/http.py"), "twisted")
        self.assertEqual(area("/usr/lib/python3.11/ssl.py"), "standard library")
        self.assertEqual(area("<frozen importlib._bootstrap>"), "standard library")

    def test_short(self) -> None:
        """A function's file is told without what lies above its package."""
        self.assertEqual(short("/src/ngrok_twisted/ngrok_twisted/edge/http1.py"), "edge/http1.py")
        self.assertEqual(short(SITE + "twisted/internet/base.py"), "twisted/internet/base.py")
        self.assertEqual(short("/usr/lib/python3.11/ssl.py"), "ssl.py")
