"""Everything that is wrong with the rule files, gathered so that one check shows all of it.

An error means that the files must not be used. A warning names what is allowed and hardly meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from service.domain.errors import Told

MISSPELT = 0.85
"""How alike two names are, of 1, for the one to be a slip of the other: one letter of seven."""


@dataclass(frozen=True, slots=True)
class RuleError:
    """One thing that is wrong, where it is written (`line` from 1), and in which rule if in one.

    `is_warning` is True where the files may be used all the same.
    """

    file: str
    line: int
    rule: str | None
    sentence: str
    is_warning: bool = False

    def __str__(self) -> str:
        """`file:line: sentence`, as editors understand it; a warning says that it is one."""
        level = "warning: " if self.is_warning else ""
        return f"{self.file}:{self.line}: {level}{self.sentence}"


class RuleBookInvalid(Told):
    """The rule files must not be used; `errors` holds each reason, in the order of the files.

    `warnings` are told beside them: what one names may be the cause of an error.
    """

    def __init__(self, errors: tuple[RuleError, ...], warnings: tuple[RuleError, ...] = ()) -> None:
        super().__init__(errors, warnings)
        self.errors = errors
        self.warnings = warnings

    def __str__(self) -> str:
        """Each error on a line of its own, then each warning."""
        return "\n".join(str(each) for each in (*self.errors, *self.warnings))


@dataclass(slots=True)
class Problems:
    """What was found so far: errors, and warnings."""

    found: list[RuleError] = field(default_factory=list)
    doubtful: list[RuleError] = field(default_factory=list)

    def add(self, file: str, line: int, sentence: str, rule: str | None = None) -> None:
        """Note one error."""
        self.found.append(RuleError(file, line, rule, sentence))

    def warn(self, file: str, line: int, sentence: str, rule: str | None = None) -> None:
        """Note one warning."""
        self.doubtful.append(RuleError(file, line, rule, sentence, is_warning=True))

    def concluded(self, files: Iterable[str], *, strict: bool = False) -> tuple[RuleError, ...]:
        """The warnings, by file in the order given, then by line.

        Raises:
            RuleBookInvalid: there are errors; with `strict`, a warning is one too.
        """
        order = {file: place for place, file in enumerate(files)}

        def sort(some: list[RuleError]) -> tuple[RuleError, ...]:
            return tuple(dict.fromkeys(sorted(some, key=lambda e: (order.get(e.file, 0), e.line))))

        if strict:
            errors = [*self.found, *(replace(each, is_warning=False) for each in self.doubtful)]
            if errors:
                raise RuleBookInvalid(sort(errors))
        if self.found:
            raise RuleBookInvalid(sort(self.found), sort(self.doubtful))
        return sort(self.doubtful)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`did you mean …?` when a known word is close, else all known words."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(words)}." if words else "there is none."
