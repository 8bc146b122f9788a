"""Actions that several kinds share, and those that need no target (runbook, Alert Configuration).

An action of one kind alone stands in the folder of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import ActionSpec, Effect
from service.domain.announced import FIELDS, LONGEST_TEXT, unknown_fields
from service.domain.decisions.claims import NOTIFY
from service.domain.decisions.decision_tree import BRANCHES
from service.domain.decisions.directions import SET
from service.domain.decisions.requests import Wanted

MAX_STEP = 250
"""App Platform's own limit for the instances of one component (DigitalOcean's API reference)."""


THRESHOLDS: Literal["thresholds"] = "thresholds"
ALWAYS = "always"
"""When a cost report is told."""

MOST_CHANNELS = 10
"""Slack takes about one message a second in each channel; ten are told within one round."""


class StepOptions(Shape):
    """How many instances one step adds."""

    step: int = Field(default=1, ge=1, le=MAX_STEP)


class CapacityOptions(Shape):
    """How many instances, of which size; at least one of them. `exact` may take away too."""

    replicas: int | None = Field(default=None, ge=1, le=MAX_STEP)
    size: Text | None = None
    exact: bool = False


Channel = Annotated[
    str,
    Field(
        pattern=r"^(#[^\s#@,.A-Z]{1,79}|[CG][A-Z0-9]{8,20})$",
        description="a Slack channel such as '#ops' (in quotes), or its id such as C0123456789",
    ),
]


class TellOptions(Shape):
    """Which channels are told what, and with which severity the person on call is paged too."""

    channels: list[Channel] = Field(
        default=[],
        max_length=MOST_CHANNELS,
        description=f"a list of at most {MOST_CHANNELS} Slack channels, such as ['#ops', '#web']",
    )
    text: str = Field(
        default="",
        max_length=LONGEST_TEXT,
        description=f"a text of at most {LONGEST_TEXT} characters",
    )
    page: Literal["critical", "error", "warning", "info"] | None = None


class CostOptions(Shape):
    """When people are told: with each threshold of the budget, or always."""

    tell: Literal["thresholds", "always"] = THRESHOLDS


class BranchOptions(Shape):
    """What one branch of the decision tree asks for, as a rule would: an action and its options."""

    model_config = ConfigDict(serialize_by_alias=True)

    action: Text
    target: Text
    with_: dict[str, Any] = Field(default={}, alias="with")


class DecideOptions(Shape):
    """What each branch asks for. A branch that is not named is only investigated."""

    cpu: BranchOptions | None = None
    memory: BranchOptions | None = None
    database: BranchOptions | None = None
    cache: BranchOptions | None = None
    network: BranchOptions | None = None


class StartOptions(Shape):
    """Which scenario is started."""

    scenario: Text | None = None


def branches_of(options: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The branches that a rule with `decide` names: `action`, `target` and `with` of each."""
    return {name: options[name] for name in BRANCHES if options.get(name) is not None}


def _names_no_branch(options: Mapping[str, Any]) -> str:
    if not branches_of(options):
        known = ", ".join(BRANCHES)
        return f"decide names no branch, so nothing could follow; name one of {known}."
    return ""


def _starts_nothing(options: Mapping[str, Any]) -> str:
    if options["scenario"] is None:
        return "start_scenario needs scenario: which one, such as {scenario: viral-growth}."
    return ""


def _tells_nobody(options: Mapping[str, Any]) -> str:
    channels = options["channels"]
    if not channels:
        return "tell needs channels: whom it tells, such as channels: ['#ops']."
    if twice := [each for each in dict.fromkeys(channels) if channels.count(each) > 1]:
        return f"channels names {', '.join(twice)} more than once."
    if not options["text"].strip():
        return "tell needs text: what is said."
    if unknown := unknown_fields(options["text"]):
        shown = ", ".join(f"{{{name}}}" for name in unknown)
        known = ", ".join(f"{{{name}}}" for name in FIELDS)
        return f"text holds {shown}, which is no field; there are {known}."
    return ""


def named_values(options: Mapping[str, Any], *names: str) -> tuple[Wanted, ...]:
    """Those of the options that have a value. An alert asks for at least these, unless its rule
    says exact."""
    return tuple(
        Wanted(name, to=options[name], least=not options["exact"])
        for name in names
        if options[name] is not None
    )


def capacity(options: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """The count and the size, as far as they are named."""
    return named_values(options, "replicas", "size")


def _way(options: Mapping[str, Any]) -> str:
    """At least so many instances is the same wish as one more of them, and takes its claim."""
    if options["exact"]:
        return SET
    return "up" if options["replicas"] is None else "out"


def _names_nothing(options: Mapping[str, Any]) -> str:
    if options["replicas"] is None and options["size"] is None:
        return "set_capacity needs replicas, size or both, such as {replicas: 10}."
    return ""


def one_size_up(options: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """The next size of the target's ladder."""
    return (Wanted("size", by=1),)


HORIZONTAL_SCALE = ActionSpec(
    "horizontal_scale",
    Effect.CHANGES,
    "out",
    wanted=lambda options: (Wanted("replicas", by=options["step"]),),
    options=StepOptions,
)
"""More instances (runbook, Horizontal Scaling)."""

VERTICAL_SCALE = ActionSpec("vertical_scale", Effect.CHANGES, "up", wanted=one_size_up, climbs=True)
"""The next size of the target's ladder (runbook, Vertical Scaling)."""

SET_CAPACITY = ActionSpec(
    "set_capacity",
    Effect.CHANGES,
    SET,
    wanted=capacity,
    options=CapacityOptions,
    directed=_way,
    sets=("replicas", "size"),
    lacking=_names_nothing,
)
"""Values instead of steps: so many instances, of such a size (runbook, Manual Horizontal Scaling;
Viral Growth)."""

PAGE_ONCALL = ActionSpec("page_oncall", Effect.CALLS, NOTIFY, about_alerts=True)
"""One PagerDuty incident for each group of alerts."""

INVESTIGATE = ActionSpec("investigate", Effect.TELLS, NOTIFY, about_alerts=True)
"""One Slack message for each group of alerts and cooldown."""

TELL = ActionSpec(
    "tell",
    Effect.TELLS,
    NOTIFY,
    options=TellOptions,
    lacking=_tells_nobody,
    undoes=False,
    about_alerts=True,
)
"""One message for all teams in each of several channels (runbook, Emergency: notify-all)."""

DECIDE = ActionSpec(
    "decide",
    Effect.TELLS,
    NOTIFY,
    options=DecideOptions,
    lacking=_names_no_branch,
    undoes=False,
    asks=True,
)
"""Reads, goes down the decision tree, and asks for what the rule names for the branch (runbook,
Manual Scaling Decision Tree)."""

START_SCENARIO = ActionSpec(
    "start_scenario",
    Effect.TELLS,
    NOTIFY,
    options=StartOptions,
    lacking=_starts_nothing,
    undoes=False,
    starts=True,
    about_alerts=True,
)
"""Starts a scenario of the rules, as a person does (runbook, Viral Growth)."""

COST_REPORT = ActionSpec("cost_report", Effect.TELLS, NOTIFY, options=CostOptions, undoes=False)
"""What the month costs, and a message for each threshold of the budget (runbook, Resource
Monitoring)."""

WEEKLY_REPORT = ActionSpec("weekly_report", Effect.TELLS, NOTIFY, undoes=False)
"""What was done in the seven days before, with a picture of instances and dollars by day (runbook,
Resource Monitoring)."""

IGNORE = ActionSpec("ignore", Effect.NOTHING, NOTIFY)
"""For alerts that nobody needs to hear of, such as a Watchdog that always fires."""
