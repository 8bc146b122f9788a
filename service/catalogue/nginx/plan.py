"""From what a look at a balancer's file showed to the file that is wanted, or the guard that holds.

Pure. What is `observed` is the record of `service.catalogue.nginx.steps.BalancerFile.observe`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.nginx.digest import NO_FILE
from service.catalogue.nginx.target import NginxTarget
from service.catalogue.steps.bounds import nothing_to_do
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request

FILE_STEPS = ("write", "reload", "verify")
AS_THE_RULES_SAY = "as the rules say"
"""What is wanted of the file, unless a person has an older one put back."""
NOT_RUNNING_RETRY_S = 120.0
"""Seconds until a held run looks again whether nginx runs; whoever starts it is at work on it."""
NO_DOWNTIME = "No downtime: nginx finishes the requests under way by the old file."


def file_is(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """The file, as plans show it, and what nginx does where that is not the usual."""
    state: dict[str, int | str] = {"file": _shown(observed["file"], observed["servers"])}
    if not observed["running"]:
        state["status"] = "nginx does not run"
    elif observed["file"] != NO_FILE and observed["in_force"] != observed["file"]:
        state["status"] = "not loaded"
    return state


def file_digest(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """The file's digest, which is all that a plan changes."""
    return {"file": observed["file"]}


def file_changed(plan: Plan) -> Mapping[str, tuple[Any, Any]]:
    """The digest of the file before and after."""
    return {"file": (plan.wanted["before"], plan.wanted["after"])}


def plan_file(request: Request, observed: Mapping[str, Any]) -> Plan | PlanHeld:
    """The file of the rules, or the older one that a person has put back."""
    target = request.target
    if not isinstance(target, NginxTarget):
        raise TypeError(f"{target.name} is no balancer")
    if held := _held(target, observed):
        return held
    (wanted,) = request.wanted
    before = observed["file"]
    from_rules = wanted.to == AS_THE_RULES_SAY
    after = observed["wanted"] if from_rules else str(wanted.to)
    in_force = observed["in_force"] or NO_FILE
    if before == after == in_force:
        return nothing_to_do(target)
    return Plan(
        what="file",
        before=_shown(before, observed["servers"]),
        after=_shown(after, len(target.servers) if from_rules else None),
        steps=FILE_STEPS,
        wanted={"before": before, "after": after, "place": observed["place"]},
        price_before=0.0,
        price_after=0.0,
        downtime=_told(observed, after, from_rules=from_rules),
    )


def _held(target: NginxTarget, observed: Mapping[str, Any]) -> PlanHeld | None:
    if not observed["running"]:
        return PlanHeld(
            "nginx_down",
            f"nginx does not run on this machine, so it cannot read {target.file}. Nothing was "
            "changed. Start it, and see why it ended.",
            retry_after_s=NOT_RUNNING_RETRY_S,
            unsafe=True,
        )
    if not observed["included"]:
        return PlanHeld(
            "not_included",
            f"{target.main} does not include {target.file}, so nginx would never read it. Nothing "
            f"was changed. Add `include {target.file};` within its http block.",
        )
    if observed["file"] != NO_FILE and not observed["ours"]:
        return PlanHeld(
            "changed_by_a_person",
            f"{target.file} is not as runbookd has written it: a person has made or changed "
            "it. It was left as it is. Bring the change into the rules, move the file away, and "
            "ask again.",
            by_person=True,
        )
    return None


def _shown(digest: str, servers: int | None) -> str:
    if digest == NO_FILE:
        return NO_FILE
    count = "" if servers is None else f" with {servers} server{'' if servers == 1 else 's'}"
    return f"{digest}{count}"


def _told(observed: Mapping[str, Any], after: str, *, from_rules: bool) -> str:
    """What the change does, and for how long it takes the balancer down."""
    if after == NO_FILE:
        return "Removes the file: nginx no longer answers by it, and no client is passed on."
    if not from_rules:
        return f"Puts back an older file. {NO_DOWNTIME}"
    if observed["file"] == NO_FILE:
        return f"Makes the file. {NO_DOWNTIME}"
    if observed["file"] == after:
        return f"The file is there, and nginx has not loaded it. {NO_DOWNTIME}"
    return " ".join(filter(None, [observed["difference"], NO_DOWNTIME]))
