"""The application's database: as a target, and as it is written in a rule file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from service.catalogue.app_database.options import Identifier, Table
from service.catalogue.app_database.sizes import A_SIZE, Size
from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Text, Url
from service.catalogue.spec import Noted

NAME = "app_database"
KILL, OPTIMIZE, SET_FLAGS = "kill_queries", "optimize_database", "set_flags"
SET_DATABASE = "set_database"
ARCHIVE = "archive_rows"
"""The actions of this kind."""
NEVER, ALLOWED = "never", "allowed"
"""Whether settings may be written that take effect only when the server starts anew."""
SETTING = "APP_DATABASE_URL"
"""The setting with the address of the database, and with the password of runbookd's role."""
PRICES = PriceList("PostgreSQL", {})
"""Nothing that is done to a database has a price of its own."""
SPARED = ("runbookd", "pg_dump", "pg_dumpall", "pg_restore", "pg_basebackup")
"""Application names that are spared whatever the target says. PostgreSQL's own programs give
their names; a backup that is ended has to begin anew."""
CONSOLE = "https://www.postgresql.org/docs/current/monitoring-stats.html"
"""Where a target without `console` leads: how to see what a PostgreSQL does."""
MOST_NAMES = 50
"""Roles or application names of one target: a list that a person can read."""
LONGEST_NAME = 63
"""Bytes that PostgreSQL keeps of a role's or an application's name."""


def check_name(text: str) -> str:
    """A name that PostgreSQL could have: of a role, an application, a table.

    Raises ValueError with what is wanted.
    """
    if not text.isprintable() or not 1 <= len(text.encode()) <= LONGEST_NAME:
        raise ValueError(f"must be a name of 1 to {LONGEST_NAME} bytes without line breaks")
    return text


Name = Annotated[str, AfterValidator(check_name)]
Names = Annotated[list[Name], Field(min_length=1, max_length=MOST_NAMES)]


@dataclass(frozen=True, slots=True)
class AppDatabaseTarget:
    """The database at APP_DATABASE_URL.

    `roles` are the application's own: only their sessions may be ended. `spare` are names of
    applications (`application_name`) whose sessions are never ended. `flag_names` are the feature
    flags that may be set: rows of `flag_table` whose column `flag_key` has the name, and whose
    boolean column `flag_value` is the flag. `memory` is the server's, such as 16GB, empty where it
    is not known. `restart` is NEVER or ALLOWED.
    """

    name: str
    roles: tuple[str, ...]
    spare: tuple[str, ...] = ()
    service: str = ""
    page: str = CONSOLE
    flag_table: str = ""
    flag_key: str = ""
    flag_value: str = ""
    flag_names: tuple[str, ...] = ()
    memory: str = ""
    restart: str = NEVER

    @property
    def kind(self) -> str:
        """The kind of vendor resource."""
        return NAME

    @property
    def resource(self) -> str:
        """The database: there is one, so one run at a time may change it."""
        return "app-database:app"

    @property
    def sizes(self) -> tuple[str, ...]:
        """None: its size is the business of whoever runs the server."""
        return ()

    @property
    def bounds(self) -> str:
        """Whose sessions may be ended, and which flags may be set."""
        flags = f", flags {', '.join(self.flag_names)}" if self.flag_names else ""
        return f"sessions of {', '.join(self.roles)}{flags}"

    @property
    def console(self) -> str:
        """The page that the target names."""
        return self.page

    @property
    def spared(self) -> frozenset[str]:
        """The names of all applications that are spared."""
        return frozenset((*SPARED, *self.spare))


class FlagsShape(Shape):
    """The table of the application's feature flags in a rule file."""

    table: Table | None = None
    key: Identifier = "key"
    value: Identifier = "enabled"
    names: Names | None = Field(
        default=None, description="a list of 1 to 50 names of flags, such as [ai_recommendations]"
    )


class AppDatabaseShape(Shape):
    """The application's database in a rule file."""

    kind: str
    roles: Names | None = Field(
        default=None, description="a list of 1 to 50 names of roles, such as [quizmentor_app]"
    )
    spare: Names | None = Field(
        default=None, description="a list of 1 to 50 names of applications, such as [migrations]"
    )
    flags: FlagsShape | None = None
    memory: Size | None = Field(default=None, description=A_SIZE)
    restart: Literal["never", "allowed"] = "never"
    service: Text | None = None
    console: Url | None = None


def build_database(name: str, shape: AppDatabaseShape, noted: Noted) -> AppDatabaseTarget | None:
    """The target; None when it does not say which roles are the application's."""
    if shape.roles is None:
        if "roles" not in noted.wrong:
            noted.missing(
                "roles", "the roles that the application logs in as; only their sessions are ended"
            )
        return None
    known = AppDatabaseTarget(
        name,
        tuple(shape.roles),
        tuple(shape.spare or ()),
        shape.service or "",
        shape.console or CONSOLE,
        memory=shape.memory or "",
        restart=shape.restart,
    )
    return known if shape.flags is None else _with_flags(known, shape.flags, noted)


def _with_flags(known: AppDatabaseTarget, flags: FlagsShape, noted: Noted) -> AppDatabaseTarget:
    """The target with its flags, where the table and the names are given."""
    if "flags" in noted.wrong:
        return known
    if flags.table is None:
        noted.missing("flags.table", "the table that holds the application's feature flags")
    if flags.names is None:
        noted.missing("flags.names", "each flag that may be set; no other one ever is")
    if flags.table is None or flags.names is None:
        return known
    return replace(
        known,
        flag_table=flags.table,
        flag_key=flags.key,
        flag_value=flags.value,
        flag_names=tuple(flags.names),
    )
