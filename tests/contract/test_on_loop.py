"""Admission in the thread of an event loop: whoever waits for a store holds nobody up."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import gevent
import pytest
import redis
import sqlalchemy as sa
from sqlalchemy.exc import DataError

from service.domain.decisions.decision import Verdict
from service.domain.errors import StoreLost, StoreUnavailable
from service.store import schema
from service.store.admissions import SqlJournal, SqlTransaction
from service.store.bulk import (
    Lookup,
    Pending,
    Statement,
    bulk_insert,
    change_together,
    rows_of_each,
)
from service.store.coordination import Coordination, connect
from service.store.database import begin_writing, open_engine, translated
from service.store.on_loop import redis_on
from service.web.concurrency import Greenlets
from tests.contract.admission import SqlDesk
from tests.databases import PostgresDatabases, SqliteFiles, nobody_writes
from tests.fakes.alerts import CPU, MEMORY, alert, delivery
from tests.postgres import PostgresServer, postgres_server
from tests.processes import wait_until
from tests.redis_servers import RedisServer, executable

SOON_S = 20.0
_T = TypeVar("_T")


@pytest.fixture
def loop() -> Greenlets:
    return Greenlets(1)


@pytest.fixture
def desk(database_url: str, loop: Greenlets) -> Iterator[SqlDesk]:
    engine = open_engine(database_url, pool_size=1, loop=loop)
    yield SqlDesk(engine)
    engine.dispose()


@contextmanager
def nobody_admits(engine: sa.Engine) -> Iterator[None]:
    """Another process is at the alerts, and lets nobody else."""
    with engine.connect() as connection:
        begin_writing(connection)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE alerts IN ACCESS EXCLUSIVE MODE")
        yield


def test_who_waits_for_the_database_lets_others_go_on(desk: SqlDesk, engine: sa.Engine) -> None:
    with nobody_admits(engine):
        waiting = gevent.spawn(desk.admit, delivery(alert()))
        gevent.sleep(0.1)
        assert not waiting.ready(), "it waits, and the loop went on"
    (receipt,) = waiting.get(timeout=SOON_S)
    assert receipt.verdicts[0].decision.run == "api.out.1"
    assert desk.count("alerts") == 1


class _Watched(Greenlets):
    """Counts how often the loop is asked when something can be written."""

    writes = reads = 0

    def until_ready(
        self, fileno: int, *, read: bool, write: bool, timeout_s: float | None = None
    ) -> bool:
        self.writes += write
        self.reads += read and not write
        return super().until_ready(fileno, read=read, write=write, timeout_s=timeout_s)


def test_only_what_postgresql_does_not_take_at_once_waits_to_be_written(
    postgres: PostgresServer,
) -> None:
    loop = _Watched(1)
    engine = open_engine(PostgresDatabases(postgres).fresh(), pool_size=1, loop=loop)
    busy = Statement("SELECT pg_sleep(0.3)::text", ())
    large = Statement("SELECT length(%s)", ("x" * 30_000_000,))
    with engine.connect() as connection:
        rows_of_each(connection, busy)
        assert loop.writes == 0
        assert rows_of_each(connection, busy, large)[1] == [(30_000_000,)]
    assert loop.writes > 0
    engine.dispose()


def test_a_transaction_waits_for_one_answer_to_what_it_asks_and_one_to_its_last_change(
    postgres: PostgresServer,
) -> None:
    loop = _Watched(1)
    engine = open_engine(PostgresDatabases(postgres).fresh(), pool_size=1, loop=loop)
    slow = Statement("SELECT pg_sleep(0.2)::text", ())
    change = bulk_insert(schema.facts)
    rows = [{"name": "a", "value": "{}"}]
    with engine.connect():  # it asks PostgreSQL for what it is, once
        loop.reads = 0
    with engine.connect() as connection, connection.begin():
        rows_of_each(connection, slow, slow)
        assert loop.reads == 1, "BEGIN and both statements"
        change_together(connection, [Pending(change, rows, dict)], commit=True)
    assert loop.reads <= 2, "the change and COMMIT"
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM facts WHERE name = 'a'")) == 1
    engine.dispose()


def test_what_fails_in_a_transaction_that_was_begun_along_leaves_nothing_and_the_next_one_begins(
    postgres: PostgresServer,
) -> None:
    engine = open_engine(PostgresDatabases(postgres).fresh(), pool_size=1, loop=Greenlets(1))
    wrong = Statement("SELECT 1 / %s::int", (0,))
    for _ in range(2):
        with pytest.raises(DataError), engine.connect() as connection, connection.begin():
            rows_of_each(connection, wrong)
    with engine.connect() as connection, connection.begin() as begun:
        rows_of_each(connection, Statement("SELECT 1", ()))
        connection.execute(sa.text("INSERT INTO facts VALUES ('b', '{}')"))
        begun.rollback()
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM facts WHERE name = 'b'")) == 0
    engine.dispose()


def test_another_thread_may_use_the_same_connection(desk: SqlDesk, loop: Greenlets) -> None:
    assert desk.verdicts(delivery(alert(CPU)))[0].run == "api.out.1"
    (decision,) = loop.reserved(lambda: desk.verdicts(delivery(alert(MEMORY))))
    assert decision.run == "worker-vm.up.1"
    assert len(desk.verdicts(delivery(alert(CPU)))) == 1


def test_another_thread_waits_for_the_database_too(
    desk: SqlDesk, engine: sa.Engine, loop: Greenlets
) -> None:
    with nobody_admits(engine):
        waiting = gevent.spawn(loop.reserved, lambda: desk.admit(delivery(alert())))
        gevent.sleep(0.1)
        assert not waiting.ready()
    assert len(waiting.get(timeout=SOON_S)) == 1


def test_a_connection_that_was_closed_meanwhile_costs_no_notification(
    postgres: PostgresServer, loop: Greenlets
) -> None:
    url = PostgresDatabases(postgres).fresh()
    engine = open_engine(url, pool_size=1, loop=loop)
    desk = SqlDesk(engine)
    desk.admit(delivery(alert(CPU)))
    with sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg")).connect() as other:
        others = (
            "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        ended = other.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 20000) {others}").all()
        assert ended == [(True,)]
    assert desk.verdicts(delivery(alert(MEMORY)))[0].run == "worker-vm.up.1"
    engine.dispose()


def test_sqlites_lock_is_not_waited_for_for_ever(tmp_path: Path, loop: Greenlets) -> None:
    url = SqliteFiles(tmp_path).fresh()
    others, ours = open_engine(url), open_engine(url, busy_timeout_ms=50, loop=loop)
    desk = SqlDesk(ours)
    with nobody_writes(others), pytest.raises(StoreUnavailable, match="database is locked"):
        desk.admit(delivery(alert()))
    assert len(desk.admit(delivery(alert()))) == 1
    others.dispose()
    ours.dispose()


def test_what_is_no_lock_is_not_waited_for(tmp_path: Path, loop: Greenlets) -> None:
    engine = open_engine(SqliteFiles(tmp_path).fresh(), busy_timeout_ms=86_400_000, loop=loop)
    with engine.connect() as connection:
        begin_writing(connection)
        with pytest.raises(sa.exc.OperationalError, match="within a transaction"):
            begin_writing(connection)
    engine.dispose()


class _SilentAnswers(SqlJournal):
    """PostgreSQL commits, and its answer to that is lost: `lost` times."""

    lost = 0

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        with super().transaction() as transaction:
            yield transaction
        if self.lost:
            self.lost -= 1
            raise StoreLost("the connection was closed")


@pytest.mark.parametrize("lost", [1, 2])
def test_a_commit_whose_answer_is_lost_starts_one_run(engine: sa.Engine, lost: int) -> None:
    """Admitted once more it is a repeat; lost again, its senders are asked to send it again."""
    desk = SqlDesk(engine)
    journal = _SilentAnswers(engine, lambda _connection, run: desk.queued.append(run))
    journal.lost = lost
    desk._admitter._journal = journal
    if lost == 1:
        (decision,) = desk.verdicts(delivery(alert(CPU)))
        assert (decision.verdict, decision.run) == (Verdict.HOLD, None)
    else:
        with pytest.raises(StoreUnavailable, match="closes its connections"):
            desk.admit(delivery(alert(CPU)))
    assert [run.request.id for run in desk.queued] == ["api.out.1"]
    assert desk.rows("SELECT times_seen FROM alerts") == [(2,)]


@pytest.mark.parametrize("broken", [0, 1])
def test_a_question_that_postgresql_refuses_leaves_the_connection_usable(
    postgres: PostgresServer, broken: int
) -> None:
    questions = [Lookup("SELECT key FROM cooldowns WHERE key", ["a"]) for _ in range(2)]
    questions[broken] = Lookup("SELECT 1 WHERE 1 / 0", [1])
    engine = open_engine(PostgresDatabases(postgres).fresh(), pool_size=1)
    for _ in range(2):
        with pytest.raises(DataError), translated(), engine.begin() as connection:
            rows_of_each(connection, *questions)
    assert len(SqlDesk(engine).admit(delivery(alert()))) == 1
    engine.dispose()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(executable(), tmp_path)
    server.start()
    yield server
    os.kill(server.process.pid, signal.SIGCONT)
    server.stop()


@pytest.mark.parametrize("connected", [True, False])
def test_who_waits_for_redis_lets_others_go_on(
    redis_server: RedisServer, loop: Greenlets, connected: bool
) -> None:
    gate = connect(redis_server.url, SOON_S, lambda: "0a1b2c3d", loop)
    if connected:
        gate.ask(["other"], "t1")
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    asking = gevent.spawn(gate.ask, ["api.out"], "t2")
    gevent.sleep(0.1)
    assert not asking.ready(), "it waits, and the loop went on"
    os.kill(redis_server.process.pid, signal.SIGCONT)
    assert asking.get(timeout=SOON_S).available
    assert redis_server.client.get("cooldown:0a1b2c3d:api.out") == b"hold:t2"


def test_an_answer_of_redis_that_comes_too_late_is_not_taken_for_the_next(
    redis_server: RedisServer, loop: Greenlets
) -> None:
    now = [0.0]
    client = redis.Redis.from_url(redis_server.url, socket_timeout=0.2, retry=None)
    redis_on(client, loop)
    gate = Coordination(client, lambda: "0a1b2c3d", lambda: now[0])
    redis_server.client.set("cooldown:0a1b2c3d:api.out", "api.out.7")
    assert wait_until(lambda: _answers(gate, now), SOON_S)
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    assert not gate.ask(["api.out"], "t2").available
    os.kill(redis_server.process.pid, signal.SIGCONT)
    assert wait_until(lambda: _answers(gate, now), SOON_S)
    now[0] += 60.0
    assert gate.ask(["worker-vm.up", "api.out"], "t4").cooling == {"api.out": "api.out.7"}


def _answers(gate: Coordination, now: list[float]) -> bool:
    """Whether it does, on a machine that may be slow; after a failure it is asked a minute on."""
    now[0] += 60.0
    return gate.ask(["worker-vm.up"], "t1").available


class Watched(Greenlets):
    """Counts what the reserved thread is asked for."""

    asked = 0

    def reserved(self, function: Callable[[], _T]) -> _T:
        self.asked += 1
        return super().reserved(function)


def test_connections_are_made_by_the_reserved_thread_once(
    redis_server: RedisServer, postgres: PostgresServer
) -> None:
    """A name server, or a host, that does not answer would hold up the loop for seconds."""
    for_redis, for_postgres = Watched(1), Watched(1)
    gate = connect(redis_server.url, SOON_S, lambda: "0a1b2c3d", for_redis)
    engine = open_engine(PostgresDatabases(postgres).fresh(), pool_size=1, loop=for_postgres)
    desk = SqlDesk(engine)
    for _ in range(3):
        assert gate.ask(["api.out"], "t").available
        desk.admit(delivery(alert()))
    assert (for_redis.asked, for_postgres.asked) == (1, 1)
    engine.dispose()


def test_another_thread_may_ask_redis_too(redis_server: RedisServer, loop: Greenlets) -> None:
    gate = connect(redis_server.url, SOON_S, lambda: "0a1b2c3d", loop)
    assert gate.ask(["api.out"], "t1").available
    assert loop.reserved(lambda: gate.ask(["api.out"], "t2")).available


def test_a_postgresql_that_stops_is_unavailable_and_serves_once_it_is_back(
    loop: Greenlets,
) -> None:
    with postgres_server() as server:
        engine = open_engine(PostgresDatabases(server).fresh(), loop=loop)
        desk = SqlDesk(engine)
        assert desk.verdicts(delivery(alert(CPU)))[0].run == "api.out.1"
        server.stop()
        with pytest.raises(StoreUnavailable, match="cannot be used now"):
            desk.admit(delivery(alert(MEMORY)))
        server.start()
        assert desk.verdicts(delivery(alert(MEMORY)))[0].run == "worker-vm.up.1"
        engine.dispose()
