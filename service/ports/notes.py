"""Small texts that outlive a process: what a vendor said, with its date."""

from __future__ import annotations

from typing import Protocol


class Notes(Protocol):
    """Texts by name. Both methods raise StoreUnavailable."""

    def get(self, name: str) -> str:
        """The text; empty when there is none."""
        ...

    def put(self, name: str, value: str) -> None:
        """Keep a text in the place of what was there."""
        ...


class NoNotes:
    """Keeps nothing: each question goes to the vendor."""

    def get(self, name: str) -> str:
        """Nothing."""
        return ""

    def put(self, name: str, value: str) -> None:
        """It is forgotten."""
