"""Admission in the thread of an event loop: whoever waits for the database holds nobody up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest
import sqlalchemy as sa

from service.domain.errors import StoreUnavailable
from service.store.database import begin_writing, open_engine, translated
from service.store.on_loop import begin_immediate
from service.web.concurrency import Greenlets
from tests.contract.admission import SqlDesk
from tests.databases import PostgresDatabases, SqliteFiles, nobody_writes
from tests.fakes.alerts import CPU, MEMORY, alert, delivery
from tests.postgres import PostgresServer, postgres_server

SOON_S = 20.0


@pytest.fixture
def loop() -> Greenlets:
    return Greenlets(1)


@pytest.fixture
def desk(database_url: str, loop: Greenlets) -> Iterator[SqlDesk]:
    engine = open_engine(database_url, pool_size=1, loop=loop)
    yield SqlDesk(engine, loop=loop)
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


def test_another_thread_may_use_the_same_connection(desk: SqlDesk, loop: Greenlets) -> None:
    assert desk.verdicts(delivery(alert(CPU)))[0].run == "api.out.1"
    (decision,) = loop.aside(lambda: desk.verdicts(delivery(alert(MEMORY))))
    assert decision.run == "worker-vm.up.1"
    assert len(desk.verdicts(delivery(alert(CPU)))) == 1


def test_another_thread_waits_for_the_database_too(
    desk: SqlDesk, engine: sa.Engine, loop: Greenlets
) -> None:
    with nobody_admits(engine):
        waiting = gevent.spawn(loop.aside, lambda: desk.admit(delivery(alert())))
        gevent.sleep(0.1)
        assert not waiting.ready()
    assert len(waiting.get(timeout=SOON_S)) == 1


def test_a_connection_that_was_closed_meanwhile_costs_no_notification(
    postgres: PostgresServer, loop: Greenlets
) -> None:
    url = PostgresDatabases(postgres).fresh()
    engine = open_engine(url, pool_size=1, loop=loop)
    desk = SqlDesk(engine, loop=loop)
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
    others, ours = open_engine(url), open_engine(url, loop=loop)
    with (
        nobody_writes(others),
        ours.connect() as connection,
        pytest.raises(StoreUnavailable, match="database is locked"),
        translated(),
    ):
        begin_immediate(connection, loop, patience_s=0.05)
    with ours.connect() as connection:
        begin_immediate(connection, loop, patience_s=0.05)
    others.dispose()
    ours.dispose()


def test_what_is_no_lock_is_not_waited_for(tmp_path: Path, loop: Greenlets) -> None:
    engine = open_engine(SqliteFiles(tmp_path).fresh(), loop=loop)
    with engine.connect() as connection:
        begin_immediate(connection, loop, SOON_S)
        with pytest.raises(sa.exc.OperationalError, match="within a transaction"):
            begin_immediate(connection, loop, patience_s=86_400)
    engine.dispose()


def test_a_postgresql_that_stops_is_unavailable_and_serves_once_it_is_back(
    loop: Greenlets,
) -> None:
    with postgres_server() as server:
        engine = open_engine(PostgresDatabases(server).fresh(), loop=loop)
        desk = SqlDesk(engine, loop=loop)
        assert desk.verdicts(delivery(alert(CPU)))[0].run == "api.out.1"
        server.stop()
        with pytest.raises(StoreUnavailable, match="cannot be used now"):
            desk.admit(delivery(alert(MEMORY)))
        server.start()
        assert desk.verdicts(delivery(alert(MEMORY)))[0].run == "worker-vm.up.1"
        engine.dispose()
