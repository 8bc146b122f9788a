"""The stored record, opened for commands that read it; they never change its tables."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from service.bootstrap.stores import Stores
from service.domain.errors import StoreUnavailable
from service.settings import Settings
from service.store.database import translated


def open_stores(settings: Settings) -> Stores:
    """The stores, once it is certain that there is something to read.

    Raises:
        StoreUnavailable: there is no database, it has no tables, or it can't be used.
    """
    stores = Stores(settings)
    url = sa.make_url(settings.effective_database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise StoreUnavailable(
            f"There is no database at {url.database} yet. Start `runbookd dev`, set DATABASE_URL "
            "or RUNBOOKD_HOME to the one you mean, make one with `runbookd migrate`, or name a "
            "running service with --url or RUNBOOKD_URL"
        )
    with translated():
        known = sa.inspect(stores.engine).has_table("runs")
    if not known:
        raise StoreUnavailable(
            "The database has none of runbookd's tables yet; `runbookd migrate` makes them"
        )
    return stores
