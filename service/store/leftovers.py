"""What runs have left at a vendor, in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from service.ports.leftovers import Leftover
from service.store import schema
from service.store.database import begin_writing, insert_of, translated
from service.store.decode import load
from service.store.encode import dump

_l = schema.leftovers.c


class LeftoverStore:
    """The table of leftovers."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put(self, run: str, what: Mapping[str, Any], due_at: float) -> None:
        """Keep what a run has left, once."""
        row = {"run": run, "what": dump(dict(what)), "due_at": due_at, "tries": 0}
        insert = insert_of(self._engine.dialect, schema.leftovers).on_conflict_do_nothing()
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(insert, row)

    def take(self, now: float, again_s: float, limit: int) -> list[Leftover]:
        """Reserve what is due, the oldest first."""
        due = (
            sa.select(_l.run, _l.what, _l.tries)
            .where(_l.removed_at.is_(None), _l.due_at <= now)
            .order_by(_l.due_at, _l.run)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            found = [
                Leftover(row.run, load(row.what), row.tries) for row in connection.execute(due)
            ]
            if found:
                taken = sa.update(schema.leftovers).where(_l.run.in_([each.run for each in found]))
                connection.execute(taken.values(due_at=now + again_s, tries=_l.tries + 1))
        return found

    def removed(self, run: str, now: float) -> None:
        """It is gone."""
        gone = sa.update(schema.leftovers).where(_l.run == run).values(removed_at=now)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(gone)
