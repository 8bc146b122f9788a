"""Plans that wait for a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None

_OPEN = sa.text("told IS NULL")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("run", sa.String(160), nullable=False, unique=True),
        sa.Column("claim", sa.String(160), nullable=False),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("plan_hash", sa.String(12), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("decided_at", sa.Double(), nullable=True),
        sa.Column("decided_by", sa.String(64), nullable=True),
        sa.Column("decided_why", sa.Text(), nullable=True),
        sa.Column("next_run", sa.String(160), nullable=True),
        sa.Column("told", sa.Double(), nullable=True),
    )
    op.create_index(
        "ix_approvals_open", "approvals", ["until"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )
