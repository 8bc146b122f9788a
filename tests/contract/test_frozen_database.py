"""A PostgreSQL that takes what it is asked and does not answer: each call ends all the same."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from service.domain.errors import FailureKind, VendorError
from service.ports.app_database import FlagPlace
from service.providers.postgresql import PostgresDatabase
from tests.app_databases import LONG_S, OURS, AppDatabaseOfTests, app_database
from tests.postgres import PostgresServer, postgres_server
from tests.processes import wait_until

DEADLINE_S = 1.0
FLAGS = FlagPlace("flags", "key", "enabled")
WRITES = "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


@pytest.fixture
def app(postgres: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    with app_database(postgres) as made:
        yield made


def test_a_server_that_is_frozen_is_given_up_as_one_that_has_done_nothing() -> None:
    with postgres_server() as server, app_database(server) as app:
        database = PostgresDatabase(url=app.url(), deadline_s=DEADLINE_S)
        assert database.server().role == OURS
        with server.frozen(), pytest.raises(VendorError) as given_up:
            database.set_flags(FLAGS, {}, {})
        assert given_up.value.kind is FailureKind.TEMPORARY
        with server.frozen():
            running = database.vacuum("public", "anything", analyze=True)
            with pytest.raises(VendorError) as never:
                assert wait_until(running.done, LONG_S)
            assert never.value.kind is FailureKind.TEMPORARY
            assert not running.was_sent()
        assert database.server().role == OURS, "it is asked again once it goes on"


def test_a_write_whose_server_freezes_is_given_up_and_may_have_taken_effect() -> None:
    with postgres_server() as server, app_database(server) as app:
        with_slow_flags(app)
        database = PostgresDatabase(url=app.url(), deadline_s=3 * DEADLINE_S)
        lost: list[VendorError] = []

        def write() -> None:
            try:
                database.set_flags(FLAGS, {"search": True}, {"search": False})
            except VendorError as problem:
                lost.append(problem)

        writing = threading.Thread(target=write)
        writing.start()
        assert wait_until(lambda: app.admin(WRITES) == [(1,)], LONG_S)
        with server.frozen():
            writing.join(LONG_S)
            assert not writing.is_alive(), "it ends though the server says nothing"
    assert lost[0].kind is FailureKind.UNKNOWN
    assert "no answer within 3 s" in str(lost[0])


def with_slow_flags(app: AppDatabaseOfTests) -> None:
    """A table of flags whose writes take ten minutes."""
    app.admin("CREATE TABLE flags (key text, enabled bool)")
    app.admin("INSERT INTO flags VALUES ('search', true)")
    app.admin("GRANT SELECT, UPDATE ON flags TO runbookd_ops")
    app.admin(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$"
    )
    app.admin("CREATE TRIGGER slow BEFORE UPDATE ON flags FOR EACH ROW EXECUTE FUNCTION slow()")


def test_a_socket_that_never_answers_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = PostgresDatabase(url=f"postgresql://app@127.0.0.1:{port}/app")
        begun = time.monotonic()
        with pytest.raises(VendorError) as given_up:
            database.server()
        assert given_up.value.kind is FailureKind.TEMPORARY
        assert time.monotonic() - begun < LONG_S


def test_a_long_statement_outlasts_the_deadline_of_a_call(app: AppDatabaseOfTests) -> None:
    app.admin("CREATE TABLE a (b int)")
    app.admin("ALTER TABLE a OWNER TO quiz_app")
    app.admin(f"GRANT quiz_app TO {OURS}")
    app.idle(statement="LOCK TABLE a IN SHARE UPDATE EXCLUSIVE MODE")
    running = PostgresDatabase(url=app.url(), deadline_s=DEADLINE_S).vacuum(
        "public", "a", analyze=True
    )
    waits = "SELECT 1 FROM pg_locks WHERE relation = 'a'::regclass AND NOT granted"
    assert wait_until(lambda: bool(app.admin(waits)), LONG_S)
    until = time.monotonic() + 2 * DEADLINE_S
    assert wait_until(lambda: time.monotonic() > until, LONG_S)
    assert not running.done()
    app.stack.close()
    assert wait_until(running.done, LONG_S)
