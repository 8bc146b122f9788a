"""When the database cannot be used: one error that says so, nothing kept, and life afterwards."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError

from service.domain.errors import StoreUnavailable
from service.store.database import database_now, open_engine, translated
from service.store.queries import Queries
from tests.contract.admission import SqlDesk, all_at_once
from tests.contract.leases import lease_store
from tests.databases import PostgresDatabases, SqliteFiles
from tests.fakes.alerts import CPU, ERRORS, MEMORY, alert, delivery
from tests.fakes.journal import MemoryGate
from tests.postgres import PostgresServer, postgres_server

PATIENCE_S = 600.0
_HOLD_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
"""


@contextmanager
def locked_by_another_process(path: str) -> Iterator[None]:
    """Another process holds SQLite's one write lock."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD_THE_LOCK, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate("go\n", timeout=30)


def test_a_sqlite_file_locked_for_too_long_is_unavailable_and_then_serves(tmp_path: Path) -> None:
    url = SqliteFiles(tmp_path).fresh()
    engine = open_engine(url, busy_timeout_ms=200)
    gate = MemoryGate()
    desk = SqlDesk(engine, gate)
    with locked_by_another_process(url.removeprefix("sqlite:///")):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="database is locked"):
            desk.admit(delivery(alert()))
        assert 0.15 < time.monotonic() - began < 5
        assert gate.values == {}
    assert desk.verdicts(delivery(alert()))[0].run == "api.out.1"
    engine.dispose()


def test_a_sqlite_file_that_is_none_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        SqlDesk(open_engine(f"sqlite:///{path}")).admit(delivery(alert()))


def test_a_database_without_tables_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no such table"):
        SqlDesk(open_engine(f"sqlite:///{tmp_path / 'empty.db'}")).admit(delivery(alert()))


def test_sqlite_is_opened_so_that_a_commit_is_on_disk(tmp_path: Path) -> None:
    engine = open_engine(SqliteFiles(tmp_path).fresh())
    with engine.connect() as connection:
        told = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        }
    assert told == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5_000}
    engine.dispose()


def test_a_postgresql_that_stops_is_unavailable_and_serves_once_it_is_back() -> None:
    with postgres_server() as server:
        engine = open_engine(PostgresDatabases(server).fresh())
        gate = MemoryGate()
        desk = SqlDesk(engine, gate)
        assert desk.verdicts(delivery(alert(CPU)))[0].run == "api.out.1"
        server.stop()
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="cannot be used now"):
                desk.admit(delivery(alert(MEMORY)))
        assert gate.values == {"api.out": "api.out.1"}
        server.start()
        assert desk.verdicts(delivery(alert(MEMORY)))[0].run == "worker-vm.up.1"
        assert desk.count("runs") == 2
        engine.dispose()


def test_a_value_that_the_database_refuses_is_not_taken_for_an_outage(
    postgres: PostgresServer,
) -> None:
    """It would stop every batch that it is part of, and be sent again and again."""
    engine = open_engine(postgres.create())
    with pytest.raises(DataError), translated(), engine.connect() as connection:
        connection.execute(sa.text("SELECT CAST(:text AS varchar)"), {"text": "\x00"})
    engine.dispose()


def test_too_many_at_once_are_told_so_and_not_left_waiting(database_url: str) -> None:
    engine = open_engine(database_url, pool_size=1)
    engine.pool._timeout = 0.1  # type: ignore[attr-defined] # the pool's own, made short
    room = 2 if engine.dialect.name == "postgresql" else 3
    held = [engine.connect() for _ in range(room)]
    with pytest.raises(StoreUnavailable, match="QueuePool"):
        SqlDesk(engine).admit(delivery(alert()))
    for connection in held:
        connection.close()
    assert len(SqlDesk(engine).admit(delivery(alert()))) == 1
    engine.dispose()


def _admit_in_a_process(url: str, rounds: int) -> None:
    engine = open_engine(url)
    desk = SqlDesk(engine)
    for _ in range(rounds):
        desk.admit(delivery(alert(CPU), alert(MEMORY), alert(ERRORS)))
    engine.dispose()


def test_processes_that_take_the_same_notification_at_once_start_one_run_each(
    database_url: str, engine: sa.Engine
) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_admit_in_a_process, args=(database_url, 10)) for _ in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    assert [process.exitcode for process in processes] == [0, 0]
    desk = SqlDesk(engine)
    assert [row[0].split(".")[-1] for row in desk.rows("SELECT id FROM runs")] == ["1", "1", "1"]
    assert desk.rows("SELECT DISTINCT times_seen FROM alerts") == [(20,)]
    assert desk.count("deliveries") == 20


# ---- workers' leases ----


def test_a_lease_is_measured_by_the_databases_clock(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        said = connection.execute(sa.select(database_now(engine.dialect.name))).scalar_one()
    assert abs(said - time.time()) < 5


def test_a_worker_lives_while_its_lease_runs(engine: sa.Engine) -> None:
    leases = lease_store(engine, 60.0)
    leases.register("w-1", "host", 1)
    assert Queries(engine).live_workers() == 1
    assert leases.renew("w-1")
    assert leases.retire_dead() == []
    leases.retire("w-1")
    assert Queries(engine).live_workers() == 0
    assert not leases.renew("w-1")
    assert leases.retire_dead() == []


def test_of_many_survivors_one_retires_a_dead_worker(engine: sa.Engine) -> None:
    lease_store(engine, -1.0).register("dead", "host", 1)
    lease_store(engine, 60.0).register("alive", "host", 2)
    survivors = [lease_store(engine, 60.0) for _ in range(6)]
    retired = all_at_once([partial(leases.retire_dead) for leases in survivors])
    assert sorted(retired) == [[]] * 5 + [["dead"]]
    assert survivors[0].unretired() == ["alive"]
    assert not survivors[0].renew("dead")


def test_an_executor_is_never_registered_twice(engine: sa.Engine) -> None:
    leases = lease_store(engine, 60.0)
    leases.register("w-1", "host", 1)
    leases.retire("w-1")
    with pytest.raises(Exception, match=r"(?i)unique"):
        leases.register("w-1", "host", 1)


def test_only_workers_retired_long_ago_are_forgotten(engine: sa.Engine) -> None:
    leases = lease_store(engine, 60.0)
    for name in ("old", "new", "alive"):
        leases.register(name, "host", 1)
    leases.retire("old")
    leases.retire("new")
    SqlDesk(engine).execute("UPDATE workers SET retired_at = retired_at - 100 WHERE executor='old'")
    leases.forget_old(50.0)
    assert sorted(SqlDesk(engine).rows("SELECT executor FROM workers")) == [("alive",), ("new",)]
