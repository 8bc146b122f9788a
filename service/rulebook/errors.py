"""Everything that is wrong with the rule files, gathered so that one check shows all of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RuleError:
    """One thing that is wrong, where it is written (`line` from 1), and in which rule if in one."""

    file: str
    line: int
    rule: str | None
    sentence: str

    def __str__(self) -> str:
        """`file:line: sentence`, as editors understand it."""
        return f"{self.file}:{self.line}: {self.sentence}"


class RuleBookInvalid(Exception):  # noqa: N818 - a state of the files, told to the operator
    """The rule files must not be used; `errors` holds each reason, in the order of the files."""

    def __init__(self, errors: tuple[RuleError, ...]) -> None:
        super().__init__(errors)
        self.errors = errors

    def __str__(self) -> str:
        """Each error on a line of its own."""
        return "\n".join(str(error) for error in self.errors)


@dataclass(slots=True)
class Problems:
    """The errors found so far."""

    found: list[RuleError] = field(default_factory=list)

    def add(self, file: str, line: int, sentence: str, rule: str | None = None) -> None:
        """Note one error."""
        self.found.append(RuleError(file, line, rule, sentence))

    def raise_if_any(self, files: Iterable[str]) -> None:
        """Raise `RuleBookInvalid` with what was found, by file in the order given, then by line."""
        order = {file: place for place, file in enumerate(files)}
        if self.found:
            by_place = sorted(self.found, key=lambda e: (order.get(e.file, 0), e.line))
            raise RuleBookInvalid(tuple(dict.fromkeys(by_place)))


def suggestion(word: str, known: Iterable[str]) -> str:
    """`did you mean …?` when a known word is close, else all known words."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(words)}." if words else "there is none."
