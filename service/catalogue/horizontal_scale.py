"""horizontal_scale: more replicas of one App Platform component (runbook, Horizontal Scaling)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.app_platform.plan import plan_replicas
from service.catalogue.app_platform.steps import AppChange
from service.catalogue.base import Record, StepContext, StepFunction
from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import Ask, Plan, PlanHeld
from service.domain.errors import StepFailed
from service.domain.rules.rules import AppTarget
from service.ports import AppPlatform, Clock, HealthProbe


class HorizontalScale:
    """Sets an absolute count within the target's bounds, as `service.catalogue.base.Scaler`."""

    def __init__(
        self,
        apps: AppPlatform,
        probe: HealthProbe,
        clock: Clock,
        timings: Timings | None = None,
    ) -> None:
        self._change = AppChange(apps, probe, clock, timings or Timings())

    def observe(self, ask: Ask) -> Record:
        """The component as it is specified now."""
        if not isinstance(ask.target, AppTarget):
            raise StepFailed(
                "observe",
                f"horizontal_scale works on app_platform targets, and {ask.target.name} is a "
                f"{ask.target.kind}; nothing was done. Correct rule {ask.rule}.",
            )
        return self._change.observe(ask.target)

    def plan(self, ask: Ask, observed: Mapping[str, Any]) -> Plan | PlanHeld:
        """Current count plus the rule's step, within the bounds."""
        return plan_replicas(ask, observed)

    def steps(self) -> Mapping[str, StepFunction]:
        """update_app, await_deployment, verify."""
        return self._change.steps()

    def make_safe(self, context: StepContext, ask: Ask, plan: Plan) -> str:
        """Says what serves; a half-made deployment takes no capacity away."""
        return self._change.make_safe(plan)
