"""Actions that several kinds share, and those that need no target (runbook, Alert Configuration).

An action of one kind alone stands in the folder of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from service.catalogue.shapes import Shape
from service.catalogue.spec import ActionSpec, Effect
from service.domain.decisions.claims import NOTIFY
from service.domain.decisions.requests import Wanted

MAX_STEP = 250
"""App Platform's own limit for the instances of one component (DigitalOcean's API reference)."""


class StepOptions(Shape):
    """How many instances one step adds."""

    step: int = Field(default=1, ge=1, le=MAX_STEP)


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

PAGE_ONCALL = ActionSpec("page_oncall", Effect.CALLS, NOTIFY)
"""One PagerDuty incident for each group of alerts."""

INVESTIGATE = ActionSpec("investigate", Effect.TELLS, NOTIFY)
"""One Slack message for each group of alerts and cooldown."""

IGNORE = ActionSpec("ignore", Effect.NOTHING, NOTIFY)
"""For alerts that nobody needs to hear of, such as a Watchdog that always fires."""
