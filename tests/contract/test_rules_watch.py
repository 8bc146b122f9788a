"""One process looks after its rules: what it reads, keeps, tells, and answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.bootstrap.reload import RulesWatch
from service.domain.errors import StoreUnavailable
from service.domain.rules.told import HEARD_EVERY_S, ProcessRules
from service.rulebook import RuleBookInvalid
from service.rulebook.held import SETTLE_S
from service.settings import load_settings
from service.store.rulebooks import RulebookStore
from tests.fakes.clock import FakeClock
from tests.unit.test_held_rules import text

ASK_EVERY_S = 1.0


class Away:
    """A store that cannot be used."""

    def __getattr__(self, _name: str) -> Callable[..., Any]:
        def refuse(*_: object) -> None:
            raise StoreUnavailable("the database cannot be used now")

        return refuse


class Process:
    """A process with one rule file, in its own time."""

    def __init__(self, path: Path, engine: sa.Engine, role: str = "web") -> None:
        self.path, self.store, self.clock = path, RulebookStore(engine), FakeClock()
        self.taking: list[str] = []
        self.watch = RulesWatch(
            load_settings({"RULES": str(path)}),
            self.store,
            role,
            ask_every_s=ASK_EVERY_S,
            taking=lambda book: self.taking.append(book.hash),
            needs=lambda book: [f"{len(book.rules)} rules need a start."],
            clock=self.clock.time,
            monotonic=self.clock.monotonic,
        )

    def look(self, times: int = 1, every_s: float = SETTLE_S) -> None:
        for _ in range(times):
            self.clock.sleep(every_s)
            self.watch.look()

    @property
    def told(self) -> ProcessRules:
        (found,) = self.store.all(self.clock.time())
        return found

    @property
    def hash(self) -> str:
        assert self.watch.held.book is not None
        return self.watch.held.book.hash


@pytest.fixture
def process(tmp_path: Path, engine: sa.Engine) -> Process:
    made = Process(tmp_path / "rules.yml", engine)
    made.path.write_text(text("one"))
    made.watch.begin()
    made.look()
    return made


def test_what_is_in_force_is_told_at_the_start_and_after_each_change(process: Process) -> None:
    before = process.told
    assert (before.hash, before.needs) == (process.hash, ("1 rules need a start.",))
    process.path.write_text(text("one", "two"))
    process.look(2)
    assert process.told.hash == process.hash != before.hash
    assert process.told.needs == ("2 rules need a start.",)
    assert process.taking == [before.hash, process.hash]


def test_a_process_at_rest_says_now_and_then_that_it_is_there(process: Process) -> None:
    first = process.told.seen_at
    process.look(2)
    assert process.told.seen_at == first
    process.look(every_s=HEARD_EVERY_S)
    assert process.told.seen_at > first


def test_a_request_is_answered_once_the_files_were_read(process: Process) -> None:
    process.store.ask("please")
    process.look(2, every_s=ASK_EVERY_S)
    assert process.told.heard == "please"
    process.path.write_text("rules: 7")
    process.store.ask("again")
    process.look(every_s=ASK_EVERY_S)
    assert process.told.heard == "please", "the file has not settled"
    process.look()
    assert process.told.heard == "again"
    assert process.told.refused


def test_a_request_from_before_the_start_is_no_news(tmp_path: Path, engine: sa.Engine) -> None:
    process = Process(tmp_path / "rules.yml", engine)
    process.path.write_text(text("one"))
    process.store.ask("earlier")
    process.watch.begin()
    process.look()
    assert process.told.heard == "earlier"


def test_a_bell_has_the_store_asked_with_the_next_look(process: Process) -> None:
    process.watch._ask_every_s = 3_600.0
    process.look(2, every_s=ASK_EVERY_S)
    process.store.ask("please")
    process.look(2, every_s=ASK_EVERY_S)
    assert process.told.heard == ""
    process.watch.heard()
    process.look()
    assert process.told.heard == "please"


def test_while_the_store_is_away_new_rules_are_taken_and_told_later(process: Process) -> None:
    store, before = process.store, process.hash
    process.watch._store = Away()
    process.path.write_text(text("one", "two"))
    process.look(2)
    assert process.hash != before
    assert process.told.hash == before
    process.watch._store = store
    process.look(every_s=10.0)
    assert process.told.hash == process.hash


def test_a_process_that_starts_beside_refused_files_takes_the_last_good_ones(
    process: Process, engine: sa.Engine
) -> None:
    process.path.write_text(text("one", "two"))
    process.look(2)
    process.path.write_text("rules: 7")
    process.watch.stop()
    other = Process(process.path, engine, "worker")
    other.watch.begin()
    other.look()
    assert other.hash == process.hash
    assert "must be a list" in other.told.refused[0]


def test_a_process_without_any_good_rules_takes_the_first_ones(
    tmp_path: Path, engine: sa.Engine
) -> None:
    process = Process(tmp_path / "rules.yml", engine, "worker")
    process.path.write_text("rules: 7")
    with pytest.raises(RuleBookInvalid):
        process.watch.begin()
    process.look()
    assert (process.told.hash, bool(process.told.refused)) == ("", True)
    process.path.write_text(text("one"))
    process.look(2)
    assert (process.told.hash, process.told.refused) == (process.hash, ())
