"""What is stored, for people: pages of alerts, decisions and runs, and one of each in full.

Every filter that stands alone is answered from an index (`service.store.schema`), so a page
stays quick with a million alerts stored.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.domain.alerts.alert import Alert
from service.domain.decisions.decision_json import moment
from service.domain.decisions.demoted import Demotion
from service.domain.filters import DEFAULT_LIMIT
from service.domain.rules.told import ProcessRules
from service.store import schema
from service.store.alive import live_workers
from service.store.database import translated
from service.store.decode import load_alert
from service.store.facts import PROBE, FactStore
from service.store.hits import Hits, hits_of
from service.store.items import (
    alert_item,
    decision_item,
    delivery_item,
    outcome_item,
    outcomes_item,
    quarantine_item,
    run_item,
    step_item,
)
from service.store.pages import (
    Page,
    UnknownCursor,
    checked_cursor,
    id_at,
    read_page,
)
from service.store.readings import ReadingFilter, page_of_readings
from service.store.rules_told import rules_of_processes

_ID_SLACK_S = 600.0
"""An alert's id is made moments after its `first_seen`, at most the tries of one transaction
later (20 of 5 s). Ids in order of time thus bound a search by time, without an index of its own."""


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts; None is no condition. Times are seconds since the epoch, of `first_seen`."""

    name: str | None = None
    source: str | None = None
    firing: bool | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class DecisionFilter:
    """Which decisions; None is no condition."""

    verdict: str | None = None
    rule: str | None = None
    target: str | None = None
    alert: str | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class OutcomeFilter:
    """Which outcomes of verified changes; None is no condition."""

    rule: str | None = None
    target: str | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; None is no condition."""

    status: str | None = None
    target: str | None = None
    action: str | None = None


_a, _d, _r = schema.alerts.c, schema.decisions.c, schema.runs.c
_c, _i = schema.cooldowns.c, schema.intents.c
_o = schema.outcomes.c
_n, _q, _s = schema.deliveries.c, schema.quarantine.c, schema.run_steps.c
_ALERTS = sa.select(schema.alerts, _n.credential, _n.address).outerjoin(
    schema.deliveries, _n.id == _a.delivery
)
"""Alerts, each with who sent the notification that began its episode."""
_OPEN: sa.ColumnElement[bool] = sa.literal_column("open")
_CLOSED: sa.ColumnElement[bool] = sa.literal_column("NOT open")
"""In the words of the partial indices: SQLite would not know them in `open = 1`."""


class Queries:
    """Reads the journal. Every method raises StoreUnavailable when the database cannot be used."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._facts = FactStore(engine)

    def alerts(
        self, wanted: AlertFilter, limit: int = DEFAULT_LIMIT, after: str | None = None
    ) -> Page:
        """Alerts (episodes), newest first; `after` is the cursor of the page before.

        Raises:
            UnknownCursor: `after` is no id of an alert.
        """
        query = _ALERTS.where(*_alert_terms(wanted))
        with self._reading() as connection:
            return read_page(connection, _following(query, _a.id, "a", after), limit, alert_item)

    def alert(self, alert_id: str) -> dict[str, Any] | None:
        """An episode of an alert in full; None when there is none of that id."""
        with self._reading() as connection:
            row = _one(connection, _ALERTS.where(_a.id == alert_id))
        return alert_item(row) if row is not None else None

    def alert_value(self, alert_id: str) -> Alert | None:
        """One alert as a value, with the status that its episode has now."""
        with self._reading() as connection:
            row = _one(connection, sa.select(schema.alerts).where(_a.id == alert_id))
        return load_alert({**row}) if row is not None else None

    def alert_of_decision(self, decision_id: str) -> str | None:
        """The alert that a decision is about; None when there is no such decision."""
        query = sa.select(_d.alert).where(_d.id == decision_id)
        with self._reading() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def explain(self, alert_id: str) -> dict[str, Any] | None:
        """Everything stored about one alert: notifications, decisions, runs with their steps."""
        with self._reading() as connection:
            row = _one(connection, _ALERTS.where(_a.id == alert_id))
            if row is None:
                return None
            decisions = _decisions(connection, _d.alert == alert_id)
            told = {row["delivery"], *(each["notification"] for each in decisions)}
            runs = {each["run"] for each in decisions if each["run"]}
            return {
                "alert": alert_item(row),
                "notifications": _deliveries(connection, told),
                "decisions": decisions,
                "runs": _runs(connection, runs),
            }

    def decisions(
        self, wanted: DecisionFilter, limit: int = DEFAULT_LIMIT, after: str | None = None
    ) -> Page:
        """Decisions, newest first.

        Raises:
            UnknownCursor: `after` is no id of a decision.
        """
        query = sa.select(schema.decisions).where(*_decision_terms(wanted))
        with self._reading() as connection:
            return read_page(connection, _following(query, _d.id, "d", after), limit, decision_item)

    def runs(self, wanted: RunFilter, limit: int = DEFAULT_LIMIT, after: str | None = None) -> Page:
        """Runs, newest first.

        Raises:
            UnknownCursor: there is no run `after`.
        """
        query = sa.select(schema.runs).order_by(_r.created_at.desc(), _r.id.desc())
        for column, value in (
            (_r.status, wanted.status),
            (_r.target, wanted.target),
            (_r.action, wanted.action),
        ):
            if value is not None:
                query = query.where(column == value)
        with self._reading() as connection:
            if after is not None:
                query = query.where(_before_run(connection, after))
            return read_page(connection, query, limit, run_item)

    def run(self, run_id: str) -> dict[str, Any] | None:
        """One run with its steps, and the decisions that began and held it."""
        with self._reading() as connection:
            found = _runs(connection, [run_id])
            if not found:
                return None
            return {**found[0], "decisions": _decisions(connection, _d.run == run_id)}

    def started_by(self, runs: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The scenarios that these runs have started, plans left out, by the run."""
        s = schema.scenario_runs.c
        query = sa.select(s.parent, s.id, s.state, s.reason, s.due_at, s.ended_at)
        started = query.where(s.parent.in_(list(runs)), sa.not_(s.plan_only))
        with self._reading() as connection:
            rows = connection.execute(started).mappings().all()
        return {
            row["parent"]: {
                **{name: row[name] for name in ("id", "state", "reason")},
                "due_at": moment(row["due_at"]),
                "ended": row["ended_at"] is not None,
            }
            for row in rows
        }

    def outcomes(
        self, wanted: OutcomeFilter, limit: int = DEFAULT_LIMIT, after: str | None = None
    ) -> Page:
        """What became of verified changes, the last one to end first.

        Raises:
            UnknownCursor: no outcome is of the run `after`.
        """
        query = sa.select(schema.outcomes).order_by(_o.ended_at.desc(), _o.run.desc())
        for column, value in (
            (_o.rule, wanted.rule),
            (_o.target, wanted.target),
            (_o.result, wanted.result),
        ):
            if value is not None:
                query = query.where(column == value)
        with self._reading() as connection:
            if after is not None:
                query = query.where(_before_outcome(connection, after))
            return read_page(connection, query, limit, outcome_item, "run")

    def outcomes_of_rules(self) -> dict[str, dict[str, Any]]:
        """How many changes of each rule were verified, and what became of them."""
        known = _o.result.label("result")
        query = sa.select(
            _o.rule,
            known,
            sa.func.count().label("count"),
            sa.func.count(_o.recurred_at).label("recurred"),
            sa.func.sum(_o.cleared_at - _o.asked_at).label("took_s"),
            sa.func.max(_o.cleared_at - _o.asked_at).label("longest_s"),
        ).group_by(_o.rule, _o.result)
        found: dict[str, list[sa.RowMapping]] = {}
        with self._reading() as connection:
            for row in connection.execute(query).mappings():
                found.setdefault(row["rule"], []).append(row)
        return {rule: outcomes_item(rows) for rule, rows in found.items()}

    def hits_of_rules(self, rules: Iterable[str], now: float) -> dict[str, Hits]:
        """How many decisions these rules have led to of late, by their names; `now` is in
        seconds since the epoch."""
        with self._reading() as connection:
            return hits_of(connection, rules, now)

    def demotions(self) -> dict[str, Demotion]:
        """The rules that have demoted themselves, by name."""
        fields = [schema.demotions.c[name] for name in Demotion.__dataclass_fields__]
        query = sa.select(*fields).where(schema.demotions.c.ended_at.is_(None))
        with self._reading() as connection:
            found = [Demotion(*row) for row in connection.execute(query)]
        return {each.rule: each for each in found}

    def rules_of_processes(self, now: float) -> list[ProcessRules]:
        """The rules of each process that was heard of lately."""
        with self._reading() as connection:
            return rules_of_processes(connection, now)

    def readings(
        self, wanted: ReadingFilter, limit: int = DEFAULT_LIMIT, after: str | None = None
    ) -> Page:
        """Readings of days or hours, newest first.

        Raises:
            UnknownCursor: `after` is no cursor of readings.
        """
        with self._reading() as connection:
            return page_of_readings(connection, wanted, limit, after)

    def quarantine(self, limit: int = DEFAULT_LIMIT, after: str | None = None) -> Page:
        """Alerts that could not be understood, newest notification first.

        Raises:
            UnknownCursor: `after` is no id of one.
        """
        query = _following(sa.select(schema.quarantine), _q.id, "n", after)
        with self._reading() as connection:
            return read_page(connection, query, limit, quarantine_item)

    def quarantined(self, item_id: str) -> dict[str, Any] | None:
        """One alert that could not be understood; None when there is none of that id."""
        with self._reading() as connection:
            row = _one(connection, sa.select(schema.quarantine).where(_q.id == item_id))
        return quarantine_item(row) if row is not None else None

    def rests(self, claims: Collection[str]) -> dict[str, float]:
        """Until when each of these claims rests, in seconds since the epoch."""
        query = sa.select(_c.key, _c.until).where(_c.key.in_(sorted(claims)))
        with self._reading() as connection:
            return {row.key: row.until for row in connection.execute(query)}

    def live_workers(self) -> int:
        """How many workers have a lease that runs, by the database's clock."""
        with self._reading() as connection:
            return int(connection.execute(live_workers(self._engine.dialect.name)).scalar_one())

    def prove_write(self) -> None:
        """Return when alerts can be kept: the tables are there, and a write has come to the disk.

        Raises:
            StoreUnavailable: they can't, with the reason.
        """
        with self._reading() as connection:
            connection.execute(sa.select(_n.id).limit(1))
        self._facts.put(PROBE, str(time.time()))

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with translated(), self._engine.connect() as connection:
            yield connection


def _alert_terms(wanted: AlertFilter) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.name is not None:
        yield _a.name == wanted.name
    if wanted.source is not None:
        yield _a.source == wanted.source
    if wanted.firing is not None:
        yield _OPEN if wanted.firing else _CLOSED
    if wanted.since is not None:
        yield _a.first_seen >= wanted.since
        yield _a.id >= id_at("a", wanted.since - _ID_SLACK_S)
    if wanted.until is not None:
        yield _a.first_seen < wanted.until
        yield _a.id < id_at("a", wanted.until + _ID_SLACK_S)


def _decision_terms(wanted: DecisionFilter) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.alert is not None:
        yield _d.alert == wanted.alert
    if wanted.run is not None:
        yield _d.run == wanted.run
        yield _d.run.is_not(None)
    if wanted.verdict is not None:
        yield _d.verdict == wanted.verdict
        if wanted.verdict != "hold":
            yield schema.NOT_HELD
    for column, value in ((_d.rule, wanted.rule), (_d.target, wanted.target)):
        if value is not None:
            yield column == value


def _following(
    query: sa.Select[Any], key: sa.Column[str], prefix: str, after: str | None
) -> sa.Select[Any]:
    if after is not None:
        query = query.where(key < checked_cursor(prefix, after))
    return query.order_by(key.desc())


def _before_run(connection: sa.Connection, after: str) -> sa.ColumnElement[bool]:
    created_at = connection.execute(
        sa.select(_r.created_at).where(_r.id == after)
    ).scalar_one_or_none()
    if created_at is None:
        raise UnknownCursor(after)
    return sa.tuple_(_r.created_at, _r.id) < sa.tuple_(sa.literal(created_at), sa.literal(after))


def _before_outcome(connection: sa.Connection, after: str) -> sa.ColumnElement[bool]:
    query = sa.select(_o.ended_at).where(_o.run == after)
    ended_at = connection.execute(query).scalar_one_or_none()
    if ended_at is None:
        raise UnknownCursor(after)
    return sa.tuple_(_o.ended_at, _o.run) < sa.tuple_(sa.literal(ended_at), sa.literal(after))


def _one(connection: sa.Connection, query: sa.Select[Any]) -> sa.RowMapping | None:
    return connection.execute(query).mappings().one_or_none()


def _decisions(connection: sa.Connection, term: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    rows = connection.execute(sa.select(schema.decisions).where(term).order_by(_d.id)).mappings()
    return [decision_item(row) for row in rows]


def _deliveries(connection: sa.Connection, ids: Iterable[str]) -> list[dict[str, Any]]:
    query = sa.select(schema.deliveries).where(_n.id.in_(sorted(ids))).order_by(_n.id)
    return [delivery_item(row) for row in connection.execute(query).mappings()]


def _runs(connection: sa.Connection, ids: Iterable[str]) -> list[dict[str, Any]]:
    wanted = sorted(ids)
    wrote = set(connection.scalars(sa.select(_i.run).where(_i.run.in_(wanted))))
    rows = connection.execute(
        sa.select(schema.runs).where(_r.id.in_(wanted)).order_by(_r.created_at, _r.id)
    ).mappings()
    found = {
        row["id"]: {**run_item(row), "wrote": row["id"] in wrote, "outcome": None, "steps": []}
        for row in rows
    }
    outcomes = sa.select(schema.outcomes).where(_o.run.in_(wanted))
    for row in connection.execute(outcomes).mappings():
        found[row["run"]]["outcome"] = outcome_item(row)
    steps = connection.execute(
        sa.select(schema.run_steps).where(_s.run.in_(wanted)).order_by(_s.run, _s.position)
    ).mappings()
    for row in steps:
        if row["run"] in found:
            found[row["run"]]["steps"].append(step_item(row))
    return list(found.values())
