"""Who sent a notification, with which labels an alert fired, how many incidents a sender makes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, which are empty for what versions before have stored, and the table."""
    op.add_column("deliveries", sa.Column("credential", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("address", sa.Text(), nullable=True))
    op.add_column("alerts", sa.Column("labels_hash", sa.BigInteger(), nullable=True))
    op.create_table(
        "incident_rates",
        sa.Column("sender", sa.Text(), primary_key=True),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("incidents", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
    )
