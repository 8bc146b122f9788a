"""The record of droplets that runs switch off.

Runs that an older version left in the middle of a resize get their row when they are taken up.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "droplet_offs",
        sa.Column("run", sa.String(length=160), nullable=False),
        sa.Column("resource", sa.String(length=160), nullable=False),
        sa.Column("droplet", sa.String(length=32), nullable=False),
        sa.Column("size", sa.Text(), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.Column("line", sa.Text(), nullable=True),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.Column("ended", sa.String(length=12), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_droplet_offs")),
    )
    op.create_index(
        "ix_droplet_offs_resource_since", "droplet_offs", ["resource", "since"], unique=False
    )
    op.create_index(
        "ix_droplet_offs_open",
        "droplet_offs",
        ["since"],
        unique=False,
        sqlite_where=sa.text("ended IS NULL"),
        postgresql_where=sa.text("ended IS NULL"),
    )
