"""What the targets cost, and what runs under way have reserved of a budget."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "spend",
        sa.Column("target", sa.String(64), primary_key=True),
        sa.Column("dollars_month", sa.Double(), nullable=True),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("accrued", sa.Double(), nullable=False),
    )
    op.create_table(
        "reservations",
        sa.Column("run", sa.String(160), primary_key=True),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("before", sa.Double(), nullable=True),
        sa.Column("after", sa.Double(), nullable=True),
        sa.Column("at", sa.Double(), nullable=False),
    )
