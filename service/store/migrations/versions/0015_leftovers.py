"""What runs have left at a vendor that is billed, and when it is to be removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_THERE = sa.text("removed_at IS NULL")


def upgrade() -> None:
    """Make the table. What runs before it have left is not known, and stays."""
    op.create_table(
        "leftovers",
        sa.Column("run", sa.String(160), primary_key=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("removed_at", sa.Double(), nullable=True),
    )
    op.create_index(
        "ix_leftovers_due_at", "leftovers", ["due_at"], sqlite_where=_THERE, postgresql_where=_THERE
    )
