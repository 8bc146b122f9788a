"""Watchdogs that may be silent, and the heartbeat."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "watchdogs",
        sa.Column("alert", sa.String(200), primary_key=True),
        sa.Column("absent_s", sa.Double(), nullable=False),
        sa.Column("heard_at", sa.Double(), nullable=True),
        sa.Column("silent_since", sa.Double(), nullable=True),
        sa.Column("paged_at", sa.Double(), nullable=True),
        sa.Column("taken_until", sa.Double(), nullable=True),
    )
    op.create_table(
        "heartbeats",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("sent_at", sa.Double(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
    )
