"""Backtests: the rules in force and new ones on the alerts of the past, side by side."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import event

from service.backtest.compare import compare
from service.backtest.installation import Assumed, Installation
from service.backtest.model import Targets
from service.backtest.pretended import VirtualClock
from service.bootstrap.prices import kept_prices
from service.catalogue.prices import Kept
from service.domain.backtests.tally import Comparison
from service.domain.decisions.present import State
from service.domain.rules.rules import RuleBook
from service.rulebook import load_rulebook
from service.settings import Settings, rule_variables
from service.store.database import open_engine
from service.store.past import PastStore


@dataclass(frozen=True, slots=True)
class Backtested:
    """A comparison with what was assumed in it: the targets whose state at the start is not on
    record, and those of kinds that have no model."""

    comparison: Comparison
    began_anywhere: tuple[str, ...]
    simple: tuple[str, ...]


def load_rules_of(settings: Settings, paths: Sequence[Path]) -> RuleBook:
    """The rules of these files, as `check` reads them.

    Raises:
        RuleBookInvalid: every error, by file and line.
    """
    return load_rulebook(list(paths), rule_variables(settings), kept=kept_prices(settings))


def run_backtest(
    settings: Settings,
    stored: sa.Engine,
    books: tuple[RuleBook, RuleBook],
    span: tuple[float, float],
    assumed: Assumed,
) -> Backtested:
    """Both rule books on the alerts that are stored of a time: the ones in force first.

    `stored` is only read. `span` is from when until when, in seconds since the epoch.

    Raises:
        StoreUnavailable: the database cannot be used.
    """
    since, until = span
    past, kept = PastStore(stored), kept_prices(settings)
    names = {name for book in books for name in book.targets}
    states = past.states(sorted(names), since)
    with ExitStack() as opened:
        opened.enter_context(_quiet())
        folder = Path(
            opened.enter_context(tempfile.TemporaryDirectory(prefix="runbookd-backtest-"))
        )
        before, after = (
            _installed(
                opened, folder / f"{number}.db", book, states, kept, settings, since, assumed
            )
            for number, book in enumerate(books)
        )
        comparison = compare(past.episodes(since, until), before, after, until)
    assumed_states = {*before.targets.assumed, *after.targets.assumed}
    simple = {*before.targets.simple, *after.targets.simple}
    return Backtested(comparison, tuple(sorted(assumed_states)), tuple(sorted(simple)))


def _installed(
    opened: ExitStack,
    file: Path,
    book: RuleBook,
    states: Mapping[str, State],
    kept: Mapping[str, Kept],
    settings: Settings,
    since: float,
    assumed: Assumed,
) -> Installation:
    engine = opened.enter_context(thrown_away(file))
    targets = Targets(book.targets, states, kept, since)
    clock = VirtualClock(since)
    return Installation(engine, book, targets, clock, settings.refire_grace_s, assumed)


@contextmanager
def thrown_away(file: Path) -> Iterator[sa.Engine]:
    """An engine on a new SQLite file that is thrown away: nothing waits for the disk."""
    engine = open_engine(f"sqlite:///{file}", pool_size=1)

    @event.listens_for(engine, "connect")
    def _fast(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")

    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _quiet() -> Iterator[None]:
    """What is pretended is no event of the service, so it is not logged."""
    former, disabled = structlog.get_config(), logging.root.manager.disable
    nothing = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=nothing, cache_logger_on_first_use=False)
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        structlog.configure(**former)
        logging.disable(disabled)
