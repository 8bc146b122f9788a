"""The record of what people did: written in the transaction of the deed itself.

What was refused has no deed, and a transaction of its own.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from service.domain.decisions.decision_json import moment
from service.domain.people import DONE, AuditEntry
from service.ports.controls import Beside
from service.store import schema
from service.store.database import begin_writing, translated
from service.store.decode import load
from service.store.encode import dump
from service.store.ids import new_id
from service.store.pages import Page, checked_cursor, read_page

_a = schema.audit.c


def recorded(entry: AuditEntry) -> Beside:
    """What writes this entry beside the deed."""

    def write(connection: sa.Connection) -> None:
        row = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
        connection.execute(
            sa.insert(schema.audit), {**row, "id": new_id("w"), "what": dump(dict(entry.what))}
        )

    return write


class AuditStore:
    """Reads the record, and keeps what was refused. Rows are only added."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def keep(self, entry: AuditEntry) -> None:
        """Keep an entry by itself."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            recorded(entry)(connection)

    def entries(
        self,
        limit: int,
        after: str | None = None,
        who: str | None = None,
        subject: str | None = None,
    ) -> Page:
        """The newest first; `after` is the cursor of a page before."""
        query = sa.select(schema.audit).order_by(_a.id.desc())
        if after is not None:
            query = query.where(_a.id < checked_cursor("w", after))
        if who is not None:
            query = query.where(_a.who == who)
        if subject is not None:
            query = query.where(_a.subject == subject)
        with translated(), self._engine.connect() as connection:
            return read_page(connection, query, limit, _item)


def _item(row: sa.RowMapping) -> dict[str, Any]:
    outcome = row["outcome"] or DONE
    return {**row, "at": moment(row["at"]), "what": load(row["what"]), "outcome": outcome}
