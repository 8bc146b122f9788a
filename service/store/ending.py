"""How a run ends that only asks for something, in the transaction in which it asks."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from service.store import schema
from service.store.decode import load

_r = schema.runs.c


def count_ended(connection: sa.Connection, run_id: str, status: str) -> None:
    """Count a run that ends so. Last in its transaction, because runs that end so wait for it."""
    counts = schema.run_counts
    of = sa.select(
        _r.action,
        sa.func.coalesce(_r.target, ""),
        sa.literal(status, sa.String),
        sa.literal(1, sa.BigInteger),
    ).where(_r.id == run_id)
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    keys = ["action", "target", "status"]
    connection.execute(
        insert(counts)
        .from_select([*keys, "count"], of)
        .on_conflict_do_update(index_elements=keys, set_={"count": counts.c.count + 1})
    )


def end_asking(
    connection: sa.Connection, run_id: str, status: str, reason: str, until: float, now: float
) -> None:
    """End a run that has asked for something in this transaction; its claim rests until `until`."""
    end = sa.update(schema.runs).where(_r.id == run_id)
    connection.execute(end.values(status=status, reason=reason, ended_at=now))
    cooldowns = schema.cooldowns.c
    connection.execute(
        sa.update(schema.cooldowns)
        .where(cooldowns.run == run_id, cooldowns.until > now)
        .values(until=until, reason=reason)
    )
    count_ended(connection, run_id, status)


def ended_already(connection: sa.Connection, run_id: str) -> tuple[str, str, float] | None:
    """How a run has ended and why, and until when its claim rests; None while it has not. The run
    stays locked until the transaction is over."""
    mine = sa.select(_r.status, _r.reason, _r.ended_at).where(_r.id == run_id)
    row = connection.execute(mine.with_for_update()).one()
    if row.ended_at is None:
        return None
    cooldowns = schema.cooldowns.c
    rests = sa.select(cooldowns.until).where(cooldowns.run == run_id)
    until = connection.execute(rests).scalar_one_or_none()
    return row.status, row.reason, float(row.ended_at if until is None else until)


def cancelled_by(connection: sa.Connection, run_id: str) -> str:
    """Who has cancelled a run and why; empty where nobody has."""
    asked = connection.execute(sa.select(_r.cancel).where(_r.id == run_id)).scalar_one_or_none()
    if asked is None:
        return ""
    said = load(asked)
    return f"{said['who']} has cancelled it: {said['why']}"
