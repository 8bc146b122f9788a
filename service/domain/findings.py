"""What is wrong in a file that runbookd did not write."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at a line (from 1): a short name, and a sentence with what to write instead."""

    line: int
    name: str
    sentence: str
