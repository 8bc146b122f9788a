"""What commands print: tables and sentences for people, JSON for programs.

What came from outside (labels, a vendor's words) is shown as it is, never read as markup, and
with what would steer the terminal or reorder a line as escapes (`service.domain.text`). No secret
of the settings is shown.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.domain.redaction import Redactor
from service.domain.text import visible

FAILED = 1
"""Exit status: something is wrong, and a sentence on standard error says what."""
_PIPED_WIDTH = 200
"""Columns when nobody's terminal says how wide it is."""


_hide: Callable[[str], str] = Redactor()


def hide_with(redactor: Callable[[str], str]) -> None:
    """From now on, take these secrets out of everything that is printed."""
    global _hide  # noqa: PLW0603 - a process has one standard output
    _hide = redactor


def console() -> Console:
    """Standard output; a pipe gets no colours, and lines that are long enough to search."""
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(highlight=False, markup=False, width=width)


def say(text: str, style: str = "") -> None:
    """One sentence or line."""
    console().print(words(text, style), soft_wrap=True)


def words(text: str, style: str = "") -> Text:
    """Text as it is, with what nobody would see as escapes."""
    return Text(visible(_hide(text)), style=style)


def fail(sentence: str) -> NoReturn:
    """Say on standard error what is wrong, and end with status 1."""
    err = Console(stderr=True, highlight=False, markup=False)
    for line in sentence.splitlines():
        err.print(words(line, "red"), soft_wrap=True)
    sys.exit(FAILED)


def print_json(value: Any) -> None:
    """A value for programs."""
    sys.stdout.write(visible(_hide(json.dumps(value, indent=2, ensure_ascii=False))) + "\n")


class Rows:
    """A table without lines, filled row by row; cells are text, or text with a style."""

    def __init__(self, *columns: str, header: bool = True) -> None:
        self._table = Table(show_header=header, box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for place, column in enumerate(columns):
            # The first one holds ids, which are copied: they are never broken.
            whole = header and place == 0
            self._table.add_column(column, header_style="bold", overflow="fold", no_wrap=whole)

    def add(self, *cells: str | Text) -> None:
        """One row. A line feed in a text is an escape, or it would forge another row."""
        self._table.add_row(*(_cell(cell) if isinstance(cell, str) else cell for cell in cells))

    def print(self) -> None:
        """To standard output."""
        console().print(self._table)


def _cell(text: str) -> Text:
    return words(text.replace("\n", "\\n").replace("\t", "\\t"))
