"""Following an App Platform deployment until the replicas that it brings serve.

Only reads: whatever happens here, nothing is written, so it may be begun anew at any point.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.catalogue.app_platform.change import PlannedChange
from service.catalogue.context import StepContext
from service.catalogue.steps.polling import poll
from service.catalogue.steps.timings import Timings
from service.domain.errors import StepFailed
from service.ports import AppPlatform
from service.ports.app_platform import ComponentHealth, Deployment

_ENDED_BADLY = frozenset({"ERROR", "CANCELED"})


@dataclass(slots=True)
class _Followed:
    """The deployment that is being waited for; another one when that takes its place."""

    id: str | None


class Rollout:
    """Waits for our deployment of one app, and for its replicas."""

    def __init__(self, apps: AppPlatform, timings: Timings) -> None:
        self._apps = apps
        self._timings = timings

    def await_active(
        self, context: StepContext, change: PlannedChange, deployment: str | None
    ) -> str:
        """Wait until our deployment, or what took its place with our values, is active; its id.

        `deployment` is None where the write's answer was lost: then it is looked for.
        """
        followed = _Followed(deployment)

        def look() -> str | None:
            if followed.id is None:
                followed.id = self._find(change)
            return followed.id if followed.id is None else self._follow(followed, change)

        return poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.deployment_deadline_s,
            late=lambda: StepFailed(
                "await_deployment",
                f"Deployment {followed.id or '(not found)'} of app {change.app} was not active "
                f"after {self._timings.deployment_deadline_s / 60:.0f} minutes; the deployment "
                "before it serves on. Look at it in the vendor's control panel.",
            ),
        )

    def await_replicas(self, context: StepContext, change: PlannedChange, step: str) -> int:
        """Wait until as many replicas serve as the change asks for. Returns how many serve."""
        last: list[ComponentHealth] = []

        def look() -> int | None:
            health = self._apps.health(change.app).get(change.component)
            if health is None:
                return None
            last[:] = [health]
            return health.ready if health.ready >= change.needed(health) else None

        def late() -> StepFailed:
            seen = f"{last[0].ready} of {last[0].desired}" if last else "an unknown number"
            return StepFailed(
                step,
                f"{change} was set to {change.wanted}, but {seen} of its replicas serve after "
                f"{self._timings.health_deadline_s / 60:.0f} minutes; nothing was taken away. "
                "Read the component's runtime log.",
            )

        return poll(
            look,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.health_deadline_s,
            late=late,
        )

    def _find(self, change: PlannedChange) -> str | None:
        """Our deployment, where the write's answer was lost; or the one that already serves it."""
        app = self._apps.get_app(change.app)
        carrier = change.carrier(self._apps.list_deployments(change.app))
        return carrier or app.deploying or app.active_deployment

    def _follow(self, followed: _Followed, change: PlannedChange) -> str | None:
        """The id of the active deployment that carries our values; None while it is not there."""
        deployment = self._apps.get_deployment(change.app, str(followed.id))
        if deployment.phase == "ACTIVE":
            return deployment.id
        if deployment.phase in _ENDED_BADLY:
            raise StepFailed(
                "await_deployment",
                f"Deployment {deployment.id} of app {change.app} ended as {deployment.phase}; the "
                f"deployment before it serves on, while the spec asks for {change} = "
                f"{change.wanted}. Read the deployment's log, then deploy again or set it back.",
            )
        if deployment.phase == "SUPERSEDED":
            followed.id = self._successor(deployment, change)
        return None

    def _successor(self, ours: Deployment, change: PlannedChange) -> str:
        """What took the place of our deployment: good when it carries our values as well."""
        app = self._apps.get_app(change.app)
        if not change.is_set_in(app.spec):
            raise StepFailed(
                "await_deployment",
                f"Deployment {ours.id} was superseded by another in which {change} is "
                f"{change.told_of(app.spec)} and not {change.wanted}: a person changed it. "
                "It was left so.",
            )
        return app.deploying or app.active_deployment or ours.id
