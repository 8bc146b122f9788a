"""The first tables: all of the journal as it began (`service.store.schema`)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and their indexes."""
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("identity", sa.BigInteger(), nullable=False),
        sa.Column("newest", sa.Boolean(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.Double(), nullable=False),
        sa.Column("last_seen", sa.Double(), nullable=False),
        sa.Column("resolved_at", sa.Double(), nullable=True),
        sa.Column("times_seen", sa.Integer(), nullable=False),
        sa.Column("delivery", sa.String(length=40), nullable=False),
        sa.Column("verdicts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(
        "ix_alerts_closed_id",
        "alerts",
        ["id"],
        unique=False,
        sqlite_where=sa.text("NOT open"),
        postgresql_where=sa.text("NOT open"),
    )
    op.create_index(
        "ix_alerts_closed_name_id",
        "alerts",
        ["name", "id"],
        unique=False,
        sqlite_where=sa.text("NOT open"),
        postgresql_where=sa.text("NOT open"),
    )
    op.create_index("ix_alerts_name_id", "alerts", ["name", "id"], unique=False)
    op.create_index(
        "ix_alerts_open_id",
        "alerts",
        ["id"],
        unique=False,
        sqlite_where=sa.text("open"),
        postgresql_where=sa.text("open"),
    )
    op.create_index("ix_alerts_source_id", "alerts", ["source", "id"], unique=False)
    op.create_index(
        "uq_alerts_newest",
        "alerts",
        ["identity"],
        unique=True,
        sqlite_where=sa.text("newest"),
        postgresql_where=sa.text("newest"),
    )
    op.create_table(
        "cooldowns",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("run", sa.String(length=160), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_cooldowns")),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("alert", sa.String(length=40), nullable=False),
        sa.Column("delivery", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=12), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=True),
        sa.Column("direction", sa.String(length=8), nullable=True),
        sa.Column("guard", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("checks", sa.Text(), nullable=False),
        sa.Column("until", sa.Double(), nullable=True),
        sa.Column("run", sa.String(length=160), nullable=True),
        sa.Column("rules_hash", sa.String(length=12), nullable=False),
        sa.Column("decided_at", sa.Double(), nullable=False),
        sa.Column("last_at", sa.Double(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_alert"), "decisions", ["alert"], unique=False)
    op.create_index("ix_decisions_rule_id", "decisions", ["rule", "id"], unique=False)
    op.create_index(
        "ix_decisions_run",
        "decisions",
        ["run"],
        unique=False,
        sqlite_where=sa.text("run IS NOT NULL"),
        postgresql_where=sa.text("run IS NOT NULL"),
    )
    op.create_index("ix_decisions_target_id", "decisions", ["target", "id"], unique=False)
    op.create_index(
        "ix_decisions_verdict_id",
        "decisions",
        ["verdict", "id"],
        unique=False,
        sqlite_where=sa.text("verdict <> 'hold'"),
        postgresql_where=sa.text("verdict <> 'hold'"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("group_labels", sa.Text(), nullable=False),
        sa.Column("received_at", sa.Double(), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.Column("truncated", sa.Integer(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("replay", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_table(
        "incident_members",
        sa.Column("dedup_key", sa.String(length=160), nullable=False),
        sa.Column("identity", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dedup_key", "identity", name=op.f("pk_incident_members")),
    )
    op.create_index("ix_incident_members_identity", "incident_members", ["identity"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("dedup_key", sa.String(length=160), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("group_labels", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=True),
        sa.Column("paged", sa.Boolean(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("dedup_key", name=op.f("pk_incidents")),
    )
    op.create_table(
        "intents",
        sa.Column("run", sa.String(length=160), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("recorded_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("run", "name", name=op.f("pk_intents")),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("delivery", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )
    op.create_table(
        "run_steps",
        sa.Column("run", sa.String(length=160), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run", "position", name=op.f("pk_run_steps")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("claim", sa.String(length=160), nullable=False),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=True),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("resource", sa.String(length=160), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("ask", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("replay", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(
        "ix_runs_action_created_at", "runs", ["action", "created_at", "id"], unique=False
    )
    op.create_index("ix_runs_created_at", "runs", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_runs_status_created_at", "runs", ["status", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_runs_target_created_at", "runs", ["target", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_runs_unfinished",
        "runs",
        ["id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "workers",
        sa.Column("executor", sa.String(length=64), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=False),
        sa.Column("retired_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("executor", name=op.f("pk_workers")),
    )
