"""The writer of the application's requests, on a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from service.bootstrap.vendors import Vendors
from service.domain.app_views import plan
from service.request_log import LONGEST_ROUTE, Counts, RequestLog
from service.settings import load_settings
from tests.app_databases import LONG_S, AppDatabaseOfTests, app_database
from tests.postgres import PostgresServer
from tests.processes import wait_until

COUNT = "SELECT count(*) FROM runbook.api_requests"
NEVER_S = 3_600.0


@pytest.fixture
def app(postgres: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    """The application's database with the table; the application may write to it, and no more."""
    with app_database(postgres) as made:
        views = Vendors(load_settings({"APP_DATABASE_URL": made.admin_url})).app_views
        today = datetime.now(UTC).date()
        for change in plan(views.find(), views.digests, today).changes:
            views.make(change)
        made.admin("GRANT runbook_writer TO quiz_app")
        yield made
        made.admin("REVOKE runbook_writer FROM quiz_app")


class Connecting:
    """Connects as the application, unless the database is away. Counts."""

    def __init__(self, app: AppDatabaseOfTests) -> None:
        self._app = app
        self.away = False
        self.times = 0

    def __call__(self) -> psycopg.Connection[Any]:
        self.times += 1
        if self.away:
            raise psycopg.OperationalError("the database is away")
        return psycopg.connect(self._app.url("quiz_app"), application_name="requests")


def test_requests_of_many_threads_are_all_written_by_one_connection(
    app: AppDatabaseOfTests,
) -> None:
    connecting = Connecting(app)
    log = RequestLog(connecting, every_s=0.05)

    def answers() -> None:
        for _ in range(500):
            log.add("/quiz/<id>", 200, 1.5)

    threads = [threading.Thread(target=answers) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.close(LONG_S) == Counts(written=4_000, lost=0, waiting=0)
    assert app.admin(
        "SELECT count(*), min(route), min(ms), max(status) FROM runbook.api_requests"
    ) == [(4_000, "/quiz/<id>", 1.5, 200)]
    assert connecting.times == 1


def test_while_the_database_is_away_requests_wait_up_to_a_bound_and_are_written_later(
    app: AppDatabaseOfTests,
) -> None:
    connecting = Connecting(app)
    connecting.away = True
    log = RequestLog(connecting, every_s=NEVER_S, most_waiting=10)
    for number in range(12):
        log.add(f"/{number}", 200, 1)
    assert log.flush() == 0
    assert log.counts == Counts(written=0, lost=2, waiting=10)
    connecting.away = False
    assert log.flush() == 10
    assert log.counts == Counts(written=10, lost=2, waiting=0)
    log.close(LONG_S)


def test_without_a_partition_for_today_it_has_one_made_and_loses_nothing(
    app: AppDatabaseOfTests,
) -> None:
    log = RequestLog(Connecting(app), every_s=NEVER_S)
    log.add("/", 200, 1)
    assert log.flush() == 1, "from now on, partitions are tended once an hour"
    ((part,),) = app.admin("SELECT tableoid::regclass::text FROM runbook.api_requests")
    app.admin(f"DROP TABLE {part}")
    log.add("/", 200, 1)
    assert log.flush() == 1
    log.close(LONG_S)


def test_a_batch_that_is_cut_off_is_lost_and_not_sent_twice(app: AppDatabaseOfTests) -> None:
    log = RequestLog(Connecting(app), every_s=NEVER_S)
    log.add("/", 200, 1)
    assert log.flush() == 1
    app.admin(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'requests'"
    )
    gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'requests'"
    assert wait_until(lambda: app.admin(gone) == [(0,)], LONG_S)
    log.add("/", 200, 1)
    assert log.flush() == 0
    log.add("/", 200, 1)
    assert log.flush() == 1, "a new connection is made by itself"
    assert log.counts == Counts(written=2, lost=1, waiting=0)
    assert app.admin(COUNT) == [(2,)]
    log.close(LONG_S)


@pytest.mark.parametrize(
    "row",
    [("/", "x", 1), ("/", 200, float("nan")), ("/", 200, -1), ("/", 1e9, 1), ("/", 200, None)],
)
def test_a_row_that_makes_no_sense_is_lost_and_spoils_no_other(
    app: AppDatabaseOfTests, row: tuple[str, Any, Any]
) -> None:
    log = RequestLog(Connecting(app), every_s=NEVER_S)
    log.add(*row)
    log.add("/bad\0\ud800" + "x" * 1_000, 200, 1)
    assert log.flush() == 1
    assert log.counts == Counts(written=1, lost=1, waiting=0)
    ((route,),) = app.admin("SELECT route FROM runbook.api_requests")
    assert len(route) <= LONGEST_ROUTE
    log.close(LONG_S)


def test_a_request_never_waits_for_the_database(app: AppDatabaseOfTests) -> None:
    with app.connect("quiz_app") as other:
        app.admin("GRANT ALL ON runbook.api_requests TO quiz_app")
        other.execute("BEGIN")
        other.execute("LOCK TABLE runbook.api_requests IN ACCESS EXCLUSIVE MODE")
        log = RequestLog(Connecting(app), every_s=0.01)
        log.add("/", 200, 1)
        hangs = (
            "SELECT 1 FROM pg_stat_activity "
            "WHERE application_name = 'requests' AND wait_event_type = 'Lock'"
        )
        assert wait_until(lambda: bool(app.admin(hangs)), LONG_S)
        before = time.thread_time()
        for _ in range(1_000):
            log.add("/", 200, 1)
        assert time.thread_time() - before < 1.0
        assert log.counts.written == 0
        other.execute("COMMIT")
    assert log.close(LONG_S).written == 1_001


def test_it_imports_nothing_else_of_runbookd() -> None:
    names = "[n for n in sys.modules if n.startswith('service.') and 'request_log' not in n]"
    program = f"import sys, service.request_log; print({names})"
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    assert said.stdout == "[]\n"
