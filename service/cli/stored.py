"""Opens the local database for commands. It never creates or migrates tables."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from service.bootstrap.database import DATABASE_FORM, open_database, usable
from service.domain.errors import StoreUnavailable
from service.environment import database_url, given, home
from service.store.database import translated

ASK_A_SERVICE = "or name a running service with --url or RUNBOOKD_URL"
GO_WHERE_IT_RUNS = (
    "or go where it is: this command asks no service, whatever RUNBOOKD_URL says. Run it where the "
    "service runs"
)


def open_stored(otherwise: str = ASK_A_SERVICE) -> sa.Engine:
    """The database of this environment. It exists and has our tables.

    Args:
        otherwise: what else can be done where there is no database.

    Raises:
        StoreUnavailable: there is no database, it has no tables, or it can't be used.
        SettingsInvalid: its address can't be used.
    """
    url = database_url(given("DATABASE_URL"), home())
    with usable("DATABASE_URL", DATABASE_FORM):
        parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise StoreUnavailable(
            f"There is no database at {parsed.database} yet. Start `runbookd dev`, set "
            "DATABASE_URL or RUNBOOKD_HOME to the one you mean, make one with `runbookd migrate`, "
            f"{otherwise}"
        )
    engine = open_database(url)
    with translated():
        known = sa.inspect(engine).has_table("runs")
    if not known:
        raise StoreUnavailable(
            "The database has none of runbookd's tables yet; `runbookd migrate` makes them"
        )
    return engine
