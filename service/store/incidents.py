"""Incidents: groups of alerts as the pager knows them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import sqlalchemy as sa

from service.catalogue.registry import names_with
from service.catalogue.request_json import load_request
from service.catalogue.spec import Effect
from service.domain.alerts.floods import INCIDENTS_A_MINUTE, Rate
from service.ports import MessageRef
from service.ports.admission import IncidentRecord
from service.ports.runs import IncidentState
from service.store import schema
from service.store.bulk import chunks
from service.store.database import begin_writing, insert_of, one_snapshot, translated
from service.store.decode import load, load_alert, load_ref
from service.store.encode import dump, dump_ref

_SHOWN = 20
"""Alerts of an incident that are read for a page; the rest is a count."""

_UNDELIVERED = 100
"""Page runs that are looked at when no worker lives; ten of them are paged a minute."""

_ENLISTED = 1_000
"""Alerts that are named as the cause of a page at most."""

_a = schema.alerts.c
_i = schema.incidents.c
_m = schema.incident_members.c
_r = schema.runs.c
_rates = schema.incident_rates.c
_NEWEST = sa.text("alerts.newest")
"""The index's own term (`uq_alerts_newest`): SQLite uses it for this, and not for `newest = 1`."""


class IncidentStore:
    """Reads and marks incidents for the worker."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def state(self, dedup_key: str) -> IncidentState | None:
        """The incident now; None when there is none on record."""
        with translated(), one_snapshot(self._engine) as connection:
            incident = read_incidents(connection, [dedup_key]).get(dedup_key)
            if incident is None:
                return None
            firing = count_open_members(connection, [dedup_key]).get(dedup_key, 0)
            rows = connection.execute(_members_first_open(dedup_key)).mappings().all()
            message = connection.execute(
                sa.select(_i.message).where(_i.dedup_key == dedup_key)
            ).scalar_one()
        told = [row for row in rows if row["open"] or not firing]
        resolved = [row["resolved_at"] for row in rows if row["resolved_at"] is not None]
        return IncidentState(
            incident=incident,
            firing=firing,
            alerts=tuple(load_alert({**row}) for row in told),
            resolved_at=None if firing else max(resolved, default=None),
            message=load_ref(message),
            episodes=tuple(row["id"] for row in told),
        )

    def undelivered(self) -> list[IncidentState]:
        """The firing incidents of page runs that have not ended, oldest first."""
        query = (
            sa.select(_r.ask)
            .where(_r.ended_at.is_(None), _r.action.in_(names_with(Effect.CALLS)))
            .order_by(_r.created_at)
            .limit(_UNDELIVERED)
        )
        with translated(), self._engine.connect() as connection:
            pinned = [load_request(load(text)) for text in connection.execute(query).scalars()]
        keys = dict.fromkeys(request.subject for request in pinned if request.on is None)
        states = [self.state(key) for key in keys]
        return [state for state in states if state is not None and state.firing]

    def mark(self, dedup_key: str, *, paged: bool, message: MessageRef | None = None) -> None:
        """Keep whether the pager has it open, and where Slack's message about it is."""
        values: dict[str, object] = {"paged": paged}
        if message is not None:
            values["message"] = dump_ref(message)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(
                sa.update(schema.incidents).where(_i.dedup_key == dedup_key).values(**values)
            )

    def enlist(self, dedup_key: str, rule: str, severity: str, episodes: Sequence[str]) -> None:
        """Keep an incident that the pager has open, with the alerts of these episodes.

        The alerts are locked first, as web does before it looks for their incidents. So a resolve
        at the same moment is seen by web or by whoever reads the incident after this.
        """
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            query = sa.select(_a.identity, _a.source).where(_a.id.in_(list(episodes)[:_ENLISTED]))
            rows = connection.execute(query.order_by(_a.id).with_for_update()).all()
            if not rows:
                return
            incident = insert_of(connection.dialect, schema.incidents).values(
                dedup_key=dedup_key,
                rule=rule,
                source=rows[0].source,
                receiver="",
                group_labels=dump({}),
                severity=severity,
                paged=True,
            )
            connection.execute(
                incident.on_conflict_do_update(index_elements=["dedup_key"], set_={"paged": True})
            )
            members = insert_of(connection.dialect, schema.incident_members).values(
                [
                    {"dedup_key": dedup_key, "identity": identity}
                    for identity in sorted({row.identity for row in rows})
                ]
            )
            connection.execute(members.on_conflict_do_nothing())


def read_incidents(
    connection: sa.Connection, dedup_keys: Collection[str], identities: Collection[int] = ()
) -> dict[str, IncidentRecord]:
    """The incidents on record; of their members, those among `identities`."""
    found: dict[str, IncidentRecord] = {}
    for row in connection.execute(
        sa.select(schema.incidents).where(_i.dedup_key.in_(list(dedup_keys)))
    ).mappings():
        found[row["dedup_key"]] = IncidentRecord(
            dedup_key=row["dedup_key"],
            rule=row["rule"],
            severity=row["severity"],
            source=row["source"],
            receiver=row["receiver"],
            group_labels=load(row["group_labels"]),
            paged=row["paged"],
            exists=True,
        )
    for key, identity in read_members(connection, identities):
        if key in found:
            found[key].members.add(identity)
    return found


def read_members(
    connection: sa.Connection, identities: Collection[int]
) -> Iterator[tuple[str, int]]:
    """Of which incidents each alert is a member."""
    for some in chunks(identities):
        query = sa.select(_m.dedup_key, _m.identity).where(_m.identity.in_(some))
        yield from (tuple(row) for row in connection.execute(query))


def count_incidents(
    connection: sa.Connection, fresh: Mapping[str, int], minute: int
) -> dict[str, Rate]:
    """Count new incidents of each sender; one row for each, locked until the commit. In order of
    their names, so that two callers never wait for each other."""
    rates: dict[str, Rate] = {}
    for sender, more in sorted(fresh.items()):
        values = {"sender": sender, "minute": minute, "incidents": more, "since": minute}
        row = connection.execute(_count_on(connection.dialect), values).one()
        rates[sender] = Rate(row.minute, row.incidents, row.since)
    return rates


def _count_on(dialect: sa.Dialect) -> sa.Executable:
    """The arithmetic of `service.domain.alerts.floods.rate_after`, in one statement."""
    statement = insert_of(dialect, schema.incident_rates)
    given = statement.excluded
    behind = given.minute.in_((_rates.minute, _rates.minute - 1))
    follows = given.minute == _rates.minute + 1
    floods = _rates.incidents > INCIDENTS_A_MINUTE
    return statement.on_conflict_do_update(
        index_elements=["sender"],
        set_={
            "minute": sa.case((behind, _rates.minute), else_=given.minute),
            "incidents": sa.case(
                (behind, _rates.incidents + given.incidents), else_=given.incidents
            ),
            "since": sa.case(
                (behind, _rates.since), (follows & floods, _rates.since), else_=given.minute
            ),
        },
    ).returning(_rates.minute, _rates.incidents, _rates.since)


def count_open_members(connection: sa.Connection, dedup_keys: Collection[str]) -> dict[str, int]:
    """How many alerts of each incident still fire."""
    query = (
        sa.select(_m.dedup_key, sa.func.count())
        .join(schema.alerts, _a.identity == _m.identity)
        .where(_m.dedup_key.in_(list(dedup_keys)), _NEWEST, _a.open)
        .group_by(_m.dedup_key)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _members_first_open(dedup_key: str) -> sa.Select[tuple[object, ...]]:
    """The newest episodes of an incident's alerts: what fires first, then what resolved last."""
    return (
        sa.select(schema.alerts)
        .join(schema.incident_members, _m.identity == _a.identity)
        .where(_m.dedup_key == dedup_key, _NEWEST)
        .order_by(_a.open.desc(), _a.resolved_at.desc(), _a.id)
        .limit(_SHOWN)
    )
