"""Pauses and locks, when a held alert is judged again, cancelled runs, and what limits count."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_UNENDED = sa.text("ended_at IS NULL")
_DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    """Make the tables and columns. Nothing that is held now has a time at which it is due."""
    op.create_table(
        "controls",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("target", sa.String(64), nullable=True),
        sa.Column("rule", sa.String(64), nullable=True),
        sa.Column("direction", sa.String(8), nullable=True),
        sa.Column("action", sa.String(24), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("ended_by", sa.String(64), nullable=True),
    )
    op.create_index(
        "ix_controls_in_force",
        "controls",
        ["until"],
        sqlite_where=_UNENDED,
        postgresql_where=_UNENDED,
    )
    op.create_table(
        "changes",
        sa.Column("run", sa.String(160), primary_key=True),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("action", sa.String(24), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
    )
    op.create_index("ix_changes_at", "changes", ["at"])
    # A run under way that may have written was admitted before this was asked.
    op.execute(
        "INSERT INTO changes (run, target, action, at) "
        "SELECT id, target, action, COALESCE(started_at, created_at) FROM runs "
        "WHERE ended_at IS NULL AND target IS NOT NULL "
        "AND EXISTS (SELECT 1 FROM intents WHERE intents.run = runs.id)"
    )
    op.add_column("runs", sa.Column("cancel", sa.Text(), nullable=True))
    op.add_column("alerts", sa.Column("due_at", sa.Double(), nullable=True))
    op.create_index(
        "ix_alerts_due_at", "alerts", ["due_at"], sqlite_where=_DUE, postgresql_where=_DUE
    )
