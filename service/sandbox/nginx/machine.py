"""The machine: files by their paths, and what nginx has loaded of them.

It does as nginx 1.22 does: a name that nobody knows, an unknown ending of a directive or a missing
brace is refused with nginx's own words, and the old configuration stays in force.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SERVER = re.compile(r"^\s*server\s+([^\s;{]+)[^;{]*;", re.MULTILINE)
_TOLD = re.compile(r'location = /config \{[^}]*return 200 "([^"\\]*)', re.DOTALL)
_ASKED = re.compile(r"location = /server/(\d+) \{[^}]*?proxy_pass http://([^/;]+)")
_UNKNOWN = ".invalid"
"""The end of names that no resolver knows (RFC 6761)."""


@dataclass(slots=True)
class Machine:
    """One machine. `loaded` are the files as nginx has read them, `ill` servers that do not answer.

    Old files are kept by the caller's own names for them, in `kept`.
    """

    files: dict[str, str] = field(default_factory=dict)
    loaded: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    ill: set[str] = field(default_factory=set)
    running: bool = True

    def complaint(self, path: str, text: str) -> str:
        """What `nginx -t` says against a text; empty where it takes it."""
        for found in _SERVER.finditer(text):
            host = found[1].rpartition(":")[0] or found[1]
            if host.endswith(_UNKNOWN):
                line = text[: found.start(1)].count("\n") + 1
                return f'[emerg] host not found in upstream "{found[1]}" in {path}:{line}'
        if text.count("{") != text.count("}"):
            return f'[emerg] unexpected end of file, expecting "}}" in {path}'
        return ""

    def reload(self) -> None:
        """Read the files again."""
        self.loaded = dict(self.files)

    def told(self, path: str) -> str:
        """What a loaded file makes nginx tell of itself; empty where it is not loaded."""
        found = _TOLD.search(self.loaded.get(path, "")) if self.running else None
        return found[1] if found else ""

    def server(self, path: str, number: int) -> int:
        """The status that a server of a loaded file answers through nginx."""
        for found in _ASKED.finditer(self.loaded.get(path, "")):
            if int(found[1]) == number:
                return 502 if found[2] in self.ill else 200
        return 404
