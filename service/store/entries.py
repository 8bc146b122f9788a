"""The rows of the ledger. Lists in the terminal read them, so this loads little."""

from __future__ import annotations

import sqlalchemy as sa

from service.domain.capacity.ledger import Entry, entry_from_json
from service.store import schema
from service.store.decode import load

_l = schema.ledger.c


def ledger_entries(connection: sa.Connection) -> list[Entry]:
    """Every attribute that a run has ever changed, by target and attribute."""
    query = sa.select(schema.ledger).order_by(_l.target, _l.attribute)
    return [entry_of(row) for row in connection.execute(query).mappings()]


def entry_of(row: sa.RowMapping) -> Entry:
    """The entry of a row."""
    fields = {name: row[name] for name in ("target", "attribute", "at", "returned_at", "waits")}
    return Entry(**fields, doubled=row["doubled"], **entry_from_json(load(row["state"])))
