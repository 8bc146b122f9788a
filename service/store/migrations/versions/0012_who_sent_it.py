"""Who sent a notification, and with which labels an alert fired."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. They are empty for what versions before have stored."""
    op.add_column("deliveries", sa.Column("credential", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("address", sa.Text(), nullable=True))
    op.add_column("alerts", sa.Column("labels_hash", sa.BigInteger(), nullable=True))
