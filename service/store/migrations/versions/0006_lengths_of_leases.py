"""How long each worker's lease is.

A lease that lies further ahead than its length was written before the clock stepped back, so its
row says the length.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: it is empty for workers of the version before."""
    op.add_column("workers", sa.Column("lease_s", sa.Double(), nullable=True))
