"""The newest decisions, as far as they are looked back through in SQL."""

from __future__ import annotations

import sqlalchemy as sa

from service.store import schema

_LOOKED_THROUGH = 1_000
"""A repeat of an older alert would have earned its own run by now."""


def recent_decisions(*where: sa.ColumnElement[bool]) -> sa.Subquery:
    """The newest decisions of which all of this is true: `alert`, `rule`, `guard` and `last_at`."""
    d = schema.decisions.c
    return (
        sa.select(d.alert, d.rule, d.guard, d.last_at)
        .where(*where)
        .order_by(d.id.desc())
        .limit(_LOOKED_THROUGH)
        .subquery()
    )
