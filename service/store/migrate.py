"""Brings the database to the newest tables: ours, and the durable engine's beside them.

Run before anything is served; many processes may start at once, so one at a time does it.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from service.store.database import allow_long, begin_writing, translated

VERSION_TABLE = "runbookd_version"
"""Where Alembic keeps which migration was the last; its own default name may be another's."""
_LOCK_ID = 7_283_004_411
"""PostgreSQL advisory lock of the migration; any number that nothing else uses."""
_ASK_AGAIN_S = 0.1


def migrate(engine: sa.Engine, to: str = "head") -> None:
    """Apply what is missing of our own tables up to a revision, all of it or nothing.

    Raises:
        StoreUnavailable: the database cannot be used now.
    """
    config = Config()
    scripts = str(files("service.store").joinpath("migrations"))
    config.set_main_option("script_location", scripts.replace("%", "%%"))
    with translated(), engine.begin() as connection:
        begin_writing(connection)
        allow_long(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, to)


@contextmanager
def one_at_a_time(engine: sa.Engine) -> Iterator[None]:
    """Hold every other migrating process off: an advisory lock, or a lock file beside SQLite's."""
    if engine.dialect.name == "sqlite":
        path = Path(f"{engine.url.database}.migrating")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        return
    # Autocommit, and asked for again and again rather than waited for: the engine builds indices
    # concurrently, which waits for every open transaction and every statement under way.
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        while not connection.execute(sa.select(sa.func.pg_try_advisory_lock(_LOCK_ID))).scalar():
            time.sleep(_ASK_AGAIN_S)
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK_ID)))


def missing_revision(connection: sa.Connection) -> str | None:
    """The newest revision of our tables when the database is not there yet; None when it is."""
    newest = ScriptDirectory(str(files("service.store").joinpath("migrations"))).get_current_head()
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    current = context.get_current_revision()
    return newest if current != newest else None
