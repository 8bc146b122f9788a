"""The ledger in SQL: what runs made of their targets, and what persons have set past them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
import structlog

from service.catalogue.registry import kind_spec
from service.catalogue.request_json import load_request
from service.domain.alerts.episodes import EVIDENCE_S
from service.domain.capacity.ledger import Entry, Made, Value, after_run, entry_json, seen
from service.domain.decisions.controls import HOLD, Control
from service.domain.decisions.directions import ADDING, REMOVING, is_less
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import ALERT, REPLAY, RETURN, Request
from service.domain.decisions.returns import Asker
from service.ports.ledger import HELD_BY, HOLD_S
from service.store import schema
from service.store.controls import add_control
from service.store.database import begin_writing, insert_of, translated
from service.store.decode import load
from service.store.encode import dump
from service.store.entries import entry_of, ledger_entries
from service.store.ids import new_id
from service.store.recent import recent_decisions

_log = structlog.get_logger(__name__)

_l, _r, _a, _d, _e, _i, _m = (
    table.c
    for table in (
        schema.ledger,
        schema.runs,
        schema.alerts,
        schema.decisions,
        schema.unmeasured_ends,
        schema.incidents,
        schema.incident_members,
    )
)
_MOST_PAGES = 100
_KEPT_AS_IT_IS = "{attribute} was {was} by the last change, and is {now} without a run of runbookd"


class LedgerStore:
    """The table of the ledger."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def entries(self) -> list[Entry]:
        """Every attribute that a run has ever changed, by target and attribute."""
        with translated(), self._engine.connect() as connection:
            return ledger_entries(connection)

    def saw(
        self, target: str, values: Mapping[str, Value], looked_at: float, now: float
    ) -> list[Entry]:
        """Keep what a look has shown; the entries whose value a person has changed, as before."""
        query = sa.select(schema.ledger).where(_l.target == target).with_for_update()
        changed: list[Entry] = []
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if _is_writing(connection, target):
                return []
            for row in connection.execute(query).mappings().all():
                known = entry_of(row)
                if known.attribute not in values or known.at >= looked_at:
                    continue
                entry, by_person = seen(known, values[known.attribute])
                if entry != known:
                    _put(connection, entry)
                if by_person:
                    add_control(connection, _hold(known, entry.value, now))
                    changed.append(known)
        return changed

    def found(self, target: str, values: Mapping[str, Value], now: float) -> None:
        """Keep the values of attributes of which nothing is known yet."""
        insert = insert_of(self._engine.dialect, schema.ledger).on_conflict_do_nothing()
        rows = [_row(Entry(target, name, value, now)) for name, value in values.items()]
        if rows:
            with translated(), self._engine.begin() as connection:
                begin_writing(connection)
                connection.execute(insert, rows)

    def waits(self, target: str, attribute: str, saw: str) -> None:
        """Keep what the next return waits for."""
        said = (
            sa.update(schema.ledger)
            .where(_l.target == target, _l.attribute == attribute, _l.waits != saw)
            .values(waits=saw)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(said)

    def askers(self, target: str, alerts: Sequence[str], now: float) -> list[Asker]:
        """These alerts, and those that have asked for more of the target lately."""
        with translated(), self._engine.connect() as connection:
            return askers_of(connection, target, alerts, now)

    def asking_more(self, target: str, now: float) -> list[Asker]:
        """The alerts that have asked for more of the target lately, by rules that only add."""
        with translated(), self._engine.connect() as connection:
            return asking_more(connection, target, now)

    def open_pages(self, service: str) -> list[str]:
        """The names of the alerts whose incident is open at the pager."""
        query = (
            sa.select(_a.name, _a.body)
            .join(schema.incident_members, _m.identity == _a.identity)
            .join(schema.incidents, _i.dedup_key == _m.dedup_key)
            .where(_i.paged, _a.newest, _a.open)
            .order_by(_a.id)
            .limit(_MOST_PAGES)
        )
        with translated(), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        if not service:
            return [row.name for row in rows]
        return [row.name for row in rows if load(row.body)["labels"].get("service") == service]


def askers_of(
    connection: sa.Connection, target: str, alerts: Sequence[str], now: float
) -> list[Asker]:
    """These alerts, and those that have asked for more of the target lately."""
    recent = recent_decisions(_d.target == target, _d.direction.not_in(REMOVING))
    asked = sa.or_(_a.id.in_(list(alerts)[:1000]), _a.id.in_(sa.select(recent.c.alert)))
    return _askers(connection, asked, now)


def asking_more(connection: sa.Connection, target: str, now: float) -> list[Asker]:
    """The alerts that have asked for more of the target lately, by rules that only add."""
    recent = recent_decisions(_d.target == target, _d.direction.in_(ADDING))
    return _askers(connection, _a.id.in_(sa.select(recent.c.alert)), now)


def _askers(connection: sa.Connection, asked: sa.ColumnElement[bool], now: float) -> list[Asker]:
    query = (
        sa.select(_a.name, _a.open, _a.newest, _a.last_seen, _a.resolved_at, _e.reason)
        .outerjoin_from(schema.alerts, schema.unmeasured_ends, _e.alert == _a.id)
        .where(asked)
        .order_by(_a.id.desc())
    )
    return [_asker(row, now) for row in connection.execute(query)]


def note_run(
    connection: sa.Connection, run: str, record: Any, now: float, *, verified: bool
) -> None:
    """A run ends that has changed its target, or may have: keep what it made of each attribute.

    `record` is the run's row, with its `ask` and `plan`. A value that a person asked for is held
    from now on.
    """
    known = _read(run, record)
    if known is None:
        return
    request, plan = known
    for attribute, pair in _changed(request, plan).items():
        if None in pair:
            continue
        before = _known(connection, request.target.name, attribute)
        made = _made(request, attribute, pair, now, verified=verified)
        _put(connection, after_run(before, made))
    if verified and request.hold_s:
        add_control(connection, _hold_of(request, plan, now))


def _read(run: str, record: Any) -> tuple[Request, Plan] | None:
    """The request and the plan of a run that has a target and a plan.

    A record that cannot be read must not keep its run from ending.
    """
    if record.plan is None:
        return None
    try:
        request, plan = load_request(load(record.ask)), Plan.from_json(load(record.plan))
    except (KeyError, TypeError, ValueError) as error:
        _log.error("change_not_kept", run=run, unreadable=repr(error))
        return None
    return None if request.on is None else (request, plan)


def _changed(request: Request, plan: Plan) -> Mapping[str, tuple[Any, Any]]:
    """What a plan changes. One that does not say must not keep its run from ending."""
    try:
        return kind_spec(request.target.kind).changed(plan)
    except KeyError as error:
        _log.error("change_not_kept", run=request.id, plan_lacks=str(error))
        return {}


def _made(
    request: Request, attribute: str, pair: tuple[Any, Any], now: float, *, verified: bool
) -> Made:
    returns = request.policy.returns
    return Made(
        target=request.target.name,
        attribute=attribute,
        before=pair[0],
        after=pair[1],
        at=now,
        run=request.id,
        rule=request.origin.by,
        alerts=request.origin.alerts,
        adds=request.origin.kind in (ALERT, REPLAY) and _is_more(pair, request.target.sizes),
        returns=request.origin.kind == RETURN,
        undoes=request.parent if request.undoes else "",
        verified=verified,
        asked_again_s=0.0 if returns is None else returns.after_s,
        base=next((each.base for each in request.held if each.attribute == attribute), None),
    )


def _is_more(pair: tuple[Any, Any], ladder: Sequence[str]) -> bool:
    """Whether it can be taken back: it is more, and the way back is known.

    A kind without a ladder has only values that its actions make more of.
    """
    was_set = pair[0] not in (0, "")
    return was_set and (not ladder or is_less(*pair, ladder) is False)


def _is_writing(connection: sa.Connection, target: str) -> bool:
    """Whether a run of the target has reached its first write, and has not ended."""
    query = (
        sa.select(_r.id)
        .join(schema.changes, schema.changes.c.run == _r.id)
        .where(_r.ended_at.is_(None), _r.target == target)
        .limit(1)
    )
    return connection.execute(query).first() is not None


def _known(connection: sa.Connection, target: str, attribute: str) -> Entry | None:
    query = sa.select(schema.ledger).where(_l.target == target, _l.attribute == attribute)
    row = connection.execute(query.with_for_update()).mappings().one_or_none()
    return None if row is None else entry_of(row)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "target": entry.target,
        "attribute": entry.attribute,
        "state": dump(entry_json(entry)),
        "at": entry.at,
        "returned_at": entry.returned_at,
        "doubled": entry.doubled,
        "waits": entry.waits,
    }


def _put(connection: sa.Connection, entry: Entry) -> None:
    row = _row(entry)
    insert = insert_of(connection.dialect, schema.ledger)
    kept = [name for name in row if name not in ("target", "attribute")]
    upsert = insert.on_conflict_do_update(
        index_elements=["target", "attribute"],
        set_={name: insert.excluded[name] for name in kept},
    )
    connection.execute(upsert, row)


def _hold(known: Entry, value: Value, now: float) -> Control:
    """The hold of a value that somebody has set past runbookd."""
    why = _KEPT_AS_IT_IS.format(attribute=known.attribute, was=known.value, now=value)
    return Control(new_id("h"), HOLD, HELD_BY, why, now, now + HOLD_S, known.target)


def _hold_of(request: Request, plan: Plan, now: float) -> Control:
    """The hold of a value that a person had runbookd set."""
    why = f"{plan.left_at} by run {request.id}: {request.origin.why}"
    return Control(
        new_id("h"),
        HOLD,
        request.origin.by,
        why,
        now,
        now + request.hold_s,
        request.target.name,
        pin=request.pin,
    )


def _asker(row: Any, now: float) -> Asker:
    fresh = row.last_seen > now - EVIDENCE_S
    fires = bool(row.open and row.newest) and fresh
    reason = row.reason or "" if not row.open and fresh else ""
    return Asker(row.name, fires, row.resolved_at, reason)
