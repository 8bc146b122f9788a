"""How many runs have ended, by action, target and how."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, with the runs that have ended so far."""
    op.create_table(
        "run_counts",
        sa.Column("action", sa.String(24), primary_key=True),
        sa.Column("target", sa.String(64), primary_key=True),
        sa.Column("status", sa.String(12), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.execute(
        "INSERT INTO run_counts SELECT action, COALESCE(target, ''), status, COUNT(*) FROM runs "
        "WHERE ended_at IS NOT NULL GROUP BY action, COALESCE(target, ''), status"
    )
