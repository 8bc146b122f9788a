"""Who tells people of a scenario now, and what keeps one from going on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("scenario_runs", sa.Column("telling_until", sa.Double(), nullable=True))
    op.add_column("scenario_runs", sa.Column("stuck", sa.Text(), nullable=True))
