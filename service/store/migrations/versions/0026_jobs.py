"""Jobs, the times of them that were taken, and which thresholds of the budget were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "jobs",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
    )
    op.create_table(
        "job_firings",
        sa.Column("job", sa.String(64), primary_key=True),
        sa.Column("due_at", sa.Double(), primary_key=True),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("run", sa.String(160), nullable=False),
    )
    op.create_table(
        "budget_notices",
        sa.Column("month", sa.String(8), primary_key=True),
        sa.Column("percent", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("run", sa.String(160), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
    )
