"""How many decisions each rule has led to of late, counted along an index, up to a bound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from service.domain.decisions.decision_json import moment
from service.store import schema

WEEK_DAYS, MONTH_DAYS = 7, 30
"""The two spans, in days back from now."""
MOST = 1_000
"""Decisions of one rule that are counted in a span. With a million stored, counting all would take
longer than a page may; whether it was a thousand or fifty thousand changes no conclusion."""
_DAY_S = 86_400
_STAMP = slice(2, 13)
"""Where an id of a decision holds its milliseconds (`service.store.ids`)."""

_d = schema.decisions.c


@dataclass(frozen=True, slots=True)
class Hits:
    """How many decisions a rule has led to in the last days, at most one more than `MOST`.

    A decision is one row however often the sender repeats the alert; a worker's hold is one too.
    `newest` is when the newest was made (ISO 8601), None where the rule never matched what is
    stored.
    """

    week: int
    month: int
    newest: str | None


def hits_of(connection: sa.Connection, rules: Iterable[str], now: float) -> dict[str, Hits]:
    """The hits of these rules by their names; `now` is in seconds since the epoch."""
    rule: sa.BindParameter[str] = sa.bindparam("rule")
    query = sa.select(
        _counted(rule, sa.bindparam("week")),
        _counted(rule, sa.bindparam("month")),
        sa.select(sa.func.max(_d.id)).where(_d.rule == rule).scalar_subquery(),
    )
    spans = {"week": _first_id(now, WEEK_DAYS), "month": _first_id(now, MONTH_DAYS)}
    return {
        name: _hits(*connection.execute(query, {"rule": name, **spans}).one()) for name in rules
    }


def _counted(rule: sa.BindParameter[str], since: sa.BindParameter[str]) -> sa.ScalarSelect[int]:
    newest = sa.select(_d.id).where(_d.rule == rule, _d.id >= since).limit(MOST + 1).subquery()
    return sa.select(sa.func.count()).select_from(newest).scalar_subquery()


def _first_id(now: float, days: int) -> str:
    """What all ids of decisions in the last `days` are not smaller than."""
    return f"d-{max(0, int((now - days * _DAY_S) * 1_000)):011x}"


def _hits(week: int, month: int, newest: str | None) -> Hits:
    at = None if newest is None else moment(int(newest[_STAMP], 16) / 1_000)
    return Hits(week, month, at)
