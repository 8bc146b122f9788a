"""Levels: the rules in force, what was applied of each attribute, and what people were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables. Nothing is in force before a worker has started."""
    op.create_table(
        "rules_in_force",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
    )
    op.create_table(
        "levels",
        sa.Column("target", sa.String(64), primary_key=True),
        sa.Column("attribute", sa.String(24), primary_key=True),
        sa.Column("asked_says", sa.Text(), nullable=False),
        sa.Column("run", sa.String(160), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("applied_says", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.Double(), nullable=True),
        sa.Column("applied_run", sa.String(160), nullable=False),
        sa.Column("waits", sa.Text(), nullable=False),
        sa.Column("undone_run", sa.String(160), nullable=False),
        sa.Column("undone_says", sa.Text(), nullable=False),
        sa.Column("undone_until", sa.Double(), nullable=False),
    )
    op.create_table(
        "level_baselines",
        sa.Column("growth", sa.String(96), primary_key=True),
        sa.Column("target", sa.String(64), primary_key=True),
        sa.Column("attribute", sa.String(24), primary_key=True),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
    )
    op.create_table(
        "levels_told",
        sa.Column("level", sa.String(96), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
    )
