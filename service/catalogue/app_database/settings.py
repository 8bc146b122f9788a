"""Settings of the application's PostgreSQL: what a rule may say of them, and the plan.

Pure. The list is closed: what the runbook sets, and its neighbours. What is `observed` is the
record of `service.catalogue.app_database.setting_work.SettingWork.observe`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from service.catalogue.app_database.sizes import A_SIZE, Size, in_bytes, is_size
from service.catalogue.app_database.target import ALLOWED, AppDatabaseTarget
from service.catalogue.shapes import Shape
from service.catalogue.steps.bounds import nothing_to_do
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request, Wanted

UNSET = "unset"
"""The value of a setting that no ALTER SYSTEM has set: the server takes it from elsewhere."""
SETTING_STEPS = ("set_settings", "verify_settings")
MEMORY = ("work_mem", "maintenance_work_mem", "effective_cache_size", "shared_buffers")
CONNECTIONS = "max_connections"
SETTINGS = (*MEMORY, CONNECTIONS)
"""The closed list; the runbook sets four of them (Database Optimization Scripts)."""
AT_RESTART = ("shared_buffers", CONNECTIONS)
"""Those that take effect at the server's next start (`context` is postmaster in pg_settings)."""
REPLICA_FIRST = (CONNECTIONS,)
"""Those that a replica must have at least as much of as its primary: with less it stops replaying,
and goes on answering with old rows."""
MOST_SHARED = 0.4
"""Of the memory for shared_buffers. More takes from the operating system's cache what PostgreSQL
reads through it (PostgreSQL's documentation: hardly ever more than 40 %)."""
MOST_WORK = 0.5
"""Of the memory for work_mem in each of max_connections. One query may take several of them."""
MOST_CONNECTIONS = 10_000
_POSTMASTER = "postmaster"
_OVERRIDING = ("command line", "environment variable", "database", "user", "database user")
"""Sources in pg_settings that win over what ALTER SYSTEM sets."""


class SettingOptions(Shape):
    """The settings and their values; at least one."""

    work_mem: Size | None = Field(default=None, description=A_SIZE)
    maintenance_work_mem: Size | None = Field(default=None, description=A_SIZE)
    effective_cache_size: Size | None = Field(default=None, description=A_SIZE)
    shared_buffers: Size | None = Field(default=None, description=A_SIZE)
    max_connections: int | None = Field(default=None, ge=10, le=MOST_CONNECTIONS)


def settings_wanted(options: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """The settings that are named, as the server writes them."""
    return tuple(
        Wanted(name, to=str(options[name])) for name in SETTINGS if options[name] is not None
    )


def lacks_setting(options: Mapping[str, Any]) -> str:
    """That no setting is named; empty where one is."""
    if any(options[name] is not None for name in SETTINGS):
        return ""
    return f"set_database needs one or more of {', '.join(SETTINGS)}, such as {{work_mem: 16MB}}."


def setting_refusals(target: AppDatabaseTarget, options: Mapping[str, Any]) -> Iterable[str]:
    """What of the options can never be done on this target."""
    given = {name: str(options[name]) for name in SETTINGS if options.get(name) is not None}
    yield from _needs_restart(target, [name for name in given if name in AT_RESTART])
    yield from _over_memory(target, given)


def _needs_restart(target: AppDatabaseTarget, names: Iterable[str]) -> Iterable[str]:
    if target.restart != ALLOWED and (listed := ", ".join(names)):
        yield (
            f"{listed} takes effect only when the server starts anew, and target {target.name} "
            "says restart: never. Set restart: allowed, or leave it out."
        )


def _over_memory(target: AppDatabaseTarget, values: Mapping[str, str]) -> Iterable[str]:
    """That the values together take more of the memory than is safe, as far as both are known."""
    if not target.memory:
        return
    most = in_bytes(target.memory)
    shared = in_bytes(values.get("shared_buffers", "0kB"))
    if shared > most * MOST_SHARED:
        yield (
            f"shared_buffers {values['shared_buffers']} is more than {MOST_SHARED:.0%} of the "
            f"server's {target.memory}."
        )
    work, count = values.get("work_mem"), values.get(CONNECTIONS)
    if work is None or count is None:
        return
    if in_bytes(work) * int(count) > most * MOST_WORK:
        yield (
            f"work_mem {work} × max_connections {count} is more than {MOST_WORK:.0%} of the "
            f"server's {target.memory}, and one query may take several times its work_mem."
        )


def setting_doubts(target: AppDatabaseTarget, options: Mapping[str, Any]) -> Iterable[str]:
    """What is allowed and hardly meant."""
    risky = [name for name in ("shared_buffers", "work_mem", CONNECTIONS) if options.get(name)]
    if risky and not target.memory:
        yield (
            f"nothing holds {', '.join(risky)} against the server's memory: with too much of it, "
            f"the server may not come up. Give target {target.name} its memory, such as 16GB."
        )


def setting_values(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """Each setting as ALTER SYSTEM has set it; none where that may not be seen."""
    if not observed.get("may_look", True):
        return {}
    return {name: each["set"] or UNSET for name, each in (observed.get("settings") or {}).items()}


def settings_changed(plan: Plan) -> dict[str, tuple[Any, Any]]:
    """Each setting that a plan changes, before and after."""
    return {
        name: (plan.wanted["settings_were"][name], to)
        for name, to in plan.wanted["settings"].items()
    }


def plan_settings(
    target: AppDatabaseTarget, request: Request, observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    """The settings that are not as they are wanted (runbook, Database Optimization Scripts)."""
    wanted = {each.attribute: str(each.to) for each in request.wanted if each.to is not None}
    if not wanted or any(name not in SETTINGS for name in wanted):
        return PlanHeld(
            "options", f"set_database of {target.name} needs values of {', '.join(SETTINGS)}."
        )
    seen: Mapping[str, Mapping[str, Any]] = observed["settings"]
    if held := _lacks_rights(target, observed, wanted):
        return held
    were = {name: seen[name]["set"] or UNSET for name in wanted}
    expected = {each.attribute: str(each.to) for each in request.expects}
    theirs = {name: were[name] for name in wanted if expected.get(name, were[name]) != were[name]}
    to = {
        name: value
        for name, value in wanted.items()
        if name not in theirs and not (were[name] == value and seen[name]["in_force"])
    }
    if not to:
        return _left(target, theirs) if theirs else nothing_to_do(target)
    if held := _held(target, to, observed, undoes=request.undoes):
        return held
    return Plan(
        what=f"setting {next(iter(to))}" if len(to) == 1 else "settings",
        before=_listed({name: were[name] for name in to}),
        after=_listed(to),
        steps=SETTING_STEPS,
        wanted={"settings_were": {name: were[name] for name in to}, "settings": to},
        price_before=0.0,
        price_after=0.0,
        downtime=_told(seen, to, theirs),
    )


def _left(target: AppDatabaseTarget, theirs: Mapping[str, str]) -> PlanHeld:
    return PlanHeld(
        "changed_by_a_person",
        f"{target.name}: somebody changed {', '.join(theirs)} since. Left as it is: "
        f"{_listed(theirs)}.",
        by_person=True,
    )


def _lacks_rights(
    target: AppDatabaseTarget, observed: Mapping[str, Any], wanted: Mapping[str, str]
) -> PlanHeld | None:
    server = observed["server"]
    if server["replica"]:
        return PlanHeld(
            "replica",
            f"{target.name} is a replica. Nothing was changed. Set APP_DATABASE_URL to the "
            "primary.",
        )
    lacks = [name for name in wanted if not observed["settings"][name]["may"]]
    if not lacks and observed["may_reload"] and observed["may_look"]:
        return None
    role = server["role"]
    return PlanHeld(
        "rights",
        f"{target.name}: role {role} may not set {', '.join(lacks or wanted)} and have it read. "
        "Nothing was changed. Run this as a superuser (PostgreSQL 15 or newer): GRANT ALTER SYSTEM "
        f"ON PARAMETER {', '.join(wanted)} TO {role}; GRANT EXECUTE ON FUNCTION pg_reload_conf(), "
        f"pg_show_all_file_settings() TO {role}; GRANT SELECT ON pg_file_settings TO {role}; "
        "Where nobody is a superuser, as at Supabase, use the vendor's own page of the "
        "database's configuration.",
    )


def _held(
    target: AppDatabaseTarget, to: Mapping[str, str], observed: Mapping[str, Any], *, undoes: bool
) -> PlanHeld | None:
    """Why these values must not be set on this server."""
    seen: Mapping[str, Mapping[str, Any]] = observed["settings"]
    late = [name for name in to if seen[name]["context"] == _POSTMASTER]
    # An undo of a value that the server has not started with takes nothing down.
    for sentence in () if undoes else _needs_restart(target, late):
        return PlanHeld("restart", f"{target.name}: {sentence} Nothing was changed.")
    won = {name: seen[name]["source"] for name in to if seen[name]["source"] in _OVERRIDING}
    if won:
        listed = ", ".join(f"{name} (by its {source})" for name, source in won.items())
        return PlanHeld(
            "overridden",
            f"{target.name}: {listed} is set where ALTER SYSTEM has no say, so nothing would come "
            "of it. Nothing was changed. Change it there.",
        )
    sized = {name: value for name, value in to.items() if value != UNSET}
    now = {name: each["now"] for name, each in seen.items()}
    for sentence in () if undoes else _over_memory(target, {**now, **sized}):
        return PlanHeld("memory", f"{target.name}: {sentence} Nothing was changed.")
    if held := _out_of_range(target, sized, seen):
        return held
    return None if undoes else _replicas_first(target, sized, observed)


def _out_of_range(
    target: AppDatabaseTarget, to: Mapping[str, str], seen: Mapping[str, Mapping[str, Any]]
) -> PlanHeld | None:
    for name, value in to.items():
        # What was there before a run and is put back may be written otherwise. The server took it.
        number = in_bytes(value) if is_size(value) else int(value) if value.isdecimal() else None
        if number is not None and not seen[name]["least"] <= number <= seen[name]["most"]:
            return PlanHeld(
                "out_of_range",
                f"{target.name}: {name} {value} is not within what PostgreSQL takes. Nothing was "
                "changed.",
            )
    return None


def _replicas_first(
    target: AppDatabaseTarget, to: Mapping[str, str], observed: Mapping[str, Any]
) -> PlanHeld | None:
    """That a replica would stop replaying once its primary has more than it."""
    seen = observed["settings"]
    raised = [
        name for name in to if name in REPLICA_FIRST and int(to[name]) > int(seen[name]["now"])
    ]
    if not raised or not observed["replicas"]:
        return None
    names = ", ".join(observed["replicas"])
    statements = " ".join(f"ALTER SYSTEM SET {name} = {to[name]};" for name in raised)
    return PlanHeld(
        "replicas_first",
        f"{target.name} has replicas ({names}). One that has less {' and '.join(raised)} than its "
        "primary stops replaying, and goes on answering with old rows. Nothing was changed. "
        f"By hand, on each replica first: {statements} and restart it; then the primary.",
    )


def _told(
    seen: Mapping[str, Mapping[str, Any]], to: Mapping[str, str], theirs: Mapping[str, str]
) -> str:
    said = ["No downtime: the server reads it anew, and sessions go on."]
    if late := [name for name in to if seen[name]["context"] == _POSTMASTER]:
        said.append(
            f"{', '.join(late)} takes effect when the server next starts; runbookd does not "
            "restart it."
        )
    if theirs:
        kept = ", ".join(f"{name} {value}" for name, value in theirs.items())
        said.append(f"Left as it is, because a person changed it since: {kept}.")
    return " ".join(said)


def _listed(values: Mapping[str, str]) -> str:
    if len(values) == 1:
        return next(iter(values.values()))
    return ", ".join(f"{name} {value}" for name, value in values.items())
