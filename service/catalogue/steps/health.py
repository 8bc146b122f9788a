"""Waiting until the address that a target names answers, after it was changed."""

from __future__ import annotations

from service.catalogue.steps.polling import poll
from service.catalogue.steps.timings import Timings
from service.domain.errors import StepFailed
from service.ports import Clock, HealthProbe


def await_url(url: str, probe: HealthProbe, clock: Clock, timings: Timings) -> None:
    """Ask until `url` answers 2xx (runbook, Vertical Scaling Process: run health checks).

    Raises StepFailed, with what it answered last, when it has not within the time for health.
    """
    last: list[str] = []

    def look() -> bool | None:
        problem = probe.check(url)
        if problem is None:
            return True
        last[:] = [problem]
        return None

    poll(
        look,
        clock=clock,
        timings=timings,
        deadline_s=timings.health_deadline_s,
        late=lambda: StepFailed(
            "verify",
            f"The change was made, but the health check failed for "
            f"{timings.health_deadline_s / 60:.0f} minutes: {''.join(last)} The target was left "
            "as changed; look at the application's log.",
        ),
    )
