"""The tables of the journal. Migrations make them (`migrations/`); a test holds the two equal.

Times are seconds since the epoch. Ids are text that sorts by time (`service.store.ids`). The
tables of the durable engine live beside these in the same database, which is why none of these
is called "notifications".
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _partial(
    name: str, *columns: str, where: sa.TextClause | sa.ColumnElement[bool], unique: bool = False
) -> sa.Index:
    """An index of the rows that `where` names.

    Told about the condition here, SQLAlchemy would load the dialects of both databases, a tenth of
    the time that a list in the terminal takes (docs/performance.md). It is put in when the table is
    made (`_put_conditions`).
    """
    return sa.Index(name, *columns, unique=unique, info={_WHERE: where})


_WHERE = "where"

_ID = sa.String(40)
_KEY = sa.String(160)
_TIME = sa.Double

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("format", sa.String(16), nullable=False),
    sa.Column("receiver", sa.Text, nullable=False),
    sa.Column("group_key", sa.Text, nullable=False),
    sa.Column("group_labels", sa.Text, nullable=False),
    sa.Column("received_at", _TIME, nullable=False),
    sa.Column("alerts", sa.Integer, nullable=False),
    sa.Column("truncated", sa.Integer, nullable=False),
    sa.Column("notes", sa.Text, nullable=True),
    sa.Column("replay", sa.Boolean, nullable=False, default=False),
    sa.Column("credential", sa.Text, nullable=True),
    sa.Column("address", sa.Text, nullable=True),
)
"""One row per notification: who told us, and of which group. `credential` is the name of the
sender's credential and `address` the peer's; both are empty for versions before migration 0012."""

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("delivery", _ID, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("raw", sa.Text, nullable=False),
)
"""Alerts that could not be understood, as they came."""

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("identity", sa.BigInteger, nullable=False),
    sa.Column("newest", sa.Boolean, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("first_seen", _TIME, nullable=False),
    sa.Column("last_seen", _TIME, nullable=False),
    sa.Column("resolved_at", _TIME, nullable=True),
    sa.Column("times_seen", sa.Integer, nullable=False),
    sa.Column("delivery", _ID, nullable=False),
    sa.Column("verdicts", sa.Text, nullable=False),
    sa.Column("due_at", _TIME, nullable=True),
    sa.Column("labels_hash", sa.BigInteger, nullable=True),
    _partial(
        "uq_alerts_newest",
        "identity",
        unique=True,
        where=sa.text("newest"),
    ),
    _partial(
        "ix_alerts_due_at",
        "due_at",
        where=sa.text("due_at IS NOT NULL"),
    ),
    sa.Index("ix_alerts_name_id", "name", "id"),
    sa.Index("ix_alerts_source_id", "source", "id"),
    _partial(
        "ix_alerts_open_id",
        "id",
        where=sa.text("open"),
    ),
    _partial(
        "ix_alerts_closed_name_id",
        "name",
        "id",
        where=sa.text("NOT open"),
    ),
    _partial(
        "ix_alerts_closed_id",
        "id",
        where=sa.text("NOT open"),
    ),
)
"""One row per episode of an alert. `body` is the alert as JSON; `verdicts` maps each rule to its
last decision's [id, key], so that a repeat which changes nothing is only counted. `due_at` is when
it is judged again by itself, because a guard that holds it lets go then. `labels_hash` stands for
the labels with which it fired; episodes of versions before migration 0012 have none."""

alert_turns = sa.Table(
    "alert_turns",
    metadata,
    sa.Column("identity", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("turns", sa.Text, nullable=False),
)
"""When an alert began to fire and resolved, its newest times as JSON; only of alerts that a rule
with `flapping` matches."""

NOT_HELD: sa.ColumnElement[bool] = sa.literal_column("verdict <> 'hold'")
"""In a storm nearly every decision is a hold; an index of the others costs a storm nothing. A
query must carry this very term to use it."""

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("alert", _ID, nullable=False, index=True),
    sa.Column("delivery", _ID, nullable=False),
    sa.Column("stage", sa.String(12), nullable=False),
    sa.Column("verdict", sa.String(8), nullable=False),
    sa.Column("rule", sa.String(64), nullable=False),
    sa.Column("action", sa.String(24), nullable=False),
    sa.Column("target", sa.String(64), nullable=True),
    sa.Column("direction", sa.String(8), nullable=True),
    sa.Column("guard", sa.String(32), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("checks", sa.Text, nullable=False),
    sa.Column("until", _TIME, nullable=True),
    sa.Column("run", _KEY, nullable=True),
    sa.Column("rules_hash", sa.String(12), nullable=False),
    sa.Column("decided_at", _TIME, nullable=False),
    sa.Column("last_at", _TIME, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    _partial(
        "ix_decisions_verdict_id",
        "verdict",
        "id",
        where=NOT_HELD,
    ),
    _partial(
        "ix_decisions_not_held_rule",
        "rule",
        "verdict",
        "id",
        where=NOT_HELD,
    ),
    _partial(
        "ix_decisions_not_held_target",
        "target",
        "verdict",
        "id",
        where=NOT_HELD,
    ),
    sa.Index("ix_decisions_rule_id", "rule", "id"),
    sa.Index("ix_decisions_target_id", "target", "id"),
    _partial(
        "ix_decisions_run",
        "run",
        where=sa.text("run IS NOT NULL"),
    ),
)
"""One row per verdict and change of reason; `times` and `last_at` count what repeated it."""

cooldowns = sa.Table(
    "cooldowns",
    metadata,
    sa.Column("key", _KEY, primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("until", _TIME, nullable=False),
    sa.Column("run", _KEY, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
"""The claims: one row per (target, direction)."""

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("claim", _KEY, nullable=False),
    sa.Column("action", sa.String(24), nullable=False),
    sa.Column("rule", sa.String(64), nullable=False),
    sa.Column("target", sa.String(64), nullable=True),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("resource", _KEY, nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("ask", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=True),
    sa.Column("checks", sa.Text, nullable=True),
    sa.Column("message", sa.Text, nullable=True),
    sa.Column("cancel", sa.Text, nullable=True),
    sa.Column("replay", sa.Boolean, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("started_at", _TIME, nullable=True),
    sa.Column("ended_at", _TIME, nullable=True),
    sa.Index("ix_runs_created_at", "created_at", "id"),
    sa.Index("ix_runs_status_created_at", "status", "created_at", "id"),
    sa.Index("ix_runs_target_created_at", "target", "created_at", "id"),
    sa.Index("ix_runs_action_created_at", "action", "created_at", "id"),
    _partial(
        "ix_runs_unfinished",
        "id",
        where=sa.text("ended_at IS NULL"),
    ),
)
"""One row per run. `attempt` is the fencing token; `ask` pins what was decided; `checks` are what
the worker's guards saw, empty until they were asked. `cancel` is who asked to cancel it, when and
why, as JSON."""

run_counts = sa.Table(
    "run_counts",
    metadata,
    sa.Column("action", sa.String(24), primary_key=True),
    sa.Column("target", sa.String(64), primary_key=True),
    sa.Column("status", sa.String(12), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)
"""How many runs have ended, by how; `target` is empty where there is none. Metrics read it, because
counting the runs themselves would cost more with each of them."""

run_steps = sa.Table(
    "run_steps",
    metadata,
    sa.Column("run", _KEY, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(32), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("started_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME, nullable=True),
    sa.Column("detail", sa.Text, nullable=False),
)
"""What a run did, step by step, for people; the engine keeps its own record beside it."""

intents = sa.Table(
    "intents",
    metadata,
    sa.Column("run", _KEY, primary_key=True),
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("recorded_at", _TIME, nullable=False),
)
"""Writes that were about to be sent: after a crash, what to look for at the vendor."""

droplet_offs = sa.Table(
    "droplet_offs",
    metadata,
    sa.Column("run", _KEY, primary_key=True),
    sa.Column("resource", _KEY, nullable=False),
    sa.Column("droplet", sa.String(32), nullable=False),
    sa.Column("size", sa.Text, nullable=False),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("since", _TIME, nullable=False),
    sa.Column("sent", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("next_at", _TIME, nullable=False),
    sa.Column("line", sa.Text, nullable=True),
    sa.Column("refused", sa.Text, nullable=True),
    sa.Column("ended", sa.String(12), nullable=True),
    sa.Column("ended_at", _TIME, nullable=True),
    sa.Index("ix_droplet_offs_resource_since", "resource", "since"),
    _partial(
        "ix_droplet_offs_open",
        "since",
        where=sa.text("ended IS NULL"),
    ),
)
"""One row per run that switches a droplet off; without `ended`, the droplet may be off. `sent`
lists the shutdowns and power-offs, `refused` is why the vendor refused the size for good."""

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("ref", sa.Text, nullable=True),
    sa.Column("thread", sa.Text, nullable=True),
    sa.Column("run", _KEY, nullable=False),
    sa.Column("since", _TIME, nullable=False),
    sa.Column("due_at", _TIME, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Index("ix_outbox_due_at", "due_at"),
)
"""Messages that Slack could not be told yet, one row for each place (`service.ports.outbox`)."""

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("dedup_key", _KEY, primary_key=True),
    sa.Column("rule", sa.String(64), nullable=False),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("receiver", sa.Text, nullable=False),
    sa.Column("group_labels", sa.Text, nullable=False),
    sa.Column("severity", sa.String(16), nullable=True),
    sa.Column("paged", sa.Boolean, nullable=False),
    sa.Column("message", sa.Text, nullable=True),
)
"""What the pager was told of each group; `paged` while an incident is open there."""

incident_members = sa.Table(
    "incident_members",
    metadata,
    sa.Column("dedup_key", _KEY, primary_key=True),
    sa.Column("identity", sa.BigInteger, primary_key=True),
    sa.Index("ix_incident_members_identity", "identity"),
)
"""The alerts of each incident; it is over when the last of them has resolved."""

incident_rates = sa.Table(
    "incident_rates",
    metadata,
    sa.Column("sender", sa.Text, primary_key=True),
    sa.Column("minute", sa.BigInteger, nullable=False),
    sa.Column("incidents", sa.Integer, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
)
"""How many new incidents a sender has made in its last minute (`service.domain.alerts.floods`)."""

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("executor", sa.String(64), primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", _TIME, nullable=False),
    sa.Column("lease_until", _TIME, nullable=False),
    sa.Column("retired_at", _TIME, nullable=True),
    sa.Column("lease_s", _TIME, nullable=True),
)
"""Worker processes and their signs of life, on the database's clock. `lease_s` is how long a lease
is; workers of versions before migration 0006 leave it empty."""

controls = sa.Table(
    "controls",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("since", _TIME, nullable=False),
    sa.Column("until", _TIME, nullable=False),
    sa.Column("target", sa.String(64), nullable=True),
    sa.Column("rule", sa.String(64), nullable=True),
    sa.Column("direction", sa.String(8), nullable=True),
    sa.Column("action", sa.String(24), nullable=True),
    sa.Column("ended_at", _TIME, nullable=True),
    sa.Column("ended_by", sa.String(64), nullable=True),
    sa.Column("pin", sa.Boolean, nullable=True),
    _partial(
        "ix_controls_in_force",
        "until",
        where=sa.text("ended_at IS NULL"),
    ),
)
"""Pauses, locks and holds. Those without `ended_at` are read with a batch, so they are few: what is
over is ended by the next worker's round."""

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("run", _KEY, primary_key=True),
    sa.Column("target", sa.String(64), nullable=False),
    sa.Column("action", sa.String(24), nullable=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Index("ix_changes_at", "at"),
)
"""One row per run that reached its first write, whoever asked: what limits count."""

outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("run", _KEY, primary_key=True),
    sa.Column("rule", sa.String(64), nullable=False),
    sa.Column("target", sa.String(64), nullable=False),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("asked_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME, nullable=False),
    sa.Column("due_at", _TIME, nullable=False),
    sa.Column("result", sa.String(12), nullable=False),
    sa.Column("judged_at", _TIME, nullable=True),
    sa.Column("cleared_at", _TIME, nullable=True),
    sa.Column("recurred_at", _TIME, nullable=True),
    sa.Column("next_at", _TIME, nullable=True),
    sa.Column("counts", sa.Boolean, nullable=False),
    _partial(
        "ix_outcomes_counts",
        "rule",
        "ended_at",
        where=sa.text("counts"),
    ),
    _partial(
        "ix_outcomes_next_at",
        "next_at",
        where=sa.text("next_at IS NOT NULL"),
    ),
    sa.Index("ix_outcomes_ended_at", "ended_at", "run"),
    sa.Index("ix_outcomes_rule_ended_at", "rule", "ended_at", "run"),
)
"""One row for each verified change that alerts asked for by a rule with `expect`
(`service.domain.decisions.expected`). `next_at` is when it is looked at again; empty once it is
over. `counts` is whether it had no effect, nothing of the same rule has had one since, and its
alerts may still fire: few rows, which are read with a batch."""

demotions = sa.Table(
    "demotions",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("rule", sa.String(64), nullable=False),
    sa.Column("mode", sa.String(12), nullable=False),
    sa.Column("since", _TIME, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("ended_at", _TIME, nullable=True),
    sa.Column("ended_by", sa.String(64), nullable=True),
    sa.Column("told", _TIME, nullable=True),
    _partial(
        "uq_demotions_in_force",
        "rule",
        unique=True,
        where=sa.text("ended_at IS NULL"),
    ),
    _partial(
        "ix_demotions_untold",
        "since",
        where=sa.text("told IS NULL"),
    ),
    sa.Index("ix_demotions_rule", "rule"),
)
"""One row for each time that a rule has demoted itself. `told` is when people were told of it."""

outcome_alerts = sa.Table(
    "outcome_alerts",
    metadata,
    sa.Column("run", _KEY, primary_key=True),
    sa.Column("alert", _ID, primary_key=True),
)
"""The episodes that asked for such a change."""

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("run", _KEY, nullable=False, unique=True),
    sa.Column("claim", _KEY, nullable=False),
    sa.Column("target", sa.String(64), nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("plan_hash", sa.String(12), nullable=False),
    sa.Column("terms", sa.Text, nullable=False),
    sa.Column("asked_at", _TIME, nullable=False),
    sa.Column("until", _TIME, nullable=False),
    sa.Column("decided_at", _TIME, nullable=True),
    sa.Column("decided_by", sa.String(64), nullable=True),
    sa.Column("decided_why", sa.Text, nullable=True),
    sa.Column("next_run", _KEY, nullable=True),
    sa.Column("told", _TIME, nullable=True),
    _partial(
        "ix_approvals_open",
        "until",
        where=sa.text("told IS NULL"),
    ),
)
"""One row for each plan that waits, or waited, for a person. `told` is when its message said how it
was decided."""

spend = sa.Table(
    "spend",
    metadata,
    sa.Column("target", sa.String(64), primary_key=True),
    sa.Column("dollars_month", sa.Double, nullable=True),
    sa.Column("seen_at", _TIME, nullable=False),
    sa.Column("accrued", sa.Double, nullable=False),
)
"""One row for each target whose cost was ever seen (`service.domain.decisions.budget.Spend`)."""

reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("run", _KEY, primary_key=True),
    sa.Column("target", sa.String(64), nullable=False),
    sa.Column("before", sa.Double, nullable=True),
    sa.Column("after", sa.Double, nullable=True),
    sa.Column("at", _TIME, nullable=False),
)
"""One row for each run between its first write and its end, where a budget covers its target:
dollars a month before and after."""

unmeasured_ends = sa.Table(
    "unmeasured_ends",
    metadata,
    sa.Column("alert", _ID, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
)
"""Why an episode ended where that was not measured (Grafana's state reason): few rows, and none in
a storm. One that is open again keeps its row until it is resolved anew."""

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("target", sa.String(64), primary_key=True),
    sa.Column("attribute", sa.String(24), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("returned_at", _TIME, nullable=True),
    sa.Column("doubled", sa.Integer, nullable=False),
    sa.Column("waits", sa.Text, nullable=False),
)
"""One row for each attribute of a target that a run has ever changed: its value, and what alerts
added to it (`service.domain.capacity.ledger`)."""

leftovers = sa.Table(
    "leftovers",
    metadata,
    sa.Column("run", _KEY, primary_key=True),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("due_at", _TIME, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("removed_at", _TIME, nullable=True),
    _partial(
        "ix_leftovers_due_at",
        "due_at",
        where=sa.text("removed_at IS NULL"),
    ),
)
"""One row for each run that has left something billed at its vendor (`service.ports.leftovers`)."""

watches = sa.Table(
    "watches",
    metadata,
    sa.Column("run", _KEY, primary_key=True),
    sa.Column("began_at", _TIME, nullable=False),
    sa.Column("ends_at", _TIME, nullable=False),
    sa.Column("due_at", _TIME, nullable=False),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("seen", sa.Text, nullable=False),
    sa.Column("ended_at", _TIME, nullable=True),
    _partial("ix_watches_due_at", "due_at", where=sa.text("ended_at IS NULL")),
)
"""One row for each run that watches (`service.ports.watches`). `token` is raised each time a worker
takes it."""

readings = sa.Table(
    "readings",
    metadata,
    sa.Column("span", sa.String(8), primary_key=True),
    sa.Column("metric", sa.String(32), primary_key=True),
    sa.Column("target", sa.String(64), primary_key=True),
    sa.Column("at", _TIME, primary_key=True),
    sa.Column("mean", sa.Double, nullable=False),
    sa.Column("low", sa.Double, nullable=False),
    sa.Column("high", sa.Double, nullable=False),
    sa.Column("p95", sa.Double, nullable=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Index("ix_readings_span_at", "span", "at"),
)
"""One row for each metric of an hour or a day, and of each target where it has one
(`service.domain.readings.readings.Reading`). What was not measured has no row."""

reading_hours = sa.Table(
    "reading_hours",
    metadata,
    sa.Column("at", _TIME, primary_key=True, autoincrement=False),
    sa.Column("taken_until", _TIME, nullable=False),
    sa.Column("read", sa.Boolean, nullable=False),
)
"""One row for each hour that a worker has taken to be read. One that was not read by `taken_until`
may be taken by another."""

rules_in_force = sa.Table(
    "rules_in_force",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("since", _TIME, nullable=False),
    sa.Column("seen_at", _TIME, nullable=False),
)
"""One row: the hash of the rules by which levels are judged, and when a worker that has them was
last seen."""

levels = sa.Table(
    "levels",
    metadata,
    sa.Column("target", sa.String(64), primary_key=True),
    sa.Column("attribute", sa.String(24), primary_key=True),
    sa.Column("asked_says", sa.Text, nullable=False),
    sa.Column("run", _KEY, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("applied_says", sa.Text, nullable=False),
    sa.Column("applied_at", _TIME, nullable=True),
    sa.Column("applied_run", _KEY, nullable=False),
    sa.Column("waits", sa.Text, nullable=False),
    sa.Column("undone_run", _KEY, nullable=False),
    sa.Column("undone_says", sa.Text, nullable=False),
    sa.Column("undone_until", _TIME, nullable=False),
)
"""One row for each attribute that a level holds or has held (`service.domain.levels.applied`)."""

level_baselines = sa.Table(
    "level_baselines",
    metadata,
    sa.Column("growth", sa.String(96), primary_key=True),
    sa.Column("target", sa.String(64), primary_key=True),
    sa.Column("attribute", sa.String(24), primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("text", sa.String(64), nullable=True),
)
"""What there was at the start of a growth, one row for each of its attributes: a count, or a size
in `text`, which is empty for a count."""

levels_told = sa.Table(
    "levels_told",
    metadata,
    sa.Column("level", sa.String(96), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("at", _TIME, nullable=False),
)
"""One row for each level that people were told of, with what it said then."""

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("schedule", sa.Text, nullable=False),
    sa.Column("since", _TIME, nullable=False),
)
"""Since when each job is known with its schedule: it is not due for a time before that."""

job_firings = sa.Table(
    "job_firings",
    metadata,
    sa.Column("job", sa.String(64), primary_key=True),
    sa.Column("due_at", _TIME, primary_key=True),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("run", _KEY, nullable=False),
)
"""One row for each time of a job that a worker has taken; `run` is empty where it was left out."""

budget_notices = sa.Table(
    "budget_notices",
    metadata,
    sa.Column("month", sa.String(8), primary_key=True),
    sa.Column("percent", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run", _KEY, nullable=False),
    sa.Column("at", _TIME, nullable=False),
)
"""Which share of the budget people were told of, in which month, by which run."""

scenario_runs = sa.Table(
    "scenario_runs",
    metadata,
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("scenario", sa.String(64), nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("rules_hash", sa.String(12), nullable=False),
    sa.Column("emergency", sa.Boolean, nullable=False),
    sa.Column("plan_only", sa.Boolean, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("began_at", _TIME, nullable=True),
    sa.Column("due_at", _TIME, nullable=True),
    sa.Column("ended_at", _TIME, nullable=True),
    sa.Column("next_at", _TIME, nullable=True),
    sa.Column("cancel", sa.Text, nullable=True),
    sa.Column("back", sa.Text, nullable=True),
    sa.Column("asked", sa.Text, nullable=True),
    sa.Column("decided", sa.Text, nullable=True),
    sa.Column("approved", sa.String(12), nullable=False),
    sa.Column("message", sa.Text, nullable=True),
    sa.Column("told", sa.String(16), nullable=False),
    sa.Column("paged", sa.String(16), nullable=False),
    sa.Column("plan_hash", sa.String(12), nullable=True),
    sa.Column("reminded_at", _TIME, nullable=True),
    sa.Column("parent", _KEY, nullable=True),
    sa.Column("alerts", sa.Text, nullable=True),
    sa.Column("quiet", sa.Text, nullable=True),
    sa.Column("telling_until", _TIME, nullable=True),
    sa.Column("stuck", sa.Text, nullable=True),
    sa.Index("ix_scenario_runs_created_at", "created_at", "id"),
    sa.Index("ix_scenario_runs_scenario", "scenario", "created_at"),
    sa.Index("ix_scenario_runs_parent", "parent", unique=True),
    _partial(
        "ix_scenario_runs_next_at",
        "next_at",
        where=sa.text("next_at IS NOT NULL"),
    ),
    _partial(
        "ix_scenario_runs_unended",
        "id",
        where=sa.text("ended_at IS NULL"),
    ),
)
"""One row for each time that a scenario was started. `spec` pins what it was then. `next_at` is
when a worker looks at it; empty once it is over and told. `cancel`, `back` and `decided` are what a
person has said, as JSON, and `asked` what waits for approval. `told` and `paged` stand for what was
told last; until `telling_until` one worker tells, and no other. `stuck` is what the last looks at
it raised, as JSON; empty while it goes on. `parent` is the run by which a rule has started it, and
`alerts` are the episodes that asked for that, as JSON. `quiet` is since when what ends it early has
held, as JSON."""

scenario_steps = sa.Table(
    "scenario_steps",
    metadata,
    sa.Column("run", _KEY, primary_key=True),
    sa.Column("step", sa.String(32), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("ask", sa.Text, nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("began_at", _TIME, nullable=True),
    sa.Column("plan_run", _KEY, nullable=True),
    sa.Column("back_state", sa.String(12), nullable=False),
    sa.Column("back_reason", sa.Text, nullable=False),
)
"""One row for each step of a scenario that was started. `ask` pins what it asks for. Its run is the
newest of its claim, `<run>.<step>`; that of its way back is the newest of `<run>.<step>.back`."""

signoffs = sa.Table(
    "signoffs",
    metadata,
    sa.Column("run", _KEY, primary_key=True),
    sa.Column("phase", sa.String(8), primary_key=True),
    sa.Column("role", sa.String(64), primary_key=True),
    sa.Column("plan_hash", sa.String(12), primary_key=True),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)
"""One row for each sign-off of a scenario that was started: by whom, as which role, and of which
plan. Rows are only added."""

watchdogs = sa.Table(
    "watchdogs",
    metadata,
    sa.Column("alert", sa.String(200), primary_key=True),
    sa.Column("absent_s", _TIME, nullable=False),
    sa.Column("heard_at", _TIME, nullable=True),
    sa.Column("silent_since", _TIME, nullable=True),
    sa.Column("paged_at", _TIME, nullable=True),
    sa.Column("taken_until", _TIME, nullable=True),
)
"""One row for each alert that the rules name as a watchdog. `silent_since` is when people were told
that it is silent, `paged_at` when the pager took the page; both are empty while it is heard. Until
`taken_until` one worker alone tells the pager."""

heartbeats = sa.Table(
    "heartbeats",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("due_at", _TIME, nullable=False),
    sa.Column("sent_at", _TIME, nullable=True),
    sa.Column("problem", sa.Text, nullable=False),
)
"""One row, once a heartbeat was due: when the next one is, when one was last taken, and why the
last one was not; empty where it was."""

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", _ID, primary_key=True),
    sa.Column("at", _TIME, nullable=False),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("via", sa.String(12), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("verb", sa.String(24), nullable=False),
    sa.Column("subject", _KEY, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("outcome", sa.String(12), nullable=True),
    sa.Index("ix_audit_who_id", "who", "id"),
    sa.Index("ix_audit_subject_id", "subject", "id"),
)
"""One row for each thing that a person did, or was refused. Rows are only added. A row of a version
without `outcome` tells of something that was done."""

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("groups", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("created_by", sa.String(64), nullable=False),
    sa.Column("expires_at", _TIME, nullable=True),
    sa.Column("revoked_at", _TIME, nullable=True),
)
"""Tokens of people; of each only the SHA-256 of its secret is kept."""

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""Single facts of this installation, a row each (`service.store.facts`)."""

rules_of_processes = sa.Table(
    "rules_of_processes",
    metadata,
    sa.Column("process", sa.String(128), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("host", sa.String(64), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("since", _TIME, nullable=False),
    sa.Column("refused", sa.Text, nullable=False),
    sa.Column("refused_since", _TIME, nullable=False),
    sa.Column("needs", sa.Text, nullable=False),
    sa.Column("heard", sa.String(64), nullable=False),
    sa.Column("seen_at", _TIME, nullable=False),
)
"""One row for each process that decides or acts by rules: which it has in force, and why it does
not take its files, if so (`service.domain.rules.told.ProcessRules`)."""


def _put_conditions(table: sa.Table, connection: sa.Connection, **_: Any) -> None:
    for index in table.indexes:
        if _WHERE in index.info:
            index.dialect_options[connection.dialect.name]["where"] = index.info[_WHERE]


for _table in metadata.tables.values():
    event.listen(_table, "before_create", _put_conditions)
