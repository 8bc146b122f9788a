"""Scenarios in SQL: what was started, what its steps have become, and the runs that begin.

A scenario goes on in one transaction: it is read under a lock, with the runs of its steps, and what
follows is written with the runs that begin. Whoever dies in it has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa

from service.catalogue.registry import kind_spec
from service.catalogue.request_json import dump_request, load_request
from service.domain.capacity.ledger import Value
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import SCENARIO, Request
from service.domain.durations import clock_time
from service.domain.errors import StoreConflict, StoreUnavailable
from service.domain.people import AuditEntry
from service.domain.scenarios.going import (
    ACTIVE,
    CANCELLED,
    FAILED,
    INCOMPLETE,
    PENDING,
    RUNNING,
    SUSPENDED,
    UNDOING,
    UNSIGNED,
    Asked,
    Child,
    Deed,
    MadeWay,
    Quiet,
    Role,
    ScenarioNow,
    StepNow,
    page_at_end,
)
from service.domain.scenarios.scenarios import Scenario, scenario_from_fields
from service.domain.scenarios.signoffs import Signoff, conflict
from service.domain.scenarios.way import in_the_way, only_waits, shared_targets
from service.ports.admission import NewRun
from service.ports.controls import Beside
from service.ports.runs import Bell
from service.ports.scenarios import (
    Begun,
    Looked,
    NewScenario,
    ScenarioUnreadable,
    Shown,
    StartedByRule,
    Step,
    Stuck,
    Taken,
)
from service.store import schema
from service.store.admissions import Enqueue, add_run
from service.store.audit import recorded
from service.store.claims import next_run, take_claims
from service.store.controls import controls_in_force, end_controls
from service.store.database import begin_writing, translated
from service.store.decode import load, load_ref
from service.store.encode import dump
from service.store.ending import cancelled_by, end_asking, ended_already
from service.store.stuck import read_stuck

HELD = "held"
"""How a run ends that has started nothing, because something was in the way."""
_s, _t, _r = schema.scenario_runs.c, schema.scenario_steps.c, schema.runs.c
_c, _i = schema.cooldowns.c, schema.intents.c
_MAKE_WAY = "make way"
_DEEDS = ("cancel", "back", "decided")
_ONE_STARTS = sa.text("SELECT pg_advisory_xact_lock(0x73636e73)")
"""Two that are started at once must see each other. SQLite has one writer anyway."""
AGAIN_S = 60.0
"""How soon an alert may ask again for a scenario that something else holds, in seconds."""


def claim_of(run: str, step: str, role: Role) -> str:
    """The claim of the runs of a step."""
    claim = f"{run}.{step}"
    return claim if role is Role.FORWARD else f"{claim}.{role.value}"


class ScenarioStore:
    """The tables of scenarios."""

    def __init__(self, engine: sa.Engine, enqueue: Enqueue, bell: Bell) -> None:
        self._engine = engine
        self._enqueue = enqueue
        self._bell = bell

    # ---- People ----

    def start(self, new: NewScenario, beside: Beside) -> Begun:
        """Start one.

        Raises:
            StoreConflict: another has been started meanwhile on one of its targets.
        """
        scenario = new.scenario
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            _starts_alone(connection)
            if not new.plan_only and not scenario.emergency:
                _refuse_others(connection, scenario)
            run = _insert(connection, new)
            begun = Begun(run)
            if scenario.emergency and not new.plan_only and new.first != UNSIGNED:
                begun = _make_way(connection, run, scenario, new.by, new.at)
            beside(connection)
            self._bell.within(connection)
        self._bell.committed()
        return begun

    def get(self, run: str) -> ScenarioNow | None:
        """One of those that were started."""
        with translated(), self._engine.connect() as connection:
            row = connection.execute(_ROWS.where(_s.id == run)).mappings().one_or_none()
            return None if row is None else _read(connection, row).now

    def recent(self, limit: int) -> list[ScenarioNow]:
        """The newest, plans left out."""
        newest = _ROWS.where(sa.not_(_s.plan_only)).order_by(_s.created_at.desc(), _s.id.desc())
        with translated(), self._engine.connect() as connection:
            rows = connection.execute(newest.limit(limit)).mappings().all()
            return [each.now for each in _readable(connection, rows)]

    def unended(self) -> list[ScenarioNow]:
        """Those that go on, plans left out, the oldest first."""
        with translated(), self._engine.connect() as connection:
            rows = connection.execute(_GOING).mappings().all()
            return [each.now for each in _readable(connection, rows)]

    def say(self, run: str, what: str, deed: Deed, states: Sequence[str], beside: Beside) -> bool:
        """Keep what a person says of one; False when it is in none of these states any more, or
        was said before."""
        values: dict[str, Any] = {what: dump(deed.to_json()), "next_at": deed.at}
        if what == "back":
            over = sa.or_(_s.ended_at.is_not(None), _s.state == ACTIVE)
            values |= {"state": sa.case((over, UNDOING), else_=_s.state), "ended_at": None}
        unsaid: sa.ColumnElement[bool] = schema.scenario_runs.c[what].is_(None)
        if what == "back":
            # What could not be put back may be tried again.
            unsaid = sa.or_(unsaid, _s.state == INCOMPLETE)
        mine = sa.update(schema.scenario_runs).where(_s.id == run, _s.state.in_(states))
        again = (
            sa.update(schema.scenario_steps)
            .where(_t.run == run, _t.back_state == FAILED)
            .values(back_state="", back_reason="")
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if what == "back" and _is_suspended(connection, run):
                # The person knows of the emergency, and takes it back anyway, or it is over.
                unsaid, values["cancel"] = sa.true(), None
            if connection.execute(mine.where(unsaid).values(**values)).rowcount == 0:
                return False
            if what == "back":
                connection.execute(again)
            beside(connection)
            self._bell.within(connection)
        self._bell.committed()
        return True

    def abandon(self, run: str, deed: Deed, beside: Beside) -> bool:
        """End one that does not go on, as it is, without reading it; False when it has ended."""
        end = (
            sa.update(schema.scenario_runs)
            .where(_s.id == run, _s.ended_at.is_(None))
            .values(
                state=CANCELLED,
                reason=f"it did not go on, and was cancelled by {deed.said}",
                ended_at=deed.at,
                next_at=deed.at,
            )
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if connection.execute(end).rowcount == 0:
                return False
            beside(connection)
            self._bell.within(connection)
        self._bell.committed()
        return True

    def sign(self, run: str, signoff: Signoff, *, one_person: bool, beside: Beside) -> bool:
        """Keep a sign-off; False when its phase is over, or its plan is no longer the newest.

        Raises:
            StoreConflict: this role, or this person as another role, has signed this plan already.
        """
        mine = (
            sa.update(schema.scenario_runs)
            .where(_s.id == run, _s.plan_hash == signoff.plan_hash)
            .values(next_at=signoff.at)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if connection.execute(mine).rowcount == 0:
                return False
            row = connection.execute(_ROWS.where(_s.id == run)).mappings().one()
            if _read(connection, row).now.signs != signoff.phase:
                return False
            given = _signoffs(connection, run)
            if why := conflict(signoff, given, one_person=one_person):
                raise StoreConflict(why)
            _add_signoff(connection, run, signoff)
            beside(connection)
            self._bell.within(connection)
        self._bell.committed()
        return True

    # ---- Workers ----

    def start_by_rule(self, request: Request, new: NewScenario, now: float) -> StartedByRule:
        """End a run, once, and start the scenario that it asks for."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if (before := _became(connection, request.id)) is not None:
                return before
            _starts_alone(connection)
            made = _start_of_rule(connection, request, new, now)
            if made.status == HELD:
                earlier = _outcome_before(connection, request)
                made = replace(made, told_before=earlier == (HELD, made.reason))
            end_asking(connection, request.id, made.status, made.reason, made.cooldown_until, now)
            if made.scenario:
                self._bell.within(connection)
        if made.scenario:
            self._bell.committed()
        return made

    def became(self, run: str) -> StartedByRule:
        """What has become of a run that starts a scenario, and has ended."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            found = _became(connection, run)
        if found is None:
            raise StoreConflict(f"run {run} has not ended")
        return found

    def floors(self, target: str) -> dict[str, tuple[Value, str]]:
        """What scenarios that are in force have set of a target."""
        in_force = _GOING.where(_s.state.in_((RUNNING, ACTIVE)))
        found: dict[str, tuple[Value, str]] = {}
        with translated(), self._engine.connect() as connection:
            rows = connection.execute(in_force).mappings().all()
            for looked in _readable(connection, rows):
                found |= {name: (at, looked.now.id) for name, at in _set_of(looked, target).items()}
        return found

    def take(self, now: float, hold_s: float) -> Taken | None:
        """The one that has been due for the longest, for this worker alone."""
        until = now + hold_s
        due = (
            sa.select(_s.id)
            .where(_s.next_at.is_not(None), _s.next_at <= now)
            .order_by(_s.next_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        # With IN, PostgreSQL may look for the due one again for each row, and take several.
        take = (
            sa.update(schema.scenario_runs)
            .where(_s.id == due.scalar_subquery(), _s.next_at <= now)
            .values(next_at=until)
            .returning(_s.id)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            run = connection.execute(take).scalar_one_or_none()
        return None if run is None else Taken(run, until)

    def advance(self, run: str, decide: Callable[[Looked], Step], at: float) -> ScenarioNow | None:
        """Read one, and write what `decide` makes of it, in one transaction."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            _alone_if_it_may_begin(connection, run)
            mine = _ROWS.where(_s.id == run).with_for_update()
            row = connection.execute(mine).mappings().one_or_none()
            if row is None:
                return None
            looked = _read(connection, row)
            if looked.now.ended:
                # Whoever ended it may have died before it told, or another was telling.
                return replace(looked.now, page=page_at_end(looked.now))
            step = decide(looked)
            self._write(connection, looked.now, step.next.now, at)
            if begins := _begins(looked.now, step.next.now):
                _make_way(connection, run, looked.now.scenario, looked.now.by, at)
            for name, role, new in step.runs:
                self._begin(connection, run, name, role, new)
            if step.runs or begins:
                self._bell.within(connection)
        if step.runs or begins:
            self._bell.committed()
        return step.next.now

    def shown(self, run: str) -> Shown | None:
        """One of them, and what was told of it."""
        with translated(), self._engine.connect() as connection:
            return _shown(connection, run)

    def begin_telling(self, run: str, now: float, until: float) -> Shown | None:
        """The same, for this worker to tell of; None while another one tells."""
        free = sa.or_(_s.telling_until.is_(None), _s.telling_until <= now)
        mine = sa.update(schema.scenario_runs).where(_s.id == run, free)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if connection.execute(mine.values(telling_until=until)).rowcount == 0:
                return None
            return _shown(connection, run)

    def told(self, run: str, told: str, paged: str) -> None:
        """Keep what was told, and let others tell."""
        self._update(run, told=told, paged=paged, telling_until=None)

    def raised(self, taken: Taken, why: str, at: float) -> Stuck:
        """Keep that a look at one raised this; how it is since."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            return _raised(connection, taken.id, why, at)

    def rest(self, taken: Taken, stuck: Stuck, next_at: float) -> None:
        """Keep how it is, and look at it again then, or once a person says something of it."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            _keep_stuck(connection, stuck)
            connection.execute(_due_again(taken, next_at))

    def ended_stuck(self, run: str) -> bool:
        """Whether it has ended while it did not go on, without reading what it is."""
        over = sa.select(_s.id).where(_s.id == run, _s.ended_at.is_not(None), _s.stuck.is_not(None))
        with translated(), self._engine.connect() as connection:
            return connection.execute(over).first() is not None

    def goes_on(self, run: str) -> None:
        """It is not stuck any more."""
        self._update(run, stuck=None)

    def reminded(self, run: str, at: float) -> None:
        """Keep that people were reminded of the sign-offs that are missing."""
        self._update(run, reminded_at=at)

    def give_up(self, run: str, why: str, at: float) -> None:
        """Have the run of a step end that was held for too long."""
        asked = dump({"who": "runbookd", "why": why, "at": at})
        statement = (
            sa.update(schema.runs)
            .where(_r.id == run, _r.ended_at.is_(None))
            .values(cancel=sa.func.coalesce(_r.cancel, asked))
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(statement)

    def put_back(self, taken: Taken, next_at: float | None) -> None:
        """It is due again then, unless somebody has said something of it since it was taken."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(_due_again(taken, next_at))

    def _write(
        self, connection: sa.Connection, was: ScenarioNow, now: ScenarioNow, at: float
    ) -> None:
        values = {
            "state": now.state,
            "reason": now.reason,
            "began_at": now.began_at,
            "due_at": now.due_at,
            "ended_at": at if now.ended else None,
            "approved": now.approved,
            "plan_hash": now.plan_hash,
            "asked": None if now.asked is None else dump(asdict(now.asked)),
            "quiet": None if now.quiet is None else dump(asdict(now.quiet)),
            **{name: _dumped(getattr(now, name)) for name in _DEEDS},
        }
        connection.execute(sa.update(schema.scenario_runs).where(_s.id == now.id).values(**values))
        for before, after in zip(was.steps, now.steps, strict=True):
            if before == after:
                continue
            changed = {
                "state": after.state,
                "reason": after.reason,
                "began_at": after.began_at,
                "plan_run": None if after.plan is None else after.plan.run,
                "back_state": after.back_state,
                "back_reason": after.back_reason,
            }
            step = _t.step == after.step.id
            mine = sa.update(schema.scenario_steps).where(_t.run == now.id, step)
            connection.execute(mine.values(**changed))

    def _begin(
        self, connection: sa.Connection, run: str, step: str, role: Role, new: NewRun
    ) -> None:
        claim = claim_of(run, step, role)
        claimed = take_claims(connection, [claim], new.created_at)[claim]
        if not claimed.won:
            raise StoreConflict(f"{claim} is under way already")
        made = replace(new, request=replace(new.request, id=claimed.cooldown.run, claim=claim))
        add_run(connection, made)
        self._enqueue(connection, made)
        if role is Role.PLAN:
            mine = sa.update(schema.scenario_steps).where(_t.run == run, _t.step == step)
            connection.execute(mine.values(plan_run=claimed.cooldown.run))

    def _update(self, run: str, **values: Any) -> None:
        statement = sa.update(schema.scenario_runs).where(_s.id == run).values(**values)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(statement)


_ROWS = sa.select(schema.scenario_runs)
_GOING = _ROWS.where(_s.ended_at.is_(None), sa.not_(_s.plan_only)).order_by(_s.created_at)


def _due_again(taken: Taken, next_at: float | None) -> sa.Update:
    """It is due then, unless somebody has said something of it since it was taken."""
    mine = sa.update(schema.scenario_runs).where(_s.id == taken.id, _s.next_at == taken.until)
    return mine.values(next_at=next_at)


def _shown(connection: sa.Connection, run: str) -> Shown | None:
    row = connection.execute(_ROWS.where(_s.id == run)).mappings().one_or_none()
    if row is None:
        return None
    now = _read(connection, row).now
    ref = load_ref(row["message"])
    return Shown(now, row["told"], row["paged"], ref, stuck=row["stuck"] is not None)


def touch_scenario(connection: sa.Connection, pinned: Mapping[str, Any], now: float) -> bool:
    """A run has ended: have the scenario that it is a step of looked at now. False where it is of
    none. `pinned` is its request as it is stored."""
    # Of an earlier version there is no origin; a run that decides has asked for others too.
    if not pinned.get("step") or pinned["origin"]["kind"] != SCENARIO:
        return False
    touch = (
        sa.update(schema.scenario_runs)
        .where(_s.id == pinned["parent"], _s.next_at > now)
        .values(next_at=now)
    )
    connection.execute(touch)
    return True


def _insert(connection: sa.Connection, new: NewScenario) -> str:
    """The rows of a scenario that is started; its id."""
    scenario = new.scenario
    run = next_run(connection, scenario.name)
    connection.execute(
        sa.insert(schema.scenario_runs),
        {
            "id": run,
            "scenario": scenario.name,
            "state": new.first,
            "reason": "",
            "who": new.by,
            "why": new.why,
            "spec": dump(scenario.fields()),
            "rules_hash": new.rules_hash,
            "emergency": scenario.emergency,
            "plan_only": new.plan_only,
            "created_at": new.at,
            "next_at": new.at,
            "approved": "",
            "told": "",
            "paged": "",
            "plan_hash": new.plan_hash,
            "parent": new.parent or None,
            "alerts": dump(list(new.alerts)) if new.alerts else None,
        },
    )
    if new.signoff is not None:
        _add_signoff(connection, run, new.signoff)
    connection.execute(
        sa.insert(schema.scenario_steps),
        [_new_step(run, number, request) for number, request in enumerate(new.steps)],
    )
    return run


def _new_step(run: str, number: int, request: Request) -> dict[str, Any]:
    return {
        "run": run,
        "step": request.step,
        "position": number,
        "ask": dump(dump_request(replace(request, parent=run))),
        "state": PENDING,
        "reason": "",
        "back_state": "",
        "back_reason": "",
    }


def _start_of_rule(
    connection: sa.Connection, request: Request, new: NewScenario, now: float
) -> StartedByRule:
    """Start it, where nothing is in its way; what becomes of the run that asks."""
    name, rests = new.scenario.name, now + request.cooldown_s
    if said := cancelled_by(connection, request.id):
        return StartedByRule("cancelled", said, now)
    if not new.plan_only:
        if held := _rests(connection, name, request.cooldown_s, now):
            return StartedByRule(HELD, held[0], min(rests, max(held[1], now + AGAIN_S)))
        try:
            _refuse_others(connection, new.scenario)
        except StoreConflict as conflict:
            return StartedByRule(HELD, f"{conflict}", min(rests, now + AGAIN_S))
    run = _insert(connection, new)
    if new.plan_only:
        said = f"{name} would have been started; scenario {run} is only planned"
        return StartedByRule("shadow", said, rests, run)
    return StartedByRule("succeeded", f"scenario {run} was started", rests, run)


def _outcome_before(connection: sa.Connection, request: Request) -> tuple[str, str] | None:
    """How the run before this one of the same claim stands, and why."""
    query = (
        sa.select(_r.status, _r.reason)
        .where(_r.action == request.action, _r.claim == request.claim, _r.id != request.id)
        .order_by(_r.created_at.desc(), _r.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.status, row.reason)


def _rests(
    connection: sa.Connection, scenario: str, cooldown_s: float, now: float
) -> tuple[str, float] | None:
    """Why a rule may not start this scenario again, and until when, as far as that is known."""
    newest = (
        sa.select(_s.id, _s.state, _s.ended_at)
        .where(_s.scenario == scenario, sa.not_(_s.plan_only))
        .order_by(_s.ended_at.is_not(None), _s.ended_at.desc())
        .limit(1)
    )
    row = connection.execute(newest).one_or_none()
    if row is None:
        return None
    if row.ended_at is None:
        return f"scenario {row.id} is {row.state} already", now
    if row.ended_at + cooldown_s <= now:
        return None
    ended, until = clock_time(row.ended_at), clock_time(row.ended_at + cooldown_s)
    return (
        f"scenario {row.id} has ended at {ended}, and rests until {until}",
        row.ended_at + cooldown_s,
    )


def _became(connection: sa.Connection, run: str) -> StartedByRule | None:
    """What has become of a run that starts a scenario; None while it has not ended."""
    ended = ended_already(connection, run)
    if ended is None:
        return None
    status, reason, until = ended
    return StartedByRule(status, reason, until, _started_by(connection, run))


def _started_by(connection: sa.Connection, parent: str) -> str:
    """The scenario that a run has started; empty where it has started none."""
    query = sa.select(_s.id).where(_s.parent == parent)
    return connection.execute(query).scalar_one_or_none() or ""


def _raised(connection: sa.Connection, run: str, why: str, at: float) -> Stuck:
    """Keep that a look at one raised this; how it is since."""
    query = sa.select(_s.stuck).where(_s.id == run).with_for_update()
    text = connection.execute(query).scalar_one_or_none()
    was = read_stuck(run, text) if text else Stuck(run, why, at)
    now = Stuck(run, why, was.since, was.tries + 1, was.told)
    _keep_stuck(connection, now)
    return now


def _keep_stuck(connection: sa.Connection, stuck: Stuck) -> None:
    """Write how it is."""
    fields = {name: value for name, value in asdict(stuck).items() if name != "run"}
    mine = sa.update(schema.scenario_runs).where(_s.id == stuck.run)
    connection.execute(mine.values(stuck=dump(fields)))


def _starts_alone(connection: sa.Connection) -> None:
    """Nothing else starts until this transaction ends, and what has started is seen in it."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ONE_STARTS)


def _alone_if_it_may_begin(connection: sa.Connection, run: str) -> None:
    """Nothing starts beside an emergency that is looked at because it may be signed now. This comes
    before the lock on its row, as in a start, so that neither waits for the other."""
    if connection.dialect.name != "postgresql":
        return
    waits = sa.select(_s.id).where(_s.id == run, _s.emergency, _s.state == UNSIGNED)
    if connection.execute(waits).first() is not None:
        _starts_alone(connection)


def _begins(was: ScenarioNow, now: ScenarioNow) -> bool:
    """Whether an emergency begins that has waited for a sign-off."""
    waited = only_waits(was.state, emergency=was.scenario.emergency)
    return waited and now.state not in (UNSIGNED, CANCELLED)


def _make_way(connection: sa.Connection, run: str, scenario: Scenario, by: str, at: float) -> Begun:
    """An emergency begins: end what would hold its steps, and have nothing more begin of the
    scenarios that change one of its targets, nor of their way back. Who started it is who did
    that."""
    others = [
        row["id"]
        for row in connection.execute(_GOING.where(_s.id != run)).mappings()
        if not only_waits(row["state"], emergency=row["emergency"]) and _same_targets(scenario, row)
    ]
    said = Deed(by, f"{scenario.name} was started ({run})", at, SUSPENDED)
    # A way back goes on after a cancel, so that does not stand for it.
    goes_on = sa.or_(_s.cancel.is_(None), _s.back.is_not(None))
    suspend = (
        sa.update(schema.scenario_runs)
        .where(_s.id.in_(others), _s.ended_at.is_(None), goes_on)
        .values(cancel=dump(said.to_json()), next_at=at)
        .returning(_s.id)
    )
    suspended = sorted(connection.execute(suspend).scalars()) if others else []
    lifts = [each.id for each in in_the_way(scenario, controls_in_force(connection), at)]
    lifted = end_controls(connection, lifts, by, at) if lifts else []
    if lifted or suspended:
        what = {"lifted": [each.id for each in lifted], "suspended": suspended}
        entry = AuditEntry(at, by, "runbookd", "", _MAKE_WAY, run, said.why, what)
        recorded(entry)(connection)
    return Begun(run, tuple(lifted), tuple(suspended))


def _is_suspended(connection: sa.Connection, run: str) -> bool:
    """Whether an emergency has suspended it, and no person has taken it back since."""
    query = sa.select(_s.cancel).where(_s.id == run).with_for_update()
    cancel = _deed(connection.execute(query).scalar_one_or_none())
    return cancel is not None and cancel.what == SUSPENDED


def _made_way(connection: sa.Connection, run: str) -> MadeWay:
    """What an emergency has lifted and suspended when it began, as the audit has it."""
    entries = schema.audit.c
    query = sa.select(entries.what).where(entries.subject == run, entries.verb == _MAKE_WAY)
    text = connection.execute(query.limit(1)).scalar_one_or_none()
    made = load(text) if text else {}
    controls = schema.controls.c
    lifted = sa.select(controls.kind, controls.target, controls.who).where(
        controls.id.in_(made.get("lifted", ()))
    )
    rows = connection.execute(lifted.order_by(controls.id)) if made.get("lifted") else ()
    return MadeWay(
        tuple(f"the {kind}{f' of {on}' if on else ''} by {by}" for kind, on, by in rows),
        tuple(made.get("suspended", ())),
    )


def _refuse_others(connection: sa.Connection, scenario: Scenario) -> None:
    """Return when no other scenario that goes on changes one of its targets.

    Raises:
        StoreConflict: one does.
    """
    for row in connection.execute(_GOING).mappings():
        if only_waits(row["state"], emergency=row["emergency"]):
            continue
        if both := _same_targets(scenario, row):
            raise StoreConflict(f"scenario {row['id']} goes on, and changes {', '.join(both)} too")


def _readable(connection: sa.Connection, rows: Sequence[sa.RowMapping]) -> Iterator[Looked]:
    """Those of these that can be read. The look at one that cannot tells a person; it keeps no
    other from going on."""
    for row in rows:
        with suppress(ScenarioUnreadable):
            yield _read(connection, row)


def _spec(row: sa.RowMapping) -> Scenario:
    """What a scenario was when it was started.

    Raises:
        ScenarioUnreadable: this version cannot read it.
    """
    try:
        return scenario_from_fields(load(row["spec"]))
    except Exception as error:  # whatever a row holds that is not as this version writes it
        raise ScenarioUnreadable(row["id"], error) from error


def _same_targets(scenario: Scenario, row: sa.RowMapping) -> list[str]:
    """The targets that both change; none where the row cannot be read, which does nothing more."""
    try:
        return shared_targets(scenario, _spec(row))
    except ScenarioUnreadable:
        return []


def _read(connection: sa.Connection, row: sa.RowMapping) -> Looked:
    """A scenario with its steps, and the runs of these.

    Raises:
        ScenarioUnreadable: this version cannot read it.
    """
    try:
        return _looked(connection, row)
    except (sa.exc.SQLAlchemyError, StoreUnavailable, StoreConflict):
        raise
    except Exception as error:  # whatever a row holds that is not as this version writes it
        raise ScenarioUnreadable(row["id"], error) from error


def _looked(connection: sa.Connection, row: sa.RowMapping) -> Looked:
    run = row["id"]
    query = sa.select(schema.scenario_steps).where(_t.run == run).order_by(_t.position)
    rows = connection.execute(query).mappings().all()
    asks = {each["step"]: load_request(load(each["ask"])) for each in rows}
    scenario = scenario_from_fields(load(row["spec"]))
    steps = {each.id: each for each in scenario.steps}
    claims = {
        claim_of(run, each["step"], role): (each["step"], role)
        for each in rows
        for role in (Role.FORWARD, Role.BACK)
    }
    newest = {
        claims[key]: run_id
        for key, run_id in connection.execute(
            sa.select(_c.key, _c.run).where(_c.key.in_(list(claims)))
        )
    }
    newest |= {(each["step"], Role.PLAN): each["plan_run"] for each in rows if each["plan_run"]}
    children = _children(connection, newest, asks)
    now = ScenarioNow(
        id=run,
        scenario=scenario,
        by=row["who"],
        why=row["why"],
        state=row["state"],
        steps=tuple(
            StepNow(
                step=steps[each["step"]],
                state=each["state"],
                reason=each["reason"],
                began_at=each["began_at"],
                child=children.get((each["step"], Role.FORWARD)),
                plan=children.get((each["step"], Role.PLAN)),
                back_state=each["back_state"],
                back_reason=each["back_reason"],
                back=children.get((each["step"], Role.BACK)),
            )
            for each in rows
        ),
        plan_only=bool(row["plan_only"]),
        reason=row["reason"],
        began_at=row["began_at"],
        due_at=row["due_at"],
        asked=Asked(**load(row["asked"])) if row["asked"] else None,
        approved=row["approved"],
        plan_hash=row["plan_hash"] or "",
        signoffs=() if scenario.signoff is None else _signoffs(connection, run),
        reminded=row["reminded_at"] is not None,
        message=_place(row["message"]),
        parent=row["parent"] or "",
        alerts=tuple(load(row["alerts"]) or ()),
        quiet=Quiet(**load(row["quiet"])) if row["quiet"] else None,
        made_way=_made_way(connection, run) if scenario.emergency else MadeWay(),
        stuck=bool(row["stuck"]) and read_stuck(run, row["stuck"]).told,
        cancel=_deed(row["cancel"]),
        back=_deed(row["back"]),
        decided=_deed(row["decided"]),
    )
    return Looked(now, asks)


def _place(text: str | None) -> str:
    ref = load_ref(text)
    return "" if ref is None else f"{ref.channel}/{ref.ts}"


def _signoffs(connection: sa.Connection, run: str) -> tuple[Signoff, ...]:
    given = schema.signoffs.c
    query = sa.select(
        given.role, given.phase, given.who, given.at, given.plan_hash, given.note
    ).where(given.run == run)
    rows = connection.execute(query.order_by(given.at, given.role)).mappings()
    return tuple(Signoff(**each) for each in rows)


def _add_signoff(connection: sa.Connection, run: str, signoff: Signoff) -> None:
    connection.execute(sa.insert(schema.signoffs), {"run": run, **asdict(signoff)})


def _set_of(looked: Looked, target: str) -> dict[str, Value]:
    """What the steps of a scenario have set of a target."""
    found: dict[str, Value] = {}
    for each in looked.now.steps:
        plan = each.child.plan if each.child is not None and each.changed else None
        on = looked.asks[each.step.id].on
        if plan is not None and on is not None and on.name == target:
            changed = kind_spec(on.kind).changed(plan)
            found |= {name: after for name, (_, after) in changed.items()}
    return found


def _children(
    connection: sa.Connection,
    newest: Mapping[tuple[str, Role], str],
    asks: Mapping[str, Request],
) -> dict[tuple[str, Role], Child]:
    wrote = sa.exists().where(_i.run == _r.id).label("wrote")
    query = sa.select(_r.id, _r.status, _r.reason, _r.plan, _r.checks, wrote)
    found = {
        row["id"]: row
        for row in connection.execute(query.where(_r.id.in_(list(newest.values())))).mappings()
    }
    return {key: _child(found[run], asks[key[0]]) for key, run in newest.items() if run in found}


def _child(row: sa.RowMapping, ask: Request) -> Child:
    plan = load(row["plan"])
    failed = (each["guard"] for each in load(row["checks"]) or () if not each["passed"])
    return Child(
        run=row["id"],
        status=row["status"],
        reason=row["reason"],
        guard=next(failed, "") if row["status"] == "held" else "",
        plan=Plan.from_json(plan) if plan else None,
        wrote=bool(row["wrote"]),
        free=ask.on is None or not kind_spec(ask.on.kind).is_sold,
    )


def _deed(text: str | None) -> Deed | None:
    return Deed(**load(text)) if text else None


def _dumped(deed: Deed | None) -> str | None:
    return None if deed is None else dump(deed.to_json())
