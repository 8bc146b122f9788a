"""Scenarios that rules have started, and what ends one before its time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and what finds a scenario by its name and by the run that started it."""
    op.add_column("scenario_runs", sa.Column("parent", sa.String(160), nullable=True))
    op.add_column("scenario_runs", sa.Column("alerts", sa.Text(), nullable=True))
    op.add_column("scenario_runs", sa.Column("quiet", sa.Text(), nullable=True))
    op.create_index("ix_scenario_runs_scenario", "scenario_runs", ["scenario", "created_at"])
    op.create_index("ix_scenario_runs_parent", "scenario_runs", ["parent"], unique=True)
