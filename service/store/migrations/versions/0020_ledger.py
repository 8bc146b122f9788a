"""What runs made of their targets, why an alert ended, and which holds bar adding too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and add the column."""
    op.create_table(
        "ledger",
        sa.Column("target", sa.String(64), primary_key=True),
        sa.Column("attribute", sa.String(24), primary_key=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("returned_at", sa.Double(), nullable=True),
        sa.Column("doubled", sa.Integer(), nullable=False),
        sa.Column("waits", sa.Text(), nullable=False),
    )
    op.create_table(
        "unmeasured_ends",
        sa.Column("alert", sa.String(40), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.add_column("controls", sa.Column("pin", sa.Boolean(), nullable=True))
