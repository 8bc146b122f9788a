"""Sign-offs of scenarios, and the plan that they are bound to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and the columns beside it."""
    op.create_table(
        "signoffs",
        sa.Column("run", sa.String(160), primary_key=True),
        sa.Column("phase", sa.String(8), primary_key=True),
        sa.Column("role", sa.String(64), primary_key=True),
        sa.Column("plan_hash", sa.String(12), primary_key=True),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
    )
    op.add_column("scenario_runs", sa.Column("plan_hash", sa.String(12), nullable=True))
    op.add_column("scenario_runs", sa.Column("reminded_at", sa.Double(), nullable=True))
