"""Readings by the hour and by the day, and which hours were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables. What was measured before them is asked of Prometheus."""
    op.create_table(
        "readings",
        sa.Column("span", sa.String(8), primary_key=True),
        sa.Column("metric", sa.String(32), primary_key=True),
        sa.Column("target", sa.String(64), primary_key=True),
        sa.Column("at", sa.Double(), primary_key=True),
        sa.Column("mean", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("p95", sa.Double(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
    )
    op.create_index("ix_readings_span_at", "readings", ["span", "at"])
    op.create_table(
        "reading_hours",
        sa.Column("at", sa.Double(), primary_key=True, autoincrement=False),
        sa.Column("taken_until", sa.Double(), nullable=False),
        sa.Column("read", sa.Boolean(), nullable=False),
    )
