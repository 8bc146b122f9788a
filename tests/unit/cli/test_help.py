"""Help in terminals of different widths."""

from __future__ import annotations

import itertools

import pytest

from service.cli.commands import ENTRIES, unwrapped
from tests.unit.cli.commandline import CommandLine


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("command", ["", *ENTRIES])
def test_prose_is_broken_only_where_the_terminal_ends(
    runbookd: CommandLine, monkeypatch: pytest.MonkeyPatch, command: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    said = runbookd(*filter(None, [command]), "--help").out
    prose = said.partition("╭")[0].splitlines() + said.rpartition("╯")[2].splitlines()
    assert max(map(len, prose)) <= columns
    for line, following in itertools.pairwise(line.rstrip() for line in prose):
        if line and following:
            first_word = following.split()[0]
            assert len(f"{line} {first_word} ") > columns, (line, following)


def test_a_paragraph_is_one_line_and_what_is_set_apart_stays_apart() -> None:
    text = "First line\n    of two.\n\n    Second.\n\n      an example\n"
    assert unwrapped(text) == "First line of two.\n\nSecond.\n\n  an example"
