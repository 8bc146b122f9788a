"""Somebody's file in the terminal: reading it, and showing what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from service.cli.output import fail, say
from service.domain.findings import Finding


def read_or_fail(file: Path, status: int) -> str:
    """The text of a file. Where it cannot be read, say why and exit with that status."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not UTF-8"
        fail(f"{file} cannot be read: {reason}.", status)


def show_findings(file: Path, found: Sequence[Finding]) -> None:
    """Print each as `file:line: name: what is wrong`."""
    for each in found:
        say(f"{file}:{each.line}: {each.name}: {each.sentence}")
