"""What commands print: tables and sentences for people, JSON for programs.

Text from outside (labels, a vendor's words) is never read as markup. Characters in it that would
steer the terminal or reorder a line are shown as escapes (`service.domain.text`). No secret of the
settings is shown.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Collection
from typing import Any, NoReturn

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from service.domain.text import visible
from service.environment import redactor_by_name

FAILED = 1
"""Exit status: something is wrong, and a sentence on standard error says what."""
MISUSED = 2
"""Exit status: the command line was not understood, or names something that does not exist."""
_PIPED_WIDTH = 200
"""Columns of output that goes to no terminal."""
_NARROW = 72
"""Below this width, in columns, words are not broken to keep a table: a phone has about 60."""
_ROOMY = 10_000

_hide: Callable[[str], str] | None = None


def hide_with(redactor: Callable[[str], str] | None) -> None:
    """From now on, take secrets out of everything that is printed, by this function.

    None stands for the secrets of the environment. They are looked up when something is printed
    first.
    """
    global _hide  # noqa: PLW0603 - a process has one standard output
    _hide = redactor


def _hidden(text: str) -> str:
    if _hide is None:
        hide_with(redactor_by_name())
    return text if _hide is None else _hide(text)


def console() -> Console:
    """Standard output. A pipe gets no colours, and long lines that can be searched."""
    return Console(highlight=False, markup=False, width=width())


def width() -> int:
    """The width in columns: COLUMNS, the terminal's, or `_PIPED_WIDTH` for a pipe."""
    return shutil.get_terminal_size((_PIPED_WIDTH, 0)).columns


def say(text: str, style: str = "") -> None:
    """Print a line. It is never broken, so that it can be copied or searched."""
    console().print(words(text, style), soft_wrap=True)


def tell(text: str, style: str = "") -> None:
    """Print a sentence for people, broken between words at the terminal's edge."""
    console().print(words(text, style))


def words(text: str, style: str = "") -> Text:
    """Text for the terminal: without secrets, and with invisible characters as escapes."""
    return Text(visible(_hidden(text)), style=style)


def note(sentence: str, style: str = "") -> None:
    """Say something on standard error, beside what the command prints."""
    err = Console(stderr=True, highlight=False, markup=False)
    for line in sentence.splitlines():
        err.print(words(line, style), soft_wrap=True)


def fail(sentence: str, status: int = FAILED) -> NoReturn:
    """Say on standard error what is wrong, and exit with that status."""
    note(sentence, "red")
    sys.exit(status)


def keep_logs_aside() -> None:
    """From now on, have this command's own logs on standard error, and warnings alone: for a
    command that calls vendors. Standard output is for what was asked."""
    import logging

    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON for programs; without `indent` in one line, which is sent at once."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    sys.stdout.write(visible(_hidden(text)) + "\n")
    if indent is None:
        sys.stdout.flush()


class Rows:
    """A table without lines. Cells are text, or text with a style.

    On a terminal of a phone's width a table whose words do not fit is printed by rows instead: each
    cell on a line, under the row's first cell.
    """

    def __init__(self, *columns: str, header: bool = True, whole: Collection[str] = ()) -> None:
        """The columns by name. The first one, and those in `whole`, are never broken."""
        self._table = Table(show_header=header, box=None, pad_edge=False, padding=(0, 2, 0, 0))
        self._columns = columns
        self._rows: list[list[Text]] = []
        for place, column in enumerate(columns):
            # The first one holds ids, which are copied.
            unbroken = (header and place == 0) or column in whole
            self._table.add_column(column, header_style="bold", overflow="fold", no_wrap=unbroken)

    def add(self, *cells: str | Text) -> None:
        """Add a row. A line feed in a text is shown as an escape, so that no text can forge a
        row."""
        row = [_cell(cell) if isinstance(cell, str) else cell for cell in cells]
        self._table.add_row(*row)
        self._rows.append(row)

    def print(self) -> None:
        """Print the table to standard output."""
        to = console()
        roomy = to.options.update(max_width=_ROOMY)  # else it finds the width that there is
        least = Measurement.get(to, roomy, self._table).minimum
        if to.width < _NARROW and self._table.show_header and least > to.width:
            self._print_by_rows(to)
        else:
            to.print(self._table)

    def _print_by_rows(self, to: Console) -> None:
        for first, *others in self._rows:
            to.print(Text(style="bold").append_text(first))
            cells = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
            for column, cell in zip(self._columns[1:], others, strict=True):
                if cell:
                    cells.add_row(f"  {column}", cell)
            to.print(cells)


def _cell(text: str) -> Text:
    return words(text.replace("\n", "\\n").replace("\t", "\\t"))
