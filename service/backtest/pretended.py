"""What a backtest pretends beside the targets: the time, Slack, the pager and Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.domain.decisions.claims import Cooldown
from service.domain.decisions.policy import SHADOW
from service.domain.decisions.requests import Request
from service.domain.links import Link
from service.ports import Message, MessageRef, Page
from service.ports.admission import GateReply
from service.ports.messenger import Picture
from service.ports.runs import Outcome
from service.ports.scenarios import NewScenario, NoScenarios, StartedByRule
from service.store.runs import RunStore


@dataclass(slots=True)
class VirtualClock:
    """A clock that goes on only when it is told to. Seconds since the epoch."""

    now: float

    def time(self) -> float:
        """The time that is pretended."""
        return self.now

    def monotonic(self) -> float:
        """The same: it never goes back either."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Nobody waits: the time goes on by so much."""
        self.now += max(0.0, seconds)

    def go_to(self, moment: float) -> None:
        """Go on to a moment; never back."""
        self.now = max(self.now, moment)


class Ids:
    """Ids that sort by the pretended time, and are the same in each backtest of the same alerts."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._serial = 0

    def __call__(self, prefix: str) -> str:
        """In the form of `service.store.ids`, whose process is always 0."""
        self._serial += 1
        milliseconds = max(0, int(self._clock.now * 1000))
        return f"{prefix}-{milliseconds:011x}{self._serial & 0xFFFFF:05x}00000000"


class NoGate:
    """Admission without Redis, which only ever spares SQL a question."""

    def ask(self, claims: Collection[str], token: str) -> GateReply:
        """Nothing is known."""
        return GateReply({}, available=True, asked=False)

    def settle(self, cooldowns: Collection[Cooldown], token: str, now: float) -> None:
        """Nothing is kept."""

    def give_back(self, claims: Collection[str], token: str) -> None:
        """Nothing was taken."""


class NoBell:
    """Wakes nobody: what is queued is taken by the installation itself."""

    def within(self, connection: Any) -> None:
        """In the transaction that queues something."""

    def committed(self) -> None:
        """After it."""

    def ring(self) -> None:
        """After something was queued in a transaction of its own."""


@dataclass(slots=True)
class CountingMessenger:
    """Takes every message and sends none. An edit is no message of its own."""

    posted: int = 0

    def post(self, message: Message, thread: MessageRef | None = None) -> MessageRef:
        """Count it."""
        self.posted += 1
        return MessageRef("backtest", str(self.posted))

    def update(self, ref: MessageRef, message: Message) -> None:
        """It replaces one that was counted."""

    def picture(self, thread: MessageRef, picture: Picture) -> None:
        """It stands in the thread of one that was counted."""


@dataclass(slots=True)
class CountingPager:
    """Counts how often somebody is called: an incident that is open already calls nobody again.

    `by` says because of which rule.
    """

    by: Callable[[], str]
    pages: dict[str, int] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)

    def trigger(self, page: Page) -> None:
        """Open an incident, or add to it."""
        if page.dedup_key not in self._open:
            self._open.add(page.dedup_key)
            by = self.by()
            self.pages[by] = self.pages.get(by, 0) + 1

    def resolve(self, dedup_key: str) -> None:
        """Close it."""
        self._open.discard(dedup_key)

    def change(
        self, summary: str, source: str, details: Mapping[str, Any], links: Sequence[Link] = ()
    ) -> None:
        """Wakes nobody."""


@dataclass(frozen=True, slots=True)
class NotedScenarios(NoScenarios):
    """Ends the run of a rule that starts a scenario, and starts none.

    How long a scenario would go on is not known, so its rule rests for its cooldown only.
    """

    runs: RunStore

    def start_by_rule(self, request: Request, new: NewScenario, now: float) -> StartedByRule:
        """End the run as if the scenario had been started, or planned where it is only planned."""
        said = f"scenario {new.scenario.name} would be started"
        outcome = Outcome(SHADOW if new.plan_only else "succeeded", said, now + request.cooldown_s)
        self.runs.conclude(request.id, outcome, now)
        return StartedByRule(outcome.status, said, outcome.cooldown_until)


@dataclass(frozen=True, slots=True)
class SteadyLoad:
    """Prometheus, as far as a return asks it: the load is always the same, in percent."""

    percent: float

    def query(self, expression: str) -> float | None:
        """The load, whatever is asked."""
        return self.percent

    def history(
        self, expression: str, since: float, until: float, step_s: float
    ) -> Sequence[tuple[float, float]]:
        """Nothing: what was measured then is not kept in this form."""
        return ()
