"""How things are now, for people: each target, and what runs and waits, from what is stored.

Each key of a target is made by one function of `PARTS`, and each key beside the targets by one of
`WHOLE`. All of them share one `Asked`, whose reads are made once for all targets. Each of its reads
is one statement along an index, whatever is stored; more than `LARGEST` targets are asked for in
parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from service.domain.decisions.approval import WAITING
from service.domain.decisions.budget import Spend
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.controls import HOLD, LOCK, PAUSE, Control
from service.domain.decisions.decision_json import moment
from service.domain.decisions.demoted import Demotion
from service.domain.decisions.directions import DIRECTIONS
from service.domain.decisions.present import Passed, Present, present_state
from service.domain.filters import PAGING, require_known
from service.domain.rules.told import wrong_with
from service.domain.scenarios.way import only_waits
from service.store import schema
from service.store.alive import live_workers
from service.store.database import translated
from service.store.decode import load
from service.store.entries import ledger_entries
from service.store.items import approval_item, run_item
from service.store.rules_told import rules_of_processes
from service.store.spend import spends
from service.store.stuck import stuck_scenarios
from service.store.watchdogs_told import known_watchdogs, last_heartbeat, untold_since

if TYPE_CHECKING:
    from service.domain.rules.rules import RuleBook

RECENT_RUNS = 20
"""Runs of a target that are looked through for those under way and the last that ended."""
RECENT_PLANS = 200
"""Runs that are looked through for the newest with a plan: a target that is held each minute, and
not looked at, has its last change within three hours still found."""
RECENT_DECISIONS = 200
"""Decisions on a target that are looked through for alerts that fire. A repeat that changes no
decision is only counted, so these are hours or days, but in a storm."""
SHOWN_EPISODES = 5
MOST_COUNTED = 1_000
"""Where counting ends: a storm may leave hundreds of thousands of messages waiting."""
LARGEST = 100
"""Targets in one statement: SQLite takes 500 parts in one UNION ALL, and a target needs two."""

_FIELDS = tuple(Control.__dataclass_fields__)
_k, _p, _m = schema.controls.c, schema.approvals.c, schema.demotions.c
_a, _c, _d, _r, _s = (
    table.c
    for table in (schema.alerts, schema.cooldowns, schema.decisions, schema.runs, schema.run_steps)
)


class Asked:
    """One look at the store on behalf of some targets, at `now` (seconds since the epoch)."""

    def __init__(self, connection: sa.Connection, names: Sequence[str], now: float) -> None:
        self.connection = connection
        self.names = names
        self.now = now

    @cached_property
    def claims(self) -> dict[str, list[sa.RowMapping]]:
        """The cooldowns that are not over, and the claims whose run is under way."""
        of = {f"{name}.{direction}": name for name in self.names for direction in DIRECTIONS}
        query = (
            sa.select(schema.cooldowns)
            .where(_c.key.in_(list(of)), _c.until > self.now)
            .order_by(_c.until, _c.key)
        )
        return _grouped(self._rows(query), lambda row: of[row["key"]])

    @cached_property
    def recent(self) -> dict[str, list[sa.RowMapping]]:
        """The newest runs of each target, newest first, and its newest with a plan."""
        parts = [part for name in self.names for part in (_newest(name), _planned(name))]
        rows = {row["id"]: row for row in self._rows(sa.union_all(*parts))} if parts else {}
        newest = sorted(rows.values(), key=lambda row: (row["created_at"], row["id"]), reverse=True)
        return _grouped(newest, lambda row: str(row["target"]))

    @cached_property
    def full(self) -> dict[str, dict[str, Any]]:
        """The runs that are shown, as the read API shows them, by id."""
        busy = {row["run"] for rows in self.claims.values() for row in rows if _busy(row)}
        shown = busy.union(
            *({row["id"] for row in rows if row["ended_at"] is None} for rows in self._all_recent),
            (row["id"] for rows in self._all_recent if (row := _last_ended(rows)) is not None),
        )
        query = sa.select(schema.runs).where(_r.id.in_(sorted(shown)))
        return {row["id"]: run_item(row) for row in self._rows(query)}

    @cached_property
    def looks(self) -> dict[str, sa.RowMapping]:
        """What the first step of each recent run has left."""
        ids = sorted(row["id"] for rows in self._all_recent for row in rows)
        query = sa.select(_s.run, _s.ended_at, _s.detail).where(
            _s.run.in_(ids), _s.name == "prepare"
        )
        return {row["run"]: row for row in self._rows(query)}

    @cached_property
    def firing(self) -> dict[str, list[sa.RowMapping]]:
        """The alerts that fire and that a recent decision on a target is about, newest first."""
        if not self.names:
            return {}
        decided = sa.union_all(*map(_decided, self.names)).subquery()
        query = (
            sa.select(decided.c.target, _a.id, _a.name, _a.source, _a.first_seen, _a.last_seen)
            .distinct()
            .join(schema.alerts, _a.id == decided.c.alert)
            .where(_a.open, _a.newest)
            .order_by(_a.id.desc())
        )
        return _grouped(self._rows(query), lambda row: str(row["target"]))

    @cached_property
    def controls(self) -> list[Control]:
        """The pauses, locks and holds in force; they are few."""
        columns = [_k[name] for name in ("who" if f == "by" else f for f in _FIELDS)]
        query = sa.select(*columns).where(_k.ended_at.is_(None)).order_by(_k.since, _k.id)
        found = (Control(*row) for row in self.connection.execute(query))
        return [each for each in found if each.in_force(self.now)]

    @cached_property
    def approvals(self) -> dict[str, list[sa.RowMapping]]:
        """The plans that wait for a person."""
        query = sa.select(schema.approvals).where(_p.told.is_(None), _p.state == WAITING)
        return _grouped(self._rows(query), lambda row: str(row["target"]))

    @cached_property
    def spends(self) -> dict[str, Spend]:
        """What each target costs that was ever seen; there are as many as targets."""
        return {each.target: each for each in spends(self.connection)}

    @cached_property
    def added(self) -> list[dict[str, Any]]:
        """What alerts added to targets and is still there."""
        return [
            {
                "target": each.target,
                "attribute": each.attribute,
                "from": each.additions[0].before,
                "to": each.additions[-1].after,
                "since": moment(each.additions[0].at),
                "runs": [addition.run for addition in each.additions],
                "waits_for": each.waits,
            }
            for each in ledger_entries(self.connection)
            if each.additions
        ]

    @property
    def _all_recent(self) -> Iterable[list[sa.RowMapping]]:
        return self.recent.values()

    def _rows(self, query: sa.Executable) -> Sequence[sa.RowMapping]:
        return self.connection.execute(query).mappings().all()


def _present(asked: Asked) -> Mapping[str, Any]:
    """Its state as a run last saw it or set it; None where no run ever has."""
    runs = {
        name: [_passed(row, asked.looks.get(row["id"])) for row in rows]
        for name, rows in asked.recent.items()
    }
    return {name: _present_json(present_state(passed)) for name, passed in runs.items()}


def _cooldowns(asked: Asked) -> Mapping[str, Any]:
    """Each direction in which it is left alone, with the seconds that are left."""
    return {
        name: [
            {
                "claim": row["key"],
                "direction": row["key"].rpartition(".")[2],
                "until": moment(row["until"]),
                "seconds_left": max(0, round(row["until"] - asked.now)),
                "run": row["run"],
                "reason": row["reason"],
            }
            for row in rows
            if not _busy(row)
        ]
        for name, rows in asked.claims.items()
    }


def _under_way(asked: Asked) -> Mapping[str, Any]:
    """The runs that have no outcome yet, queued ones among them, newest first."""
    unended = [run for run in asked.full.values() if run["ended_at"] is None]
    newest = sorted(unended, key=lambda run: (run["created_at"], run["id"]), reverse=True)
    return _grouped(newest, lambda run: str(run["target"]))


def _last_run(asked: Asked) -> Mapping[str, Any]:
    """The newest run that has ended."""
    last = {name: _last_ended(rows) for name, rows in asked.recent.items()}
    return {name: asked.full.get(row["id"]) for name, row in last.items() if row is not None}


def _open_episodes(asked: Asked) -> Mapping[str, Any]:
    """How many alerts fire that ask something of it, and the newest of them."""
    return {
        name: {
            "count": len(rows),
            "items": [
                {
                    "id": row["id"],
                    "name": row["name"],
                    "source": row["source"],
                    "first_seen": moment(row["first_seen"]),
                    "last_seen": moment(row["last_seen"]),
                }
                for row in rows[:SHOWN_EPISODES]
            ],
        }
        for name, rows in asked.firing.items()
    }


def _in_force(kind: str) -> Callable[[Asked], Mapping[str, Any]]:
    """The pauses, locks or holds of each target; those of every target are among them."""

    def made(asked: Asked) -> Mapping[str, Any]:
        mine = [each for each in asked.controls if each.kind == kind]
        return {
            name: [each.to_json() for each in mine if each.target in (None, name)]
            for name in asked.names
        }

    return made


def _approvals(asked: Asked) -> Mapping[str, Any]:
    """The plans that wait for a person."""
    return {name: [approval_item(row) for row in rows] for name, rows in asked.approvals.items()}


def _spend(asked: Asked) -> Mapping[str, Any]:
    """What it costs, in dollars a month, as it was last seen, and what a run under way adds."""
    return {
        name: {
            "dollars_month": each.dollars_month,
            "reserved": each.reserved,
            "this_month": round(each.this_month(asked.now), 2),
            "seen_at": moment(each.seen_at),
        }
        for name, each in asked.spends.items()
    }


def _added(asked: Asked) -> Mapping[str, Any]:
    """What alerts added and is still there, by attribute, and what its return waits for."""
    return _grouped(asked.added, lambda each: str(each["target"]))


PARTS: Mapping[str, tuple[Callable[[Asked], Mapping[str, Any]], Callable[[], Any]]] = {
    "present": (_present, lambda: None),
    "cooldowns": (_cooldowns, list),
    "under_way": (_under_way, list),
    "last_run": (_last_run, lambda: None),
    "pauses": (_in_force(PAUSE), list),
    "locks": (_in_force(LOCK), list),
    "holds": (_in_force(HOLD), list),
    "approvals": (_approvals, list),
    "spend": (_spend, lambda: None),
    "added": (_added, list),
    "open_episodes": (_open_episodes, lambda: {"count": 0, "items": []}),
}
"""What is told of each target: by its name, and what stands there for a target without any."""


def _workers(asked: Asked) -> int:
    """How many workers have a lease that runs, by the database's clock."""
    query = live_workers(asked.connection.dialect.name)
    return int(asked.connection.execute(query).scalar_one())


def _queue(asked: Asked) -> dict[str, Any]:
    """Runs that wait and that are executed, and messages that Slack could not be told yet; and
    since when the oldest run, page and message wait."""
    counted = {
        "queued": sa.select(_r.id).where(_r.status == "queued"),
        "running": sa.select(_r.id).where(_r.status == "running"),
        "messages": sa.select(schema.outbox.c.key),
    }
    unended = sa.select(sa.func.min(_r.created_at).label("since")).where(
        _r.ended_at.is_(None), _r.action.in_(PAGING)
    )
    pages = sa.union_all(unended, *untold_since().selects).subquery()
    oldest = {
        "run_since": sa.select(sa.func.min(_r.created_at)).where(_r.status == "queued"),
        "page_since": sa.select(sa.func.min(pages.c.since)),
        "message_since": sa.select(sa.func.min(schema.outbox.c.since)),
    }
    query = sa.select(
        *(_count(rows).label(name) for name, rows in counted.items()),
        *(since.scalar_subquery().label(name) for name, since in oldest.items()),
    )
    row = asked.connection.execute(query).mappings().one()
    return {name: moment(row[name]) if name in oldest else row[name] for name in row}


def _demotions(asked: Asked) -> list[dict[str, Any]]:
    """The rules that have demoted themselves; they are few."""
    query = sa.select(*(_m[name] for name in Demotion.__dataclass_fields__))
    rows = asked.connection.execute(query.where(_m.ended_at.is_(None)).order_by(_m.since, _m.id))
    return [Demotion(*row).to_json() for row in rows]


def _scenarios(asked: Asked) -> list[dict[str, Any]]:
    """The scenarios that go on, the oldest first, with their steps; they are few."""
    runs, steps = schema.scenario_runs.c, schema.scenario_steps.c
    query = (
        sa.select(
            *(runs.id, runs.scenario, runs.state, runs.reason, runs.who, runs.parent, runs.due_at),
            *(runs.emergency, steps.step, steps.state.label("is_now"), steps.back_state),
        )
        .join_from(schema.scenario_runs, schema.scenario_steps, steps.run == runs.id)
        .where(runs.ended_at.is_(None), sa.not_(runs.plan_only))
        .order_by(runs.created_at, runs.id, steps.position)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in asked.connection.execute(query).mappings():
        told = found.setdefault(
            row["id"],
            {
                "id": row["id"],
                "scenario": row["scenario"],
                "state": row["state"],
                "emergency": row["emergency"],
                "reason": row["reason"],
                "by": f"rule {row['who']}" if row["parent"] else row["who"],
                "due_at": moment(row["due_at"]),
                "steps": {},
            },
        )
        told["steps"][row["step"]] = row["back_state"] or row["is_now"]
    return list(found.values())


def _stuck(asked: Asked) -> list[dict[str, Any]]:
    """The scenarios that do not go on, and what keeps them from it."""
    return [
        {"id": each.run, "why": each.why, "since": moment(each.since), "tries": each.tries}
        for each in stuck_scenarios(asked.connection)
    ]


def _watchdogs(asked: Asked) -> list[dict[str, Any]]:
    """The watchdogs that workers listen for: when each was last heard, and whether it is silent.
    There are as many as the rules name."""
    return [
        {
            "alert": each.alert,
            "absent_s": each.absent_s,
            "heard_at": moment(each.heard_at),
            "silent_since": moment(each.silent_since),
            "paged_at": moment(each.paged_at),
        }
        for each in known_watchdogs(asked.connection)
    ]


def _heartbeat(asked: Asked) -> dict[str, Any] | None:
    """When a heartbeat was last taken, and why the last one was not; None where none was due."""
    last = last_heartbeat(asked.connection)
    return None if last is None else {"sent_at": moment(last[0]), "problem": last[1]}


def ended_runs(engine: sa.Engine) -> list[tuple[str, str, str, int]]:
    """How many runs have ended: action, target (empty where there is none), status, count.

    Raises:
        StoreUnavailable: the database cannot be used now.
    """
    counts = schema.run_counts.c
    query = sa.select(counts.action, counts.target, counts.status, counts.count.label("ended"))
    with translated(), engine.connect() as connection:
        rows = connection.execute(query.order_by(counts.action, counts.target, counts.status))
        return [(row.action, row.target, row.status, row.ended) for row in rows]


def _rules(asked: Asked) -> dict[str, Any]:
    """The rules of each process, and a sentence for each thing that is wrong with them."""
    found = rules_of_processes(asked.connection, asked.now)
    return {"wrong": wrong_with(found), "processes": [each.to_json() for each in found]}


WHOLE: Mapping[str, Callable[[Asked], Any]] = {
    "workers": _workers,
    "queue": _queue,
    "demotions": _demotions,
    "scenarios": _scenarios,
    "stuck_scenarios": _stuck,
    "rules": _rules,
    "watchdogs": _watchdogs,
    "heartbeat": _heartbeat,
}
"""What is told beside the targets. Counts end at `MOST_COUNTED`."""


def declared(book: RuleBook) -> dict[str, Any]:
    """What the rules say of their targets, their budget, and their hash, as plain JSON."""
    budget = book.policy.budget
    return {
        "hash": book.hash,
        "budget": None if budget is None else budget.to_json(),
        "targets": {
            name: {
                "name": name,
                "kind": each.kind,
                "resource": each.resource,
                "console": each.console,
                "bounds": each.bounds,
                "sizes": list(each.sizes),
                "budget": None if budget is None else budget.of(name),
            }
            for name, each in book.targets.items()
        },
        "scenarios": {
            name: {"targets": list(each.targets), "emergency": each.emergency}
            for name, each in book.scenarios.items()
        },
    }


def status(
    engine: sa.Engine, rules: Mapping[str, Any], now: float, target: str | None = None
) -> dict[str, Any]:
    """The targets of the rules, each with all of `PARTS`, or only the one that is named; `rules`
    are those in force, as `declared` tells them.

    Raises:
        BadFilter: the rules have no such target.
        StoreUnavailable: the database cannot be used now.
    """
    require_known("target", target, rules["targets"])
    targets = [each for name, each in rules["targets"].items() if target in (None, name)]
    with translated(), engine.connect() as connection:
        whole = Asked(connection, (), now)
        return {
            "at": moment(now),
            "rules_hash": rules["hash"],
            "budget": _budget(whole, rules.get("budget")),
            **(told := {key: made(whole) for key, made in WHOLE.items()}),
            "cannot_start": _cannot_start(rules.get("scenarios", {}), told["scenarios"]),
            "targets": dict(_each(connection, targets, now)),
        }


def _cannot_start(
    scenarios: Mapping[str, Mapping[str, Any]], going: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """The scenarios of the rules that cannot start now, each with the reason: another goes on on
    one of its targets, or it goes on itself. An emergency always can, and one that only waits for
    a sign-off is in no other's way."""
    going = [each for each in going if not only_waits(each["state"], emergency=each["emergency"])]
    targets = {name: set(each["targets"]) for name, each in scenarios.items()}
    found = []
    for name, each in scenarios.items():
        for other in going if not each["emergency"] else ():
            both = sorted(targets[name] & targets.get(other["scenario"], set()))
            if both or other["scenario"] == name:
                why = f"{other['id']} is {other['state']}"
                on = f" and changes {', '.join(both)}" if both else ""
                found.append({"scenario": name, "why": f"{why}{on}"})
                break
    return found


def _budget(asked: Asked, budget: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The budget for all targets together, and what they cost; None without one."""
    if budget is None or budget["monthly"] is None:
        return None
    counted = [asked.spends[name] for name in budget["targets"] if name in asked.spends]
    return {
        "monthly": budget["monthly"],
        "over": budget["over"],
        "dollars_month": sum(each.dollars_month or 0.0 for each in counted),
        "reserved": sum(each.reserved for each in counted),
        "this_month": round(sum(each.this_month(asked.now) for each in counted), 2),
        "unknown": sorted(
            set(budget["targets"])
            - {each.target for each in counted if each.dollars_month is not None}
        ),
    }


def _each(
    connection: sa.Connection, targets: Iterable[Mapping[str, Any]], now: float
) -> Iterator[tuple[str, dict[str, Any]]]:
    rest = iter(targets)
    while some := list(islice(rest, LARGEST)):
        names = [each["name"] for each in some]
        asked = Asked(connection, names, now)
        told = {key: (made(asked), default) for key, (made, default) in PARTS.items()}
        for name, each in zip(names, some, strict=True):
            parts = {
                key: of[name] if name in of else default() for key, (of, default) in told.items()
            }
            yield name, {**each, **parts}


def _light() -> sa.Select[Any]:
    """What is needed of a run to know which are shown."""
    wrote = sa.exists().where(schema.intents.c.run == _r.id)
    return sa.select(
        _r.id, _r.target, _r.status, _r.created_at, _r.ended_at, _r.plan, wrote.label("wrote")
    )


def _newest(target: str) -> sa.Select[Any]:
    return sa.select(_newest_first(_light(), target).limit(RECENT_RUNS).subquery())


def _planned(target: str) -> sa.Select[Any]:
    ids = sa.select(_r.id, _r.plan.is_not(None).label("planned"))
    some = _newest_first(ids, target).limit(RECENT_PLANS).subquery()
    first = sa.select(some.c.id).where(some.c.planned).limit(1).scalar_subquery()
    return _light().where(_r.id == first)


def _newest_first(query: sa.Select[Any], target: str) -> sa.Select[Any]:
    return query.where(_r.target == target).order_by(_r.created_at.desc(), _r.id.desc())


def _decided(target: str) -> sa.Select[Any]:
    newest = (
        sa.select(_d.target, _d.alert)
        .where(_d.target == target)
        .order_by(_d.id.desc())
        .limit(RECENT_DECISIONS)
        .subquery()
    )
    return sa.select(newest)


def _count(rows: sa.Select[Any]) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.count())
        .select_from(rows.limit(MOST_COUNTED).subquery())
        .scalar_subquery()
    )


def _busy(row: sa.RowMapping) -> bool:
    return bool(row["until"] >= BUSY_UNTIL)


def _last_ended(rows: Iterable[sa.RowMapping]) -> sa.RowMapping | None:
    ended = (row for row in rows if row["ended_at"] is not None)
    return max(ended, key=lambda row: row["ended_at"], default=None)


def _passed(row: sa.RowMapping, look: sa.RowMapping | None) -> Passed:
    detail = load(look["detail"]) if look is not None else {}
    return Passed(
        id=row["id"],
        status=row["status"],
        ended_at=row["ended_at"],
        plan=load(row["plan"]),
        wrote=bool(row["wrote"]),
        saw=detail.get("seen") or None,
        saw_at=look["ended_at"] if look is not None else None,
    )


def _present_json(present: Present | None) -> dict[str, Any] | None:
    if present is None:
        return None
    return {
        "state": dict(present.state),
        "known": present.known.value,
        "run": present.run,
        "seen_at": moment(present.at),
    }


def _grouped(rows: Iterable[Any], name: Callable[[Any], str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(name(row), []).append(row)
    return found
