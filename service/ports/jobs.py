"""The record of jobs: which of their times were taken, and the run of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from service.domain.jobs.jobs import Job
from service.ports.admission import NewRun

BEGUN, MISSED = "begun", "missed"
"""What became of a time: its run was queued, or it was left out as too long ago."""


@dataclass(frozen=True, slots=True)
class Firing:
    """A time of a job that was taken: `due_at` and `at` are in seconds since the epoch. `run` is
    empty where the time was left out."""

    due_at: float
    at: float
    state: str
    run: str


class JobDesk(Protocol):
    """What people see of it. Every method raises StoreUnavailable."""

    def last(self) -> Mapping[str, Firing]:
        """The newest time of each job that was taken, by its name."""
        ...


class Jobs(JobDesk, Protocol):
    """The record. Every method raises StoreUnavailable."""

    def take(
        self, job: Job, due_at: float, now: float, make: Callable[[str], NewRun]
    ) -> Firing | None:
        """Take a time of a job and queue the run that `make` makes of its id, in one transaction.

        Of any number of workers one gets a time. None where it was taken, where a later one was, or
        where the job was not there with this schedule when it was due: a job that is new, or was
        changed, begins with its next time.
        """
        ...
