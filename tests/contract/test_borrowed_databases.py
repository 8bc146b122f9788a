"""A database that was given back is lent again only as a fresh one would be."""

from __future__ import annotations

import psycopg
import sqlalchemy as sa

from service.store.database import open_engine
from tests.databases import Databases, PostgresDatabases
from tests.postgres import PostgresServer

ROW = "INSERT INTO facts (name, value) VALUES ('left', 'behind')"


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All that is in its tables."""
    engine = open_engine(url)
    with engine.connect() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        found = {
            table.name: [tuple(row) for row in connection.execute(sa.select(table))]
            for table in tables.sorted_tables
        }
    engine.dispose()
    return found


def test_what_one_test_leaves_in_a_database_the_next_does_not_find(databases: Databases) -> None:
    with databases.borrowed() as url:
        before = rows(url)
        engine = open_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM facts")
            connection.exec_driver_sql(ROW)
        engine.dispose()
        assert rows(url) != before
    with databases.borrowed() as url:
        assert rows(url) == before


def test_a_database_is_lent_again_and_one_whose_tables_were_changed_or_that_is_in_use_is_not(
    postgres: PostgresServer,
) -> None:
    databases = PostgresDatabases(postgres)
    with databases.borrowed() as first:
        pass
    with databases.borrowed() as again:
        assert again == first
        with psycopg.connect(plain(again)) as connection:
            connection.execute("ALTER TABLE facts ADD COLUMN more text")
    with databases.borrowed() as second:
        assert second != first, "its tables were changed"
        user = psycopg.connect(plain(second))
    with databases.borrowed() as third:
        assert third not in (first, second), "somebody was connected"
    user.close()


def plain(url: str) -> str:
    """Its address as psycopg takes it."""
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
