"""Balloons: what a look shows, and what is asked of one."""

from __future__ import annotations

from typing import Protocol


class Balloons(Protocol):
    """The balloon vendor."""

    def size(self, toy: str) -> str:
        """The size now; `burst` when there is none any more."""
        ...

    def inflate(self, toy: str, size: str) -> None:
        """Ask for a size."""
        ...
