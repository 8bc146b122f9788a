"""What a rule may say of the actions on the application's database, in `with`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from service.catalogue.shapes import Shape
from service.domain.durations import parse_duration

SHORTEST_AGE_S = 5.0
"""Seconds. Whatever is younger may just be an ordinary query of a busy moment."""
LONGEST_AGE_DAYS = 1
MOST_ENDED = 50
"""Sessions of one run: more than that in trouble wants a person."""


def _age(text: str) -> str:
    age = parse_duration(text, LONGEST_AGE_DAYS)
    if age < timedelta(seconds=SHORTEST_AGE_S):
        raise ValueError("too short")
    return text


Age = Annotated[str, AfterValidator(_age)]
_AN_AGE = "a duration of 5s to 1d, such as 30s"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
MOST_COLUMNS = 32
"""Columns of one index (PostgreSQL's own limit)."""
OPERATIONS = ("index", "reindex", "vacuum", "explain", "partition")
LONGEST_PARTITIONED = 52
"""Characters of a partitioned table's name: `_2026_11_28` has to fit behind it."""
MOST_AHEAD = 100
MOST_KEPT = 1000


def _identifier(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError(
            "must be a plain name of 1 to 63 letters, digits and _, which begins with no digit"
        )
    return text


def _table(text: str) -> str:
    for part in text.split(".", 1):
        _identifier(part)
    return text


def _partitioned(text: str) -> str:
    if len(_table(text).rpartition(".")[2]) > LONGEST_PARTITIONED:
        raise ValueError(
            f"must be a name of at most {LONGEST_PARTITIONED} characters, because the name of a "
            "partition adds its time to it"
        )
    return text


Identifier = Annotated[str, AfterValidator(_identifier)]
Partitioned = Annotated[str, AfterValidator(_partitioned)]
Table = Annotated[str, AfterValidator(_table)]
"""A table, or `schema.table`. The name is looked up before it is used, and always quoted."""
Value = str | int | float | bool


class Condition(Shape):
    """One condition on a column. There is no free text: it could be any statement."""

    column: Identifier
    op: Literal["=", "!=", "<", "<=", ">", ">=", "is null", "is not null"] = "="
    value: Value | None = None

    @model_validator(mode="after")
    def _whole(self) -> Condition:
        if self.op.startswith("is") != (self.value is None):
            needs = "takes no value" if self.op.startswith("is") else "needs a value"
            raise ValueError(f"with op {self.op!r} {needs}")
        return self


Conditions = Annotated[list[Condition], Field(max_length=10, default_factory=list)]
Columns = Annotated[list[Identifier], Field(min_length=1, max_length=MOST_COLUMNS)]


class IndexOption(Shape):
    """An index to be there; `name` is made of table and columns where it is not given."""

    table: Table
    columns: Columns
    where: Conditions
    unique: bool = False
    name: Identifier | None = None


class ReindexOption(Shape):
    """A table whose indexes are rebuilt, or one `index` of it alone."""

    table: Table
    index: Identifier | None = None


class VacuumOption(Shape):
    """A table that is vacuumed and, with `analyze`, whose statistics are taken anew."""

    table: Table
    analyze: bool = True


class ExplainOption(Shape):
    """A query of one table whose plan is told. It is not executed."""

    table: Table
    where: Conditions


class PartitionOption(Shape):
    """Partitions that are to be there: one for now, and `ahead` more. With `keep`, only so many
    past ones stay; older ones are detached, and never dropped."""

    table: Partitioned
    column: Identifier
    by: Literal["day", "week", "month", "year"]
    ahead: int = Field(ge=1, le=MOST_AHEAD)
    keep: int | None = Field(default=None, ge=1, le=MOST_KEPT)


class OptimizeOptions(Shape):
    """One operation on one table."""

    index: IndexOption | None = None
    reindex: ReindexOption | None = None
    vacuum: VacuumOption | None = None
    explain: ExplainOption | None = None
    partition: PartitionOption | None = None


def lacks_operation(options: Mapping[str, Any]) -> str:
    """That not exactly one operation is given; empty where one is."""
    given = [name for name in OPERATIONS if options.get(name) is not None]
    if len(given) == 1:
        return ""
    one_of = ", ".join(OPERATIONS)
    return f"optimize_database needs exactly one of {one_of}, not {' and '.join(given) or 'none'}."


class KillOptions(Shape):
    """Which sessions are ended: queries that are older than `older_than`, transactions that do
    nothing and have done so for `idle_older_than` (null: none of them), and at most `most`."""

    older_than: Age = Field(default="30s", description=_AN_AGE)
    idle_older_than: Age | None = Field(default="5m", description=f"{_AN_AGE}, or null")
    most: int = Field(default=20, ge=1, le=MOST_ENDED)
