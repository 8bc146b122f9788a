"""From how a table is partitioned to the partitions that it lacks, and to those that are too old.

Pure. Days, weeks, months and years begin at 0:00 UTC, weeks on Mondays. What is wanted is absolute:
the same day asks for the same partitions, however often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from service.catalogue.app_database.shown import shown_bytes, shown_table
from service.catalogue.app_database.target import AppDatabaseTarget
from service.domain.decisions.planning import Plan, PlanHeld

RANGES = "r"
"""PostgreSQL's letter for a table that is partitioned by ranges."""
TIMES = ("date", "timestamp without time zone", "timestamp with time zone")
LEAST_VERSION = 140_000
"""`server_version_num` of the first PostgreSQL that detaches beside readers and writers."""
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}
_IN_A_YEAR = 12


class Period(NamedTuple):
    """A partition that is wanted: its name, and its bounds as the port writes them."""

    name: str
    lower: str
    upper: str


def begin_of(day: date, by: str) -> date:
    """The first day of the day, week, month or year that this day is in."""
    if by == "week":
        return day - timedelta(days=day.weekday())
    if by == "month":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if by == "year" else day


def moved(begin: date, by: str, count: int) -> date:
    """The first day of the one that is so many later, or earlier."""
    if by in _DAYS:
        return begin + timedelta(days=_DAYS[by] * count)
    months = begin.year * _IN_A_YEAR + begin.month - 1 + _MONTHS[by] * count
    return begin.replace(year=months // _IN_A_YEAR, month=months % _IN_A_YEAR + 1)


def partition_name(table: str, begin: date, by: str) -> str:
    """`user_sessions_2026`, `…_2026_11`, `…_2026_11_28`, and for weeks as ISO 8601 counts them
    `…_2026_w48`."""
    if by == "week":
        year, week, _ = begin.isocalendar()
        return f"{table}_{year}_w{week:02d}"
    length = {"year": 4, "month": 7, "day": 10}[by]
    return f"{table}_{begin.isoformat()[:length].replace('-', '_')}"


def wanted_periods(given: Mapping[str, Any], today: str) -> list[Period]:
    """The current one, and those ahead."""
    by, table = given["by"], given["table"].rpartition(".")[2]
    first = begin_of(date.fromisoformat(today), by)
    begins = [moved(first, by, count) for count in range(given["ahead"] + 2)]
    return [
        Period(partition_name(table, begin, by), _moment(begin), _moment(end))
        for begin, end in pairwise(begins)
    ]


def _moment(day: date) -> str:
    return f"{day.isoformat()} 00:00:00"


def lacking(periods: Sequence[Period], parts: Mapping[str, Any]) -> list[Period]:
    """Those that no partition covers, whatever it is called: one of a month covers its days."""
    spans = [each["span"] for each in parts["partitions"] if each["span"] and not each["pending"]]
    return [each for each in periods if not _is_covered(each, spans)]


def _is_covered(period: Period, spans: Sequence[Mapping[str, Any]]) -> bool:
    """Whether ranges that follow each other lead from the beginning to the end of it."""
    at = period.lower
    for span in sorted(spans, key=lambda each: each["lower"]):
        if span["lower"] <= at and (not span["upper"] or span["upper"] > at):
            if not span["upper"] or span["upper"] >= period.upper:
                return True
            at = span["upper"]
    return False


def outdated(given: Mapping[str, Any], parts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The partitions that end before what is kept begins, the oldest first."""
    if given["keep"] is None:
        return []
    first = begin_of(date.fromisoformat(parts["today"]), given["by"])
    oldest = _moment(moved(first, given["by"], -given["keep"]))
    old = [
        each
        for each in parts["partitions"]
        if each["span"] and each["span"]["upper"] and each["span"]["upper"] <= oldest
    ]
    return sorted(old, key=lambda each: each["span"]["upper"])


def plan_partition(
    target: AppDatabaseTarget, given: Mapping[str, Any], observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    """Partitions ahead of time, and old ones detached (runbook, Database Optimization Scripts)."""
    table, parts = observed["table"], observed["parts"]
    if held := _unsuited(given, observed) or _unclear(given, table, parts):
        return held
    periods = wanted_periods(given, parts["today"])
    missing, old = lacking(periods, parts), outdated(given, parts)
    if not missing and not old:
        return PlanHeld(
            "already_there",
            f"{shown_table(table)} has its partitions up to {periods[-1].upper[:10]} already, and "
            "none that is too old. Nothing was done.",
        )
    if held := _in_the_way(table, parts, missing) or _not_detached(table, parts, old):
        return held
    if missing and (held := _by_default(given, observed, missing)):
        return held
    return _planned(given, observed, missing, old)


def _planned(
    given: Mapping[str, Any],
    observed: Mapping[str, Any],
    missing: Sequence[Period],
    old: Sequence[Mapping[str, Any]],
) -> Plan:
    table, parts = observed["table"], observed["parts"]
    steps = [
        *(("add_partitions",) if missing else ()),
        *(("detach_partitions",) if old else ()),
        "verify_partitions",
    ]
    return Plan(
        what=f"partitions of {shown_table(table)}",
        before=_count(len(parts["partitions"])),
        after=_count(len(parts["partitions"]) + len(missing) - len(old)),
        steps=tuple(steps),
        wanted={
            "table": {"schema": table["schema"], "table": table["name"], "owner": table["owner"]},
            "column": given["column"],
            "type": parts["type"],
            "default": _place(parts["default"]),
            "add": [each._asdict() for each in missing],
            "detach": [_place(each) for each in old],
        },
        price_before=0.0,
        price_after=0.0,
        downtime=" ".join(filter(None, (_adds(parts, missing), _detaches(table, old)))),
    )


def _count(count: int) -> str:
    return f"{count} partition{'' if count == 1 else 's'}"


def _place(partition: Mapping[str, Any] | None) -> dict[str, str] | None:
    if partition is None:
        return None
    return {"schema": partition["schema"], "name": partition["name"]}


def _adds(parts: Mapping[str, Any], missing: Sequence[Period]) -> str:
    if not missing:
        return "No downtime: no partition is missing."
    names = ", ".join(f"{each.name} from {each.lower[:10]}" for each in missing)
    said = f"No downtime: {names} {'is' if len(missing) == 1 else 'are'} made empty and attached."
    if parts["default"] is None:
        return said
    default = parts["default"]
    return (
        f"{said} Before, the default partition {default['name']} "
        f"({shown_bytes(default['bytes'])}) is read beside readers and writers; until then it "
        "refuses new rows of these times, and three short locks keep its readers and writers "
        "waiting for 1 s each at most."
    )


def _detaches(table: Mapping[str, Any], old: Sequence[Mapping[str, Any]]) -> str:
    if not old:
        return "Nothing has to be undone: an empty partition costs nothing."
    named = ", ".join(f"{each['name']} ({shown_bytes(each['bytes'])})" for each in old)
    return (
        f"{named} will be detached beside readers and writers, and not dropped: queries of "
        f"{shown_table(table)} no longer find these rows. To undo it, a person attaches them: "
        "ALTER TABLE … ATTACH PARTITION."
    )


def _unsuited(given: Mapping[str, Any], observed: Mapping[str, Any]) -> PlanHeld | None:
    """That it is no table which is partitioned by ranges of the time in this column."""
    table, parts, server = observed["table"], observed["parts"], observed["server"]
    name = shown_table(table)
    if not parts["strategy"]:
        return PlanHeld(
            "not_partitioned",
            f"{name} is not partitioned, and no ALTER makes it so. Nothing was done. A person does "
            "it: make a partitioned table beside it, prove by a constraint (NOT VALID, then "
            "VALIDATE) which times it has, and in one transaction rename both and attach it.",
        )
    if server["version"] < LEAST_VERSION:
        return PlanHeld(
            "version",
            f"The server is PostgreSQL {server['version'] // 10_000}. Partitions are attached and "
            "detached beside readers and writers from 14 on. Nothing was done.",
        )
    if parts["strategy"] != RANGES or list(parts["columns"]) != [given["column"]]:
        key = ", ".join(each or "an expression" for each in parts["columns"])
        how = "ranges" if parts["strategy"] == RANGES else "lists or hashes"
        return PlanHeld(
            "other_key",
            f"{name} is partitioned by {how} of {key}, not by ranges of {given['column']} alone. "
            "Nothing was done. Correct the options of the rule.",
        )
    if parts["type"] not in TIMES:
        return PlanHeld(
            "other_key",
            f"{name} is partitioned by {given['column']}, which is {parts['type']} and no time. "
            "Nothing was done.",
        )
    return None


def _unclear(
    given: Mapping[str, Any], table: Mapping[str, Any], parts: Mapping[str, Any]
) -> PlanHeld | None:
    """That a bound is no time, or that the owner may not make tables."""
    unread = next((each["name"] for each in parts["partitions"] if each["span"] is None), None)
    if unread is not None:
        return PlanHeld(
            "unknown_bounds",
            f"The bounds of partition {unread} of {shown_table(table)} could not be read as times. "
            "Nothing was done. Look at them: \\d+ in psql.",
        )
    if not parts["owner_may"]:
        return PlanHeld(
            "rights",
            f"A new partition has to belong to {table['owner']}, as {shown_table(table)} does. "
            f"Either our role may not act as that role, or that role may not make tables in schema "
            f"{table['schema']}. Nothing was done. Run this as a superuser: GRANT CREATE ON SCHEMA "
            f"{table['schema']} TO {table['owner']}; and grant {table['owner']} to our role.",
        )
    return None


def _in_the_way(
    table: Mapping[str, Any], parts: Mapping[str, Any], missing: Sequence[Period]
) -> PlanHeld | None:
    """That a partition covers only a part of a wanted one, or that its name is taken."""
    for period in missing:
        for each in parts["partitions"]:
            span = each["span"]
            if span["lower"] < period.upper and (not span["upper"] or span["upper"] > period.lower):
                return PlanHeld(
                    "overlap",
                    f"Partition {each['name']} of {shown_table(table)} goes from "
                    f"{span['lower'] or 'the beginning'} to {span['upper'] or 'the end'} UTC, so "
                    f"{period.name} from {period.lower[:10]} to {period.upper[:10]} cannot be made "
                    "beside it. Nothing was done. Give the rule the `by` that the table has; days "
                    "begin at 0:00 UTC.",
                )
        if period.name in parts["taken"]:
            return PlanHeld(
                "name_taken",
                f"There is a {period.name} in schema {table['schema']} already, and it is no "
                f"partition of {shown_table(table)} from {period.lower[:10]} to "
                f"{period.upper[:10]}. It is left as it is. Look at it, and rename or attach it.",
            )
    return None


def _not_detached(
    table: Mapping[str, Any], parts: Mapping[str, Any], old: Sequence[Mapping[str, Any]]
) -> PlanHeld | None:
    """That PostgreSQL would refuse to detach."""
    if not old:
        return None
    if parts["default"] is not None:
        return PlanHeld(
            "default_partition",
            f"{shown_table(table)} has the default partition {parts['default']['name']}, and then "
            "PostgreSQL detaches no partition beside readers and writers. Nothing was done. Take "
            "`keep` out of the rule, or have a person remove the default partition.",
        )
    names = [each["name"] for each in old]
    others = [e["name"] for e in parts["partitions"] if e["pending"] and e["name"] not in names]
    if others:
        return PlanHeld(
            "detaching",
            f"Somebody detaches {others[0]} from {shown_table(table)}, or has stopped in the "
            "middle, and PostgreSQL takes one at a time. Nothing was done. To finish it: ALTER "
            f"TABLE {shown_table(table)} DETACH PARTITION {others[0]} FINALIZE;",
        )
    return None


def _by_default(
    given: Mapping[str, Any], observed: Mapping[str, Any], missing: Sequence[Period]
) -> PlanHeld | None:
    """That rows of a missing partition are in the default one, or go there now."""
    table, parts = observed["table"], observed["parts"]
    if parts["default"] is None:
        return None
    default, counts = parts["default"]["name"], observed["in_default"]
    filled = [f"{each.name} ({counts[each.name]:,})" for each in missing if counts[each.name]]
    if filled:
        return PlanHeld(
            "default_partition",
            f"Rows that belong into new partitions of {shown_table(table)} are in its default "
            f"partition {default}: {', '.join(filled)}. They are not moved, and nothing was done. "
            "A person moves them, in one transaction: take them out of the default partition, make "
            "the partition, put them back.",
        )
    now = missing[0]
    if now.lower[:10] <= parts["today"]:
        return PlanHeld(
            "default_partition",
            f"The partition for now is missing, so new rows of {shown_table(table)} go into its "
            f"default partition {default}. They would be refused while {now.name} is made, so "
            f"nothing was done. A person makes it at a quiet time: CREATE TABLE {now.name} "
            f"PARTITION OF {shown_table(table)} FOR VALUES FROM ('{now.lower[:10]}') TO "
            f"('{now.upper[:10]}');",
        )
    return None
