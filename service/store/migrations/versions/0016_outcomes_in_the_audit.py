"""How what a person tried has ended: the audit keeps what was refused, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, which is empty for deeds that versions before have kept."""
    op.add_column("audit", sa.Column("outcome", sa.String(12), nullable=True))
