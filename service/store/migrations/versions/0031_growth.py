"""Growth: the sizes that there were at its start."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, which is empty for a count."""
    op.add_column("level_baselines", sa.Column("text", sa.String(64), nullable=True))
