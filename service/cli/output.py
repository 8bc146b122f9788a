"""What commands print: tables and sentences for people, JSON for programs.

What came from outside (labels, a vendor's words) is shown as it is, never read as markup, and
with what would steer the terminal or reorder a line as escapes (`service.domain.text`). No secret
of the settings is shown.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Collection
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.domain.text import visible
from service.environment import redactor_by_name

FAILED = 1
"""Exit status: something is wrong, and a sentence on standard error says what."""
MISUSED = 2
"""Exit status: the command line was not understood, or asks for what there is not."""
_PIPED_WIDTH = 200
"""Columns when nobody's terminal says how wide it is."""


_hide: Callable[[str], str] | None = None


def hide_with(redactor: Callable[[str], str] | None) -> None:
    """From now on, take these secrets out of everything that is printed; with None, those of the
    environment, which are looked for when something is printed."""
    global _hide  # noqa: PLW0603 - a process has one standard output
    _hide = redactor


def _hidden(text: str) -> str:
    if _hide is None:
        hide_with(redactor_by_name())
    return text if _hide is None else _hide(text)


def console() -> Console:
    """Standard output; a pipe gets no colours, and lines that are long enough to search."""
    return Console(highlight=False, markup=False, width=width())


def width() -> int:
    """Columns: of COLUMNS, of the terminal, or enough for whole lines in a pipe."""
    return shutil.get_terminal_size((_PIPED_WIDTH, 0)).columns


def say(text: str, style: str = "") -> None:
    """One sentence or line."""
    console().print(words(text, style), soft_wrap=True)


def tell(text: str, style: str = "") -> None:
    """A sentence for people alone, broken between words where the terminal ends."""
    console().print(words(text, style))


def words(text: str, style: str = "") -> Text:
    """Text as it is, with what nobody would see as escapes."""
    return Text(visible(_hidden(text)), style=style)


def fail(sentence: str, status: int = FAILED) -> NoReturn:
    """Say on standard error what is wrong, and end with that status."""
    err = Console(stderr=True, highlight=False, markup=False)
    for line in sentence.splitlines():
        err.print(words(line, "red"), soft_wrap=True)
    sys.exit(status)


def print_json(value: Any) -> None:
    """A value for programs."""
    sys.stdout.write(visible(_hidden(json.dumps(value, indent=2, ensure_ascii=False))) + "\n")


class Rows:
    """A table without lines, filled row by row; cells are text, or text with a style."""

    def __init__(self, *columns: str, header: bool = True, whole: Collection[str] = ()) -> None:
        """The columns by name; the first one, and those that are `whole`, are never broken."""
        self._table = Table(show_header=header, box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for place, column in enumerate(columns):
            # The first one holds ids, which are copied.
            unbroken = (header and place == 0) or column in whole
            self._table.add_column(column, header_style="bold", overflow="fold", no_wrap=unbroken)

    def add(self, *cells: str | Text) -> None:
        """One row. A line feed in a text is an escape, or it would forge another row."""
        self._table.add_row(*(_cell(cell) if isinstance(cell, str) else cell for cell in cells))

    def print(self) -> None:
        """To standard output."""
        console().print(self._table)


def _cell(text: str) -> Text:
    return words(text.replace("\n", "\\n").replace("\t", "\\t"))
