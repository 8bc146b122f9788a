"""vertical_scale: the next size of a droplet or of an app's instances (runbook, Vertical Scaling).

One verb for two kinds of target: a rule says "larger", and what that takes is the target's matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.catalogue.app_platform.plan import plan_instance_size
from service.catalogue.app_platform.steps import AppChange
from service.catalogue.base import Record, StepContext, StepFunction
from service.catalogue.droplet.plan import plan_droplet_size
from service.catalogue.droplet.steps import DropletResize
from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import Ask, Plan, PlanHeld
from service.domain.errors import StepFailed
from service.domain.rules.rules import AppTarget, DropletTarget
from service.ports import AppPlatform, Clock, Droplets, HealthProbe


class VerticalScale:
    """One step up a ladder of sizes, as `service.catalogue.base.Scaler`."""

    def __init__(
        self,
        apps: AppPlatform,
        droplets: Droplets,
        probe: HealthProbe,
        clock: Clock,
        timings: Timings | None = None,
    ) -> None:
        timings = timings or Timings()
        self._app = AppChange(apps, probe, clock, timings)
        self._droplet = DropletResize(droplets, probe, clock, timings)

    def observe(self, ask: Ask) -> Record:
        """The size now, and what else the plan needs."""
        if isinstance(ask.target, DropletTarget):
            return self._droplet.observe(ask.target)
        if isinstance(ask.target, AppTarget):
            return self._app.observe(ask.target)
        raise StepFailed(
            "observe",
            f"vertical_scale works on droplets and app_platform targets, and {ask.target.name} is "
            f"a {ask.target.kind}; nothing was done. Correct rule {ask.rule}.",
        )

    def plan(self, ask: Ask, observed: Mapping[str, Any]) -> Plan | PlanHeld:
        """The next size on the target's ladder."""
        if isinstance(ask.target, DropletTarget):
            return plan_droplet_size(ask, observed)
        return plan_instance_size(ask, observed)

    def steps(self) -> Mapping[str, StepFunction]:
        """Those of both kinds; a plan names the ones of its own."""
        return {**self._app.steps(), **self._droplet.steps(), "verify": self._verify}

    def make_safe(self, context: StepContext, ask: Ask, plan: Plan) -> str:
        """A droplet that is off is switched on; an app is safe as it is."""
        if isinstance(ask.target, DropletTarget):
            return self._droplet.make_safe(context, plan)
        return self._app.make_safe(plan)

    def _verify(
        self, context: StepContext, ask: Ask, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        if isinstance(ask.target, DropletTarget):
            return self._droplet.verify(context, ask, plan, done)
        return self._app.verify(context, ask, plan, done)
