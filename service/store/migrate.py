"""Brings the database to the newest tables: ours, and the durable engine's beside them.

Run before anything is served; many processes may start at once, so one at a time does it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

_LOCK_ID = 7_283_004_411
"""PostgreSQL advisory lock of the migration; any number that nothing else uses."""


def migrate(engine: sa.Engine) -> None:
    """Apply what is missing of our own tables."""
    config = Config()
    config.set_main_option("script_location", str(files("service.store").joinpath("migrations")))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


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
    with engine.connect() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(_LOCK_ID)))
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK_ID)))
