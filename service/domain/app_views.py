"""What the schema `runbook` of the application's database is to hold, and what is missing there.

Pure. Each version of the schema makes certain relations, in a transaction of its own. What the
roles may do is compared each time, because the roles are the server's and not the schema's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

SCHEMA = "runbook"
READER = "runbook_reader"
"""May read the views."""
WRITER = "runbook_writer"
"""May add requests, and have the partitions tended; the application logs in as a member of it."""
DAYS_AHEAD = 7
"""Days beyond today that have a partition. A week in which nobody tends them loses no request."""
DAYS_KEPT = 7
"""Whole days before today that are kept."""
LEAST_VERSION = 150_000
"""PostgreSQL 15 is the first whose views can read with the rights of whoever asks
(`security_invoker`)."""

REQUESTS = "api_requests"
PERFORMANCE = "performance_metrics"
DATABASE = "database_performance"
TEND = "tend_api_requests"
"""The function that makes and drops partitions."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the schema: the relations that it makes, and whether it needs
    pg_stat_statements."""

    number: int
    makes: str
    needs_statements: bool = False


VERSIONS = (Version(1, REQUESTS), Version(2, PERFORMANCE), Version(3, DATABASE, True))


@dataclass(frozen=True, slots=True)
class Grant:
    """A right of a role in the schema. `thing` is a relation, TEND, or empty for the schema."""

    role: str
    right: str
    thing: str = ""

    @property
    def sentence(self) -> str:
        """What is granted to whom."""
        on = f"{SCHEMA}.{self.thing}" if self.thing else f"schema {SCHEMA}"
        return f"grant {self.right} on {on} to {self.role}"


GRANTS = (
    Grant(READER, "USAGE"),
    Grant(READER, "SELECT", REQUESTS),
    Grant(READER, "SELECT", PERFORMANCE),
    Grant(READER, "SELECT", DATABASE),
    Grant(WRITER, "USAGE"),
    Grant(WRITER, "INSERT", REQUESTS),
    Grant(WRITER, "EXECUTE", TEND),
)
"""The least that each role needs. The views read with the rights of whoever asks, so a reader of
them needs the table too."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is there.

    `server` is as `server_version_num` has it. `replica` is True on a standby. `may_create` is
    whether our role may make the schema, or may make something in it where it is there.
    `may_make_roles` is whether it may make roles. `applied` are the versions on record, each with
    the digest of its text. `relations` and `days` (those with a partition) are what is in the
    schema. `statements` is the schema of the extension pg_stat_statements, empty where it is not
    created; `loaded` is whether the server has loaded it. `grants` are those of GRANTS that are
    there.
    """

    database: str
    role: str
    server: int
    replica: bool
    may_create: bool
    may_make_roles: bool
    applied: Mapping[int, str]
    relations: frozenset[str]
    days: frozenset[date]
    statements: str
    loaded: bool
    roles: frozenset[str]
    grants: frozenset[Grant]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is missing, and that one transaction makes."""

    sentence: str
    version: Version | None = None
    role: str = ""
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be changed, in order. `notes` are what a person has to do for the rest. `refused`
    is why nothing can be done at all, else empty."""

    changes: Sequence[Change] = ()
    notes: Sequence[str] = ()
    refused: str = ""

    @property
    def complete(self) -> bool:
        """Whether all is there that is to be there."""
        return not (self.changes or self.notes or self.refused)


def plan(found: Found, digests: Mapping[int, str], today: date) -> Plan:
    """What is missing. `digests` are those of the versions' texts here; `today` is in UTC."""
    if refused := _refused(found):
        return Plan(refused=refused)
    changes = [*_versions(found), *_roles(found)]
    changes += _grants(found, {change.role for change in changes})
    changes += _partitions(found, today, anew=any(one.version == VERSIONS[0] for one in changes))
    notes = [*_needed(found), *_without_roles(found), *_other_texts(found, digests)]
    if changes and not found.may_create:
        return Plan(
            refused=f"Role {found.role} may make nothing in schema {SCHEMA} of database "
            f"{found.database}. Nothing was changed. A superuser, or the owner of the database, "
            f'has to run: GRANT CREATE ON DATABASE "{found.database}" TO "{found.role}"; where the '
            f"schema is there already, also: GRANT CREATE, USAGE ON SCHEMA {SCHEMA} TO "
            f'"{found.role}".'
        )
    return Plan(changes, notes)


def _refused(found: Found) -> str:
    if found.replica:
        return (
            f"Database {found.database} is on a replica, which takes no writes. Set "
            "APP_DATABASE_URL to the primary."
        )
    if found.server < LEAST_VERSION:
        return (
            f"PostgreSQL {found.server // 10_000} has no views that read with the rights of "
            "whoever asks; 15 is the first. Nothing was changed."
        )
    return ""


def _is_due(version: Version, found: Found) -> bool:
    return version.number not in found.applied or version.makes not in found.relations


def _versions(found: Found) -> Iterator[Change]:
    for version in VERSIONS:
        waits = version.needs_statements and not (found.statements and found.loaded)
        if not waits and _is_due(version, found):
            again = (
                " again: it is on record, and is gone" if version.number in found.applied else ""
            )
            yield Change(f"version {version.number}: make {SCHEMA}.{version.makes}{again}", version)


def _roles(found: Found) -> Iterator[Change]:
    for role in (READER, WRITER):
        if role not in found.roles and found.may_make_roles:
            yield Change(f"make role {role}, which cannot log in", role=role)


def _grants(found: Found, made: set[str]) -> Iterator[Change]:
    able = not _statements_missing(found)
    for grant in GRANTS:
        there = found.roles | made
        if grant in found.grants or grant.role not in there:
            continue
        if grant.thing == DATABASE and not able and DATABASE not in found.relations:
            continue
        yield Change(grant.sentence, grant=grant)


def days_wanted(today: date) -> list[date]:
    """The days that have to have a partition."""
    return [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]


def _partitions(found: Found, today: date, *, anew: bool) -> Iterator[Change]:
    if anew:
        return  # its version makes them
    missing = [day for day in days_wanted(today) if day not in found.days]
    old = [day for day in found.days if day < today - timedelta(days=DAYS_KEPT)]
    parts = [f"make {len(missing)} that are missing"] if missing else []
    parts += [f"drop {len(old)} older than {DAYS_KEPT} days"] if old else []
    if parts:
        yield Change(f"partitions of {SCHEMA}.{REQUESTS}: {', '.join(parts)}")


def _statements_missing(found: Found) -> str:
    """Why pg_stat_statements tells nothing, and what to do; empty where it does."""
    if found.loaded and found.statements:
        return ""
    create = "run CREATE EXTENSION pg_stat_statements as a superuser"
    if found.loaded:
        return f"which is not created in database {found.database}: {create}"
    load = (
        "which the server has not loaded: add pg_stat_statements to shared_preload_libraries and "
        "restart PostgreSQL"
    )
    return load if found.statements else f"{load}, then {create}"


def _needed(found: Found) -> Iterator[str]:
    """What the view of the database lacks, made or not."""
    if why := _statements_missing(found):
        state = "gives an error" if DATABASE in found.relations else "is not made"
        yield (
            f"{SCHEMA}.{DATABASE} {state}. It reads pg_stat_statements, {why}. After that, run "
            "`runbookd views apply` again."
        )


def _without_roles(found: Found) -> Iterator[str]:
    missing = [role for role in (READER, WRITER) if role not in found.roles]
    if missing and not found.may_make_roles:
        made = " ".join(f"CREATE ROLE {role} NOLOGIN;" for role in missing)
        yield (
            f"Nothing is granted to {' and '.join(missing)}: there is no such role, and "
            f"{found.role} may not make one. Somebody who may has to run: {made} Then run "
            "`runbookd views apply` again."
        )


def _other_texts(found: Found, digests: Mapping[int, str]) -> Iterator[str]:
    for number, digest in sorted(found.applied.items()):
        if number not in digests:
            yield (
                f"Version {number} is on record and unknown here: a newer runbookd has made it. "
                "Nothing of it was touched."
            )
        elif digests[number] != digest:
            yield (
                f"Version {number} was made by another text than the one here. What it made is "
                "left as it is; a version is never changed once it is applied."
            )
