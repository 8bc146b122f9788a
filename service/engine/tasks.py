"""What a worker does beside its runs, each on a thread of its own: one line for each.

A thread of its own, because what hangs must keep neither runs from being adopted nor the others
from their work. Each task gives itself the time between two of its looks, and does nothing before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from service.engine.again import AgainRound
from service.engine.approvals import ApprovalRound
from service.engine.heartbeat import HeartbeatRound
from service.engine.jobs import JobRound
from service.engine.judging import JudgingRound
from service.engine.leftovers import LeftoverRound
from service.engine.levels import LevelRound
from service.engine.lock_mirror import LockMirrorRound
from service.engine.looks import LookRound
from service.engine.outbox import OutboxRound
from service.engine.parts import WorkerParts
from service.engine.reading import ReadingRound
from service.engine.returns import ReturnRound
from service.engine.scenarios import ScenarioRound
from service.engine.watchdogs import WatchdogRound
from service.engine.watching import WatchRound
from service.ports.runs import Signs


@dataclass(frozen=True, slots=True)
class Task:
    """A task, and when it is called.

    `sign` tells whether a sign of life has something for it; None for one that looks by itself,
    which is called with each third sign of life, and at the start. `either_way` is True for one
    that must also hear that there is nothing for it.
    """

    name: str
    work: Callable[[bool], None]
    sign: Callable[[Signs], bool] | None = None
    either_way: bool = False
    at_once: bool = False

    def heard(self, signs: Signs, *, third: bool) -> bool | None:
        """What it is called with at this sign of life; None where it is not. `third` is whether
        this is a third one."""
        if self.sign is None:
            return True if third else None
        found = self.sign(signs)
        return found if found or self.either_way else None


def tasks_of(parts: WorkerParts) -> tuple[Task, ...]:
    """All of them. A new one is a line here."""
    return (
        Task("outbox", OutboxRound(parts), attrgetter("untold")),
        Task("again", AgainRound(parts), attrgetter("due"), at_once=True),
        Task("scenarios", ScenarioRound(parts), attrgetter("scenario"), at_once=True),
        Task("leftovers", LeftoverRound(parts), attrgetter("leftover")),
        Task("watches", WatchRound(parts), attrgetter("watching")),
        Task("approvals", ApprovalRound(parts), attrgetter("asking")),
        Task("judging", JudgingRound(parts), attrgetter("judging")),
        Task("lock-mirror", LockMirrorRound(parts), attrgetter("locked"), either_way=True),
        Task("looks", LookRound(parts)),
        Task("returns", ReturnRound(parts)),
        Task("levels", LevelRound(parts)),
        Task("readings", ReadingRound(parts)),
        Task("jobs", JobRound(parts)),
        Task("watchdogs", WatchdogRound(parts)),
        Task("heartbeat", HeartbeatRound(parts)),
    )
