"""Notes in memory."""

from __future__ import annotations


class FakeNotes:
    """Keeps what is put into it, and counts how often that is."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.puts = 0

    def get(self, name: str) -> str:
        return self.texts.get(name, "")

    def put(self, name: str, value: str) -> None:
        self.texts[name] = value
        self.puts += 1
