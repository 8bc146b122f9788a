"""Which scenarios are under way, and which cannot start or not do all of it now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from service.domain.durations import clock_time
from service.domain.scenarios.going import OVER, UNDER_WAY, ScenarioNow
from service.domain.scenarios.scenarios import Scenario
from service.domain.scenarios.way import only_waits


def going_said(now: ScenarioNow) -> str:
    """How one that was started stands: its state, its step and its end, in one line."""
    begun = [each.step.id for each in now.steps if each.state == UNDER_WAY]
    back = [each.step.id for each in now.steps if each.back_state == UNDER_WAY]
    over = sum(each.state in OVER for each in now.steps)
    parts = [f"{now.id} is {now.state}, {over} of {len(now.steps)} steps over"]
    if begun or back:
        parts.append(f"under way: {', '.join(begun or back)}")
    if now.due_at is not None and not back:
        parts.append(f"in force until {clock_time(now.due_at)}")
    return "; ".join(parts)


def in_its_way(scenario: Scenario, going: Iterable[ScenarioNow]) -> str:
    """The one on its targets that keeps it from starting now; empty where none does."""
    mine = set(scenario.targets)
    if scenario.emergency:
        return ""
    for each in going:
        if only_waits(each.state, emergency=each.scenario.emergency):
            continue
        if both := sorted(mine & set(each.scenario.targets)):
            return f"{each.id} is {each.state} and changes {', '.join(both)}"
    return ""


def unable(
    scenarios: Iterable[Scenario],
    going: Sequence[ScenarioNow],
    off: Mapping[str, str],
    *,
    measured: bool,
) -> Iterator[str]:
    """A sentence for all that keeps one of the rules' scenarios from starting, or from doing all
    of it.

    `off` are the targets that are off, with the setting that is missing. `measured` is whether
    Prometheus can be asked.
    """
    for scenario in scenarios:
        if why := in_its_way(scenario, going):
            yield f"{scenario.name} cannot start now: {why}"
        for target in scenario.targets:
            if target in off:
                yield f"{scenario.name} cannot change {target}: {off[target]} is not set"
        if not measured and (said := _unmeasured(scenario)):
            yield f"{scenario.name} has no readings, because PROMETHEUS_URL is not set: {said}"


def _unmeasured(scenario: Scenario) -> str:
    """What follows for its conditions where nothing is measured; empty where it has none."""
    told = [
        f"step {each.id} {'begins anyway' if each.when.unknown_begins else 'is left out'}"
        for each in scenario.steps
        if each.when is not None
    ]
    if scenario.early is not None and scenario.early.reading:
        told.append("it does not end before its time")
    return ", ".join(told)
