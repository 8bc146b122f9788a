"""Indexes for the list of what was done or rejected for one rule or one target.

Among a million decisions, nearly all of them held, PostgreSQL took 188 ms for such a page without
them (docs/performance.md).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NOT_HELD = "verdict <> 'hold'"


def upgrade() -> None:
    """Make the two indexes."""
    for column in ("rule", "target"):
        op.create_index(
            f"ix_decisions_not_held_{column}",
            "decisions",
            [column, "verdict", "id"],
            unique=False,
            sqlite_where=sa.text(_NOT_HELD),
            postgresql_where=sa.text(_NOT_HELD),
        )
