"""Which rules each process has in force."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "rules_of_processes",
        sa.Column("process", sa.String(128), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("refused", sa.Text(), nullable=False),
        sa.Column("refused_since", sa.Double(), nullable=False),
        sa.Column("needs", sa.Text(), nullable=False),
        sa.Column("heard", sa.String(64), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
    )
