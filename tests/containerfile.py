"""Reads the Containerfile: its stages, each with its instructions in order."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """What one stage is made from, its name where it has one, and its instructions."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def of(self, *keywords: str) -> list[str]:
        """What stands behind these keywords, in order."""
        return [rest for keyword, rest in self.steps if keyword in keywords]


def read_stages(path: Path) -> list[Stage]:
    """The stages of a Containerfile without line continuations, which ours has none of."""
    stages: list[Stage] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        assert not line.endswith("\\"), "a line goes on; this reader takes whole lines"
        keyword, rest = line.split(" ", 1)
        if keyword == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name))
        else:
            stages[-1].steps.append((keyword, rest))
    return stages


def words(text: str) -> list[str]:
    """The words of an instruction in its JSON form, such as ENTRYPOINT's."""
    found: list[str] = json.loads(text)
    return found
