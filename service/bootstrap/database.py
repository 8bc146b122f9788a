"""Opens the database. A module of its own, because commands that only read need nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from service.store.database import open_engine
from service.store.private import keep_private

if TYPE_CHECKING:
    from service.ports.loop import Loop

DATABASE_FORM = "postgresql://user:password@host:5432/runbookd or sqlite:////path/file.db"


def open_database(
    url: str,
    *,
    connections: int = 5,
    busy_timeout_ms: int | None = None,
    loop: Loop | None = None,
) -> sa.Engine:
    """The database at `url`. Only its owner may read SQLite's file.

    Raises:
        SettingsInvalid: the address cannot be used, or the file cannot be made.
    """
    with usable("DATABASE_URL", DATABASE_FORM):
        path = sa.make_url(url).database
    if url.startswith("sqlite") and path:
        _keep_private(Path(path))
    with usable("DATABASE_URL", DATABASE_FORM):
        return open_engine(url, pool_size=connections, busy_timeout_ms=busy_timeout_ms, loop=loop)


def _keep_private(path: Path) -> None:
    try:
        keep_private(path)
    except OSError as error:
        from service.settings import SettingsInvalid  # noqa: PLC0415 - readers do not load them

        sentence = (
            f"The database {path} cannot be used ({error.strerror}). Let this user write there, or "
            "set RUNBOOKD_HOME or DATABASE_URL to another place."
        )
        raise SettingsInvalid((sentence,)) from None


@contextmanager
def usable(name: str, form: str) -> Iterator[None]:
    """Turn a library's error about an address into a sentence without the address and its
    password."""
    try:
        yield
    except (sa.exc.ArgumentError, TypeError, ValueError) as error:
        from service.settings import SettingsInvalid  # noqa: PLC0415 - as above

        sentence = (
            f"{name} cannot be used ({type(error).__name__}): it must be an address such as "
            f"{form}, with parameters that its library knows."
        )
        raise SettingsInvalid((sentence,)) from None
