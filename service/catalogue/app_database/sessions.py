"""Which sessions are ended, and why the others are not. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from service.catalogue.app_database.target import AppDatabaseTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.durations import lasted, parse_duration

KILL_STEPS = ("cancel", "terminate", "verify")
CLIENT = "client backend"
"""PostgreSQL's name for a session of a client. A replica's walsender and the server's own workers
have others."""
ACTIVE = "active"
IDLE = ("idle in transaction", "idle in transaction (aborted)")
_SHOWN_PIDS = 5
"""Pids in a title; the sentence below it has all of them."""

Found = Mapping[str, Any]
"""A session, as the work's record has it."""


def plan_kill(
    target: AppDatabaseTarget, options: Mapping[str, Any], observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    """The sessions to end, the oldest first, each named with what it does."""
    if held := _lacks_rights(target, observed):
        return held
    running, idle, spared = _chosen(target, options, observed["sessions"])
    found = sorted([*running, *idle], key=lambda each: -each["age_s"])
    ended = found[: options["most"]]
    if not ended:
        return PlanHeld("nothing_to_end", _nothing(target, options, spared))
    pids = [each["pid"] for each in ended]
    return Plan(
        what="sessions",
        before=_pids(pids),
        after="ended",
        steps=KILL_STEPS,
        wanted={
            "running": [_work(each) for each in ended if each in running],
            "idle": [_work(each) for each in ended if each in idle],
        },
        price_before=0.0,
        price_after=0.0,
        downtime=" ".join(
            filter(
                None,
                [
                    "No downtime. What these sessions do fails for their clients:",
                    f"{'; '.join(map(shown, ended))}.",
                    _more(len(found) - len(ended), options["most"]),
                    _spared(spared),
                    "It cannot be undone.",
                ],
            )
        ),
    )


def shown(each: Found) -> str:
    """One session for a person: `pid 41 (quiz_app, 75 s, SELECT 1a2b3c4d)`."""
    does = "idle in a transaction" if each["state"] in IDLE else f"{each['verb']} {each['digest']}"
    return f"pid {each['pid']} ({each['role']}, {lasted(each['age_s'])}, {does})"


def _work(each: Found) -> dict[str, Any]:
    kept = ("pid", "began", "since", "role", "state", "age_s", "verb", "digest")
    return {name: each[name] for name in kept}


def _chosen(
    target: AppDatabaseTarget, options: Mapping[str, Any], sessions: Iterable[Found]
) -> tuple[list[Found], list[Found], Counter[str]]:
    """The queries and the idle transactions that are old enough, and why others are spared."""
    older_s = parse_duration(options["older_than"]).total_seconds()
    given = options["idle_older_than"]
    idle_s = float("inf") if given is None else parse_duration(given).total_seconds()
    running: list[Found] = []
    idle: list[Found] = []
    spared: Counter[str] = Counter()
    for each in sessions:
        is_idle = each["state"] in IDLE
        old = each["age_s"] > (idle_s if is_idle else older_s)
        if not old or not (is_idle or each["state"] == ACTIVE):
            continue
        if why := _why_spared(target, each):
            spared[why] += 1
        else:
            (idle if is_idle else running).append(each)
    return running, idle, spared


def _why_spared(target: AppDatabaseTarget, each: Found) -> str:
    """Why an old session is left alone; empty where it is not."""
    if each["kind"] != CLIENT:
        return f"of PostgreSQL itself ({each['kind'] or 'of an unknown kind'})"
    if each["role"] not in target.roles:
        return f"of role {each['role']}"
    if each["application"] in target.spared:
        return f"of {each['application']}"
    if each["maintains"] or not (each["plain"] or each["state"] in IDLE):
        return f"that would leave something half done ({each['verb']})"
    return ""


def _spared(spared: Counter[str]) -> str:
    if not spared:
        return ""
    return f"Spared: {', '.join(f'{count} {why}' for why, count in sorted(spared.items()))}."


def _nothing(target: AppDatabaseTarget, options: Mapping[str, Any], spared: Counter[str]) -> str:
    idle = options["idle_older_than"]
    or_idle = "" if idle is None else f", or is idle in a transaction for more than {idle}"
    said = (
        f"{target.name}: no session of {' or '.join(target.roles)} runs a query for more than "
        f"{options['older_than']}{or_idle}. Nothing was ended."
    )
    return f"{said} {_spared(spared)}".rstrip()


def _more(count: int, most: int) -> str:
    if count <= 0:
        return ""
    return f"{count} more are left for now: a run ends at most {most}, the oldest first."


def _pids(pids: Sequence[int]) -> str:
    first = ", ".join(map(str, pids[:_SHOWN_PIDS]))
    more = f" and {len(pids) - _SHOWN_PIDS} more" if len(pids) > _SHOWN_PIDS else ""
    return f"pid {first}{more}"


def _lacks_rights(target: AppDatabaseTarget, observed: Mapping[str, Any]) -> PlanHeld | None:
    """That a role is not there, or that runbookd's own may not see or end its sessions."""
    known = {each["name"]: each for each in observed["roles"]}
    server = observed["server"]
    for name in target.roles:
        if name not in known:
            return PlanHeld("unknown_role", _unknown(target, name, list(known)))
    if server["superuser"]:
        return None
    for name in target.roles:
        if known[name]["superuser"]:
            return PlanHeld(
                "rights",
                f"{target.name}: role {name} is a superuser, and {server['role']} is none, so it "
                "may not end its sessions. Nothing was ended. Give the application a role of its "
                "own that is no superuser.",
            )
    lacks = missing_grants(target, observed)
    if not lacks:
        return None
    return PlanHeld(
        "rights",
        f"{target.name}: role {server['role']} may not see and end the sessions of "
        f"{', '.join(target.roles)}. Nothing was ended. Run this as a superuser: {lacks}",
    )


def missing_grants(target: AppDatabaseTarget, observed: Mapping[str, Any]) -> str:
    """The statement that gives runbookd's role the rights it lacks; empty where it has them."""
    known = {each["name"]: each for each in observed["roles"]}
    server = observed["server"]
    if server["superuser"] or all(known[name]["ours"] for name in target.roles if name in known):
        return ""
    lacks = []
    if not server["sees_all"]:
        lacks.append("pg_read_all_stats")
    if not server["may_signal"]:
        lacks.append("pg_signal_backend")
    return f"GRANT {', '.join(lacks)} TO {server['role']};" if lacks else ""


def _unknown(target: AppDatabaseTarget, name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    meant = f"Close to it: {', '.join(close)}." if close else f"There are {', '.join(known)}."
    return (
        f"{target.name}: the server has no role {name} that may log in. {meant} Nothing was ended. "
        "Correct the target's roles."
    )
