"""Runs that wait are written anew as JSON, because pickles are not read any more.

Until here the engine's library wrote pickles into its tables. What a queued run needs stands in our
own table of runs too, as JSON, and what a look needs is in its id. So both are written anew without
reading a pickle. Two kinds cannot be: of a run that has begun, each step has left a pickle, and a
page that waits stands nowhere else. While there is one of these, the migration is refused.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from service.domain.errors import StoreUnavailable

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NAMED = 5
"""So many runs are named in the refusal; the others are counted."""

_runs = sa.table("runs", sa.column("id"), sa.column("ask"))


def upgrade() -> None:
    """Write anew what waits, or refuse.

    Raises:
        StoreUnavailable: runs are left that only the version before can finish.
    """
    connection = op.get_bind()
    schema = None if connection.dialect.name == "sqlite" else "dbos"
    if not sa.inspect(connection).has_table("workflow_status", schema):
        return
    unfinished = _unfinished(connection, schema)
    left = [row for row in unfinished if _arguments(row) is None]
    if left:
        raise StoreUnavailable(_refusal(left))
    for row in unfinished:
        _write_anew(connection, schema, row)


def _unfinished(connection: sa.Connection, schema: str | None) -> list[sa.Row[Any]]:
    """The workflows of ours whose inputs are pickles, and that have not ended."""
    columns = ("workflow_uuid", "status", "name", "serialization", "application_name")
    workflows = sa.table("workflow_status", *map(sa.column, columns), schema=schema)
    steps = sa.table("operation_outputs", sa.column("workflow_uuid"), schema=schema)
    of_it = steps.c.workflow_uuid == workflows.c.workflow_uuid
    has_begun = sa.or_(workflows.c.status == "PENDING", sa.exists().where(of_it))
    query = (
        sa.select(workflows, has_begun.label("has_begun"), _runs.c.ask)
        .select_from(workflows.outerjoin(_runs, _runs.c.id == workflows.c.workflow_uuid))
        .where(workflows.c.application_name == "runbookd")
        .where(workflows.c.status.in_(("ENQUEUED", "DELAYED", "PENDING")))
        .where(sa.func.coalesce(workflows.c.serialization, "py_pickle") == "py_pickle")
        .order_by(workflows.c.workflow_uuid)
    )
    return list(connection.execute(query))


def _arguments(row: sa.Row[Any]) -> list[Any] | None:
    """What the workflow is called with; None when only a pickle tells."""
    if row.has_begun:
        return None
    if row.name == "run" and row.ask is not None:
        return [row.workflow_uuid, json.loads(row.ask)]
    if row.name == "reconcile":
        return [row.workflow_uuid.partition("~look.")[0]]
    return None


def _write_anew(connection: sa.Connection, schema: str | None, row: sa.Row[Any]) -> None:
    columns = ("workflow_uuid", "inputs", "serialization")
    pinned: dict[str, Any] = {"value": {"args": _arguments(row), "kwargs": {}}}
    for table, value in (
        ("workflow_input", {"inputs": json.dumps(pinned)}),
        ("workflow_status", {"serialization": "runbookd_json"}),
    ):
        rows = sa.table(table, *map(sa.column, columns), schema=schema)
        one = rows.c.workflow_uuid == row.workflow_uuid
        connection.execute(sa.update(rows).where(one).values(value))


def _refusal(left: list[sa.Row[Any]]) -> str:
    named = [f"{row.workflow_uuid} ({_what(row)})" for row in left[:_NAMED]]
    others = [f"and {len(left) - _NAMED} more"] if len(left) > _NAMED else []
    runs = "1 run" if len(left) == 1 else f"{len(left)} runs"
    return (
        f"{runs} of the version before must be finished by that version first: "
        f"{', '.join(named + others)}. Nothing was changed. Stop web and every worker, so that "
        "nothing new comes. Start `runbookd worker` of the version before. Then try `runbookd "
        "migrate` of this version every few minutes until it names none; a page that waits is "
        "over after an hour at the latest. Stop that worker and go on with the upgrade."
    )


def _what(row: sa.Row[Any]) -> str:
    return "a page that waits" if row.name == "page" and not row.has_begun else "under way"
