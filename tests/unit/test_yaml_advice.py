"""What is said of a file that is no YAML: the line of the slip, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rulebook_files import told

RULE = "rules:\n  - name: a\n"
SLIPS = {
    "a tab before a key": (RULE + "\tmatch: [x]\n", 3, "a tab in column 1. Indent with spaces."),
    "a tab after a colon": ("rules:\n  - name:\ta\n", 2, "a tab in column 10. Separate with"),
    "a missing dash": (RULE + "    match: [x]\n  name: b\n", 4, "a dash is missing."),
    "no space after a colon": ("rules:\n  - name:a\n    match: [x]\n", 2, "Write `name: a`."),
    "no space in a later key": (RULE + "    match:[x]\n    with: y\n", 3, "Write `match: [x]`."),
    "no space after a dash": ("rules:\n  -name: a\n   match: x\n", 2, "Write `- name: a`."),
    "a key too far right": (RULE + "      match: x\n", 3, "(6) differs from that of line 2 (4)."),
    "a key too far left": (RULE + "   match: x\n", 3, "(3) differs from that of line 2 (4)."),
    "a dash too far right": (RULE + "    - name: b\n", 3, "(4) differs from that of line 2 (2)."),
    "a dash too far left": (RULE + " - name: b\n", 3, "(1) differs from that of line 2 (2)."),
    "an open bracket": (RULE + "    match: [x\n    with: y\n", 3, "the [ of this line is not"),
    "an open brace": ("targets:\n  a: {app: y\n  b: {}\n", 2, "the { of this line is not closed."),
    "an open quote": ("rules:\n  - name: 'a\n    match: [x]\n", 2, "the quote that begins here"),
    "a missing comma": ("targets:\n  a: {kind: x app: y}\n", 2, "before column 18."),
    "quotes in quotes": ("rules:\n  - {match: ['a='x'']}\n", 2, "Use single quotes outside and"),
    "a colon in a value": ("rules:\n  - name: a: b\n", 2, "Put the whole value in quotes."),
    "a sign that needs quotes": ("rules:\n  - name: @a\n", 2, "no value begins with @."),
    "a star that needs quotes": ("rules:\n  - name: *\n", 2, "* begins an alias"),
    "an unknown escape": ('rules:\n  - name: "a\\d"\n', 2, "\\d is no escape in double quotes."),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_is_told_at_its_line_with_what_to_do(tmp_path: Path, slip: str) -> None:
    text, line, advice = SLIPS[slip]
    (error,) = told(tmp_path, text)
    assert error.startswith(f"1.yml:{line}: this is not valid YAML: ")
    assert advice in error


def test_the_line_itself_is_shown(tmp_path: Path) -> None:
    (error,) = told(tmp_path, "rules:\n  - name:a\n    match: [x]\n")
    assert error.endswith("The line is: - name:a")


def test_a_slip_that_nobody_foresaw_is_told_in_the_parsers_own_words(tmp_path: Path) -> None:
    (error,) = told(tmp_path, "%foo\nrules: 1\n")
    assert "expected '<document start>'" in error
