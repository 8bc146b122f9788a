"""Changing values of one component of an App Platform app, for every action that does so.

Replicas and instance sizes go the same way: the whole spec goes back with the planned
values changed, our deployment is awaited (`rollout`), and all of it is looked at once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TypeVar

from service.catalogue.app_platform.autoscaling import FIELDS
from service.catalogue.app_platform.change import PlannedChange
from service.catalogue.app_platform.rollout import Rollout
from service.catalogue.app_platform.spec import (
    component_names,
    component_state,
    kind_of,
    value_of,
)
from service.catalogue.app_platform.target import PRICES, AppTarget
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.health import await_url
from service.catalogue.steps.polling import read
from service.catalogue.steps.price_lists import FRESH_S, ask_prices
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports import AppPlatform
from service.ports.app_platform import AppState, Deployment

T = TypeVar("T")


class AppChange:
    """The steps update_app, await_deployment and verify over one port."""

    def __init__(self, apps: AppPlatform, tools: Tools) -> None:
        self._apps = apps
        self._probe = tools.probe
        self._clock = tools.clock
        self._timings = tools.timings
        self._tools = tools
        self._rollout = Rollout(apps, tools.timings)

    def observe(self, target: AppTarget) -> Record:
        """What the plan needs, as plain JSON; never the spec itself, which holds secrets."""
        known = ask_prices(PRICES, self._sizes, self._tools, FRESH_S)
        # Deployments first: one that begins between the two reads is then newer than the plan.
        newest = self._read(lambda: self._apps.list_deployments(target.app))
        app = self._read(lambda: self._apps.get_app(target.app))
        state = component_state(app.spec, target.component)
        return {
            "kind": kind_of(app.spec, target.component),
            "components": component_names(app.spec),
            "replicas": state.replicas if state else None,
            "size": state.size if state else "",
            "autoscaling": dict(state.autoscaling) if state and state.autoscaling else None,
            "fields": {key: value_of(app.spec, target.component, key) for key in FIELDS.values()},
            "deploying": app.deploying,
            "pinned": app.pinned,
            "last_deployment": newest[0].id if newest else None,
            **known,
        }

    def load(self, target: AppTarget, attribute: str) -> float | None:
        """How busy its instances are by the vendor's own metrics, in percent of their CPU; None
        where the vendor shows none."""
        health = self._read(lambda: self._apps.health(target.app)).get(target.component)
        return None if health is None else health.cpu_percent

    def _sizes(self) -> dict[str, Record]:
        return {size.slug: asdict(size) for size in self._apps.instance_sizes()}

    def steps(self) -> dict[str, StepFunction]:
        """By the names that plans use."""
        return {
            "update_app": self.update_app,
            "await_deployment": self.await_deployment,
            "verify": self.verify,
        }

    def update_app(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Send the spec with the wanted values, unless it already holds them.

        The app is read last before the write. Whatever a person changed since the plan was made
        shows there or among the deployments, and then nothing is written.
        """
        change = PlannedChange.of(plan.wanted)
        intent = context.intent("update_app")

        def look() -> Applied | Pending[AppState]:
            deployments, app = self._read_last(change.app)
            if change.is_set_in(app.spec):
                return Applied({"deployment": change.carrier(deployments), "seen": True})
            if conflict := change.conflict(app.spec, deployments):
                raise TargetChanged("update_app", conflict)
            return Pending(app)

        def send(app: AppState) -> Record:
            deployment = self._apps.update_app(change.app, change.put_into(app.spec))
            context.progress(f"Set {change} to {change.wanted}; deployment {deployment} began.")
            return {"deployment": deployment}

        write = Write("update_app", f"setting {change} to {change.wanted}", look, send)
        return apply_once(context, intent, write, self._timings)

    def await_deployment(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Follow our deployment until it is active, then wait for the replicas."""
        change = PlannedChange.of(plan.wanted)
        active = self._rollout.await_active(context, change, done["update_app"]["deployment"])
        context.progress(f"Deployment {active} is active; waiting for the replicas.")
        ready = self._rollout.await_replicas(context, change, "await_deployment")
        return {"deployment": active, "ready": ready}

    def verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Spec, replicas and, where the target has one, the health check's address."""
        change = PlannedChange.of(plan.wanted)
        app = self._read_within(context, lambda: self._apps.get_app(change.app))
        if not change.is_set_in(app.spec):
            raise StepFailed(
                "verify",
                f"{change} is {change.told_of(app.spec)} now and not {change.wanted} as was set: "
                "somebody changed it in the meantime. It was left as it is.",
            )
        self._fail_on_a_lost_change(context, change, done["update_app"])
        ready = self._rollout.await_replicas(context, change, "verify")
        if isinstance(request.target, AppTarget) and request.target.health_url:
            await_url(request.target.health_url, self._probe, context.clock, self._timings)
        return {**change.found_in(app.spec), "ready": ready}

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """An app is safe as it is: the vendor keeps the old deployment until the new one serves."""
        change = PlannedChange.of(plan.wanted)
        try:
            app = self._read(lambda: self._apps.get_app(change.app))
            found = change.told_of(app.spec)
            health = self._apps.health(change.app).get(change.component)
        except VendorError as problem:
            return f"How it was left is not known. {problem} Nothing was taken away."
        serving = "an unknown number of" if health is None else str(health.ready)
        return (
            f"{change} is {found} now (before: {change.before}, wanted: {change.wanted}); "
            f"{serving} replicas serve, and nothing was taken away."
        )

    def _read_last(self, app: str) -> tuple[Sequence[Deployment], AppState]:
        """The deployments, then the app: both again while the app's answer was slow.

        A slow answer may show the app as it was before somebody changed it meanwhile. The vendor
        has no conditional write, so the time of this answer is the time that we cannot see into.
        """
        for tries_left in reversed(range(self._timings.fresh_reads)):
            deployments = self._apps.list_deployments(app)
            began = self._clock.monotonic()
            found = self._apps.get_app(app)
            if self._clock.monotonic() - began <= self._timings.fresh_read_s or not tries_left:
                break
        return deployments, found

    def _fail_on_a_lost_change(
        self, context: StepContext, change: PlannedChange, update: Record
    ) -> None:
        """Tell a person whose change our write replaced, because no read of ours had shown it."""
        sent = None if update.get("seen") else update["deployment"]
        listed = self._read_within(context, lambda: self._apps.list_deployments(change.app))
        if theirs := change.overwritten(sent, listed):
            raise StepFailed(
                "verify",
                f"Our write to app {change.app} has overwritten deployment {theirs}, which "
                f"somebody else began between our last look and our write. {change} is "
                f"{change.wanted} as planned, but what {theirs} changed is lost. Compare the spec "
                f"of {theirs} with the app's, and set again what is missing.",
            )

    def _read(self, look: Callable[[], T]) -> T:
        """A read outside a step, which keeps no lock alive, so it does not wait for long."""
        return read(look, clock=self._clock, timings=self._timings)

    def _read_within(self, context: StepContext, look: Callable[[], T]) -> T:
        """A read within a step: it waits for as long as the vendor asks."""
        return read(
            look,
            clock=context.clock,
            timings=self._timings,
            budget_s=self._timings.asked_wait_s,
        )
