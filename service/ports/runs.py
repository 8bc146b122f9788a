"""What the worker keeps of its runs, and how it shares work: implemented by `service.store`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from service.domain.alerts.alert import Alert
from service.domain.decisions.decision import Check
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.filters import RUN_STATUSES
from service.ports.admission import IncidentRecord, NewDecision, NewRun
from service.ports.messenger import MessageRef

_UNENDED = RUN_STATUSES[:2]

# The names of the queues are pinned: a queued run must be found by workers of later versions.
RUNS_QUEUE = "runs"
"""Runs that change a target, and fresh looks at one."""
PAGES_QUEUE = "pages"
"""Runs that tell the pager: a storm of them, each waiting for a pager that is down, must not stand
before a run that scales."""
MESSAGES_QUEUE = "messages"
"""Runs that only post a message: Slack must not stand before the pager."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A recorded intention to write.

    `recorded_at` (seconds since the epoch) is when it was first recorded; `repeated` is True when
    an earlier execution had recorded it: then its write may or may not have gone out, and only a
    look at the vendor since `recorded_at` tells.
    """

    name: str
    recorded_at: float
    repeated: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: `status` is one of RUN_STATUSES, `reason` one sentence.

    `cooldown_until` (seconds since the epoch) is when its claim is free again. `due_at` is when the
    alerts that asked for it are judged again, None where they wait for their sender.
    """

    status: str
    reason: str
    cooldown_until: float
    due_at: float | None = None


@dataclass(frozen=True, slots=True)
class AskedRun:
    """How a run ended that has asked for another: `status` and `reason` are its own, `run` is the
    other, None where it was not asked for; then `held` says why. `cooldown_until` (seconds since
    the epoch) is when its own claim is free again."""

    status: str
    reason: str
    cooldown_until: float
    run: str | None = None
    held: str = ""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run on record."""

    id: str
    claim: str
    partition: str
    status: str
    attempt: int
    request: Request
    plan: Plan | None
    message: MessageRef | None

    @property
    def ended(self) -> bool:
        """Whether it has an outcome."""
        return self.status not in _UNENDED


@dataclass(frozen=True, slots=True)
class IncidentState:
    """An incident now: how many of its alerts fire, the first of them, and the last resolve.

    `resolved_at` is in seconds since the epoch; None while an alert fires. `episodes` are the
    ids of `alerts`.
    """

    incident: IncidentRecord
    firing: int
    alerts: tuple[Alert, ...]
    resolved_at: float | None
    message: MessageRef | None
    episodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signs:
    """What a worker sees each time it shows life: which kinds of work there may be for it.

    These are hints. Whoever acts on one looks again, because another worker may have been quicker.
    """

    dead: bool = False
    """The lease of another worker is over, and nobody has retired that worker."""
    left: bool = False
    """Workflows are under way at an executor that is retired, or that nobody knows."""
    here: bool = False
    """Workflows are under way at this worker."""
    unended: bool = False
    """A run has no outcome, and does not watch."""
    off: bool = False
    """A droplet may be off because of a run."""
    untold: bool = False
    """A message waits that is due now."""
    due: bool = False
    """An alert is judged again before long, or a pause or lock is over."""
    leftover: bool = False
    """Something that a run has left at a vendor is to be removed."""
    watching: bool = False
    """A watch is to look now."""
    judging: bool = False
    """What became of a change is to be looked at, or people are to be told of a demotion."""
    asking: bool = False
    """A plan waits for a person, or was decided and its message does not say so."""
    scenario: bool = False
    """A scenario that was started is to be looked at."""
    locked: bool = False
    """A person has locked a target, and other installations on the same Redis are to know."""


class Bell(Protocol):
    """Tells workers that something waits for them. It is a hint, so it raises nothing that is not
    the transaction's: `service.store.bell`."""

    def within(self, connection: Any) -> None:
        """Called in the transaction that queues something, on its connection."""
        ...

    def committed(self) -> None:
        """Called after a transaction that queued something."""
        ...

    def ring(self) -> None:
        """Called after something was queued in a transaction of its own."""
        ...


class Runs(Protocol):
    """The worker's record of runs. Every method raises StoreUnavailable."""

    def begin(self, run_id: str, now: float) -> int:
        """A new execution: raises the fencing token and returns it."""
        ...

    def attempt(self, run_id: str) -> int:
        """The fencing token in force."""
        ...

    def cancelled(self, run_id: str) -> str:
        """Who cancelled the run and why, in a sentence; empty where nobody did."""
        ...

    def enter(self, request: Request, now: float) -> Check | None:
        """Admit the run's first write: ask the guards of that moment, and record it as a change.

        None when it may be sent, which it is for good once it was; else the check that holds.
        """
        ...

    def take(
        self,
        claim: str,
        make: Callable[[str], NewRun],
        now: float,
        beside: Callable[[Any, Request], None] = ...,
    ) -> str | None:
        """Take a claim that is free and queue the run that `make` makes of its id; that id, None
        where the claim is not free. `beside` keeps a record of its own in the same transaction."""
        ...

    def intend(self, run_id: str, name: str, now: float) -> Intent:
        """Record an intention to write, once."""
        ...

    def intended(self, run_id: str, name: str) -> bool:
        """Whether an intention of this name is on record."""
        ...

    def withdraw(self, run_id: str, name: str, attempt: int) -> None:
        """Forget an intention whose write certainly had no effect. Only the execution that owns
        the run can do so."""
        ...

    def wrote(self, run_id: str) -> bool:
        """Whether any write of this run took effect or may have."""
        ...

    def fruitless_before(self, run_id: str, since: float) -> int:
        """How many runs in a row, just before this one on the same target and direction, had a
        plan and ended without having written anything; those that ended before `since` (seconds
        since the epoch) do not count."""
        ...

    def failures_before(self, run_id: str) -> list[str]:
        """The runs before this one on the same target and direction that failed since the last
        one that succeeded, newest first; the newest twenty."""
        ...

    def succeeded_since(self, run_id: str) -> bool:
        """Whether this run, or a later one on the same target and direction, has succeeded."""
        ...

    def step_began(self, run_id: str, position: int, name: str, attempt: int, now: float) -> None:
        """Show a step as under way."""
        ...

    def step_ended(
        self, run_id: str, position: int, status: str, detail: Mapping[str, Any], now: float
    ) -> None:
        """Show how a step ended."""
        ...

    def set_checks(self, run_id: str, checks: Sequence[Check]) -> None:
        """Keep what each guard of the worker saw, for people."""
        ...

    def set_plan(self, run_id: str, plan: Plan) -> None:
        """Keep the plan, for people and for a later look at the target."""
        ...

    def set_message(self, run_id: str, ref: MessageRef) -> None:
        """Keep where the run's message is."""
        ...

    def conclude(
        self,
        run_id: str,
        outcome: Outcome,
        now: float,
        decision: NewDecision | None = None,
        rules_hash: str = "",
        again: NewRun | None = None,
        *,
        if_wanted: bool = False,
    ) -> bool:
        """End a run, once; `again` puts another on its claim, with `if_wanted` only when an alert
        asks for it that came after the worker had looked. False when it had ended.

        Raises StoreConflict where a change would be tried again that a person has cancelled."""
        ...

    def conclude_asking(
        self, request: Request, outcome: Outcome, child: Request, now: float
    ) -> AskedRun:
        """End a run, once, and queue the run that it asks for, where the claim of that is free.

        Where it is not, this run ends as held with the reason, and rests only as long as that
        claim does. A repeat tells what was done the first time.
        """
        ...

    def any_open(self, episodes: Sequence[str]) -> bool:
        """Whether any of these episodes still fires."""
        ...

    def still_wanted(self, request: Request, now: float) -> bool:
        """Whether an alert still fires that asked for this, when it was queued or since."""
        ...

    def alerts(self, episodes: Sequence[str]) -> list[tuple[Alert, bool]]:
        """The alerts of episodes, each with whether it still fires."""
        ...

    def unfinished(self) -> list[str]:
        """All runs without an outcome, oldest first. A run that watches is none of them: its
        workflow has ended, and its watch goes on."""
        ...

    def get(self, run_id: str) -> StoredRun | None:
        """One run."""
        ...

    def settles_until(self, target: str, *, adds: bool = True) -> float:
        """Until when the last change of a target settles, whoever asked for it; else 0. What
        `adds` does not wait for a removal to settle."""
        ...

    def last_by_target(self) -> list[tuple[str, str, str]]:
        """The newest ended run of each target: its name, the status, the reason."""
        ...


class Incidents(Protocol):
    """Incidents as the worker tells the pager of them."""

    def state(self, dedup_key: str) -> IncidentState | None:
        """The incident as it is now; None where it is not on record."""
        ...

    def mark(self, dedup_key: str, *, paged: bool, message: MessageRef | None = None) -> None:
        """Keep whether the pager has it open, and where the message about it is."""
        ...

    def enlist(self, dedup_key: str, rule: str, severity: str, episodes: Sequence[str]) -> None:
        """Keep an incident that the pager has open because these alerts asked: it is closed when
        the last of them resolves."""
        ...


class Leases(Protocol):
    """Workers' signs of life, on the database's clock."""

    def register(self, executor: str, host: str, pid: int) -> None:
        """A process start."""
        ...

    def renew(self, executor: str) -> Signs | None:
        """Show life, and see what there may be to do; None when retired by another."""
        ...

    def retire(self, executor: str) -> None:
        """A clean end."""
        ...

    def retire_dead(self, besides: str = "") -> list[str]:
        """Retire every worker whose lease is over, but for the one that asks."""
        ...

    def unretired(self) -> list[str]:
        """The workers whose runs nobody may take over."""
        ...

    def forget_old(self, keep_s: float) -> None:
        """Delete long retired workers."""
        ...


class Locks(Protocol):
    """The second barrier on a target, in Redis."""

    def lock(self, resource: str, run: str) -> str | None:
        """Take or renew for a run; None when ours, or when nobody can say; otherwise the owner,
        in words."""
        ...

    def unlock(self, resource: str, run: str) -> None:
        """Give it back, if it is this run's."""
        ...

    def locked_elsewhere(self, resource: str) -> str | None:
        """The person of another installation who has locked it, in words; None where nobody has,
        or nobody can say."""
        ...

    def cool_down(self, key: str, run: str, until: float, now: float) -> None:
        """Tell the gate the cooldown of a claim after its run."""
        ...
