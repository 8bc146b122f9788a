"""What the targets cost, in SQL, and what runs under way have reserved of a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from service.domain.decisions.budget import Addition, Spend, check_budget
from service.domain.decisions.decision import Check
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.store import schema
from service.store.database import begin_writing, insert_of, translated
from service.store.decode import load

_s, _v, _r, _i = (
    schema.spend.c,
    schema.reservations.c,
    schema.runs.c,
    schema.intents.c,
)
AGAIN_S = 60.0
"""A run that lost the room in the budget to another run looks again after this long."""


class SpendStore:
    """The tables of spend and reservations."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def known(self, besides: str = "") -> Sequence[Spend]:
        """Each target that was ever seen, by name."""
        with translated(), self._engine.connect() as connection:
            return spends(connection, besides)

    def saw(self, target: str, dollars_month: float | None, now: float) -> None:
        """Keep what a look that began at `now` has shown.

        A run may have ended during that look: what it made of the target is newer, and stays.
        """
        known = sa.select(_s.seen_at).where(_s.target == target)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            seen_at = connection.execute(known).scalar_one_or_none()
            if seen_at is None or seen_at <= now:
                _keep(connection, target, dollars_month, now)


def spends(connection: sa.Connection, besides: str = "") -> list[Spend]:
    """Each target that was ever seen, with what runs other than `besides` have reserved."""
    adds = sa.func.coalesce(_v.after, 0.0) - sa.func.coalesce(_v.before, 0.0)
    sums = (
        sa.select(_v.target, sa.func.sum(sa.case((adds > 0, adds), else_=0.0)))
        .where(_v.run != besides)
        .group_by(_v.target)
    )
    reserved = {target: float(total) for target, total in connection.execute(sums)}
    rows = connection.execute(
        sa.select(_s.target, _s.dollars_month, _s.seen_at, _s.accrued).order_by(_s.target)
    )
    return [Spend(*row, reserved.get(row.target, 0.0)) for row in rows]


def reserve(connection: sa.Connection, request: Request, now: float) -> Check | None:
    """Reserve what the run's plan adds, beside its first write; the check, None without a budget.

    A check that does not pass has reserved nothing. What a person has approved is reserved in any
    case. The caller sees to it that no two runs are here at once.
    """
    budget = request.policy.budget
    if budget is None:
        return None
    stored = connection.execute(sa.select(_r.plan).where(_r.id == request.id)).scalar_one_or_none()
    if stored is None:
        return None
    plan = Plan.from_json(load(stored))
    adds = Addition(request.target.name, plan.price_before, plan.price_after)
    check = check_budget(budget, adds, spends(connection, request.id), now)
    if check is None:
        return None
    if not check.passed:
        if not request.approved:
            return replace(check, until=now + AGAIN_S)
        check = replace(check, passed=True, saw=f"a person has approved it although {check.saw}")
    row = {
        "run": request.id,
        "target": adds.target,
        "before": adds.before,
        "after": adds.after,
        "at": now,
    }
    insert = insert_of(connection.dialect, schema.reservations)
    connection.execute(insert.on_conflict_do_nothing(), row)
    return check


def end_reservation(connection: sa.Connection, run: str, now: float, *, succeeded: bool) -> None:
    """A run ends: what it reserved is spent, or free again.

    A run that failed after a write may have changed the target. Until somebody looks, the dearer
    of both is counted.
    """
    found = connection.execute(sa.select(schema.reservations).where(_v.run == run)).first()
    if found is None:
        return
    connection.execute(sa.delete(schema.reservations).where(_v.run == run))
    if succeeded:
        _keep(connection, found.target, found.after, now)
        return
    wrote = connection.execute(sa.select(sa.exists().where(_i.run == run))).scalar_one()
    if wrote and None not in (found.before, found.after):
        _keep(connection, found.target, max(found.before, found.after), now)


def _keep(connection: sa.Connection, target: str, dollars_month: float | None, now: float) -> None:
    query = sa.select(_s.target, _s.dollars_month, _s.seen_at, _s.accrued)
    row = connection.execute(query.where(_s.target == target)).first()
    was = Spend(target, None, now) if row is None else Spend(*row)
    seen = was.seen(dollars_month, now)
    insert = insert_of(connection.dialect, schema.spend)
    upsert = insert.on_conflict_do_update(
        index_elements=["target"],
        set_={name: insert.excluded[name] for name in ("dollars_month", "seen_at", "accrued")},
    )
    connection.execute(
        upsert,
        {
            "target": target,
            "dollars_month": seen.dollars_month,
            "seen_at": seen.seen_at,
            "accrued": seen.accrued,
        },
    )
