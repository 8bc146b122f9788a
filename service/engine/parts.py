"""What a worker is made of: chosen by `service.bootstrap`, used by every kind of run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from service.catalogue.context import Record
from service.catalogue.spec import Change, Work
from service.domain.decisions.requests import Request
from service.domain.rules.rules import RuleBook, Target
from service.engine.off_watch import OffWatch
from service.ports import Clock, Messenger, Metrics, Page, Pager
from service.ports.admission import Delivery
from service.ports.approvals import Approvals
from service.ports.bills import Bills, BudgetNotices
from service.ports.controls import Controls, Due, LockMirror
from service.ports.demotions import Demotions
from service.ports.jobs import Jobs
from service.ports.ledger import Ledger
from service.ports.leftovers import Leftovers
from service.ports.levels import LevelRecord
from service.ports.offs import Offs
from service.ports.outbox import Outbox
from service.ports.outcomes import Outcomes
from service.ports.readings import Readings
from service.ports.runs import Incidents, Leases, Locks, Runs
from service.ports.scenarios import NoScenarios, Scenarios
from service.ports.spend import Spending
from service.ports.watchdogs import Heartbeat, Heartbeats, Watchdogs
from service.ports.watches import Watches
from service.ports.weeks import Weeks


class RunLost(Exception):  # noqa: N818 - a state of this execution, not a fault
    """Another execution has recorded this step: the run is no longer ours."""


class StepRunner(Protocol):
    """Runs a function as a recorded step: after a crash a recorded one is not run again.

    The library's is `service.engine.durable.run_step`. It raises RunLost when another execution has
    gone on with the run, and StoreUnavailable when the record could not be read or kept. Runs use
    `service.engine.steps`, which ends the process then.
    """

    def __call__(self, name: str, function: Callable[..., Record], *arguments: object) -> Record:
        """The record of the step, from now or from before a crash."""
        ...


@dataclass(frozen=True, slots=True)
class LatePage:
    """A page that waits to be delivered since `since`, in seconds since the epoch; `tries` is how
    often it was queued before.

    `run` is the run that it tells of. The page is over once that run, or a later one on the same
    target and direction, has succeeded. Without a run it is never over.
    """

    page: Page
    since: float
    tries: int = 0
    run: str = ""


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """The outside of a worker.

    `change_of` finds how a run's action changes its kind of target; it raises StepFailed when the
    action can't. `reconcile` queues a fresh look at a run's target: (run id, why, seconds from
    now), once for each `why`, so that a look which is due now is not taken for one that is due
    later.
    `page_later` queues a page that the pager did not take: (page, seconds from now).
    `judge_again` decides once more on alerts whose guard lets go.
    `work_of` is what can be done with a target; `counted` are the targets that a budget counts.
    `book` are the rules in force, None where they cannot be read.
    `end_process` ends this process with a sentence that says why: after losing a run to another
    worker, or when the database fails in the middle of one, starting again is the only safe way
    on.
    `refire_grace_s` is in seconds, and so is `keep_leftovers_s`: how long a verified run's snapshot
    is kept. `keep_hours_s` and `keep_days_s` are how long readings of hours and of days are kept.
    `bills` are the accounts whose bill can be read.
    `executor` is the name of this worker process. `heartbeat` is None where no address is set.
    """

    runs: Runs
    incidents: Incidents
    leases: Leases
    locks: Locks
    lock_mirror: LockMirror
    offs: Offs
    outbox: Outbox
    controls: Controls
    due: Due
    approvals: Approvals
    spend: Spending
    leftovers: Leftovers
    outcomes: Outcomes
    demotions: Demotions
    ledger: Ledger
    levels: LevelRecord
    readings: Readings
    watches: Watches
    jobs: Jobs
    budget_notices: BudgetNotices
    weeks: Weeks
    watchdogs: Watchdogs
    heartbeats: Heartbeats
    off_watch: OffWatch
    change_of: Callable[[Request], Change]
    work_of: Callable[[Target], Work]
    pager: Pager
    messenger: Messenger
    metrics: Metrics | None
    clock: Clock
    new_id: Callable[[str], str]
    reconcile: Callable[[str, str, float], None]
    page_later: Callable[[LatePage, float], None]
    judge_again: Callable[[Sequence[Delivery]], None]
    end_process: Callable[[str], NoReturn]
    refire_grace_s: float
    counted: Callable[[], Sequence[Target]] = tuple
    book: Callable[[], RuleBook | None] = lambda: None
    keep_leftovers_s: float = 7 * 86_400.0
    keep_hours_s: float = 35 * 86_400.0
    keep_days_s: float = 800 * 86_400.0
    bills: Sequence[Bills] = ()
    executor: str = ""
    scenarios: Scenarios = field(default_factory=NoScenarios)
    heartbeat: Heartbeat | None = None
