"""
`Files`: the files and variables that a config points to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

#: Bytes of a file that a value stands in: more than the longest certificate chain or list of keys.
MAX_SIZE = 1024 * 1024


class Files:
    """
    :ivar folder: what relative paths start from.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], home: Path) -> None:
        """
        :param environ: the environment's variables.
        :param home: what ``~`` stands for.
        """
        self.folder = folder
        self._environ = environ
        self._home = home

    def place(self, path: str) -> Path:
        """The absolute path that is meant by one in a config."""
        if path == "~" or path.startswith("~/"):
            return self._home / path[2:]
        return self.folder / path

    def read(self, path: str) -> str:
        """
        :raises ValueError: with a sentence that names the file.
        """
        file = self.place(path)
        try:
            with open(file, "rb") as opened:
                content = opened.read(MAX_SIZE + 1)
            if len(content) > MAX_SIZE:
                raise ValueError(f"the file {file} is larger than {MAX_SIZE // 1024} KiB")
            return content.decode("utf-8-sig")
        except OSError as error:
            raise ValueError(f"the file {file} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"the file {file} is not UTF-8 text") from None

    def external(self, text: str) -> str:
        """
        Find a text that stands elsewhere.

        :param text: ``file:PATH`` or ``env:NAME``.
        :raises ValueError: there is no such file or variable, or nothing is in it.
        """
        where, _, what = text.partition(":")
        found = self.read(what) if where == "file" else self._variable(what)
        stripped = found.strip()
        if not stripped:
            raise ValueError(f"{'the file' if where == 'file' else 'the environment variable'} {what} is empty")
        # A PEM keeps the line end behind its last line, a token has none.
        return stripped + "\n" if "-----BEGIN" in stripped else stripped

    def _variable(self, name: str) -> str:
        if name not in self._environ:
            raise ValueError(f"the environment variable {name} is not set")
        return self._environ[name]
