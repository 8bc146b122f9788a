"""When alerts turned, for rules that hold what flaps, what became of changes, and demotions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_IN_FORCE = sa.text("ended_at IS NULL")
_UNTOLD = sa.text("told IS NULL")
_COUNTS = sa.text("counts")
_LOOKED_AT = sa.text("next_at IS NOT NULL")


def upgrade() -> None:
    """Make the tables. What was before them is not known."""
    op.create_table(
        "alert_turns",
        sa.Column("identity", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("turns", sa.Text(), nullable=False),
    )
    op.create_table(
        "outcomes",
        sa.Column("run", sa.String(160), primary_key=True),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("direction", sa.String(8), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("result", sa.String(12), nullable=False),
        sa.Column("judged_at", sa.Double(), nullable=True),
        sa.Column("cleared_at", sa.Double(), nullable=True),
        sa.Column("recurred_at", sa.Double(), nullable=True),
        sa.Column("next_at", sa.Double(), nullable=True),
        sa.Column("counts", sa.Boolean(), nullable=False),
    )
    op.create_index(
        "ix_outcomes_counts",
        "outcomes",
        ["rule", "ended_at"],
        sqlite_where=_COUNTS,
        postgresql_where=_COUNTS,
    )
    op.create_index(
        "ix_outcomes_next_at",
        "outcomes",
        ["next_at"],
        sqlite_where=_LOOKED_AT,
        postgresql_where=_LOOKED_AT,
    )
    op.create_index("ix_outcomes_ended_at", "outcomes", ["ended_at", "run"])
    op.create_index("ix_outcomes_rule_ended_at", "outcomes", ["rule", "ended_at", "run"])
    op.create_table(
        "demotions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(12), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("ended_by", sa.String(64), nullable=True),
        sa.Column("told", sa.Double(), nullable=True),
    )
    op.create_index(
        "uq_demotions_in_force",
        "demotions",
        ["rule"],
        unique=True,
        sqlite_where=_IN_FORCE,
        postgresql_where=_IN_FORCE,
    )
    op.create_index(
        "ix_demotions_untold",
        "demotions",
        ["since"],
        sqlite_where=_UNTOLD,
        postgresql_where=_UNTOLD,
    )
    op.create_index("ix_demotions_rule", "demotions", ["rule"])
    op.create_table(
        "outcome_alerts",
        sa.Column("run", sa.String(160), primary_key=True),
        sa.Column("alert", sa.String(40), primary_key=True),
    )
