"""Runs as the worker keeps them: the fencing token, intents, steps, outcomes and cooldowns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from service.catalogue.registry import names_with, taken_by
from service.catalogue.request_json import load_request
from service.catalogue.spec import Effect
from service.domain.alerts.alert import Alert
from service.domain.alerts.episodes import EVIDENCE_S
from service.domain.capacity.ledger import Value
from service.domain.capacity.taking import held_by_askers
from service.domain.decisions.claims import COOLDOWN, check_cooldown
from service.domain.decisions.controls import PAUSE, Control
from service.domain.decisions.decision import Check, Decision, Stage, Verdict
from service.domain.decisions.directions import REMOVING
from service.domain.decisions.guards import ENTRY_GUARDS, Entry, held_by, held_by_people, judge
from service.domain.decisions.planning import Plan
from service.domain.decisions.policy import LIMITED, Made, Trip, longest_window_s, tripped
from service.domain.decisions.requests import LEVEL, RETURN, SCENARIO, Request
from service.domain.decisions.returns import check_unasked
from service.domain.errors import StoreConflict
from service.ports import MessageRef
from service.ports.admission import NewDecision, NewRun
from service.ports.controls import Beside
from service.ports.runs import AskedRun, Intent, Outcome, StoredRun
from service.store import schema
from service.store.admissions import Enqueue, add_run
from service.store.bulk import chunks, rows_of_each
from service.store.claims import next_run, take_claims
from service.store.controls import IN_FORCE, add_control
from service.store.database import begin_writing, translated
from service.store.decode import load, load_alert, load_ref
from service.store.encode import dump, dump_ref
from service.store.ending import cancelled_by, count_ended, end_asking
from service.store.entries import ledger_entries
from service.store.ids import new_id
from service.store.ledger import askers_of, asking_more, note_run
from service.store.levels import hold_back, level_check
from service.store.outcomes import keep_outcome
from service.store.recent import recent_decisions
from service.store.rows import CheckEncoder, decision_row
from service.store.scenarios import touch_scenario
from service.store.spend import end_reservation, reserve
from service.store.watches import hasten, is_watching

_r = schema.runs.c
_LONGEST_ROW = 20
"""Runs that are looked back at for how often one has tried in vain; the wait is longest before."""
_HAS_ASKED = sa.exists().where(schema.approvals.c.run == _r.id)
_HAS_INTENT = sa.exists().where(schema.intents.c.run == _r.id)


_s = schema.run_steps.c


def _step_began(insert: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    shown = ("name", "attempt", "status", "started_at", "ended_at", "detail")
    return insert.on_conflict_do_update(
        index_elements=["run", "position"],
        set_={column: insert.excluded[column] for column in shown},
    )


# Made once: each run sends these a dozen times, and making one costs as much as sending it.
_STEP_BEGAN = {
    "sqlite": _step_began(sqlite.insert(schema.run_steps)),
    "postgresql": _step_began(postgresql.insert(schema.run_steps)),
}
_STEP_ENDED = (
    sa.update(schema.run_steps)
    .where(_s.run == sa.bindparam("of"), _s.position == sa.bindparam("at"))
    .values({name: sa.bindparam(name) for name in ("status", "ended_at", "detail")})
)


class RunStore:
    """What is written of runs; `queued` is called once a run that a person asks for is queued."""

    def __init__(
        self, engine: sa.Engine, enqueue: Enqueue, queued: Callable[[], None] = lambda: None
    ) -> None:
        self._engine = engine
        self._enqueue = enqueue
        self._queued = queued

    def begin(self, run_id: str, now: float) -> int:
        """A new execution of the run: raises the fencing token and returns it.

        A run that tells the pager gives its claim back here, before it reads what to tell: alerts
        that come later start a run of their own.
        """
        statement = (
            sa.update(schema.runs)
            .where(_r.id == run_id)
            .values(
                attempt=_r.attempt + 1,
                status=sa.case((_r.ended_at.is_(None), "running"), else_=_r.status),
                started_at=sa.func.coalesce(_r.started_at, now),
            )
            .returning(_r.attempt)
        )
        release = (
            sa.update(schema.cooldowns)
            .where(schema.cooldowns.c.run == run_id, schema.cooldowns.c.until > now)
            .where(sa.exists().where(_r.id == run_id, _r.action.in_(names_with(Effect.CALLS))))
            # Free for whoever asks next, even one whose clock was read a moment before ours.
            .values(until=0.0)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            # The run before its claim, as when it is concluded: two executions must not deadlock.
            attempt = int(connection.execute(statement).scalar_one())
            connection.execute(release)
        return attempt

    def attempt(self, run_id: str) -> int:
        """The fencing token in force."""
        with translated(), self._engine.connect() as connection:
            query = sa.select(_r.attempt).where(_r.id == run_id)
            return int(connection.execute(query).scalar_one())

    def cancelled(self, run_id: str) -> str:
        """Who cancelled the run and why; empty where nobody did."""
        with translated(), self._engine.connect() as connection:
            return cancelled_by(connection, run_id)

    def cancel(self, run_id: str, who: str, why: str, now: float, beside: Beside) -> bool:
        """Have a run that has not ended stop before its first write, or between two steps.

        False when it has ended; then nothing is recorded. `beside` writes a record of its own.
        """
        asked = dump({"who": who, "why": why, "at": now})
        statement = (
            sa.update(schema.runs)
            .where(_r.id == run_id, _r.ended_at.is_(None))
            .values(cancel=sa.func.coalesce(_r.cancel, asked))
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if connection.execute(statement).rowcount == 0:
                return False
            hasten(connection, run_id, now)
            beside(connection)
        return True

    def known_values(self, target: str) -> dict[str, Value]:
        """What is known of a target's attributes, by the ledger."""
        with translated(), self._engine.connect() as connection:
            entries = ledger_entries(connection)
        return {each.attribute: each.value for each in entries if each.target == target}

    def writing(self) -> list[Request]:
        """The runs that have reached their first write and have not ended, oldest first."""
        query = (
            sa.select(_r.ask)
            .join(schema.changes, schema.changes.c.run == _r.id)
            .where(_r.ended_at.is_(None))
            .order_by(_r.created_at)
        )
        with translated(), self._engine.connect() as connection:
            return [load_request(load(each)) for each in connection.execute(query).scalars()]

    def ask(
        self,
        claim: str,
        make: Callable[[str], NewRun],
        beside: Beside,
        control: Control | None = None,
    ) -> str:
        """Queue a person's run, under the next number of its claim; the run's id.

        The record of the deed, and a control that comes with it, are in the same transaction.
        """
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            run = make(next_run(connection, claim))
            add_run(connection, run)
            if control is not None:
                add_control(connection, control)
            if run.request.undoes:
                hold_back(connection, run.request.parent)
            beside(connection)
            self._enqueue(connection, run)
        self._queued()
        return run.request.id

    def take(
        self,
        claim: str,
        make: Callable[[str], NewRun],
        now: float,
        beside: Callable[[Any, Request], None] = lambda _connection, _request: None,
    ) -> str | None:
        """Take a claim that is free, and queue its run; the run's id, None where it is not free.

        `beside` keeps a record of its own in the same transaction.
        """
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            claimed = take_claims(connection, [claim], now)[claim]
            if not claimed.won:
                return None
            run = make(claimed.cooldown.run)
            add_run(connection, run)
            beside(connection, run.request)
            self._enqueue(connection, run)
        self._queued()
        return run.request.id

    def enter(self, request: Request, now: float) -> Check | None:
        """Admit the run's first write, in one transaction with the record of it as a change.

        A run that was admitted once is admitted for good: what it has begun goes on.
        """
        changes = schema.changes
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if connection.dialect.name == "postgresql":
                connection.execute(_ONE_ENTERS)
            known = sa.select(changes.c.run).where(changes.c.run == request.id)
            if connection.execute(known).first() is not None:
                return None
            trip = _tripped(connection, request, now)
            facts = _entry(connection, request, trip, now)
            if held_by(judge(ENTRY_GUARDS, facts)) is None:
                # Last, because asking reserves.
                facts = replace(facts, budget=reserve(connection, request, now))
            held = held_by(judge(ENTRY_GUARDS, facts))
            if held is None:
                row = {"run": request.id, "target": request.target.name}
                connection.execute(sa.insert(changes), {**row, "action": request.action, "at": now})
            elif held.guard == LIMITED and trip is not None:
                connection.execute(sa.insert(schema.controls), _pause_of(request, trip, now))
        return held

    def intend(self, run_id: str, name: str, now: float) -> Intent:
        """Record an intention to write, once; tells whether it was there before."""
        table = schema.intents
        values = {"run": run_id, "name": name, "recorded_at": now}
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            query = sa.select(table.c.recorded_at).where(
                table.c.run == run_id, table.c.name == name
            )
            recorded = connection.execute(query).scalar_one_or_none()
            if recorded is not None:
                return Intent(name, recorded, repeated=True)
            connection.execute(sa.insert(table), values)
        return Intent(name, now, repeated=False)

    def intended(self, run_id: str, name: str) -> bool:
        """Whether an intention of this name is on record."""
        table = schema.intents
        query = sa.select(table.c.name).where(table.c.run == run_id, table.c.name == name)
        with translated(), self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def withdraw(self, run_id: str, name: str, attempt: int) -> None:
        """Forget an intention whose write certainly had no effect.

        Nothing happens when `attempt` is not the fencing token in force: a former execution must
        not forget what the present one may have sent.
        """
        table = schema.intents
        token = sa.select(_r.attempt).where(_r.id == run_id).scalar_subquery()
        self._write(
            sa.delete(table).where(
                table.c.run == run_id, table.c.name == name, token == sa.literal(attempt)
            )
        )

    def fruitless_before(self, run_id: str, since: float) -> int:
        """How many planned runs in a row before this one ended without having written."""
        query = (
            sa.select(sa.and_(_r.status != "succeeded", ~_HAS_INTENT))
            .where(_same_work(run_id), _r.created_at < _of(run_id, "created_at"))
            .where(_r.ended_at > since, _r.plan.is_not(None))
            .where(_r.status.in_(("succeeded", "failed", "held")), ~_HAS_ASKED)
            .order_by(_r.created_at.desc())
            .limit(_LONGEST_ROW)
        )
        with translated(), self._engine.connect() as connection:
            return sum(1 for _ in takewhile(bool, connection.execute(query).scalars()))

    def failures_before(self, run_id: str) -> list[str]:
        """The runs before this one on the same target and direction that failed since the last
        one that succeeded, newest first; the newest twenty."""
        query = (
            sa.select(_r.id, _r.status)
            .where(_same_work(run_id), _r.created_at < _of(run_id, "created_at"))
            .where(_r.status.in_(("failed", "succeeded")))
            .order_by(_r.created_at.desc())
            .limit(_LONGEST_ROW)
        )
        with translated(), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [row.id for row in takewhile(lambda row: row.status == "failed", rows)]

    def succeeded_since(self, run_id: str) -> bool:
        """Whether this run, or a later one on the same target and direction, has succeeded."""
        query = (
            sa.select(_r.id)
            .where(_same_work(run_id), _r.created_at >= _of(run_id, "created_at"))
            .where(_r.status == "succeeded")
            .limit(1)
        )
        with translated(), self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def wrote(self, run_id: str) -> bool:
        """Whether any write took effect or may have: an intention stands."""
        with translated(), self._engine.connect() as connection:
            return _wrote(connection, run_id)

    def step_began(self, run_id: str, position: int, name: str, attempt: int, now: float) -> None:
        """Show a step as under way; a repeat of it starts over."""
        values = {
            "run": run_id,
            "position": position,
            "name": name,
            "attempt": attempt,
            "status": "running",
            "started_at": now,
            "ended_at": None,
            "detail": "{}",
        }
        self._write(_STEP_BEGAN[self._engine.dialect.name], values)

    def step_ended(
        self, run_id: str, position: int, status: str, detail: Mapping[str, Any], now: float
    ) -> None:
        """Show how a step ended: done or failed."""
        values = {
            "of": run_id,
            "at": position,
            "status": status,
            "ended_at": now,
            "detail": dump(detail),
        }
        self._write(_STEP_ENDED, values)

    def set_plan(self, run_id: str, plan: Plan) -> None:
        """Keep the plan for people and for the reconciler."""
        self._write(sa.update(schema.runs).where(_r.id == run_id).values(plan=dump(plan.to_json())))

    def set_checks(self, run_id: str, checks: Sequence[Check]) -> None:
        """Keep what each guard of the worker saw, for people."""
        text = dump([check.to_json() for check in checks])
        self._write(sa.update(schema.runs).where(_r.id == run_id).values(checks=text))

    def set_message(self, run_id: str, ref: MessageRef) -> None:
        """Keep where the Slack message of a run, or of a scenario, is."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            for table in (schema.runs, schema.scenario_runs):
                mine = sa.update(table).where(table.c.id == run_id)
                if connection.execute(mine.values(message=dump_ref(ref))).rowcount:
                    return

    def conclude(
        self,
        run_id: str,
        outcome: Outcome,
        now: float,
        decision: NewDecision | None = None,
        rules_hash: str = "",
        again: NewRun | None = None,
        *,
        if_wanted: bool = False,
    ) -> bool:
        """End a run, once: its outcome, its cooldown and the worker's decision together.

        `again` starts another run on the same claim instead of a cooldown; with `if_wanted` only
        when an alert asks for it that came after the worker had looked. False when the run
        had ended before; then nothing is changed.

        Raises:
            StoreConflict: it would be tried again, and a person has cancelled it. Then nothing is
                changed either.
        """
        end = (
            sa.update(schema.runs)
            .where(_r.id == run_id, _r.ended_at.is_(None))
            .values(status=outcome.status, reason=outcome.reason, ended_at=now)
            .returning(_r.ask, _r.plan, _r.created_at)
        )
        cooldowns = schema.cooldowns.c
        cooldown = (
            sa.update(schema.cooldowns)
            .where(cooldowns.run == run_id)
            .where(cooldowns.until > now)
            .values(until=outcome.cooldown_until, reason=outcome.reason)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            ended = connection.execute(end).one_or_none()
            if ended is None:
                return False
            # A page or a message is told whoever has cancelled it.
            changes = again is not None and again.request.on is not None
            if changes or outcome.due_at is not None:
                refuse_cancelled(connection, run_id)
            connection.execute(cooldown)
            pinned = load(ended.ask)
            succeeded = outcome.status == "succeeded"
            if succeeded:
                keep_outcome(connection, run_id, pinned, ended.created_at, now)
            end_reservation(connection, run_id, now, succeeded=succeeded)
            if succeeded or _wrote(connection, run_id):
                note_run(connection, run_id, ended, now, verified=succeeded)
            if decision is not None:
                row = decision_row(decision, rules_hash, CheckEncoder())
                connection.execute(sa.insert(schema.decisions), row)
            if outcome.due_at is not None:
                _make_due(connection, load_request(pinned), outcome.due_at)
            if again is not None and not (if_wanted and not _wanted(connection, again, now)):
                self._start_again(connection, again, now)
            of_scenario = touch_scenario(connection, pinned, now)
            count_ended(connection, run_id, outcome.status)
        if of_scenario:
            self._queued()
        return True

    def conclude_asking(
        self, request: Request, outcome: Outcome, child: Request, now: float
    ) -> AskedRun:
        """End a run, once, and queue the run that it asks for, where the claim of that is free.

        A run that a person has cancelled asks for nothing.
        """
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            mine = sa.select(_r.status, _r.reason, _r.created_at, _r.ended_at)
            query = mine.where(_r.id == request.id).with_for_update()
            row = connection.execute(query).one()
            if row.ended_at is not None:
                run = _asked_by(connection, request.id, child.claim, row.created_at)
                held = "" if run else str(row.reason)
                return AskedRun(row.status, row.reason, outcome.cooldown_until, run, held)
            asked = self._ask_for(connection, request, outcome, child, now)
            until = asked.cooldown_until
            end_asking(connection, request.id, asked.status, asked.reason, until, now)
        if asked.run:
            self._queued()
        return asked

    def _ask_for(
        self,
        connection: sa.Connection,
        request: Request,
        outcome: Outcome,
        child: Request,
        now: float,
    ) -> AskedRun:
        if cancelled := cancelled_by(connection, request.id):
            return AskedRun("cancelled", cancelled, now, held=cancelled)
        cooldowns = schema.cooldowns.c
        if request.claim < child.claim:
            # In the order of the keys, as admission takes them: nobody waits in a circle.
            own = sa.select(cooldowns.key).where(cooldowns.key == request.claim)
            connection.execute(own.with_for_update())
        claimed = take_claims(connection, [child.claim], now)[child.claim]
        if not claimed.won:
            check = check_cooldown(child.claim, claimed.cooldown, now)
            until = min(outcome.cooldown_until, check.until or outcome.cooldown_until)
            reason = f"{outcome.reason} is held: {check.saw}"
            _note_asked(connection, child, None, check, now)
            return AskedRun("held", reason, until, held=check.saw)
        made = replace(child, id=claimed.cooldown.run)
        run = NewRun(made, made.target.resource, now)
        add_run(connection, run)
        self._enqueue(connection, run)
        check = Check(COOLDOWN, passed=True, saw=f"{child.claim} was free")
        _note_asked(connection, child, made.id, check, now)
        reason = f"{outcome.reason} was asked for (run {made.id})"
        return AskedRun(outcome.status, reason, outcome.cooldown_until, made.id)

    def _start_again(self, connection: sa.Connection, again: NewRun, now: float) -> None:
        following = _claimed_again(connection, again.request, now)
        if following is not None:
            run = replace(again, request=replace(again.request, id=following))
            add_run(connection, run)
            self._enqueue(connection, run)

    def alerts(self, ids: Sequence[str]) -> list[tuple[Alert, bool]]:
        """The alerts of episodes, each with whether its episode is still open, oldest first."""
        table = schema.alerts
        query = sa.select(table).where(table.c.id.in_(list(ids)[:1000])).order_by(table.c.id)
        with translated(), self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [(load_alert(dict(row)), bool(row["open"])) for row in rows]

    def any_open(self, ids: Sequence[str]) -> bool:
        """Whether any of these episodes still fires."""
        table = schema.alerts.c
        query = sa.select(table.id).where(table.id.in_(list(ids)[:1000]), table.open).limit(1)
        with translated(), self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def still_wanted(self, request: Request, now: float) -> bool:
        """Whether an alert still fires that asked for this, when it was queued or since.

        An alert that no sender has repeated for long is no evidence: its resolve may be lost.
        """
        with translated(), self._engine.connect() as connection:
            return _still_wanted(connection, request, now)

    def unfinished(self) -> list[str]:
        """All runs that have no outcome yet, but for those that watch, oldest first."""
        query = (
            sa.select(_r.id)
            .where(_r.ended_at.is_(None), ~is_watching(_r.id))
            .order_by(_r.created_at)
        )
        with translated(), self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def get(self, run_id: str) -> StoredRun | None:
        """One run on record."""
        with translated(), self._engine.connect() as connection:
            row = (
                connection.execute(sa.select(schema.runs).where(_r.id == run_id))
                .mappings()
                .one_or_none()
            )
        return _stored(row) if row is not None else None

    def settles_until(self, target: str, *, adds: bool = True) -> float:
        """Until when the last change of a target settles, whoever asked for it; else 0.

        What `adds` does not wait for a removal to settle.
        """
        query = (
            sa.select(_r.ask, _r.ended_at)
            .where(_r.target == target, _r.ended_at.is_not(None), _r.plan.is_not(None))
            # A run that wrote nothing changed nothing that could settle.
            .where(sa.or_(_r.status == "succeeded", _HAS_INTENT))
            .order_by(_r.ended_at.desc())
            .limit(1)
        )
        if adds:
            query = query.where(_r.direction.not_in(REMOVING))
        with translated(), self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return row.ended_at + load(row.ask)["settle_s"] if row is not None else 0.0

    def last_by_target(self) -> list[tuple[str, str, str]]:
        """The newest ended run of each target: its name, the status, the reason."""
        newest = (
            sa.select(_r.target, sa.func.max(_r.created_at).label("at"))
            .where(_r.target.is_not(None), _r.ended_at.is_not(None))
            .group_by(_r.target)
            .subquery()
        )
        query = sa.select(_r.target, _r.status, _r.reason).join(
            newest, sa.and_(newest.c.target == _r.target, newest.c.at == _r.created_at)
        )
        with translated(), self._engine.connect() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(query)]

    def _write(self, statement: sa.Executable, values: Mapping[str, Any] | None = None) -> None:
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(statement, values)


_ONE_ENTERS = sa.text("SELECT pg_advisory_xact_lock(0x72756e62)")
"""Limits count rows, so two runs must not count at once. SQLite has one writer anyway."""


def _wrote(connection: sa.Connection, run_id: str) -> bool:
    query = sa.select(schema.intents.c.run).where(schema.intents.c.run == run_id).limit(1)
    return connection.execute(query).first() is not None


def refuse_cancelled(connection: sa.Connection, run_id: str) -> None:
    """Return when nobody has cancelled the run.

    Raises:
        StoreConflict: somebody has.
    """
    if said := cancelled_by(connection, run_id):
        raise StoreConflict(f"run {run_id} cannot go on: {said}")


def _claimed_again(connection: sa.Connection, request: Request, now: float) -> str | None:
    """The run that follows on a request's claim; None when somebody else has the claim."""
    claim = request.claim
    if not request.origin.shares_its_claim:
        return next_run(connection, claim)
    cooldowns = schema.cooldowns.c
    connection.execute(
        sa.update(schema.cooldowns)
        .where(cooldowns.key == claim, cooldowns.run == request.id)
        .values(until=now)
    )
    claimed = take_claims(connection, [claim], now)[claim]
    return claimed.cooldown.run if claimed.won else None


def _asked_by(connection: sa.Connection, parent: str, claim: str, since: float) -> str | None:
    """The run on a claim that a run has asked for."""
    query = sa.select(_r.id, _r.ask).where(_r.claim == claim, _r.created_at >= since)
    for row in connection.execute(query.order_by(_r.created_at)):
        if load(row.ask).get("parent") == parent:
            return str(row.id)
    return None


def _note_asked(
    connection: sa.Connection, child: Request, run: str | None, check: Check, now: float
) -> None:
    """The decisions on the alerts that a child was asked for, as admission makes them: who looks
    at the target's alerts, such as a return, finds these too."""
    decision = Decision(
        verdict=Verdict.ACT if run else Verdict.HOLD,
        rule=child.origin.by,
        action=child.action,
        target=child.target.name,
        direction=child.direction,
        reason=f"{child.origin.why}: {check.saw}",
        guard=check.guard,
        checks=(check,),
        until=check.until,
        run=run,
        stage=Stage.EXECUTION,
    )
    encode = CheckEncoder()
    rows = [
        decision_row(
            NewDecision(new_id("d"), alert, "", decision, now, now), child.rules_hash, encode
        )
        for alert in child.origin.alerts[:_MOST_NOTED]
    ]
    if rows:
        connection.execute(sa.insert(schema.decisions), rows)


_MOST_NOTED = 100
"""Alerts of one group whose decisions are kept."""


def _tripped(connection: sa.Connection, request: Request, now: float) -> Trip | None:
    limits = request.policy.limits
    if not limits or request.origin.kind == SCENARIO or request.undoes:
        return None
    made = schema.changes.c
    query = sa.select(made.target, made.action, made.at).where(
        made.at > now - longest_window_s(limits)
    )
    rows = [Made(*row) for row in connection.execute(query)]
    return tripped(limits, rows, request.target.name, request.action, now)


def _entry(connection: sa.Connection, request: Request, trip: Trip | None, now: float) -> Entry:
    (rows,) = rows_of_each(connection, IN_FORCE)
    found = held_by_people(request, [Control(*row) for row in rows], now)
    limits = None if trip is None else Check(LIMITED, passed=False, saw=trip.why, until=trip.until)
    calm = None
    if request.origin.kind == RETURN:
        calm = check_unasked(askers_of(connection, request.target.name, (), now))
    elif less := _taken(connection, request):
        held = held_by_askers(
            request.target.name, less, asking_more(connection, request.target.name, now)
        )
        calm = None if held is None else held.check
    return Entry(
        cancelled=cancelled_by(connection, request.id),
        limits=limits,
        calm=calm,
        level=level_check(connection, request, now) if request.origin.kind == LEVEL else None,
        **found,
    )


def _taken(connection: sa.Connection, request: Request) -> list[str]:
    """The attributes that a run's plan makes less of, while others may want them."""
    if not request.removes:
        return []
    plan = connection.execute(sa.select(_r.plan).where(_r.id == request.id)).scalar_one_or_none()
    return [] if plan is None else taken_by(request, Plan.from_json(load(plan)))


def _pause_of(request: Request, trip: Trip, now: float) -> dict[str, Any]:
    """The pause that a limit puts in force; it has the name of the run that met it."""
    return {
        "id": new_id("p"),
        "kind": PAUSE,
        "who": "runbookd",
        "why": trip.why,
        "since": now,
        "until": trip.until,
        "target": trip.target,
        "action": trip.action,
    }


def _make_due(connection: sa.Connection, request: Request, due_at: float) -> None:
    """Have the alerts that still fire, and asked for this run or were held by it, judged again."""
    if not request.origin.needs_alert:
        return
    alerts = schema.alerts.c
    recent = _asked_alike(request)
    asked = sa.or_(alerts.id.in_(list(request.origin.alerts)[:1000]), alerts.id.in_(recent))
    connection.execute(
        sa.update(schema.alerts)
        .where(alerts.open, alerts.newest, asked)
        .values(due_at=sa.func.coalesce(alerts.due_at, due_at))
    )


def _asked_alike(request: Request) -> sa.Select[Any]:
    """The alerts of the newest decisions on a request's target and in its direction; of a request
    without a target, of those by its rule."""
    d = schema.decisions.c
    if request.on is None:
        recent = recent_decisions(d.rule == request.origin.by)
    else:
        on, way = request.target.name, request.direction
        recent = recent_decisions(d.target == on, d.direction == way)
    return sa.select(recent.c.alert)


def _of(run_id: str, column: str) -> sa.ScalarSelect[Any]:
    """A column of one run, for a comparison with other runs."""
    mine = schema.runs.alias("mine").c
    return sa.select(mine[column]).where(mine.id == run_id).scalar_subquery()


def _same_work(run_id: str) -> sa.ColumnElement[bool]:
    """Runs on the target and in the direction of a run, itself among them."""
    return sa.and_(_r.target == _of(run_id, "target"), _r.direction == _of(run_id, "direction"))


def _stored(row: sa.RowMapping) -> StoredRun:
    plan = load(row["plan"])
    return StoredRun(
        id=row["id"],
        claim=row["claim"],
        partition=row["resource"],
        status=row["status"],
        attempt=row["attempt"],
        request=load_request(load(row["ask"])),
        plan=Plan.from_json(plan) if plan else None,
        message=load_ref(row["message"]),
    )


def _wanted(connection: sa.Connection, run: NewRun, now: float) -> bool:
    return run.request.on is not None and _still_wanted(connection, run.request, now)


def _still_wanted(connection: sa.Connection, request: Request, now: float) -> bool:
    alerts = schema.alerts.c
    fires = sa.and_(alerts.open, alerts.newest, alerts.last_seen > now - EVIDENCE_S)
    for some in chunks(request.origin.alerts):
        if connection.execute(
            sa.select(alerts.id).where(alerts.id.in_(some), fires).limit(1)
        ).first():
            return True
    # Alerts that came while the run waited were held because of it, and are not in its request.
    recent = _asked_alike(request)
    query = sa.select(alerts.id).where(alerts.id.in_(recent), fires).limit(1)
    return connection.execute(query).first() is not None
