"""Scenarios that were started: what people ask of them, and what a worker does with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.domain.capacity.ledger import Value
from service.domain.decisions.controls import Control
from service.domain.decisions.requests import Request
from service.domain.errors import StoreConflict, Told
from service.domain.scenarios.going import PLANNING, Deed, Next, Role, ScenarioNow
from service.domain.scenarios.scenarios import Scenario
from service.domain.scenarios.signoffs import Signoff
from service.ports.admission import NewRun
from service.ports.controls import Beside
from service.ports.messenger import MessageRef


@dataclass(frozen=True, slots=True)
class NewScenario:
    """A scenario that is started, with what each of its steps asks for, in their order.

    `at` is in seconds since the epoch. `plan_hash` is what the sign-offs of an emergency are bound
    to, empty for any other. `signoff` is that of whoever starts it, where it counts. `first` is the
    state in which it begins. `parent` is the run by which a rule starts it, empty where a person
    does, and `alerts` are the episodes that ask for it.
    """

    scenario: Scenario
    steps: Sequence[Request]
    by: str
    why: str
    rules_hash: str
    at: float
    plan_only: bool = False
    plan_hash: str = ""
    signoff: Signoff | None = None
    first: str = PLANNING
    parent: str = ""
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StartedByRule:
    """What became of a run that starts a scenario: how it has ended and why, until when its claim
    rests (in seconds since the epoch), and the scenario that it has started, empty where none.
    `told_before` is whether the run before it was held for the very same reason."""

    status: str
    reason: str
    cooldown_until: float
    scenario: str = ""
    told_before: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """A scenario that was started, by its id. `lifted` are the pauses, locks and holds that an
    emergency has ended, and `suspended` the scenarios of which nothing more begins because of it;
    both are empty while it waits for a sign-off."""

    run: str
    lifted: tuple[Control, ...] = ()
    suspended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """A scenario as it was read, in the transaction that writes what follows. `asks` are what its
    steps ask for, by their ids."""

    now: ScenarioNow
    asks: dict[str, Request]


@dataclass(frozen=True, slots=True)
class Step:
    """What follows, with the runs that begin: of which step, what for, and the run but for its
    id."""

    next: Next
    runs: Sequence[tuple[str, Role, NewRun]] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """A scenario that a worker looks at: nobody else does until `until`, unless a person says
    something of it."""

    id: str
    until: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A scenario as people are told of it: `told` and `paged` stand for what they were told last,
    and `message` is where its message is, None where there is none yet. `stuck` is whether the last
    look at it raised something."""

    now: ScenarioNow
    told: str
    paged: str
    message: MessageRef | None
    stuck: bool = False


class ScenarioUnreadable(Told):
    """The stored row of a scenario, or of one of its steps, cannot be read by this version."""

    def __init__(self, run: str, error: Exception) -> None:
        said = "".join(each if each.isprintable() else " " for each in str(error))[:_SAID].strip()
        why = f"{type(error).__name__}{f': {said}' if said else ''}"
        super().__init__(f"what is stored of scenario {run} cannot be read ({why})")
        self.run = run


@dataclass(frozen=True, slots=True)
class Stuck:
    """A scenario that does not go on: what the last look raised, how many have in a row, and since
    when, in seconds since the epoch. `told` is whether a person was told."""

    run: str
    why: str
    since: float
    tries: int = 0
    told: bool = False


_SAID = 200
"""Characters of an error that are told; the log has all of them."""


class ScenarioDesk(Protocol):
    """What people do with scenarios. Every method raises StoreUnavailable."""

    def start(self, new: NewScenario, beside: Beside) -> Begun:
        """Start one. What an emergency lifts and suspends is read and written in the transaction in
        which it begins: here, or in `advance` where it waits for a sign-off first. `beside` is in
        the transaction of the start.

        Raises:
            StoreConflict: another scenario has been started meanwhile on one of its targets.
        """
        ...

    def get(self, run: str) -> ScenarioNow | None:
        """One of those that were started."""
        ...

    def recent(self, limit: int) -> list[ScenarioNow]:
        """The newest that were started, plans left out."""
        ...

    def unended(self) -> list[ScenarioNow]:
        """Those that go on, plans left out, the oldest first."""
        ...

    def say(self, run: str, what: str, deed: Deed, states: Sequence[str], beside: Beside) -> bool:
        """Keep what a person says of one: `what` is cancel, back or decided. False when it is in
        none of these states any more, or was said before."""
        ...

    def abandon(self, run: str, deed: Deed, beside: Beside) -> bool:
        """End one that does not go on, as it is, without reading it; False when it has ended."""
        ...

    def sign(self, run: str, signoff: Signoff, *, one_person: bool, beside: Beside) -> bool:
        """Keep a sign-off; False when its phase is over, or its plan is no longer the newest.
        `one_person` is whether one person may sign for two roles.

        Raises:
            StoreConflict: this role, or this person as another role, has signed this plan already.
        """
        ...


class Scenarios(Protocol):
    """What a worker does with scenarios. Every method raises StoreUnavailable."""

    def start_by_rule(self, request: Request, new: NewScenario, now: float) -> StartedByRule:
        """End a run, once, and start the scenario that it asks for, in one transaction.

        It is not started while it goes on, nor while it has ended for less than the run's cooldown,
        nor while another scenario goes on on one of its targets: then the run ends as held. Neither
        is it where a person has cancelled the run. A repeat tells what was done the first time.
        """
        ...

    def became(self, run: str) -> StartedByRule:
        """What has become of a run that starts a scenario, and has ended.

        Raises:
            StoreConflict: it has not ended.
        """
        ...

    def floors(self, target: str) -> dict[str, tuple[Value, str]]:
        """What scenarios that are in force have set of a target: each attribute with its value and
        the scenario's run. Of several the newest counts."""
        ...

    def take(self, now: float, hold_s: float) -> Taken | None:
        """The one that has been due for the longest, for this worker alone. One at a time: its
        message and its page may take as long as it is held."""
        ...

    def advance(self, run: str, decide: Callable[[Looked], Step], at: float) -> ScenarioNow | None:
        """Read one, and write what `decide` makes of it, in one transaction; None where it is
        over."""
        ...

    def shown(self, run: str) -> Shown | None:
        """One of them, and what was told of it."""
        ...

    def begin_telling(self, run: str, now: float, until: float) -> Shown | None:
        """The same, for this worker to tell of; None while another one tells. No other does until
        `told`, or until `until` where this one dies."""
        ...

    def told(self, run: str, told: str, paged: str) -> None:
        """Keep what was told, and let others tell."""
        ...

    def raised(self, taken: Taken, why: str, at: float) -> Stuck:
        """Keep that a look at one raised this; how it is since."""
        ...

    def rest(self, taken: Taken, stuck: Stuck, next_at: float) -> None:
        """Keep how it is, and look at it again then, or once a person says something of it."""
        ...

    def ended_stuck(self, run: str) -> bool:
        """Whether it has ended while it did not go on, without reading what it is."""
        ...

    def goes_on(self, run: str) -> None:
        """It is not stuck any more."""
        ...

    def reminded(self, run: str, at: float) -> None:
        """Keep that people were reminded of the sign-offs that are missing."""
        ...

    def give_up(self, run: str, why: str, at: float) -> None:
        """Have the run of a step end that was held for too long."""
        ...

    def put_back(self, taken: Taken, next_at: float | None) -> None:
        """It is due again then, unless somebody has said something of it since it was taken."""
        ...


class NoScenarios:
    """No scenario was ever started."""

    def start_by_rule(self, request: Request, new: NewScenario, now: float) -> StartedByRule:
        """None can be."""
        return StartedByRule("failed", "no scenario can be started here", now)

    def became(self, run: str) -> StartedByRule:
        """None can have ended."""
        raise StoreConflict(f"run {run} has started no scenario here")

    def floors(self, target: str) -> dict[str, tuple[Value, str]]:
        """There are none."""
        return {}

    def take(self, now: float, hold_s: float) -> Taken | None:
        """None is due."""
        return None

    def advance(self, run: str, decide: Callable[[Looked], Step], at: float) -> ScenarioNow | None:
        """There is none."""
        return None

    def shown(self, run: str) -> Shown | None:
        """There is none."""
        return None

    def begin_telling(self, run: str, now: float, until: float) -> Shown | None:
        """There is none."""
        return None

    def told(self, run: str, told: str, paged: str) -> None:
        """There is none."""

    def raised(self, taken: Taken, why: str, at: float) -> Stuck:
        """There is none."""
        return Stuck(taken.id, why, at)

    def rest(self, taken: Taken, stuck: Stuck, next_at: float) -> None:
        """There is none."""

    def ended_stuck(self, run: str) -> bool:
        """There is none."""
        return False

    def goes_on(self, run: str) -> None:
        """There is none."""

    def reminded(self, run: str, at: float) -> None:
        """There is none."""

    def give_up(self, run: str, why: str, at: float) -> None:
        """There is none."""

    def put_back(self, taken: Taken, next_at: float | None) -> None:
        """There is none."""
