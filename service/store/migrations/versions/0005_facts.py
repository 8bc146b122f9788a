"""Single facts of an installation; the first is whether its senders may keep short secrets.

Short secrets are refused beyond loopback from this version on. An installation that had kept alerts
before goes on with those it has, and is told so.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and note whether alerts were kept before."""
    op.create_table(
        "facts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
    op.execute(
        "INSERT INTO facts (name, value) "
        "SELECT 'short_secrets', 'kept' WHERE EXISTS (SELECT 1 FROM deliveries)"
    )
