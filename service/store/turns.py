"""When alerts began to fire and resolved, for the rules that hold what flaps. Only their alerts
have rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from service.store import schema
from service.store.database import insert_of
from service.store.decode import load
from service.store.encode import dump

TURNS = "SELECT identity, turns FROM alert_turns WHERE identity"
"""The head of the look-up. It is read behind the alerts, which their readers lock."""


def read_turns(rows: Iterable[tuple[Any, ...]]) -> dict[int, tuple[float, ...]]:
    """The turns of each alert, oldest first."""
    return {identity: tuple(load(turns)) for identity, turns in rows}


def write_turns(connection: sa.Connection, turns: Mapping[int, tuple[float, ...]]) -> None:
    """Keep the newest turns of alerts whose rows are locked. In order of their keys, so that two
    callers never wait for each other."""
    insert = insert_of(connection.dialect, schema.alert_turns)
    keep = insert.on_conflict_do_update(
        index_elements=["identity"], set_={"turns": insert.excluded.turns}
    )
    rows = [{"identity": identity, "turns": dump(turns[identity])} for identity in sorted(turns)]
    connection.execute(keep, rows)
