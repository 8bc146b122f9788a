"""What a rule book is read from: the rule files, and the files that their targets name."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from pathlib import Path

from service.rulebook.beside import NotBeside, read_beside

Signature = tuple[tuple[int, int, int, int] | None, ...]
"""How files look from outside, without being read: of each its inode, its size in bytes, and when
it and its entry were changed, in nanoseconds. None for one that is not there."""


class Sources:
    """Reads files from the disk, and remembers what each has said.

    `files` has the bytes of each by its path, and `tried` is every path that was asked for, also of
    a file that is not there.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.tried: dict[Path, None] = {}

    def rule_file(self, path: Path) -> bytes:
        """The bytes of a rule file.

        Raises:
            OSError: it cannot be read.
        """
        self.tried[path] = None
        found = self.files[str(path)] = path.read_bytes()
        return found

    def beside(self, folder: Path, name: str, most: int) -> bytes:
        """The bytes of a file that a target names; as `read_beside`."""
        path = folder / name
        self.tried[path] = None
        found = self.files[str(path)] = read_beside(folder, name, most)
        return found


class KeptSources(Sources):
    """Says what the files said earlier, and reads none. Files that said nothing are not there."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__()
        self.files = dict(files)

    def rule_file(self, path: Path) -> bytes:
        """As `Sources`, of what is kept."""
        self.tried[path] = None
        if str(path) not in self.files:
            raise FileNotFoundError(errno.ENOENT, "it was not kept", str(path))
        return self.files[str(path)]

    def beside(self, folder: Path, name: str, most: int) -> bytes:
        """As `Sources`, of what is kept."""
        path = folder / name
        self.tried[path] = None
        if len(found := self.files.get(str(path), b"")) > most or str(path) not in self.files:
            raise NotBeside(f"{name} was not kept.")
        return found


def signature(paths: Iterable[Path]) -> Signature:
    """How these files look now. It differs once one of them was written, replaced or removed."""
    return tuple(_look(path) for path in paths)


def _look(path: Path) -> tuple[int, int, int, int] | None:
    try:
        seen = path.stat()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None
    return (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
