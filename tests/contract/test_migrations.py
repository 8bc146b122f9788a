"""The migrations make the tables that the code expects, once, whoever starts first."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from service.bootstrap.stores import Stores
from service.domain.alerts.alert import Alert, AlertStatus
from service.domain.alerts.episodes import identity_of
from service.domain.errors import StoreUnavailable
from service.settings import load_settings
from service.store.database import database_now, open_engine
from service.store.encode import dump_alert
from service.store.facts import SHORT_SECRETS, FactStore
from service.store.leases import LeaseStore
from service.store.migrate import migrate
from service.store.queries import AlertFilter, Queries
from service.store.schema import metadata
from tests.contract.admission import SqlDesk
from tests.databases import Databases
from tests.fakes.alerts import ERRORS, NOW, alert, delivery
from tests.postgres import PostgresServer

PATIENCE_S = 600.0
"""For a start of Python with all it imports, on a machine where twenty others want to run."""
_FORMER_WORKER = ("executor", "host", "pid", "started_at", "lease_until")


@pytest.fixture
def empty_url(databases: Databases) -> str:
    return databases.empty()


@contextmanager
def opened(url: str) -> Iterator[sa.Engine]:
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _migrate_all(url: str) -> None:
    """What every process does when it starts."""
    stores = Stores(load_settings({"DATABASE_URL": url}))
    stores.migrate()
    stores.engine.dispose()


def _differences(engine: sa.Engine) -> list[Any]:
    def ours(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
        return kind != "table" or name in metadata.tables

    with engine.connect() as connection:
        options = {"include_object": ours, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))


def _indexes(engine: sa.Engine) -> dict[str, str]:
    """What the database says of our indexes, conditions included, in one spelling."""
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        if engine.dialect.name == "sqlite"
        else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    )
    with engine.connect() as connection:
        rows = connection.execute(sa.text(query)).all()
    ours = {index.name for table in metadata.tables.values() for index in table.indexes}
    return {name: " ".join(sql.split()) for name, sql in rows if name in ours}


def test_the_migrated_tables_are_those_of_the_code(empty_url: str, databases: Databases) -> None:
    with opened(empty_url) as migrated, opened(databases.empty()) as made:
        migrate(migrated)
        metadata.create_all(made)
        assert _differences(migrated) == []
        assert _indexes(migrated) == _indexes(made)
        assert len(_indexes(made)) == sum(len(each.indexes) for each in metadata.tables.values())


def test_a_column_or_an_index_too_few_would_be_noticed(empty_url: str) -> None:
    with opened(empty_url) as engine:
        migrate(engine)
        with engine.begin() as connection:
            connection.execute(sa.text("DROP INDEX uq_alerts_newest"))
            connection.execute(sa.text("ALTER TABLE runs DROP COLUMN message"))
        kinds = {difference[0] for difference in _differences(engine)}
    assert kinds == {"add_index", "add_column"}


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    with opened(empty_url) as engine:
        migrate(engine)
        with engine.begin() as connection:
            connection.execute(
                sa.text("INSERT INTO cooldowns VALUES ('api.out', 1, 0, 'api.out.1', '')")
            )
        migrate(engine)
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM cooldowns")).scalar_one() == 1


def test_the_first_tables_are_brought_up_to_date_with_what_is_in_them(empty_url: str) -> None:
    with opened(empty_url) as engine:
        migrate(engine, to="0001")
        assert "add_index" in {difference[0] for difference in _differences(engine)}
        with engine.begin() as connection:
            connection.execute(
                sa.text("INSERT INTO cooldowns VALUES ('api.out', 1, 0, 'api.out.1', '')")
            )
        migrate(engine)
        assert _differences(engine) == []
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM cooldowns")).scalar_one() == 1


@pytest.mark.parametrize(("alerts", "kept"), [(True, "kept"), (False, "")])
def test_only_an_installation_that_had_kept_alerts_goes_on_with_short_secrets(
    empty_url: str, alerts: bool, kept: str
) -> None:
    with opened(empty_url) as engine:
        migrate(engine, to="0002")
        if alerts:
            with engine.begin() as connection:
                connection.execute(
                    sa.text(
                        "INSERT INTO deliveries (id, source, format, receiver, group_key, "
                        "group_labels, received_at, alerts, truncated, replay) VALUES "
                        "('n-1', 'grafana', 'grafana', '', '', '{}', 1.0, 1, 0, false)"
                    )
                )
        migrate(engine)
        assert FactStore(engine).get(SHORT_SECRETS) == kept


_FORMER_DELIVERY = (
    "INSERT INTO deliveries (id, source, format, receiver, group_key, group_labels, received_at, "
    "alerts, truncated, replay) VALUES ('n-1', 'alertmanager', 'alertmanager', '', '', '{}', 1.0, "
    "1, 0, false)"
)


def test_what_was_stored_before_senders_had_names_is_shown_and_its_alerts_can_end(
    empty_url: str,
) -> None:
    with opened(empty_url) as engine:
        migrate(engine, to="0011")
        one = alert(ERRORS)
        with engine.begin() as connection:
            connection.execute(sa.text(_FORMER_DELIVERY))
            connection.execute(sa.insert(_FORMER_ALERTS), _former_alert(one))
        migrate(engine)
        (shown,) = Queries(engine).alerts(AlertFilter()).items
        assert (shown["credential"], shown["address"]) == (None, None)
        desk = SqlDesk(engine)
        desk.admit(delivery(replace(one, status=AlertStatus.RESOLVED, labels={"other": "labels"})))
        assert desk.rows("SELECT open, newest, labels_hash FROM alerts") == [(False, True, None)]


def _former_alert(one: Alert) -> dict[str, Any]:
    return {
        "id": "a-1",
        "identity": identity_of(one),
        "newest": True,
        "open": True,
        "source": one.source,
        "fingerprint": one.fingerprint,
        "name": one.name,
        "kind": one.kind.value,
        "body": dump_alert(one),
        "first_seen": NOW,
        "last_seen": NOW,
        "times_seen": 1,
        "delivery": "n-1",
        "verdicts": '{"errors": ["d-1", "act"]}',
    }


_FORMER_ALERTS = sa.table("alerts", *(sa.column(name) for name in _former_alert(alert(ERRORS))))


def test_the_engines_tables_are_left_alone(empty_url: str) -> None:
    _migrate_all(empty_url)
    with opened(empty_url) as engine:
        migrate(engine)
        schema = None if engine.dialect.name == "sqlite" else "dbos"
        assert "workflow_status" in sa.inspect(engine).get_table_names(schema)


def test_processes_that_start_at_once_migrate_one_after_the_other(empty_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_migrate_all, args=(empty_url,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    assert [process.exitcode for process in processes] == [0, 0]
    with opened(empty_url) as engine:
        assert _differences(engine) == []


def test_a_migration_that_fails_half_way_leaves_nothing(empty_url: str) -> None:
    """A table in its way stands for whatever may go wrong; without it the next start works."""
    with opened(empty_url) as engine:
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE workers (id INTEGER)"))
        with pytest.raises(StoreUnavailable, match="workers"):
            migrate(engine)
        assert sa.inspect(engine).get_table_names() == ["workers"]
        with engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE workers"))
        migrate(engine)
        assert _differences(engine) == []


def test_a_migration_on_postgresql_may_take_long_and_nothing_else_may(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index of a million rows takes longer than the 30 s that other statements have."""
    seen: list[tuple[str, str]] = []

    def look(config: Config, _to: str) -> None:
        seen.append(_settings(config.attributes["connection"]))

    monkeypatch.setattr(command, "upgrade", look)
    with opened(postgres.create()) as engine:
        migrate(engine)
        with engine.connect() as connection:
            seen.append(_settings(connection))
    assert seen == [("0", "300000"), ("30000", "8000")]


def _settings(connection: sa.Connection) -> tuple[str, str]:
    """How long a statement may take, and how long a transaction may do nothing; milliseconds."""
    query = "SELECT setting FROM pg_settings WHERE name = :name"
    statement, idle = (
        connection.execute(sa.text(query), {"name": name}).scalar_one()
        for name in ("statement_timeout", "idle_in_transaction_session_timeout")
    )
    return statement, idle


def test_a_worker_of_the_version_before_lives_on_through_the_migration(empty_url: str) -> None:
    with opened(empty_url) as engine:
        migrate(engine, to="0002")
        now = database_now(engine.dialect.name)
        row = sa.table("workers", *(sa.column(name) for name in _FORMER_WORKER))
        with engine.begin() as connection:
            values = {"executor": "w", "host": "h", "pid": 1, "started_at": now}
            connection.execute(sa.insert(row).values(values | {"lease_until": now + 15.0}))
        migrate(engine)
        assert Queries(engine).live_workers() == 1
        nobody = sa.select(sa.literal("")).where(sa.false())
        assert LeaseStore(engine, 15.0, nobody).renew("w")
