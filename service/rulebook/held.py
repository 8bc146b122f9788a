"""The rules that a process decides by, which follow their files while it runs.

Whoever decides asks for the rules once, and goes on with what it got: the rules are replaced as one
value. Files that cannot be used change nothing, so the last good rules stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import RuleBook
from service.rulebook.errors import RuleBookInvalid, RuleError
from service.rulebook.sources import Signature, Sources, signature
from service.triggers.alerts.candidates import RulesInForce

_log = structlog.get_logger(__name__)

LOOK_S = 0.5
"""How often a process looks whether its files have changed, in seconds. A look is one `stat` of
each file. On a busy machine that took 23 µs, and reading the shipped rules 31 ms of processor
time."""
SETTLE_S = 0.5
"""For how long files must have stayed as they are before they are read, in seconds. So a file that
is written in pieces is read once it is whole, and two files that change together are read together.
With a look each half second, a change is read a second after it, or less."""

Load = Callable[[Sources], RuleBook]
"""Makes the rules of what the files say; raises RuleBookInvalid."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Files that cannot be used: each error with its file and line, and when they were read, in
    seconds since the epoch."""

    errors: tuple[str, ...]
    since: float


class HeldRules:
    """The rules in force in this process; `paths` are its rule files.

    `keep` is told of new rules with the files' bytes, right before they are in force. It must not
    raise.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        load: Load,
        keep: Callable[[RuleBook, Sources], None] = lambda _book, _sources: None,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._keep = load, keep
        self._clock, self._monotonic = clock, monotonic
        self._paths = tuple(dict.fromkeys(paths))
        self._rules: RulesInForce | None = None
        self._seen: Signature = ()
        self._seen_since = float("-inf")
        self._read: Signature = ()
        self._wanted = False
        self.refused: Refused | None = None
        self.since = 0.0
        """When the rules came into force here, in seconds since the epoch."""

    @property
    def book(self) -> RuleBook | None:
        """The rules in force; None where none could be read yet."""
        rules = self._rules
        return None if rules is None else rules.book

    def rules(self) -> RulesInForce:
        """The rules in force, with their index. Take it once for all that belongs together.

        Raises:
            LookupError: no rules could be read yet.
        """
        if self._rules is None:
            raise LookupError("no rules could be read yet")
        return self._rules

    def begin(self, last_good: Callable[[], RuleBook | None] = lambda: None) -> None:
        """Read the files for the first time. Where they cannot be used, `last_good` rules are taken
        in their place, if there are any.

        Raises:
            RuleBookInvalid: they cannot be used, and there are no others.
        """
        made, sources, _changing = self._made()
        if not isinstance(made, RuleBookInvalid):
            self._take(made, sources)
            return
        self._refuse(made)
        book = last_good()
        if book is None:
            raise made
        self._put(book)

    def look(self, *, asked: bool = False) -> bool:
        """Read the files if they have changed, or if it is `asked` for, once they have settled.

        Returns whether they were read.
        """
        now, found = self._monotonic(), signature(self._paths)
        if found != self._seen:
            self._seen, self._seen_since = found, now
        self._wanted = self._wanted or asked or found != self._read
        if not self._wanted or now - self._seen_since < SETTLE_S:
            return False
        made, sources, self._wanted = self._made()
        if self._wanted:
            return False
        if isinstance(made, RuleBookInvalid):
            self._refuse(made)
        else:
            self._take(made, sources)
        return True

    def _made(self) -> tuple[RuleBook | RuleBookInvalid, Sources, bool]:
        """What the files say, and whether one of them has changed meanwhile: then it counts for
        nothing. The files that targets name are followed from now on, too."""
        while True:
            self._seen = self._read = before = signature(self._paths)
            sources = Sources()
            try:
                made: RuleBook | RuleBookInvalid = self._load(sources)
            except RuleBookInvalid as invalid:
                made = invalid
            except Exception as error:
                made = self._unforeseen(error)
            known = dict.fromkeys((*self._paths, *sources.tried))
            if len(known) == len(self._paths):
                return made, sources, signature(self._paths) != before
            self._paths = tuple(known)

    def _unforeseen(self, error: Exception) -> RuleBookInvalid:
        """Files that the loader itself fails on: refused as others are, so people are told."""
        sentence = (
            f"runbookd failed while it read the rules, and does not know in which line: {error!r}. "
            "That is a fault of runbookd. Take back the last change of the file, and report what "
            "the log says under rules_refused."
        )
        invalid = RuleBookInvalid((RuleError(str(self._paths[0]), 1, None, sentence),))
        invalid.__cause__ = error
        return invalid

    def _take(self, book: RuleBook, sources: Sources) -> None:
        self._keep(book, sources)
        self._put(book)
        self.refused = None

    def _put(self, book: RuleBook) -> None:
        before, now = self.book, self._clock()
        if before is None or before.hash != book.hash:
            self.since = now
            _log.info(
                "rules_in_force", hash=book.hash, before="" if before is None else before.hash
            )
        self._rules = RulesInForce(book, RuleIndex(book))

    def _refuse(self, invalid: RuleBookInvalid) -> None:
        errors = tuple(str(each) for each in invalid.errors)
        since = self.refused.since if self.refused is not None else self._clock()
        if self.refused is None or self.refused.errors != errors:
            stays = self.book and self.book.hash
            _log.error(
                "rules_refused", errors=list(errors), stays=stays, exc_info=invalid.__cause__
            )
        self.refused = Refused(errors, since)
