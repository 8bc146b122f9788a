"""The application's database for tests: a database of a real PostgreSQL, and sessions in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import pq

from tests.postgres import PostgresServer
from tests.processes import wait_until

ROLES = ("quiz_app", "quiz_report")
OURS = "runbookd_ops"
"""The role that the tests connect as: no superuser, with the rights that the page asks for."""
STUBBORN = """
CREATE FUNCTION stubborn() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END;
    END LOOP;
END $$
"""
"""A query that does not end when it is cancelled."""
LONG_S = 60.0
FASTER = 20.0


class FastClock:
    """The time of day, and waits that are twenty times as short as they are asked for."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic() * FASTER

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds) / FASTER)


@dataclass
class AppDatabaseOfTests:
    """One database with the application's roles. Sessions end with it."""

    server: PostgresServer
    admin_url: str
    stack: ExitStack = field(default_factory=ExitStack)

    def url(self, role: str = OURS) -> str:
        """Its address for a role."""
        address = sa.make_url(self.admin_url).set(username=role)
        return address.render_as_string(hide_password=False)

    def admin(self, statement: str) -> list[Any]:
        """What a superuser's statement gives."""
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def connect(self, role: str, application: str = "quiz") -> psycopg.Connection[Any]:
        """A session that lasts as long as the database."""
        connection = psycopg.connect(self.url(role), autocommit=True, application_name=application)
        self.stack.callback(connection.close)
        return connection

    def running(self, query: str, role: str = "quiz_app", application: str = "quiz") -> int:
        """A session whose query goes on; its pid once the server shows it so."""
        connection = self.connect(role, application)
        pid = connection.info.backend_pid

        def run() -> None:
            with suppress(psycopg.Error):
                connection.execute(query)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert wait_until(lambda: self.state(pid) == "active", LONG_S)
        return pid

    def idle(self, role: str = "quiz_app", statement: str = "SELECT 1") -> int:
        """A session that is idle in a transaction; its pid."""
        connection = self.connect(role)
        connection.execute("BEGIN")
        connection.execute(statement)
        return connection.info.backend_pid

    def state(self, pid: int) -> str:
        """A session's state; `gone` where there is none."""
        states: dict[int, str] = dict(self.admin("SELECT pid, state FROM pg_stat_activity"))
        return states.get(pid, "gone")


def make_roles(server: PostgresServer) -> None:
    """The roles are the server's, so those that another test has made are kept."""
    with psycopg.connect(server.address, autocommit=True) as connection:
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        for role in {*ROLES, OURS, "other_app", "blind"} - known:
            connection.execute(f"CREATE ROLE {role} LOGIN REPLICATION")
        connection.execute(f"GRANT pg_read_all_stats, pg_signal_backend TO {OURS}")


def with_questions(app: AppDatabaseOfTests) -> None:
    """The table of the runbook, owned by the application, whose rights our role has."""
    app.admin(
        "CREATE TABLE questions (id int PRIMARY KEY, topic text, difficulty text, is_active bool)"
    )
    app.admin("ALTER TABLE questions OWNER TO quiz_app")
    app.admin(f"GRANT quiz_app TO {OURS}")
    app.admin(
        "INSERT INTO questions SELECT n, 'topic ' || n % 10, 'level ' || n % 3, n % 2 = 0 "
        "FROM generate_series(1, 1000) n"
    )
    app.admin("ANALYZE questions")


def walsender(app: AppDatabaseOfTests) -> Any:
    """A session that streams the write-ahead log, as a replica does, in this very database."""
    address = sa.make_url(app.url("quiz_app"))
    conninfo = psycopg.conninfo.make_conninfo(
        host=str(address.query["host"]),
        user="quiz_app",
        dbname=str(address.database),
        replication="database",
    )
    connection = pq.PGconn.connect(conninfo.encode())
    assert connection.status == pq.ConnStatus.OK, connection.error_message
    ((position,),) = app.admin("SELECT pg_current_wal_lsn()")
    begun = connection.exec_(f"START_REPLICATION PHYSICAL {position}".encode())
    assert begun.status == pq.ExecStatus.COPY_BOTH, begun.error_message
    return connection


@contextmanager
def app_database(server: PostgresServer) -> Iterator[AppDatabaseOfTests]:
    """A fresh database of the application."""
    make_roles(server)
    made = AppDatabaseOfTests(server, server.create())
    try:
        made.admin(STUBBORN)
        made.admin("GRANT CREATE ON SCHEMA public TO quiz_app")
        yield made
    finally:
        server.drop(made.admin_url)
        made.stack.close()
