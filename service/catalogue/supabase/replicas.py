"""A project's read replicas: `set_replicas`, its guards and plan, and what makes a replica proven.

Pure. A replica is not believed because it says that it is one: a stopped replica says so too. It
has to show what the primary has written a moment ago.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import Field

from service.catalogue.actions import named_values
from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import ActionSpec, Effect, Noted
from service.catalogue.steps.bounds import count_wanted, nothing_to_do
from service.domain.decisions.directions import SET
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import ALERT, REPLAY, Request
from service.domain.durations import parse_duration
from service.ports.supabase import Mark, Sight

ATTRIBUTE = "replicas"
MOST = 5
"""The most read replicas of any compute size (docs/vendors.md)."""
MOST_BELOW_XL = 2
TOO_SMALL = ("", "ci_micro")
"""Sizes that have no replicas: none at all (nano), and the one below Small."""
BELOW_XL = ("ci_small", "ci_medium", "ci_large")
LEAST_ENGINE = 15
"""The oldest PostgreSQL whose projects may have replicas."""
SETUPS = tuple(f"setup_{number}" for number in range(1, MOST + 1))
REMOVALS = tuple(f"remove_{number}" for number in range(1, MOST + 1))
"""One step for each replica, so that each has an intent of its own."""
AWAIT, VERIFY, VERIFY_GONE = "await_replicas", "verify_replicas", "verify_removed"
HEALTHY = "ACTIVE_HEALTHY"
FAILED = "INIT_READ_REPLICA_FAILED"
LEAVING = ("GOING_DOWN", "REMOVED")
RETRY_S = 120.0
"""Seconds until a held run looks again; a replica is set up or removed in minutes."""
MAX_LAG_S = 10
READ_ONLY = "25006"
"""PostgreSQL's code for a write that a replica refuses (read_only_sql_transaction)."""

_REGION = re.compile(r"[a-z]{2}-[a-z]+-[0-9]|.*\$.*")
"""A region of the vendor. What holds a `$` has been noted already."""


class ReplicasShape(Shape):
    """The read replicas of a project in a rule file: how many, where, how far behind at most, and
    the roles by which the application reads from them. Alerts add up to `max`, or to the ceiling of
    a level; people and levels go up to `limit`, which is `max` where it is not given."""

    max: int | None = Field(default=None, ge=1, le=MOST)
    limit: int | None = Field(default=None, ge=1, le=MOST)
    regions: list[Text] = Field(default=[], max_length=MOST)
    max_lag: Text = Field(default=f"{MAX_LAG_S}s", description="a duration such as 10s")
    readers: list[Text] = Field(default=["postgres"], min_length=1, max_length=20)


class ReplicasOptions(Shape):
    """How many replicas there shall be. `exact` may take some away."""

    replicas: int | None = Field(default=None, ge=0, le=MOST)
    exact: bool = False


def read_replicas(shape: ReplicasShape | None, noted: Noted) -> dict[str, Any]:
    """The section as plain JSON; empty where the target has none."""
    if shape is None or ATTRIBUTE in noted.wrong:
        return {}
    if shape.max is None:
        noted.missing("replicas.max", "how many replicas there may be")
    elif shape.limit is not None and shape.limit < shape.max:
        noted.at(ATTRIBUTE, f"replicas.max {shape.max} is above its limit {shape.limit}.")
    if not shape.regions:
        noted.missing("replicas.regions", "where they are, such as [us-east-1]")
    for each in shape.regions:
        if not _REGION.fullmatch(each):
            noted.at(ATTRIBUTE, f"regions: {each} is no region; write one such as eu-west-1.")
            return {}
    try:
        lag = parse_duration(shape.max_lag)
    except ValueError as problem:
        noted.at(ATTRIBUTE, f"max_lag: {problem}.")
        return {}
    if not timedelta(0) < lag <= timedelta(minutes=10):
        noted.at(ATTRIBUTE, "max_lag must be longer than 0 and at most 10m.")
        return {}
    if shape.max is None or not shape.regions:
        return {}
    return {
        "max": shape.max,
        **({} if shape.limit is None else {"limit": shape.limit}),
        "regions": list(shape.regions),
        "max_lag_s": lag.total_seconds(),
        "readers": list(shape.readers),
    }


def _names_nothing(options: Mapping[str, Any]) -> str:
    if options[ATTRIBUTE] is None:
        return "set_replicas needs replicas, such as {replicas: 1}."
    return ""


SET_REPLICAS = ActionSpec(
    "set_replicas",
    Effect.CHANGES,
    SET,
    wanted=lambda options: named_values(options, ATTRIBUTE),
    options=ReplicasOptions,
    directed=lambda options: SET if options["exact"] else "out",
    sets=(ATTRIBUTE,),
    lacking=_names_nothing,
)
"""How many read replicas a project has (runbook, Database Read Replicas)."""


def refusals(name: str, section: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the options of `set_replicas` on the target of this name."""
    count = options[ATTRIBUTE]
    if not section:
        yield (
            f"target {name} has no replicas; say how many it may have and where, such as "
            "replicas: {max: 2, regions: [us-east-1]}."
        )
    elif count is not None and count > most_replicas(section):
        yield (
            f"set_replicas wants replicas: {count}, and {name} may have at most "
            f"{most_replicas(section)}. "
            "Ask for fewer, or change replicas of the target."
        )


def most_replicas(section: Mapping[str, Any]) -> int:
    """The most that a target may ever have: what people and levels go up to."""
    return int(section.get("limit", section["max"]))


def _count(request: Request, section: Mapping[str, Any], present: int) -> int | PlanHeld:
    """How many there shall be. An alert that names more than alerts may have gets as many as
    these."""
    (wanted,) = request.wanted
    bound = most_replicas(section)
    alerts = int(section["max"])
    if request.origin.kind in (ALERT, REPLAY) and wanted.to is not None:
        if int(wanted.to) > alerts and present >= alerts:
            return PlanHeld(
                "max_replicas",
                f"{request.target.name} has {present} read replicas, and alerts may bring it to "
                f"{alerts}; nothing more can be added automatically.",
                at_bound=present == alerts,
                facts={"current": present, "max": alerts},
            )
        wanted = replace(wanted, to=min(int(wanted.to), max(alerts, present)))
    return count_wanted(request.target, wanted, present, (0, bound))


def count_of(observed: Mapping[str, Any]) -> int | None:
    """How many replicas there are; None where nobody has looked or could."""
    found = observed.get(ATTRIBUTE) or {}
    return len(found["list"]) if "list" in found else None


def most_of(size: str) -> int:
    """How many replicas a compute size may have. A size that is not known counts as a large one:
    the vendor has the last word."""
    if size in TOO_SMALL:
        return 0
    return MOST_BELOW_XL if size in BELOW_XL else MOST


def plan_replicas(
    request: Request,
    section: Mapping[str, Any],
    observed: Mapping[str, Any],
    each: float | None,
    price_source: str,
) -> Plan | PlanHeld:
    """So many replicas as are wanted: set up what is missing, or take the newest away.

    `each` is what one database of the project's compute size costs, in dollars a month.
    """
    target, found = request.target, observed.get(ATTRIBUTE)
    if not section:
        return PlanHeld(
            "options", f"{target.name} has no replicas in the rules; nothing was changed."
        )
    if not found or "problem" in found:
        why = found["problem"] if found else "They were not asked for."
        return PlanHeld(
            "replicas_unread",
            f"The replicas of {target.name} could not be read, so they were left as they are. "
            f"{why}",
            retry_after_s=RETRY_S,
        )
    present = found["list"]
    count = _count(request, section, len(present))
    if isinstance(count, PlanHeld):
        return count
    if count == len(present):
        return nothing_to_do(target)
    if not found["sql"]:
        return PlanHeld(
            "not_provable",
            f"Whether a replica of {target.name} follows, and who reads from it, can only be asked "
            "over SQL, and SUPABASE_SQL_URL is not set; nothing was changed. Set it "
            "(docs/actions/set_replicas.md).",
        )
    if count > len(present):
        held = _not_more(request, observed, count)
    else:
        held = _not_fewer(request, found, _victims(present, len(present) - count))
    return held or _plan(request, section, observed, count, each, price_source)


def _plan(
    request: Request,
    section: Mapping[str, Any],
    observed: Mapping[str, Any],
    count: int,
    each: float | None,
    price_source: str,
) -> Plan:
    found = observed[ATTRIBUTE]
    present = found["list"]
    known = [one["identifier"] for one in present]
    wanted = {
        "project": observed["project"],
        "organization": found["organization"],
        "before": len(present),
        "after": count,
        "known": known,
    }
    if count > len(present):
        regions = [
            section["regions"][at % len(section["regions"])] for at in range(len(present), count)
        ]
        wanted |= {"regions": regions, "max_lag_s": section["max_lag_s"]}
        steps = (*SETUPS[: len(regions)], AWAIT, VERIFY)
        effect = (
            f"No downtime. In {', '.join(regions)}; each is a copy of the whole database and takes "
            "minutes to hours. Its disk is billed beside the price. The application reads from "
            "none of them until its configuration names them (runbookd replicas render)."
        )
    else:
        victims = _victims(present, len(present) - count)
        wanted |= {"victims": victims, "readers": section["readers"]}
        steps = (*REMOVALS[: len(victims)], VERIFY_GONE)
        effect = f"No downtime of the primary. {', '.join(victims)} cannot be brought back."
    return Plan(
        what=ATTRIBUTE,
        before=str(len(present)),
        after=str(count),
        steps=steps,
        wanted=wanted,
        price_before=None if each is None else each * (1 + len(present)),
        price_after=None if each is None else each * (1 + count),
        price_source=price_source,
        downtime=effect,
    )


def _victims(present: Sequence[Mapping[str, Any]], count: int) -> list[str]:
    """Which are taken away: those that never came up, then the last of the vendor's list."""
    newest_first = list(reversed(present))
    ordered = sorted(newest_first, key=lambda one: one["status"] != FAILED)
    return [one["identifier"] for one in ordered[:count]]


def _not_more(request: Request, observed: Mapping[str, Any], count: int) -> PlanHeld | None:
    """What the vendor, or a replica that is not well, holds a further replica by."""
    name, size, found = request.target.name, observed["variant"], observed[ATTRIBUTE]
    asked_by_alert = request.wanted[0].least
    if size in TOO_SMALL:
        return PlanHeld(
            "replica_size",
            f"{name} has {size or 'nano'}, and read replicas need Small (ci_small) or larger; "
            "nothing was changed. Resize the project first.",
            at_bound=asked_by_alert,
            facts={"size": size},
        )
    if found["engine"] is not None and found["engine"] < LEAST_ENGINE:
        return PlanHeld(
            "postgres_version",
            f"{name} runs PostgreSQL {found['engine']}, and read replicas need {LEAST_ENGINE} or "
            "newer; nothing was changed. Upgrade the project first.",
            at_bound=asked_by_alert,
            facts={"engine": found["engine"]},
        )
    if count > most_of(size):
        return PlanHeld(
            "replica_limit",
            f"{count} replicas are wanted at {name}, and {size} takes at most {most_of(size)}: "
            f"{MOST_BELOW_XL} below XL and {MOST} from XL (ci_xlarge). Nothing was changed.",
            at_bound=asked_by_alert,
            facts={"wanted": count, "most": most_of(size)},
        )
    ill = [one for one in found["list"] if one["status"] != HEALTHY]
    if ill:
        shown = ", ".join(f"{one['identifier']} is {one['status']}" for one in ill)
        return PlanHeld(
            "replica_status",
            f"Not all replicas of {name} are {HEALTHY}: {shown}. No further one was set up. One "
            f"that is {FAILED} has to be removed.",
            retry_after_s=RETRY_S,
            facts={"ill": [one["identifier"] for one in ill]},
        )
    return None


def _not_fewer(
    request: Request, found: Mapping[str, Any], victims: Sequence[str]
) -> PlanHeld | None:
    """Holds a removal while the application reads from what would go, or nobody knows."""
    name = request.target.name
    for victim in victims:
        readers = found["readers"].get(victim)
        if isinstance(readers, int) and readers > 0:
            return PlanHeld("still_read", still_read(victim, name, readers), retry_after_s=RETRY_S)
        if isinstance(readers, str):
            return PlanHeld(
                "readers_unknown",
                f"Who reads from replica {victim} of {name} could not be asked, so it was left. "
                f"{readers}",
                retry_after_s=RETRY_S,
            )
    return None


def still_read(identifier: str, name: str, readers: int) -> str:
    """That a replica cannot go yet, and what to do."""
    connections = "1 connection" if readers == 1 else f"{readers} connections"
    return (
        f"The application still reads from replica {identifier} of {name}: {connections} of its "
        "roles are open, so it was not removed. Take it out of the application's configuration, "
        "deploy, and ask again."
    )


def fault_of(sight: Sight, mark: Mark) -> str:
    """Why a replica is not proven to follow its primary, as the end of a sentence; empty where it
    is."""
    if not sight.in_recovery:
        return "is no replica: it takes writes of its own"
    if sight.system_identifier != mark.system_identifier:
        return (
            f"follows another primary: its system identifier is {sight.system_identifier}, and the "
            f"primary's is {mark.system_identifier}"
        )
    if sight.max_connections < mark.max_connections:
        return (
            f"has max_connections = {sight.max_connections}, and the primary has "
            f"{mark.max_connections}: with fewer it pauses"
        )
    if sight.refused_with != READ_ONLY:
        answer = sight.refused_with or "no error"
        return f"did not refuse a write as a replica does: {answer} instead of {READ_ONLY}"
    if sight.behind_bytes > 0:
        unit = "byte" if sight.behind_bytes == 1 else "bytes"
        return f"is {sight.behind_bytes} {unit} behind"
    return ""
