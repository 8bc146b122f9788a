"""A droplet to its next size: snapshot, then off → resize → on, then verified.

From power-off to power-on is one step, because a crash in between must not leave a server off:
the step keeps nothing, needs no database, and goes on from whatever a look shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TypeVar

from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.droplet.owner import OFF_ACTIONS
from service.catalogue.droplet.section import bring_on, resize_droplet
from service.catalogue.droplet.snapshot import take_snapshot
from service.catalogue.droplet.target import PRICES, DropletTarget
from service.catalogue.spec import Tools
from service.catalogue.steps.health import await_url
from service.catalogue.steps.polling import read
from service.catalogue.steps.price_lists import ask_prices
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed
from service.ports import Droplets
from service.ports.droplet import DropletState

T = TypeVar("T")


class DropletResize:
    """The steps snapshot, resize and verify over one port (runbook, Vertical Scaling Process)."""

    def __init__(self, droplets: Droplets, tools: Tools) -> None:
        self._droplets = droplets
        self._probe = tools.probe
        self._clock = tools.clock
        self._timings = tools.timings
        self._tools = tools

    def observe(self, target: DropletTarget) -> Record:
        """The droplet, what the vendor offers, and the droplet's newest action."""
        droplet = self._read(lambda: self._droplets.get(target.droplet))
        actions = self._read(lambda: self._droplets.list_actions(target.droplet))
        known = ask_prices(PRICES, self._sizes, self._tools)
        return {
            "size": droplet.size,
            "status": droplet.status,
            "locked": droplet.locked,
            "disk_gb": droplet.disk_gb,
            "region": droplet.region,
            "region_sizes": _sold_there(droplet, target.sizes),
            "last_action": actions[0].id if actions else None,
            **known,
        }

    def _sizes(self) -> dict[str, Record]:
        return {slug: asdict(size) for slug, size in self._droplets.sizes().items()}

    def remove(self, request: Request, left: Record) -> None:
        """Delete the snapshot of a run, found by the name that the run gave it."""
        if isinstance(request.target, DropletTarget):
            self._droplets.delete_snapshot(request.target.droplet, str(left["snapshot"]))

    def steps(self) -> dict[str, StepFunction]:
        """By the names that plans use."""
        return {"snapshot": self.snapshot, "resize": self.resize, "verify": self.verify}

    def snapshot(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """What to go back to, before anything is touched."""
        return take_snapshot(context, self._droplets, plan, self._timings)

    def resize(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Off, resized with its disk untouched, on again."""
        anchor = done["snapshot"]["last_action"]
        duty = context.off_duty(plan.wanted["droplet"])
        new = duty.begin(plan.wanted["after"])
        intent = context.intent("resize")
        if new and intent.repeated:
            # An execution by a version that kept no record: it may have sent either of these.
            duty.assume(OFF_ACTIONS, anchor)
        context.fence()
        return resize_droplet(
            context,
            self._droplets,
            plan,
            self._timings,
            anchor=anchor,
            repeated=intent.repeated,
        )

    def verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Size, power and, where the target has one, the health check's address."""
        droplet_id, wanted = plan.wanted["droplet"], plan.wanted["after"]
        droplet = self._read(lambda: self._droplets.get(droplet_id))
        if droplet.size != wanted or droplet.status != "active":
            raise StepFailed(
                "verify",
                f"Droplet {droplet_id} is {droplet.status} at {droplet.size} and was to be active "
                f"at {wanted}: somebody changed it after the resize.",
            )
        if isinstance(request.target, DropletTarget) and request.target.health_url:
            await_url(request.target.health_url, self._probe, context.clock, self._timings)
        return {
            "size": droplet.size,
            "status": droplet.status,
            "vcpus": droplet.vcpus,
            "memory_mb": droplet.memory_mb,
        }

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """Switches a droplet on that this run has switched off, whatever its size."""
        return bring_on(context, self._droplets, plan, self._timings)

    def _read(self, look: Callable[[], T]) -> T:
        return read(look, clock=self._clock, timings=self._timings)


def _sold_there(droplet: DropletState, ladder: Sequence[str]) -> list[str] | None:
    """The ladder's sizes that the droplet's region sells; None where the vendor does not say."""
    sold = droplet.region_sizes
    return None if sold is None else [size for size in ladder if size in sold]
