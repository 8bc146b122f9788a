"""What to do about a file that is no YAML: the parser's words name its own state, not the slip.

Pure. The slips are those that people make in rule files: tabs, missing dashes, blanks and quotes,
and lines that are indented differently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

_NO_BLANK = re.compile(r"^\s*(?:- +)?(?P<key>[A-Za-z_]\w*):(?P<value>[^\s/].*)$")
_NO_BLANK_DASH = re.compile(r"^\s*-(?P<rest>[A-Za-z_]\w*:.*)$")
_NO_TOKEN = re.compile(r"found character '(?P<sign>.)' that cannot start any token", re.DOTALL)
_QUOTES = "Use single quotes outside and double quotes inside: 'alertname=\"High CPU Usage\"'."
_LONGEST_LINE = 80
"""Characters of a line that are shown."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What is wrong in which line (from 1), and what to do about it."""

    line: int
    sentence: str


def advice_on(error: yaml.YAMLError, text: str) -> Advice:
    """The slip that the parser stumbled over, as far as it shows; else the parser's own words."""
    slip = _Slip.of(error, text)
    found = (
        slip.no_mark()
        or slip.tab()
        or slip.quotation()
        or slip.bracket()
        or slip.blank()
        or slip.indentation()
        or slip.sign()
    )
    line, sentence = found or (slip.line, f"{slip.words()}.")
    return Advice(line, f"{sentence}{slip.shown(line)}")


@dataclass(frozen=True, slots=True)
class _Slip:
    """Where the parser stood; lines count from 1, columns from 0. `began` is the line in which
    what it was reading begins."""

    problem: str
    context: str
    line: int
    column: int
    began: int
    lines: tuple[str, ...]
    error: yaml.YAMLError

    @classmethod
    def of(cls, error: yaml.YAMLError, text: str) -> _Slip:
        context_mark = getattr(error, "context_mark", None)
        mark = getattr(error, "problem_mark", None) or context_mark
        at = int(getattr(error, "position", 0))
        line = mark.line + 1 if mark else text.count("\n", 0, at) + 1
        return cls(
            problem=getattr(error, "problem", None) or "",
            context=getattr(error, "context", None) or "",
            line=line,
            column=mark.column if mark else 0,
            began=context_mark.line + 1 if context_mark else line,
            lines=tuple(text.splitlines()),
            error=error,
        )

    def no_mark(self) -> tuple[int, str] | None:
        character = getattr(self.error, "character", None)
        if isinstance(character, int):
            return self.line, f"it holds the character U+{character:04X}, which YAML forbids."
        return None

    def tab(self) -> tuple[int, str] | None:
        if "'\\t'" not in self.problem:
            return None
        where = "Indent" if not self.text(self.line)[: self.column].strip() else "Separate"
        return self.line, f"it has a tab in column {self.column + 1}. {where} with spaces."

    def quotation(self) -> tuple[int, str] | None:
        if "quoted scalar" in self.context and "end of stream" in self.problem:
            return self.began, "the quote that begins here is not closed."
        if "unknown escape" in self.problem:
            escape = "\\" + self.problem.rpartition("character ")[2].strip("'")
            return (
                self.line,
                (
                    f"{escape} is no escape in double quotes. Write the value in single quotes, in "
                    "which a backslash stays."
                ),
            )
        return None

    def bracket(self) -> tuple[int, str] | None:
        if "flow" not in self.context:
            return None
        if "<stream end>" in self.problem:
            return self.still_open()
        sign = "[" if "sequence" in self.context else "{"
        if "<scalar>" in self.problem:
            return self.line, f"a value goes on after its closing quote. {_QUOTES}"
        if self.line > self.began:
            return self.began, f"the {sign} of this line is not closed."
        column = self.column + 1
        return (
            self.line,
            f"a comma is missing between two entries of {sign}, before column {column}.",
        )

    def still_open(self) -> tuple[int, str] | None:
        """The last line that opens more brackets than it closes, when the file ends within one."""
        for line in range(len(self.lines), 0, -1):
            for opening, closing in ("{}", "[]"):
                if self.text(line).count(opening) > self.text(line).count(closing):
                    return line, f"the {opening} of this line is not closed."
        return None

    def blank(self) -> tuple[int, str] | None:
        """A blank is missing after a colon or a dash; the parser notices a line later."""
        if "mapping values" not in self.problem and "expected ':'" not in self.problem:
            return None
        for line in (self.line - 1, self.line, self.began):
            if found := _NO_BLANK.match(self.text(line)):
                key, value = found["key"], found["value"]
                return line, f"a space is missing after the colon. Write `{key}: {value}`."
            if found := _NO_BLANK_DASH.match(self.text(line)):
                return line, f"a space is missing after the dash. Write `- {found['rest']}`."
        return None

    def indentation(self) -> tuple[int, str] | None:
        if "expected <block end>" in self.problem:
            if "'?'" in self.problem:
                return self.line, "a dash is missing. Each item of a list begins with `- `."
            return self.differing() or (self.line, "it is indented differently.")
        if "mapping values" in self.problem:
            here = self.text(self.line)
            value = here[: self.column].partition(": ")[2]
            return (None if value else self.differing()) or (
                self.line,
                "a value holds a colon and a space. Put the whole value in quotes.",
            )
        return None

    def differing(self) -> tuple[int, str] | None:
        """How far this line is indented, and the line above that it should be in line with."""
        dashed = self.text(self.line).lstrip().startswith("-")
        mine = _indentation(self.text(self.line), dashed=dashed)
        for line in range(self.line - 1, 0, -1):
            above = self.text(line)
            if not above.strip() or above.lstrip().startswith("#"):
                continue
            if dashed and not above.lstrip().startswith("-"):
                continue
            other = _indentation(above, dashed=dashed)
            if other == mine:
                return None
            return (
                self.line,
                (
                    f"its indentation ({mine}) differs from that of line {line} ({other}). What "
                    "belongs together begins in the same column."
                ),
            )
        return None

    def sign(self) -> tuple[int, str] | None:
        if found := _NO_TOKEN.search(self.problem):
            return self.line, f"no value begins with {found['sign']}. Put the value in quotes."
        if "alias" in f"{self.context} {self.problem}":
            said = (
                "* begins an alias, and there is no anchor of that name. Put the value in quotes."
            )
            return self.line, said
        if "another document" in self.problem:
            return self.line, "--- begins a second document. Put it into a file of its own."
        return None

    def words(self) -> str:
        """The parser's own."""
        told = ", ".join(part for part in (self.context, self.problem) if part)
        return told or getattr(self.error, "reason", None) or str(self.error).splitlines()[0]

    def text(self, line: int) -> str:
        return self.lines[line - 1] if 0 < line <= len(self.lines) else ""

    def shown(self, line: int) -> str:
        text = self.text(line).strip()
        if not text or not text.isprintable():
            return ""
        cut = text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"
        return f" The line is: {cut}"


def _indentation(line: str, *, dashed: bool) -> int:
    """How many spaces a line begins with; without `dashed`, where its first key begins."""
    before = line[: len(line) - len(line.lstrip())]
    if dashed:
        return len(before)
    return len(before) + len(re.match(r"(?:- +)*", line.lstrip()).group())  # type: ignore[union-attr]  # it always matches
