"""Pages and singles over a stored journal, on both databases, and how they are found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.domain.errors import StoreUnavailable
from service.store import schema
from service.store.bulk import LARGEST, LARGEST_LIST, Lookup, bulk_insert, rows_of_each
from service.store.database import open_engine
from service.store.ids import new_id
from service.store.pages import UnknownCursor, id_at
from service.store.queries import AlertFilter, DecisionFilter, Queries, RunFilter
from tests.databases import Databases

DAY_S = 86_400.0
NOW = 1_780_000_000.0


@pytest.fixture
def engine(databases: Databases) -> Iterator[sa.Engine]:
    engine = open_engine(databases.empty())
    schema.metadata.create_all(engine)
    yield engine
    engine.dispose()


def alert_row(number: int, at: float, **changes: object) -> dict[str, object]:
    return {
        "id": f"{id_at('a', at)}{number:05x}00000000",
        "identity": number,
        "newest": True,
        "open": True,
        "source": "alertmanager",
        "fingerprint": f"{number:016x}",
        "name": "High CPU Usage",
        "kind": "condition",
        "body": '{"labels":{},"annotations":{"summary":"»quoted« 100%s ?"}}',
        "first_seen": at,
        "last_seen": at,
        "resolved_at": None,
        "times_seen": 1,
        "delivery": "n-1",
        "verdicts": "{}",
        "due_at": None,
        "labels_hash": None,
        **changes,
    }


def decision_row(number: int, **changes: object) -> dict[str, object]:
    return {
        "id": f"d-{number:024x}",
        "alert": f"a-{number:024x}",
        "delivery": "n-1",
        "stage": "admission",
        "verdict": "hold",
        "rule": "high-cpu",
        "action": "horizontal_scale",
        "target": "api",
        "direction": "out",
        "guard": "cooldown",
        "reason": "rests",
        "checks": "[]",
        "until": NOW,
        "run": None,
        "rules_hash": "0123456789ab",
        "decided_at": NOW,
        "last_at": NOW,
        "times": 1,
        **changes,
    }


def run_row(name: str, at: float, **changes: object) -> dict[str, object]:
    return {
        "id": name,
        "claim": "api.out",
        "action": "horizontal_scale",
        "rule": "high-cpu",
        "target": "api",
        "direction": "out",
        "resource": "do-app:1",
        "status": "queued",
        "reason": "",
        "attempt": 0,
        "ask": '{"alerts":["a-1"],"summary":"High CPU Usage"}',
        "replay": False,
        "created_at": at,
        **changes,
    }


def insert(engine: sa.Engine, table: sa.Table, *rows: dict[str, object]) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(table), list(rows))


def test_rows_go_in_and_come_back_in_any_number(engine: sa.Engine) -> None:
    rows = [alert_row(number, NOW + number) for number in range(2 * LARGEST + 5)]
    with engine.begin() as connection:
        bulk_insert(schema.alerts)(connection, rows)
        bulk_insert(schema.alerts)(connection, [])
    with engine.connect() as connection:
        stored = connection.execute(sa.select(schema.alerts).order_by(schema.alerts.c.id))
        assert [dict(row) for row in stored.mappings()] == rows


def test_a_row_of_the_wrong_kind_undoes_all_of_them(engine: sa.Engine) -> None:
    rows = [alert_row(number, NOW) for number in range(LARGEST + 1)]
    rows[-1]["id"] = rows[0]["id"]
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        bulk_insert(schema.alerts)(connection, rows)
    assert Queries(engine).alerts(AlertFilter()).items == ()


@pytest.mark.parametrize("asked", [0, 1, 3, LARGEST_LIST, LARGEST_LIST + 1])
def test_a_list_of_any_length_finds_each_row_once(engine: sa.Engine, asked: int) -> None:
    insert(engine, schema.alerts, *(alert_row(number, NOW) for number in (0, 2, 4095, 4096, 9999)))
    with engine.connect() as connection:
        head = "SELECT identity FROM alerts WHERE identity"
        one = Lookup(head, range(asked), "AND newest")
        found, other = rows_of_each(connection, one, Lookup(head, [9999]))
    wanted = [number for number in (0, 2, 4095, 4096) if number < asked]
    assert sorted(row[0] for row in found) == wanted
    assert other == [(9999,)]


def test_ids_are_bounded_by_the_time_they_were_made() -> None:
    before = time.time()
    made = new_id("a")
    assert id_at("a", before) <= made < id_at("a", time.time() + 0.001)
    assert id_at("a", -5.0) == "a-00000000000"
    assert id_at("a", 1e300) == "a-fffffffffff"


def test_alerts_of_a_time_are_found_to_the_second(engine: sa.Engine) -> None:
    insert(engine, schema.alerts, *(alert_row(day, NOW + day * DAY_S) for day in range(5)))
    wanted = AlertFilter(since=NOW + DAY_S, until=NOW + 3 * DAY_S)
    found = Queries(engine).alerts(wanted).items
    assert [each["fingerprint"] for each in found] == ["0000000000000002", "0000000000000001"]


def test_filters_combine(engine: sa.Engine) -> None:
    insert(
        engine,
        schema.alerts,
        alert_row(1, NOW),
        alert_row(2, NOW, open=False, resolved_at=NOW),
        alert_row(3, NOW, source="grafana"),
        alert_row(4, NOW, name="Disk Full", open=False),
    )
    queries = Queries(engine)

    def found(wanted: AlertFilter) -> list[int]:
        return [int(each["fingerprint"], 16) for each in queries.alerts(wanted).items]

    assert found(AlertFilter()) == [4, 3, 2, 1]
    assert found(AlertFilter(firing=True)) == [3, 1]
    assert found(AlertFilter(firing=False, name="High CPU Usage")) == [2]
    assert found(AlertFilter(firing=True, source="alertmanager", name="High CPU Usage")) == [1]


def test_decisions_are_found_by_each_filter(engine: sa.Engine) -> None:
    insert(
        engine,
        schema.decisions,
        decision_row(1),
        decision_row(2, verdict="act", run="api.out.1"),
        decision_row(3, rule="high-memory", target="worker-vm"),
        decision_row(4, verdict="reject", rule="test", target=None),
    )
    queries = Queries(engine)

    def found(**wanted: str) -> list[int]:
        items = queries.decisions(DecisionFilter(**wanted)).items
        return [int(each["id"].removeprefix("d-"), base=16) for each in items]

    assert found() == [4, 3, 2, 1]
    assert found(verdict="hold") == [3, 1]
    assert found(verdict="act", rule="high-cpu", target="api") == [2]
    assert found(verdict="act", target="worker-vm") == []
    assert found(target="worker-vm") == [3]
    assert found(run="api.out.1") == [2]
    assert found(alert=f"a-{1:024x}") == [1]


def test_runs_of_one_moment_are_paged_without_gap(engine: sa.Engine) -> None:
    insert(engine, schema.runs, *(run_row(f"api.out.{n}", NOW) for n in (1, 2, 3)))
    insert(engine, schema.runs, run_row("api.out.4", NOW + 1, status="succeeded"))
    queries = Queries(engine)
    seen, after = [], None
    while True:
        page = queries.runs(RunFilter(), limit=1, after=after)
        seen += [each["id"] for each in page.items]
        after = page.next
        if after is None:
            break
    assert seen == ["api.out.4", "api.out.3", "api.out.2", "api.out.1"]
    assert [each["id"] for each in queries.runs(RunFilter(status="succeeded")).items] == [
        "api.out.4"
    ]


def test_a_cursor_that_is_no_run_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(UnknownCursor):
        Queries(engine).runs(RunFilter(), after="api.out.99")


def test_only_workers_whose_lease_is_not_over_are_alive(engine: sa.Engine) -> None:
    row = {"host": "h", "pid": 1, "started_at": 0.0, "retired_at": None}
    insert(
        engine,
        schema.workers,
        {**row, "executor": "alive", "lease_until": time.time() + 600, "lease_s": 900.0},
        {**row, "executor": "over", "lease_until": time.time() - 600, "lease_s": 900.0},
        {**row, "executor": "too far ahead", "lease_until": time.time() + 3_600, "lease_s": 900.0},
        {
            **row,
            "executor": "retired",
            "lease_until": time.time() + 600,
            "lease_s": 900.0,
            "retired_at": 1.0,
        },
    )
    assert Queries(engine).live_workers() == 1


def test_a_ping_leaves_nothing_locked_behind(engine: sa.Engine) -> None:
    queries = Queries(engine)
    queries.prove_write()
    queries.prove_write()
    insert(engine, schema.alerts, alert_row(1, NOW))


def test_a_database_without_tables_cannot_keep_alerts(tmp_path: Path) -> None:
    queries = Queries(open_engine(f"sqlite:///{tmp_path / 'empty.db'}"))
    with pytest.raises(StoreUnavailable, match="no such table"):
        queries.prove_write()


def test_a_file_that_is_no_database_cannot_keep_alerts(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is not a database" * 100)
    queries = Queries(open_engine(f"sqlite:///{tmp_path / 'broken.db'}"))
    with pytest.raises(StoreUnavailable):
        queries.prove_write()
    with pytest.raises(StoreUnavailable):
        queries.alerts(AlertFilter())


HIGH_CPU = "High CPU Usage"
ALONG = [
    (AlertFilter(), "sqlite_autoindex_alerts_1"),
    (AlertFilter(name=HIGH_CPU), "ix_alerts_name_id"),
    (AlertFilter(source="grafana"), "ix_alerts_source_id"),
    (AlertFilter(firing=True), "ix_alerts_open_id"),
    (AlertFilter(firing=False), "ix_alerts_closed_id"),
    (AlertFilter(name=HIGH_CPU, firing=False), "ix_alerts_closed_name_id"),
    (AlertFilter(since=NOW), "sqlite_autoindex_alerts_1"),
    (AlertFilter(until=NOW), "sqlite_autoindex_alerts_1"),
    (DecisionFilter(), "sqlite_autoindex_decisions_1"),
    (DecisionFilter(verdict="act"), "ix_decisions_verdict_id"),
    (DecisionFilter(verdict="reject", target="api"), "ix_decisions_not_held_target"),
    (DecisionFilter(verdict="act", rule="high-cpu"), "ix_decisions_not_held_rule"),
    (DecisionFilter(verdict="hold"), "sqlite_autoindex_decisions_1"),
    (DecisionFilter(rule="high-cpu"), "ix_decisions_rule_id"),
    (DecisionFilter(target="api"), "ix_decisions_target_id"),
    (RunFilter(), "ix_runs_created_at"),
    (RunFilter(status="queued"), "ix_runs_status_created_at"),
    (RunFilter(target="api"), "ix_runs_target_created_at"),
    (RunFilter(action="page_oncall"), "ix_runs_action_created_at"),
]
"""Each filter with the index that its page is read along, newest first."""


@pytest.mark.parametrize(("wanted", "index"), ALONG, ids=repr)
def test_each_page_is_read_along_its_index_and_never_sorted(
    tmp_path: Path, wanted: AlertFilter | DecisionFilter | RunFilter, index: str
) -> None:
    (plan,) = _sqlite_plans(tmp_path, wanted)
    assert f" {index} " in f"{plan.partition(';')[0]} "
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("wanted", [DecisionFilter(alert="a-1"), DecisionFilter(run="api.out.1")])
def test_the_few_decisions_of_one_alert_or_run_are_looked_up(
    tmp_path: Path, wanted: DecisionFilter
) -> None:
    (plan,) = _sqlite_plans(tmp_path, wanted)
    assert plan.startswith("SEARCH decisions USING INDEX ix_decisions_")


def _sqlite_plans(home: Path, wanted: AlertFilter | DecisionFilter | RunFilter) -> list[str]:
    """What SQLite says of each SELECT that the query sends."""
    engine = open_engine(f"sqlite:///{home / 'plans.db'}")
    schema.metadata.create_all(engine)
    plans: list[str] = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def explain(
        _connection: object,
        cursor: sa.engine.interfaces.DBAPICursor,
        text: str,
        given: object,
        *_rest: object,
    ) -> None:
        cursor.execute(f"EXPLAIN QUERY PLAN {text}", given)  # type: ignore[arg-type]  # as it came
        plans.append("; ".join(str(row[3]) for row in cursor.fetchall()))

    queries = Queries(engine)
    if isinstance(wanted, AlertFilter):
        queries.alerts(wanted)
    elif isinstance(wanted, DecisionFilter):
        queries.decisions(wanted)
    else:
        queries.runs(wanted)
    return plans
