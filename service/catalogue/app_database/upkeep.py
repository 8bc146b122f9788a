"""From what the catalog shows of a table to one operation on it, or the guard that holds it.

Pure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from service.catalogue.app_database.options import OPERATIONS
from service.catalogue.app_database.partitions import plan_partition
from service.catalogue.app_database.shown import shown_bytes, shown_table
from service.catalogue.app_database.target import AppDatabaseTarget
from service.domain.decisions.planning import Plan, PlanHeld

ORDINARY, PARTITIONED = "r", "p"
"""PostgreSQL's letters for tables with rows of their own, and for those that have partitions."""
COPY = re.compile(r"_cc(new|old)[0-9]*$")
"""How PostgreSQL names the copies of a rebuild. One that is interrupted leaves them, invalid."""
LONGEST_NAME = 63


def operation_of(options: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The one operation that the options give. Raises StopIteration where there is none."""
    return next((name, options[name]) for name in OPERATIONS if options.get(name) is not None)


def index_name(given: Mapping[str, Any]) -> str:
    """The name of an index: as given, or of table and columns, as people name them."""
    if given["name"]:
        return str(given["name"])
    table = str(given["table"]).rpartition(".")[2]
    return f"idx_{table}_{'_'.join(given['columns'])}"[:LONGEST_NAME]


def plan_upkeep(
    target: AppDatabaseTarget, options: Mapping[str, Any], observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    """One operation on one table (runbook, Database Optimization Scripts)."""
    name, given = operation_of(options)
    if held := held_by_table(target, given, observed, writes=name != "explain"):
        return held
    return _PLANS[name](target, given, observed)


def held_by_table(
    target: AppDatabaseTarget,
    given: Mapping[str, Any],
    observed: Mapping[str, Any],
    *,
    writes: bool,
) -> PlanHeld | None:
    """Why nothing can be done to the table that is named; None where it can. `writes` is whether
    it is changed."""
    server, table = observed["server"], observed["table"]
    if writes and server["replica"]:
        return PlanHeld(
            "replica",
            f"{target.name} is a replica, which takes no changes. Nothing was done. Set "
            "APP_DATABASE_URL to the primary.",
        )
    if table is None:
        close = ", ".join(observed["close"])
        meant = f"Close to it: {close}." if close else "No table has a name like it."
        return PlanHeld(
            "unknown_table",
            f"{target.name} has no table {given['table']}. {meant} Nothing was done. Correct the "
            "options of the rule.",
        )
    for column in columns_of(given):
        if column not in table["columns"]:
            return PlanHeld("unknown_column", _unknown(table, column))
    if writes and not table["ours"]:
        return PlanHeld(
            "rights",
            f"{target.name}: table {shown_table(table)} is owned by {table['owner']}, and role "
            f"{server['role']} may not do this without the rights of its owner. Nothing was done. "
            f"Run this as a superuser: GRANT {table['owner']} TO {server['role']};",
        )
    return None


def columns_of(given: Mapping[str, Any]) -> list[str]:
    """All columns that an operation names."""
    one = [given["column"]] if "column" in given else []
    where = [each["column"] for each in given.get("where", ())]
    return [*given.get("columns", ()), *one, *where]


def _unknown(table: Mapping[str, Any], column: str) -> str:
    close = difflib.get_close_matches(column, table["columns"], n=3, cutoff=0.5)
    meant = (
        f"Close to it: {', '.join(close)}." if close else f"It has {', '.join(table['columns'])}."
    )
    return f"Table {shown_table(table)} has no column {column}. {meant} Nothing was done."


def _plan_index(
    target: AppDatabaseTarget, given: Mapping[str, Any], observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    table, state = observed["table"], observed["index"]
    name, found = index_name(given), state["found"]
    if table["kind"] != ORDINARY:
        return _no_ordinary(table)
    if found is not None and not state["same"]:
        return PlanHeld(
            "other_definition",
            f"There is an index {name} already, and it is another one: {found['definition']}. "
            "It is left as it is. Give the wanted one another name.",
        )
    if found is not None and found["valid"]:
        return PlanHeld(
            "already_there", f"{target.name} has index {name} already, and it is valid."
        )
    if state["twin"]:
        return PlanHeld(
            "already_there",
            f"{target.name} has this index already: it is called {state['twin']}. A second one "
            "would only cost each write.",
        )
    return Plan(
        what=f"index {name}",
        before="none" if found is None else "invalid",
        after="valid",
        steps=("build_index", "verify_index"),
        wanted={
            "index": {**given, "name": name, "schema": table["schema"], "table": table["name"]}
        },
        price_before=0.0,
        price_after=0.0,
        downtime=(
            f"No downtime: {shown_table(table)} is read and written meanwhile. It has about "
            f"{table['rows']:,} rows in {shown_bytes(table['bytes'])}, and is read twice; the "
            "build waits for transactions that are older than it, and needs disk for the index. "
            f"To undo it, a person drops it: DROP INDEX CONCURRENTLY {name}."
        ),
    )


def _plan_reindex(
    target: AppDatabaseTarget, given: Mapping[str, Any], observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    table, indexes = observed["table"], observed["indexes"]
    if table["kind"] != ORDINARY:
        return _no_ordinary(table)
    names = [each["name"] for each in indexes]
    if given["index"] and given["index"] not in names:
        close = ", ".join(difflib.get_close_matches(given["index"], names, n=3, cutoff=0.5))
        return PlanHeld(
            "unknown_index",
            f"Table {shown_table(table)} has no index {given['index']}. It has "
            f"{close or ', '.join(names) or 'none'}. Nothing was done.",
        )
    meant = [
        each
        for each in indexes
        if not each["excludes"] and given["index"] in (None, each["name"]) and not _is_copy(each)
    ]
    if not meant:
        return PlanHeld(
            "already_there",
            f"{shown_table(table)} has no index that PostgreSQL rebuilds beside writers.",
        )
    invalid = sum(not each["valid"] for each in meant)
    return Plan(
        what=f"indexes of {shown_table(table)}",
        before=f"{len(meant)}, {invalid} invalid",
        after="rebuilt",
        steps=("rebuild_indexes", "verify_rebuilt"),
        wanted={
            "table": {"schema": table["schema"], "table": table["name"]},
            "indexes": [{"name": each["name"], "number": each["number"]} for each in meant],
        },
        price_before=0.0,
        price_after=0.0,
        downtime=(
            "No downtime: each index is rebuilt beside its readers and writers, one after the "
            f"other: {', '.join(each['name'] for each in meant)}. The table has "
            f"{shown_bytes(table['bytes'])}; disk for one more copy of the largest index is "
            "needed meanwhile. It need not be undone."
        ),
    )


def _is_copy(index: Mapping[str, Any]) -> bool:
    """Whether it is what an interrupted rebuild has left."""
    return not index["valid"] and COPY.search(index["name"]) is not None


def _plan_vacuum(
    target: AppDatabaseTarget, given: Mapping[str, Any], observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    table = observed["table"]
    if table["kind"] == PARTITIONED:
        return _no_ordinary(table)
    return Plan(
        what=f"vacuum of {shown_table(table)}",
        before=f"last by hand {table['vacuumed'] or 'never'}",
        after="vacuumed and analyzed" if given["analyze"] else "vacuumed",
        steps=("vacuum", "verify_vacuum"),
        wanted={
            "table": {"schema": table["schema"], "table": table["name"]},
            "vacuumed": table["vacuumed"],
            "analyze": given["analyze"],
        },
        price_before=0.0,
        price_after=0.0,
        downtime=(
            f"No downtime: {shown_table(table)} is read and written meanwhile. It has about "
            f"{table['rows']:,} rows in {shown_bytes(table['bytes'])}, which are read from the "
            "disk. It need not be undone."
        ),
    )


def _plan_explain(
    target: AppDatabaseTarget, given: Mapping[str, Any], observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    table = observed["table"]
    asked = " and ".join(f"{each['column']} {each['op']} …" for each in given["where"])
    return Plan(
        what=f"query of {shown_table(table)}",
        before=f"where {asked}" if asked else "all rows",
        after="explained",
        steps=("explain",),
        wanted={
            "table": {"schema": table["schema"], "table": table["name"]},
            "where": list(given["where"]),
        },
        price_before=0.0,
        price_after=0.0,
        downtime="No downtime: the query is planned, and not executed.",
    )


def _no_ordinary(table: Mapping[str, Any]) -> PlanHeld:
    return PlanHeld(
        "partitioned",
        f"{shown_table(table)} is no ordinary table, and PostgreSQL does this beside writers only "
        "on one that is. Nothing was done. Name its partitions, one a rule.",
    )


_PLANS = {
    "index": _plan_index,
    "reindex": _plan_reindex,
    "vacuum": _plan_vacuum,
    "explain": _plan_explain,
    "partition": plan_partition,
}
