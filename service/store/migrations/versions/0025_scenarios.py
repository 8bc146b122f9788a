"""Scenarios that were started, and their steps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "scenario_runs",
        sa.Column("id", sa.String(160), primary_key=True),
        sa.Column("scenario", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("rules_hash", sa.String(12), nullable=False),
        sa.Column("emergency", sa.Boolean(), nullable=False),
        sa.Column("plan_only", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=True),
        sa.Column("due_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("next_at", sa.Double(), nullable=True),
        sa.Column("cancel", sa.Text(), nullable=True),
        sa.Column("back", sa.Text(), nullable=True),
        sa.Column("asked", sa.Text(), nullable=True),
        sa.Column("decided", sa.Text(), nullable=True),
        sa.Column("approved", sa.String(12), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("told", sa.String(16), nullable=False),
        sa.Column("paged", sa.String(16), nullable=False),
    )
    op.create_index("ix_scenario_runs_created_at", "scenario_runs", ["created_at", "id"])
    for name, column, where in (
        ("ix_scenario_runs_next_at", "next_at", "next_at IS NOT NULL"),
        ("ix_scenario_runs_unended", "id", "ended_at IS NULL"),
    ):
        condition = sa.text(where)
        op.create_index(
            name,
            "scenario_runs",
            [column],
            postgresql_where=condition,
            sqlite_where=condition,
        )
    op.create_table(
        "scenario_steps",
        sa.Column("run", sa.String(160), primary_key=True),
        sa.Column("step", sa.String(32), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("ask", sa.Text(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("began_at", sa.Double(), nullable=True),
        sa.Column("plan_run", sa.String(160), nullable=True),
        sa.Column("back_state", sa.String(12), nullable=False),
        sa.Column("back_reason", sa.Text(), nullable=False),
    )
