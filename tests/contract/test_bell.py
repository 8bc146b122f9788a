"""A worker learns at once that something waits for it, on SQLite and on PostgreSQL."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from service.engine.queue import RunQueue
from service.store.admissions import SqlJournal
from service.store.bell import bell_of, listen, notifications_reach
from service.store.database import open_engine
from tests.contract.admission import SqlDesk
from tests.databases import Databases
from tests.fakes.alerts import CPU, alert, delivery
from tests.poolers import SESSION, TRANSACTION, pooler
from tests.postgres import PostgresServer
from tests.processes import wait_until

PATIENCE_S = 30.0


@contextmanager
def listening(engine: sa.Engine) -> Iterator[threading.Event]:
    """An event that is set when the bell is heard; one that begins to listen may hear itself."""
    heard = threading.Event()
    stop = listen(engine, heard.set)
    try:
        yield heard
    finally:
        stop()


def heard_after(heard: threading.Event, ring: Callable[[], object]) -> bool:
    """Whether ringing is heard; what is rung before a connection listens is not."""

    def again() -> bool:
        heard.clear()
        ring()
        return heard.wait(0.2)

    return bool(wait_until(again, PATIENCE_S))


def test_a_bell_is_heard_by_every_worker_that_listens(engine: sa.Engine) -> None:
    with listening(engine) as one, listening(engine) as other:
        assert heard_after(one, bell_of(engine).ring)
        assert heard_after(other, bell_of(engine).ring)


def test_an_alert_that_earns_a_run_rings_after_its_commit(engine: sa.Engine) -> None:
    bell = bell_of(engine)
    queue = RunQueue(engine, bell)
    journal = SqlJournal(engine, queue.enqueue, bell.committed)
    with listening(engine) as heard:
        assert heard_after(heard, bell.ring), "it listens now"
        heard.clear()
        desk = SqlDesk(engine, journal=journal)
        (decision,) = desk.verdicts(delivery(alert(CPU)))
        assert decision.run == "api.out.1"
        assert heard.wait(PATIENCE_S)
    queue.close()


def test_a_connection_that_the_server_ends_is_made_anew(engine: sa.Engine) -> None:
    if engine.dialect.name == "sqlite":
        return
    end_all = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with listening(engine) as heard:
        assert heard_after(heard, bell_of(engine).ring)
        with engine.begin() as connection:
            connection.exec_driver_sql(end_all)
        engine.dispose()
        assert heard_after(heard, bell_of(engine).ring)


def test_the_socket_of_a_worker_that_was_killed_is_removed_and_fails_nobody(
    tmp_path: Path,
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/runbookd.db")
    with listening(engine) as heard:
        (own,) = (tmp_path / "runbookd.db-workers").iterdir()
        dead = own.with_name("1-dead.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as killed:
            killed.bind(str(dead))
        assert heard_after(heard, bell_of(engine).committed)
        assert list(own.parent.iterdir()) == [own]
    assert list(own.parent.iterdir()) == [], "a worker that ends takes its socket along"


def test_a_bell_without_workers_is_rung_in_vain(databases: Databases) -> None:
    engine = open_engine(databases.fresh())
    bell_of(engine).ring()
    bell_of(engine).committed()
    engine.dispose()


def test_a_path_that_is_too_long_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    home = tmp_path / ("a" * 120)
    home.mkdir()
    engine = open_engine(f"sqlite:///{home}/runbookd.db")
    with listening(engine) as heard:
        assert heard_after(heard, bell_of(engine).ring)


@pytest.fixture
def direct_url(postgres: PostgresServer) -> str:
    """A PostgreSQL database of the test's own, reached without a pooler."""
    return postgres.create()


def reach(url: str, within_s: float) -> bool:
    engine = open_engine(url)
    try:
        return notifications_reach(engine, within_s)
    finally:
        engine.dispose()


def test_a_notification_reaches_who_listens_at_the_database_itself(direct_url: str) -> None:
    assert reach(direct_url, PATIENCE_S)


def test_a_notification_reaches_who_listens_behind_a_pooler_in_session_mode(
    direct_url: str, tmp_path: Path
) -> None:
    with pooler(direct_url, SESSION, tmp_path) as url:
        assert reach(url, PATIENCE_S)


def test_no_notification_reaches_who_listens_behind_a_pooler_in_transaction_mode(
    direct_url: str, tmp_path: Path
) -> None:
    with pooler(direct_url, TRANSACTION, tmp_path) as url:
        engine = open_engine(url)
        # The second time the pooler's own connections listen already, and hear the first trial.
        assert [notifications_reach(engine, 0.5) for _ in range(2)] == [False, False]
        engine.dispose()


def test_what_others_are_told_at_the_same_time_is_not_taken_for_ones_own_trial(
    direct_url: str,
) -> None:
    engine = open_engine(direct_url)
    others = [("runbookd_trial", "another's"), ("runbookd_work", "")]

    @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
    def _others_instead(*call: Any) -> tuple[str, Any]:
        _connection, cursor, statement, values, *_ = call
        if "token" in (values or ()):
            for channel, payload in others:
                cursor.execute("SELECT pg_notify(%s, %s)", (channel, payload))
            return "SELECT 1", ()
        return statement, values

    assert not notifications_reach(engine, 0.5)
    engine.dispose()


def test_a_worker_behind_a_pooler_in_transaction_mode_listens_in_vain_and_without_a_fault(
    direct_url: str, tmp_path: Path
) -> None:
    with pooler(direct_url, TRANSACTION, tmp_path) as url:
        engine = open_engine(url)
        with capture_logs() as logs, listening(engine) as heard:
            assert heard.wait(PATIENCE_S), "it looks once when it begins to listen"
            heard.clear()
            bell_of(engine).ring()
            assert not heard.wait(0.5)
        assert logs == []
        engine.dispose()
