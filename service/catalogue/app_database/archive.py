"""Old rows that move to another table: the options, and the plan or the guard that holds it.

Pure. The cut-off is computed once, by the server's clock, and pinned in the plan: rows that become
old while the run goes on stay where they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from service.catalogue.app_database.options import Identifier, Table
from service.catalogue.app_database.shown import shown_bytes, shown_table
from service.catalogue.app_database.sizes import A_SIZE, Size, in_bytes
from service.catalogue.app_database.target import AppDatabaseTarget
from service.catalogue.app_database.upkeep import LONGEST_NAME, ORDINARY
from service.catalogue.shapes import A_BUCKET, BucketName, Region, Shape, Url
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.durations import parse_duration
from service.ports.bucket import Place, spaces

LONGEST_AGE_DAYS = 36_500
MOST_ROWS = 10_000
"""Rows of one batch. Measured on PostgreSQL 18: 1,000 rows take 0.34 s at worst, 20,000 take 1.3 s,
and so long others wait for a row of them."""
STANDARD_ROWS = 1_000
FILES = "bucket"
"""`to` of rows that go into files."""
LIST = {
    "key": "text",
    "rows": "bigint",
    "sha256": "text",
    "bytes": "bigint",
    "columns": "text[]",
}
"""The columns of the table that lists the files, beside the time of each."""
TIMES = ("timestamp with time zone", "timestamp without time zone", "date")
"""The types of column by which rows have an age."""


def _age(text: str) -> str:
    if parse_duration(text, LONGEST_AGE_DAYS) < timedelta(days=1):
        raise ValueError("too short")
    return text


class ArchiveOptions(Shape):
    """Which rows move: those of `table` whose `column` is older than `older_than`, in batches of
    `batch` rows; but only while the database is larger than `over` (null: always). With
    `ignore_lag` no replica is waited for.

    With `to: table` they go to the table `into` beside it. With `to: bucket` they go to files of
    `bucket` in `region`, below `prefix`, and `into` is the table that lists the files.
    """

    table: Table | None = None
    column: Identifier | None = None
    older_than: Annotated[str, AfterValidator(_age)] = Field(
        default="90d", description="a duration of 1d or more, such as 90d"
    )
    batch: int = Field(default=STANDARD_ROWS, ge=1, le=MOST_ROWS)
    into: Identifier | None = None
    over: Size | None = Field(default="5GB", description=f"{A_SIZE}, or null")
    ignore_lag: bool = False
    to: Literal["table", "bucket"] = "table"
    bucket: BucketName | None = Field(default=None, description=A_BUCKET)
    region: Region | None = Field(default=None, description="a region such as nyc3")
    endpoint: Url | None = None
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-][A-Za-z0-9._/-]{0,99}/$")] = Field(
        default="archive/", description="a path that ends with a slash, such as archive/"
    )


def lacks_archive(options: Mapping[str, Any]) -> str:
    """What is missing of the options as a whole; empty where nothing is."""
    for name, why in (
        ("table", "whose rows move, such as user_sessions"),
        ("column", "by which rows are old, such as created_at"),
    ):
        if options[name] is None:
            return f"archive_rows needs {name}: {why}."
    in_files = options["to"] == FILES
    for name, why in (("bucket", "its name"), ("region", "the region of the bucket")):
        if in_files and options[name] is None:
            return f"archive_rows to a bucket needs {name}: {why}."
        if not in_files and options[name] is not None:
            return f"{name} is of no use without to: bucket."
    if archive_name(options) == str(options["table"]).rpartition(".")[2]:
        return "into is the table itself; name another one, or leave it out."
    return ""


def archive_name(options: Mapping[str, Any]) -> str:
    """The table that the rows move to, or that lists their files, in the schema of their own."""
    table = str(options["table"]).rpartition(".")[2]
    ending = "_files" if options["to"] == FILES else ""
    standard = f"archived_{table}"[: LONGEST_NAME - len(ending)] + ending
    return str(options["into"] or standard)


def place_of(options: Mapping[str, Any]) -> Place:
    """The bucket that the options name."""
    region = str(options["region"])
    return Place(options["endpoint"] or spaces(region), region, str(options["bucket"]))


def older_s(options: Mapping[str, Any]) -> float:
    """How old a row has to be, in seconds."""
    return parse_duration(options["older_than"], LONGEST_AGE_DAYS).total_seconds()


def plan_archive(
    target: AppDatabaseTarget, options: Mapping[str, Any], observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    """The rows that move, or why none does (runbook, Automatic Cost Optimization)."""
    table, state = observed["table"], observed["archive"]
    column, into = options["column"], archive_name(options)
    if held := _held_by_form(table, state, options, into):
        return held
    if state.get("lag_unseen") and not options.get("ignore_lag"):
        return PlanHeld("lag_unseen", lag_unseen(observed["server"]["role"]))
    over = options["over"]
    if over is not None and state["database_bytes"] <= in_bytes(over):
        return PlanHeld(
            "small_enough",
            f"{target.name} has {shown_bytes(state['database_bytes'])}, and rows are archived only "
            f"above {over}. Nothing was moved.",
        )
    if not state["due"]:
        return PlanHeld(
            "already_there",
            f"{shown_table(table)} has no row whose {column} is before {state['cutoff']}.",
        )
    in_files = options["to"] == FILES
    return Plan(
        what=f"rows of {shown_table(table)} older than {options['older_than']}",
        before="in it",
        after=f"in bucket {options['bucket']}" if in_files else f"in {table['schema']}.{into}",
        steps=("make_archive", "move_rows", "vacuum", "verify_archive"),
        wanted={
            "table": {"schema": table["schema"], "table": table["name"]},
            "vacuumed": table["vacuumed"],
            "analyze": True,
            "archive": {
                "into": into,
                "column": column,
                "type": state["type"],
                "cutoff": state["cutoff"],
                "columns": list(state["columns"]),
                "batch": options["batch"],
                "ignore_lag": bool(options.get("ignore_lag")),
                **(_files(options) if in_files else {}),
            },
        },
        price_before=0.0,
        price_after=0.0,
        downtime=(
            f"No downtime: rows move in batches of {options['batch']}, each in one transaction, "
            "and rows that somebody has locked are left out. The database gets no smaller by it: "
            "after the vacuum, new rows take the place of the old ones. It cannot be undone by "
            f"runbookd: {_kept(options, table, into)}."
        ),
    )


def lag_unseen(role: str) -> str:
    """That a replica is there and nobody can see how far it is behind, and what to do."""
    return (
        f"The database has a replica, or something else that reads its log, and role {role} may "
        "not see how far that is behind. Rows that move are two writes each for it, so a replica "
        f"may fall far behind. Nothing was moved. Run this as a superuser: GRANT pg_read_all_stats "
        f"TO {role}; or, where no replica needs to be waited for, say ignore_lag: true."
    )


def _files(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"place": asdict(place_of(options)), "prefix": options["prefix"]}


def _kept(options: Mapping[str, Any], table: Mapping[str, Any], into: str) -> str:
    """Where the rows are afterwards, for the plan."""
    if options["to"] != FILES:
        return f"the rows are whole in {table['schema']}.{into}"
    return (
        f"each batch is a file below {options['prefix']} in bucket {options['bucket']}, read back "
        f"before its rows are deleted, and {table['schema']}.{into} lists the files. Spaces "
        "includes 250 GB, and each further GB is $0.02 a month"
    )


def _held_by_form(
    table: Mapping[str, Any], state: Mapping[str, Any], options: Mapping[str, Any], into: str
) -> PlanHeld | None:
    """Why rows of this table cannot move without harm; None where they can."""
    name, column = shown_table(table), options["column"]
    if table["kind"] != ORDINARY:
        return PlanHeld(
            "partitioned",
            f"{name} is no ordinary table. Nothing was moved. Detach its old partitions instead, "
            "or name them, one a job.",
        )
    if state["type"] not in TIMES:
        return PlanHeld(
            "no_time",
            f"{name}.{column} is of type {state['type']}, so a row of it has no age. Nothing was "
            f"moved. Name a column of type {', '.join(TIMES)}.",
        )
    if state["children"]:
        return PlanHeld(
            "children",
            f"Deleting rows of {name} also deletes or changes rows of {_and(state['children'])} "
            "(ON DELETE CASCADE, SET NULL or SET DEFAULT), and these would be lost. Nothing was "
            "moved. Archive those first and have their key refuse it (ON DELETE RESTRICT).",
        )
    if state["triggers"]:
        return PlanHeld(
            "triggers",
            f"Deleting rows of {name} fires {_and(state['triggers'])}, which may delete or change "
            "what no archive keeps. Nothing was moved. Look at what it does; disable it for the "
            "time of the move, or archive by hand.",
        )
    if not state["indexed"]:
        return PlanHeld(
            "no_index",
            f"{name} has no valid index that begins with {column}, so each batch would read the "
            "whole table. Nothing was moved. Build it first: runbookd run optimize_database … "
            f'--with \'index={{"table": "{name}", "columns": ["{column}"]}}\'.',
        )
    in_files = options["to"] == FILES
    return _held_by_archive(name, table["schema"], state, into, in_files=in_files)


def _held_by_list(schema: str, has: Mapping[str, str], into: str) -> PlanHeld | None:
    """Whether the table that would list the files is another one."""
    if all(has.get(name) == kind for name, kind in LIST.items()):
        return None
    return PlanHeld(
        "other_columns",
        f"{schema}.{into} is there and is no list of files: it lacks "
        f"{', '.join(f'{name} {kind}' for name, kind in LIST.items() if has.get(name) != kind)}. "
        "Nothing was moved. Name another table with into.",
    )


def _held_by_archive(
    name: str, schema: str, state: Mapping[str, Any], into: str, *, in_files: bool
) -> PlanHeld | None:
    """Whether the archive is there and cannot take the rows as they are."""
    has: Mapping[str, str] | None = state["into"]
    if has is None:
        return None
    if in_files:
        return _held_by_list(schema, has, into)
    if state["exposed"]:
        return PlanHeld(
            "exposed",
            f"{name} has row level security and {schema}.{into} has none, so old rows would be "
            "readable by whoever has a grant on it. Nothing was moved. Enable it there: ALTER "
            f"TABLE {schema}.{into} ENABLE ROW LEVEL SECURITY.",
        )
    wrong = [each for each, kind in state["columns"].items() if has.get(each) != kind]
    if not wrong:
        return None
    shown = ", ".join(f"{each} {state['columns'][each]}" for each in wrong)
    return PlanHeld(
        "other_columns",
        f"{schema}.{into} lacks columns that {name} has, or has them of another type: {shown}. "
        "Nothing was moved. Add them to the archive.",
    )


def _and(names: Any) -> str:
    return " and ".join(map(str, names))
