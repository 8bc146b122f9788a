"""The runbook's views in the application's database: a real PostgreSQL with pg_stat_statements."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.bootstrap.vendors import Vendors
from service.domain.app_views import DAYS_AHEAD, DAYS_KEPT, plan
from service.settings import load_settings
from tests.app_databases import LONG_S, OURS, AppDatabaseOfTests, app_database
from tests.postgres import PostgresServer, postgres_server
from tests.processes import ROOT, wait_until
from tests.unit.cli.commandline import CommandLine, Said

THE_RUNBOOKS = [
    "minute",
    "request_count",
    "avg_response_ms",
    "p95_response_ms",
    "p99_response_ms",
    "error_percent",
]
AND_OURS = ["server_error_percent", "client_error_percent"]
OF_STATEMENTS = ["query", "calls", "avg_ms", "max_ms", "avg_total_ms"]
AND_OURS_OF_STATEMENTS = ["total_ms", "share_percent", "rows", "cache_hit_percent"]
HALF_A_CENT = Fraction(1, 200) + Fraction(1, 10**9)
"""Two decimals are shown; the rest is what a double cannot hold."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of its own: it has loaded the extension, and its roles are this file's."""
    with postgres_server() as made:
        with psycopg.connect(made.address, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET shared_preload_libraries = pg_stat_statements")
        made.stop()
        made.start()
        yield made


@pytest.fixture
def app(server: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    """The application's database, owned by the role that the tests connect as."""
    with app_database(server) as made:
        made.admin("CREATE EXTENSION pg_stat_statements")
        made.admin(f"ALTER DATABASE {_name(made)} OWNER TO {OURS}")
        made.admin(f"ALTER ROLE {OURS} CREATEROLE")
        yield made
        made.admin(f"ALTER ROLE {OURS} NOCREATEROLE")


class Views:
    """Types `runbookd views`."""

    def __init__(self, line: CommandLine, home: Path, url: str) -> None:
        self.env = {"RUNBOOKD_HOME": str(home), "APP_DATABASE_URL": url}
        self._line = line

    def __call__(self, *arguments: str, **env: str) -> Said:
        return self._line("views", *arguments, env={**self.env, **env})


@pytest.fixture
def views(
    app: AppDatabaseOfTests,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Views:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "400")
    return Views(CommandLine(monkeypatch, capsys), tmp_path, app.url())


def _name(app: AppDatabaseOfTests) -> str:
    ((name,),) = app.admin("SELECT current_database()")
    return str(name)


def _shape(app: AppDatabaseOfTests) -> list[Any]:
    """All that is in the schema, by number, so that something made anew is seen too."""
    return app.admin(
        "SELECT c.oid, c.relname, c.relacl::text FROM pg_class c "
        "WHERE c.relnamespace = to_regnamespace('runbook') ORDER BY c.oid"
    )


def test_apply_makes_all_of_it_and_a_second_time_changes_nothing(
    app: AppDatabaseOfTests, views: Views
) -> None:
    planned = views("apply", "--plan")
    assert planned.status == 0, planned
    assert "missing: version 3: make runbook.database_performance" in planned.out
    assert _shape(app) == [], "a plan changes nothing"
    assert views("check").status == 1
    assert "done: version 1: make runbook.api_requests" in views("apply").out
    after = _shape(app)
    again = views("apply", "--json")
    assert json.loads(again.out) == {"changes": [], "notes": [], "refused": "", "done": True}
    assert _shape(app) == after
    assert views("check").status == 0


def test_the_views_have_the_runbooks_columns_and_ours_after_them(
    app: AppDatabaseOfTests, views: Views
) -> None:
    views("apply")
    columns = {
        view: [row[0] for row in app.admin(
            "SELECT attname FROM pg_attribute WHERE attnum > 0 "  # noqa: S608
            f"AND attrelid = 'runbook.{view}'::regclass ORDER BY attnum"
        )]
        for view in ("performance_metrics", "database_performance")
    }  # fmt: skip
    assert columns["performance_metrics"] == THE_RUNBOOKS + AND_OURS
    assert columns["database_performance"] == OF_STATEMENTS + AND_OURS_OF_STATEMENTS


REQUEST = st.tuples(
    st.sampled_from([1, 2, 55]),  # minutes ago; few, so that some have many requests
    st.sampled_from([200, 201, 204, 301, 399, 400, 401, 404, 499, 500, 503, 599]),
    st.integers(0, 40_000).map(lambda eighths: eighths / 8),  # exact in a double, and so are sums
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests=st.lists(REQUEST, max_size=60))
@example(requests=[(1, 200 + 20 * (each % 20), each * each / 8) for each in range(60)])
def test_each_minute_is_as_computed_from_the_requests_themselves(
    app: AppDatabaseOfTests, views: Views, requests: list[tuple[int, int, float]]
) -> None:
    if not _shape(app):
        views("apply")
    app.admin("TRUNCATE runbook.api_requests")
    with psycopg.connect(app.admin_url) as connection, connection.cursor() as cursor:
        now = cursor.execute("SELECT date_trunc('minute', now())").fetchall()[0][0]
        # Midnight may have been within the hour, and there is no partition of yesterday.
        cursor.execute(_partition(now - timedelta(days=1)))
        by_minute = defaultdict(list)
        with cursor.copy("COPY runbook.api_requests FROM STDIN") as copy:
            for ago, status, ms in requests:
                at = now - timedelta(minutes=ago)
                by_minute[at].append((status, ms))
                copy.write_row((at + timedelta(seconds=int(ms) % 60), "/quiz", status, ms))
        seen = cursor.execute(
            "SELECT * FROM runbook.performance_metrics ORDER BY minute DESC"
        ).fetchall()
    assert [row[0] for row in seen] == sorted(by_minute, reverse=True)
    for minute, *numbers in seen:
        for shown, exact in zip(numbers, _computed(by_minute[minute]), strict=True):
            assert abs(Fraction(shown) - exact) <= HALF_A_CENT, (minute, shown, float(exact))


def _partition(day: datetime) -> str:
    named, start = f"runbook.yesterday_{day:%Y%m%d}", f"{day:%Y-%m-%d} 00:00:00+00"
    end = f"{day + timedelta(days=1):%Y-%m-%d} 00:00:00+00"
    return (
        f"CREATE TABLE IF NOT EXISTS {named} PARTITION OF runbook.api_requests "
        f"FOR VALUES FROM ('{start}') TO ('{end}')"
    )


def _computed(requests: Sequence[tuple[int, float]]) -> list[Fraction]:
    times = sorted(Fraction(ms) for _, ms in requests)
    count = len(times)
    failed = sum(status >= 400 for status, _ in requests)
    broken = sum(status >= 500 for status, _ in requests)
    shares = [Fraction(100 * each, count) for each in (failed, broken, failed - broken)]
    return [
        Fraction(count),
        sum(times, Fraction(0)) / count,
        *(_quantile(times, q) for q in (95, 99)),
        *shares,
    ]


def _quantile(times: Sequence[Fraction], percent: int) -> Fraction:
    place = Fraction(percent, 100) * (len(times) - 1)
    low, high = times[math.floor(place)], times[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def test_what_is_older_than_the_hour_is_in_the_table_and_not_in_the_view(
    app: AppDatabaseOfTests, views: Views
) -> None:
    views("apply")
    day = datetime.now(UTC) - timedelta(days=1)
    app.admin(_partition(day))
    app.admin(
        "INSERT INTO runbook.api_requests VALUES (now() - interval '62 minutes', '/', 200, 1)"
    )
    assert app.admin("SELECT count(*) FROM runbook.api_requests") == [(1,)]
    assert app.admin("SELECT count(*) FROM runbook.performance_metrics") == [(0,)]


def test_statements_are_as_computed_from_the_extensions_own_counts(
    app: AppDatabaseOfTests, views: Views
) -> None:
    views("apply")
    app.admin("CREATE TABLE public.questions AS SELECT n FROM generate_series(1, 5000) n")
    app.admin("GRANT SELECT ON public.questions TO quiz_app")
    app.admin("SELECT pg_stat_statements_reset()")
    with psycopg.connect(app.url("quiz_app"), autocommit=True) as quiz:
        for number in range(7):
            quiz.execute("SELECT n, 'pg_stat is fine' FROM questions WHERE n < %s::int", (number,))
        quiz.execute("/* first (by */ select count(*) FROM questions")
        quiz.execute("SET application_name = 'no statement of the dashboard'")
    with psycopg.connect(app.admin_url, autocommit=True) as connection:
        connection.execute("SET pg_stat_statements.track = 'none'")  # looking must change nothing
        raw = connection.execute(
            "SELECT s.query, s.calls, s.total_exec_time, s.max_exec_time, s.rows, "
            "s.shared_blks_hit, s.shared_blks_read "
            "FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid "
            "WHERE d.datname = current_database() AND s.toplevel"
        ).fetchall()
        seen = connection.execute("SELECT * FROM runbook.database_performance").fetchall()
    everything = sum(Fraction(row[2]) for row in raw)
    wanted = [row for row in raw if "FROM questions" in row[0]]
    assert len(wanted) == 2, raw
    by_query = {row[0]: row[1:] for row in seen}
    for query, calls, total, most, rows, hit, read in wanted:
        mean = Fraction(total) / calls
        exact = [
            calls,
            mean,
            Fraction(most),
            mean,
            Fraction(total),
            100 * Fraction(total) / everything,
            rows,
        ]
        shown = by_query[query]
        for number, computed in zip(shown, exact, strict=False):
            assert abs(Fraction(number) - computed) <= HALF_A_CENT, (query, shown)
        assert abs(Fraction(shown[-1]) - Fraction(100 * hit, hit + read)) <= HALF_A_CENT
    totals = [row[5] for row in seen]
    assert totals == sorted(totals, reverse=True)
    assert not [row for row in seen if row[0].startswith("SET")]


def test_a_reader_reads_the_minutes_and_only_its_own_statements_and_writes_nothing(
    app: AppDatabaseOfTests, views: Views
) -> None:
    views("apply")
    app.admin("GRANT runbook_reader TO quiz_report")
    app.admin("INSERT INTO runbook.api_requests VALUES (now(), '/quiz', 200, 12)")
    with psycopg.connect(app.url("quiz_app"), autocommit=True) as quiz:
        quiz.execute("SELECT 'of another role'")
    with psycopg.connect(app.url("quiz_report"), autocommit=True) as report:
        report.execute("SELECT 'of its own'")
        assert len(report.execute("SELECT * FROM runbook.performance_metrics").fetchall()) == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            report.execute("INSERT INTO runbook.api_requests VALUES (now(), '/', 200, 1)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            report.execute("SELECT runbook.tend_api_requests()")
    with (
        psycopg.connect(app.url("quiz_app"), autocommit=True) as quiz,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        quiz.execute("SELECT * FROM runbook.performance_metrics")


def test_shares_are_of_the_statements_that_the_reader_may_see(
    app: AppDatabaseOfTests, views: Views
) -> None:
    views("apply")
    app.admin("GRANT runbook_reader TO quiz_report")
    for role in ("quiz_app", "quiz_report"):
        with psycopg.connect(app.url(role), autocommit=True) as somebody:
            somebody.execute("SELECT 'what somebody does'")
    app.admin("ALTER ROLE quiz_report SET pg_stat_statements.track = 'none'")  # looking is none
    try:
        with psycopg.connect(app.url("quiz_report"), autocommit=True) as report:
            seen = report.execute(
                "SELECT query, total_ms, share_percent FROM runbook.database_performance"
            ).fetchall()
    finally:
        app.admin("ALTER ROLE quiz_report RESET pg_stat_statements.track")
    own = app.admin(
        "SELECT s.query, s.total_exec_time FROM pg_stat_statements s "
        "JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.userid "
        "WHERE d.datname = current_database() AND r.rolname = 'quiz_report' AND s.toplevel"
    )
    total = sum(Fraction(spent) for _, spent in own)
    assert {row[0] for row in seen} <= {query for query, _ in own}
    for query, spent in own:
        share = next(row[2] for row in seen if row[0] == query)
        assert abs(Fraction(share) - 100 * Fraction(spent) / total) <= HALF_A_CENT


def test_a_view_shows_nobody_what_the_table_would_not_show(
    app: AppDatabaseOfTests, views: Views
) -> None:
    views("apply")
    app.admin("GRANT USAGE ON SCHEMA runbook TO quiz_app")
    app.admin("GRANT SELECT ON runbook.performance_metrics TO quiz_app")
    with (
        psycopg.connect(app.url("quiz_app"), autocommit=True) as quiz,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="api_requests"),
    ):
        quiz.execute("SELECT * FROM runbook.performance_metrics")
    app.admin("GRANT SELECT ON runbook.api_requests TO quiz_app")
    with psycopg.connect(app.url("quiz_app"), autocommit=True) as quiz:
        assert quiz.execute("SELECT * FROM runbook.performance_metrics").fetchall() == []


def test_without_the_extension_the_other_view_is_made_and_a_sentence_says_what_to_do(
    app: AppDatabaseOfTests, views: Views
) -> None:
    app.admin("DROP EXTENSION pg_stat_statements")
    said = views("apply")
    assert said.status == 0, said
    assert "run CREATE EXTENSION pg_stat_statements as a superuser" in said.out
    made = {row[1] for row in _shape(app)}
    assert "performance_metrics" in made
    assert "database_performance" not in made
    app.admin('CREATE SCHEMA "odd schema"; CREATE EXTENSION pg_stat_statements SCHEMA "odd schema"')
    app.admin(f'GRANT USAGE ON SCHEMA "odd schema" TO {OURS}')
    assert "done: version 3" in views("apply").out
    assert views("show", "database").status == 0
    assert views("check").status == 0


def test_a_view_that_somebody_dropped_is_missed_and_made_again(
    app: AppDatabaseOfTests, views: Views
) -> None:
    views("apply")
    app.admin("DROP VIEW runbook.performance_metrics")
    assert "again: it is on record, and is gone" in views("check").out
    assert views("apply").status == 0
    assert views("check").status == 0


def test_a_role_without_the_right_is_told_what_to_grant_and_nothing_is_made(
    app: AppDatabaseOfTests, views: Views
) -> None:
    app.admin(f"ALTER DATABASE {_name(app)} OWNER TO quiz_app")
    said = views("apply")
    assert said.status == 1
    assert f'GRANT CREATE ON DATABASE "{_name(app)}" TO "{OURS}"' in said.err
    assert app.admin("SELECT to_regnamespace('runbook')") == [(None,)]


def test_runbookds_own_database_is_refused(app: AppDatabaseOfTests, views: Views) -> None:
    said = views("apply", DATABASE_URL=app.url())
    assert said.status == 1
    assert "leads to the database that runbookd keeps its own state in" in said.err
    assert app.admin("SELECT to_regnamespace('runbook')") == [(None,)]


def test_a_process_that_is_killed_within_a_version_leaves_nothing_of_it(
    app: AppDatabaseOfTests, views: Views
) -> None:
    app.admin("CREATE SCHEMA runbook")
    app.admin(f"ALTER SCHEMA runbook OWNER TO {OURS}")
    today = datetime.now(UTC)
    other = psycopg.connect(app.admin_url)
    # Version 1 makes the table and the index, and waits for this name when it makes partitions.
    for day in (today, today + timedelta(days=1)):
        other.execute(f"CREATE TABLE runbook.api_requests_{day:%Y%m%d} ()")
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'runbookd' AND "
        "wait_event_type = 'Lock'"
    )
    command = [str(Path(sys.executable).with_name("runbookd")), "views", "apply"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **views.env})
    try:
        assert wait_until(lambda: bool(app.admin(waiting)), LONG_S)
    finally:
        process.kill()
        process.wait()
    other.rollback()
    other.close()
    gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'runbookd'"
    assert wait_until(lambda: app.admin(gone) == [(0,)], LONG_S)
    assert _shape(app) == []
    assert views("apply").status == 0
    assert views("check").status == 0


def test_two_who_apply_at_the_same_time_make_it_once(app: AppDatabaseOfTests, views: Views) -> None:
    schema = Vendors(load_settings(views.env)).app_views
    planned = plan(schema.find(), schema.digests, datetime.now(UTC).date()).changes
    together = Barrier(2)

    def apply() -> list[bool]:
        together.wait(LONG_S)
        return [schema.make(change) for change in planned if change.version]

    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(apply) for _ in range(2))
        made = [one + two for one, two in zip(first.result(), second.result(), strict=True)]
    assert made == [1, 1, 1], "each version by one of them"
    views("apply")
    assert views("check").status == 0


def _days(app: AppDatabaseOfTests) -> list[str]:
    return [
        row[0]
        for row in app.admin(
            "SELECT right(inhrelid::regclass::text, 8) FROM pg_inherits "
            "WHERE inhparent = 'runbook.api_requests'::regclass ORDER BY 1"
        )
    ]


def test_the_application_may_tend_the_partitions_and_those_past_their_days_go(
    app: AppDatabaseOfTests, views: Views
) -> None:
    views("apply")
    app.admin("GRANT runbook_writer TO quiz_app")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for ago in (DAYS_KEPT, DAYS_KEPT + 1, DAYS_KEPT + 30):
        day = today - timedelta(days=ago)
        statement = _partition(day).replace("yesterday", "api_requests")
        app.admin(statement)
        app.admin(f"ALTER TABLE runbook.api_requests_{day:%Y%m%d} OWNER TO {OURS}")
    app.admin(f"DROP TABLE runbook.api_requests_{today + timedelta(days=3):%Y%m%d}")
    assert (
        "partitions of runbook.api_requests: make 1 that are missing, drop 2" in views("check").out
    )
    with psycopg.connect(app.url("quiz_app"), autocommit=True) as quiz:
        # A reader who reads for long keeps one of them, and not the other.
        reader = app.connect("runbookd_ops")
        reader.execute("BEGIN")
        past = today - timedelta(days=DAYS_KEPT + 1)
        reader.execute(f"TABLE runbook.api_requests_{past:%Y%m%d}")
        tended = quiz.execute("SELECT * FROM runbook.tend_api_requests()").fetchall()
        assert tended == [(1, 1, 1)]
        reader.execute("COMMIT")
        assert quiz.execute("SELECT * FROM runbook.tend_api_requests()").fetchall() == [(0, 1, 0)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            quiz.execute("DROP TABLE runbook.api_requests")
    kept = [today + timedelta(days=ahead) for ahead in (-DAYS_KEPT, *range(DAYS_AHEAD + 1))]
    assert _days(app) == [f"{day:%Y%m%d}" for day in kept]


def test_show_prints_the_minutes_for_people_and_for_programs(
    app: AppDatabaseOfTests, views: Views
) -> None:
    views("apply")
    assert "no request was logged within the last hour" in views("show").out
    for status in (200, 200, 404, 500):
        row = f"(now(), '/quiz', {status}, 12.5)"
        app.admin(f"INSERT INTO runbook.api_requests VALUES {row}")  # noqa: S608
    said = views("show")
    assert " ".join(said.out.split()[:8]) == " ".join(THE_RUNBOOKS + AND_OURS)
    rows = json.loads(views("show", "--json").out)
    assert sum(row["request_count"] for row in rows) == 4
    assert {Decimal(str(row["avg_response_ms"])) for row in rows} == {Decimal("12.5")}
    assert views("show", "nothing").status == 2
