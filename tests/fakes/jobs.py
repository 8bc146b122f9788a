"""The record of jobs, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from service.domain.jobs.jobs import Job
from service.ports.admission import NewRun
from service.ports.jobs import BEGUN, MISSED, Firing


@dataclass(slots=True)
class FakeJobs:
    """`firings` by job and time, `since` by job with its schedule, `queued` the runs in order."""

    firings: dict[tuple[str, float], Firing] = field(default_factory=dict)
    since: dict[str, tuple[str, float]] = field(default_factory=dict)
    queued: list[NewRun] = field(default_factory=list)

    def take(
        self, job: Job, due_at: float, now: float, make: Callable[[str], NewRun]
    ) -> Firing | None:
        if self.since.get(job.name, ("", 0.0))[0] != job.schedule:
            self.since[job.name] = (job.schedule, now)
        taken = [at for name, at in self.firings if name == job.name]
        if self.since[job.name][1] >= due_at or max(taken, default=0.0) >= due_at:
            return None
        if job.missed(due_at, now):
            made = Firing(due_at, now, MISSED, "")
        else:
            run = make(f"{job.name}.job.{len(self.queued) + 1}")
            self.queued.append(run)
            made = Firing(due_at, now, BEGUN, run.request.id)
        self.firings[job.name, due_at] = made
        return made

    def last(self) -> Mapping[str, Firing]:
        newest = dict(sorted(self.firings))
        return {name: self.firings[name, at] for name, at in newest.items()}
