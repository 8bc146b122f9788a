"""What the worker's guards saw, for each run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: it is empty for the runs of versions before."""
    op.add_column("runs", sa.Column("checks", sa.Text(), nullable=True))
