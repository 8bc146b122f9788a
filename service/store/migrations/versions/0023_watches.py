"""Watches: when each looks next, and what it has seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_GOES_ON = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "watches",
        sa.Column("run", sa.String(160), primary_key=True),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("ends_at", sa.Double(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
    )
    op.create_index(
        "ix_watches_due_at", "watches", ["due_at"], sqlite_where=_GOES_ON, postgresql_where=_GOES_ON
    )
