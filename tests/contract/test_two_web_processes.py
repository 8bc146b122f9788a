"""Two web processes that decide on the same alerts at the same moment, on PostgreSQL.

SQLite has one writer at a time. Here the order of two transactions is made by hand: what has to
happen first has happened when the second one is let go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from service.domain.decisions.decision import Verdict
from service.domain.errors import StoreConflict
from service.store.admissions import SqlJournal
from service.store.database import open_engine, translated
from tests.contract.admission import SqlDesk
from tests.databases import PostgresDatabases
from tests.fakes.alerts import CPU, MEMORY, alert, delivery, resolved
from tests.postgres import PostgresServer
from tests.processes import wait_until

PATIENCE_S = 60.0
_WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
_IDENTITIES = sa.text("SELECT identity FROM alerts WHERE newest ORDER BY identity")
_LOCK = sa.text("SELECT 1 FROM alerts WHERE newest AND identity = :identity FOR UPDATE")


@pytest.fixture
def engine(postgres: PostgresServer) -> Iterator[sa.Engine]:
    opened = open_engine(PostgresDatabases(postgres).fresh(), pool_size=8)
    yield opened
    opened.dispose()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def _waits_for_a_lock(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return bool(connection.execute(_WAITING).scalar_one())


def _let_it_wait(engine: sa.Engine, other: Future[Any]) -> None:
    """Go on when the other transaction waits for a lock of ours; that it ended is a failure."""
    wait_until(lambda: other.done() or _waits_for_a_lock(engine), PATIENCE_S)
    assert not other.done(), "it did not wait"


def _identities(engine: sa.Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(_IDENTITIES).scalars())


def test_what_one_process_decides_on_nobody_else_reads_until_its_commit(
    engine: sa.Engine, threads: ThreadPoolExecutor
) -> None:
    desk = SqlDesk(engine)
    desk.admit(delivery(alert(CPU)))
    (identity,) = _identities(engine)
    journal = SqlJournal(engine, lambda _connection, _run: None)
    with engine.begin() as first:
        first.execute(_LOCK, {"identity": identity})
        first.execute(sa.text("UPDATE alerts SET open = false, resolved_at = 1.0"))

        def read_beside() -> bool:
            with journal.transaction() as second:
                return second.read([identity], []).episodes[identity].open

        reading = threads.submit(read_beside)
        _let_it_wait(engine, reading)
    assert reading.result(PATIENCE_S) is False


def test_a_repeat_that_waits_for_a_resolve_sees_it(
    engine: sa.Engine, threads: ThreadPoolExecutor
) -> None:
    desk, committed = SqlDesk(engine), threading.Event()
    desk.admit(delivery(alert(CPU)))
    journal = SqlJournal(engine, lambda _connection, _run: None)
    (identity,) = _identities(engine)

    def resolve_slowly() -> None:
        with journal.transaction() as first:
            first.read([identity], [])
            read.set()
            assert committed.wait(PATIENCE_S)
            first._connection.execute(sa.text("UPDATE alerts SET open = false, resolved_at = 1.0"))

    read = threading.Event()
    resolving = threads.submit(resolve_slowly)
    assert read.wait(PATIENCE_S)
    repeating = threads.submit(desk.admit, delivery(alert(CPU)))
    _let_it_wait(engine, repeating)
    committed.set()
    resolving.result(PATIENCE_S)
    repeating.result(PATIENCE_S)
    # The resolve was long before the repeat, so the repeat began another episode.
    episodes = desk.rows("SELECT open, newest FROM alerts ORDER BY id")
    assert episodes == [(False, False), (True, True)]


def _deadlocked(engine: sa.Engine, identities: list[int], other: Callable[[], object]) -> None:
    """Hold the later alert, let `other` lock the earlier one and wait, and want that one too.

    PostgreSQL sees the circle from the side whose patience ends first. This side has a minute, so
    `other` is the one that is ended.
    """
    earlier, later = identities
    with engine.begin() as connection, ThreadPoolExecutor(1) as pool:
        connection.execute(sa.text("SET LOCAL deadlock_timeout = '60s'"))
        connection.execute(_LOCK, {"identity": later})
        working = pool.submit(other)
        _let_it_wait(engine, working)
        connection.execute(_LOCK, {"identity": earlier})
        connection.commit()
        working.result(PATIENCE_S)


def test_a_deadlock_is_a_conflict_and_the_same_transaction_may_be_made_again(
    engine: sa.Engine,
) -> None:
    desk = SqlDesk(engine)
    desk.admit(delivery(alert(CPU), alert(MEMORY)))
    identities = _identities(engine)

    def lock_both() -> None:
        with translated(), engine.begin() as connection:
            for identity in identities:
                connection.execute(_LOCK, {"identity": identity})

    with pytest.raises(StoreConflict, match="deadlock"):
        _deadlocked(engine, identities, lock_both)


def test_a_notification_that_loses_a_deadlock_is_decided_on_once_more_and_kept(
    engine: sa.Engine,
) -> None:
    desk = SqlDesk(engine)
    desk.admit(delivery(alert(CPU), alert(MEMORY)))
    told: list[Verdict] = []

    def resolve() -> None:
        decisions = desk.verdicts(delivery(resolved(CPU), resolved(MEMORY)))
        told.extend(decision.verdict for decision in decisions)

    _deadlocked(engine, _identities(engine), resolve)

    assert len(told) == 2
    assert desk.rows("SELECT DISTINCT open FROM alerts") == [(False,)]
    assert desk.count("deliveries") == 2
