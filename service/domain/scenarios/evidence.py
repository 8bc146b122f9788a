"""What is known of each item of the checklist, for one scenario that was started. Pure.

It reads the API's JSON of the scenario (`told.run_told`) and of readings, so it is the same beside
the service and on a laptop. An item that nothing here can show is left to a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from service.domain.checklists import Found
from service.domain.decisions.approval import APPROVED
from service.domain.kpis.kpi import Kpi
from service.domain.scenarios.scenarios import RESTORE
from service.domain.scenarios.signoffs import AFTER, BEFORE, ROLES

ERRORS, ERROR_KPI = "errors", "error_rate"
"""The reading of failed requests, and the KPI of the same: both in per cent."""
BETTER_BELOW = ("p95", ERRORS)
"""The readings that say whether it has become better: both are better when they are lower."""


def found_of(
    run: Mapping[str, Any],
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    kpis: Sequence[Kpi] = (),
) -> dict[str, Found]:
    """By the ids of the shipped checklist. `before` and `after` are readings by the hour, newest
    first: those from before its first step, and those from after it. `kpis` are the indicators
    that say which error rate is acceptable."""
    began = run["began_at"] or ""
    steps = ", ".join(f"{each['id']} {each['state']}" for each in run["steps"])
    found = {
        "metrics": _metrics(before),
        "plan": _plan(run),
        "budget": _budget(run),
        "rollback": _way_back(run),
        "team": _team(run),
        "initiated": Found(bool(began), _runs(run) if began else "", run["by"], began),
        "monitored": _monitored(after),
        "errors": _errors(after, kpis),
        "healthy": Found(
            done=False, evidence=f"its steps: {steps}; a person looks at the services"
        ),
        "improved": _improved(before, after),
        "costs": Found(done=False, evidence=_dollars(run)),
    }
    return {item: each for item, each in found.items() if each.done or each.evidence}


def signed_of(run: Mapping[str, Any]) -> dict[str, Found]:
    """By role: the sign-offs after it, of the plan that was carried out."""
    return {
        role: Found(True, _of_plan(each), each["who"], each["at"])
        for role in ROLES
        for each in _signed(run, AFTER)
        if each["role"] == role
    }


def _signed(run: Mapping[str, Any], phase: str) -> list[Mapping[str, Any]]:
    return [
        each
        for each in run["signoffs"]
        if each["phase"] == phase and each["plan_hash"] == run["plan_hash"]
    ]


def _of_plan(signoff: Mapping[str, Any]) -> str:
    return f"plan {signoff['plan_hash']}, {signoff['note']}"


def _metrics(before: Sequence[Mapping[str, Any]]) -> Found:
    newest = _newest(before)
    if not newest:
        return Found(done=False)
    shown = ", ".join(f"{name} {_value(each)}" for name, each in newest.items())
    return Found(True, f"readings before it: {shown}", at=max(each["at"] for each in before))


def _plan(run: Mapping[str, Any]) -> Found:
    signed = _signed(run, BEFORE)
    if signed:
        roles = ", ".join(each["role"] for each in signed)
        who = ", ".join(dict.fromkeys(each["who"] for each in signed))
        return Found(True, f"plan {run['plan_hash']}, signed as {roles}", who, signed[-1]["at"])
    return Found(False, f"plan {run['plan_hash']}, signed by nobody" if run["plan_hash"] else "")


def _budget(run: Mapping[str, Any]) -> Found:
    for each in _signed(run, BEFORE):
        if each["role"] == "finance":
            return Found(True, f"{_of_plan(each)}; {_dollars(run)}", each["who"], each["at"])
    decided = run["decided"]
    if decided is not None and decided["what"] == APPROVED:
        said = f"approved, plan {decided['plan']}; {_dollars(run)}"
        return Found(True, said, decided["by"], decided["at"])
    return Found(done=False, evidence=f"nobody was asked; {_dollars(run)}")


def _dollars(run: Mapping[str, Any]) -> str:
    known = [each["dollars"] for each in run["steps"] if each["target"] is not None]
    if not known or any(each is None for each in known):
        return "what it adds a month is not known"
    dollars = f"${sum(known):,.2f}".removesuffix(".00")
    return f"it adds {dollars} a month"


def _way_back(run: Mapping[str, Any]) -> Found:
    back = [each["id"] for each in run["steps"] if each["undo"] == RESTORE]
    stays = [each["id"] for each in run["steps"] if each["undo"] != RESTORE and each["target"]]
    said = f"runbookd undo {run['id']} puts back {', '.join(back)}" if back else ""
    kept = f"stays as it is: {', '.join(stays)}" if stays else ""
    return Found(bool(back), "; ".join(each for each in (said, kept) if each))


def _team(run: Mapping[str, Any]) -> Found:
    return Found(bool(run["message"]), f"message {run['message']}" if run["message"] else "")


def _runs(run: Mapping[str, Any]) -> str:
    return ", ".join(each["run"] for each in run["steps"] if each["run"])


def _monitored(after: Sequence[Mapping[str, Any]]) -> Found:
    """The hours since its first step have readings."""
    newest = _newest(after)
    if not newest:
        return Found(done=False)
    shown = ", ".join(f"{name} {_value(each)}" for name, each in newest.items())
    return Found(True, f"readings after it: {shown}", at=max(each["at"] for each in after))


def _errors(after: Sequence[Mapping[str, Any]], kpis: Sequence[Kpi]) -> Found:
    """The newest error rate after it, beside the target of its KPI."""
    reading = _newest(after).get(ERRORS)
    kpi = next((each for each in kpis if each.name == ERROR_KPI), None)
    if reading is None or kpi is None or reading["unit"] != kpi.unit:
        return Found(done=False)
    met = not kpi.misses(reading["mean"], kpi.target)
    said = f"{ERRORS} {_value(reading)}, and the target of {kpi.name} is {kpi.shown(kpi.target)}"
    return Found(met, said, at=reading["at"])


def _improved(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Found:
    was, now = _newest(before), _newest(after)
    both = [each for each in BETTER_BELOW if each in was and each in now]
    if not both:
        return Found(done=False)
    better = all(now[each]["mean"] <= was[each]["mean"] for each in both)
    shown = ", ".join(f"{each} {_value(was[each])} → {_value(now[each])}" for each in both)
    return Found(better and len(both) == len(BETTER_BELOW), shown)


def _newest(readings: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The newest reading of each metric of the whole installation."""
    newest: dict[str, Mapping[str, Any]] = {}
    for each in readings:
        if not each["target"]:
            newest.setdefault(each["metric"], each)
    return dict(sorted(newest.items()))


def _value(reading: Mapping[str, Any]) -> str:
    return f"{reading['mean']:,.4g} {reading['unit']}".strip()
