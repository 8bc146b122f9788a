"""Coming back: what alerts added is taken back in calm, a step at a time, the last first. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from service.domain.capacity.ledger import Addition, Entry, Value
from service.domain.decisions.decision import Check
from service.domain.durations import clock_time, lasted
from service.domain.windows import Window

CALM = "calm"
"""The guard of a return: it holds while anything says that what was added is still needed."""


@dataclass(frozen=True, slots=True)
class Return:
    """When what a rule's alerts added is taken back.

    `after_s` is how long it has to be calm, in seconds. `step` is how many instances are taken back
    at once. `reading` is a PromQL expression, and the load after the step has to stay below
    `below`; without an expression it is the reading of the runbook's decision tree. `window` is
    when a return that takes the target down may begin by itself: outside of it the return waits.
    Without a window a person is asked.
    """

    after_s: float
    step: int = 1
    reading: str = ""
    below: float | None = None
    window: Window | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, to be pinned with a request."""
        return {**asdict(self), "window": None if self.window is None else self.window.to_json()}


def return_from_json(fields: Mapping[str, Any] | None) -> Return | None:
    """What `to_json` wrote; None where there was none."""
    if fields is None:
        return None
    window = fields["window"]
    return Return(**{**fields, "window": None if window is None else Window.from_json(window)})


@dataclass(frozen=True, slots=True)
class Step:
    """The next return of an entry: from its value to `to`, because of what `addition` added."""

    addition: Addition
    to: Value


def next_step(entry: Entry, returns: Mapping[str, Return]) -> Step | None:
    """What is taken back next; None where no rule says that anything is.

    `returns` are those of the rules in force, by the names of the rules. Of a count each addition
    can be taken back by itself. Of a size only the last one can.
    """
    if not isinstance(entry.value, int):
        last = entry.additions[-1] if entry.additions else None
        if last is None or last.rule not in returns or last.after != entry.value:
            return None
        return Step(last, last.before)
    for each in reversed(entry.additions):
        if each.rule in returns:
            less = min(returns[each.rule].step, int(each.after) - int(each.before))
            return Step(each, entry.value - less)
    return None


@dataclass(frozen=True, slots=True)
class Asker:
    """An alert that has asked for more of a target.

    `fires` is whether it does, as far as a sender has said so lately. `resolved_at` is in seconds
    since the epoch, None while its episode is open. `reason` is why it ended where that was not a
    measurement (Grafana's state reason), empty where it was.
    """

    name: str
    fires: bool
    resolved_at: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """A reading of the target, and what it would be after the step.

    `value` is None where there is none, and then `unread` says why. `share` is how much larger the
    load of what is left would be: 1.5 for three instances that become two.
    """

    what: str
    below: float
    value: float | None
    share: float = 1.0
    unread: str = ""

    @property
    def projected(self) -> float:
        """The reading after the step, where there is one."""
        return (self.value or 0.0) * self.share


@dataclass(frozen=True, slots=True)
class Calm:
    """What is known of a target that something could be taken back of.

    `since` is the end of its last change, `wait_s` how long it has to be calm, in seconds. `pages`
    name the incidents that are open about it.
    """

    target: str
    since: float
    wait_s: float
    askers: Sequence[Asker]
    pages: Sequence[str]
    now: float


def check_quiet(calm: Calm) -> Check:
    """The first half of the guard, which needs no reading: nobody asks, and nobody was paged."""
    firing = first_firing(calm.askers)
    if firing is not None:
        return _not_calm(f"{firing.name} still fires")
    unproved = next((each for each in calm.askers if each.reason), None)
    if unproved is not None:
        return _not_calm(
            f"{unproved.name} ended with the state reason {unproved.reason}, and not because a "
            "measurement showed that it is over"
        )
    if calm.pages:
        return _not_calm(f"the incident about {calm.pages[0]} is open")
    ends = [each.resolved_at for each in calm.askers if each.resolved_at is not None]
    since = max([calm.since, *ends])
    until = since + calm.wait_s
    if until > calm.now:
        saw = f"{calm.target} has been calm since {clock_time(since)}; it takes"
        return _not_calm(f"{saw} {lasted(calm.wait_s)}, until {clock_time(until)}", until)
    return Check(CALM, passed=True, saw=f"{calm.target} has been calm since {clock_time(since)}")


def check_unasked(askers: Sequence[Asker]) -> Check:
    """Right before the write: nobody asks for more meanwhile of what is to be taken away."""
    firing = first_firing(askers)
    if firing is not None:
        return _not_calm(f"{firing.name} fires again, so nothing is taken back")
    return Check(CALM, passed=True, saw="no alert asks for more")


def check_calm_since(target: str, askers: Sequence[Asker], wait_s: float, now: float) -> Check:
    """Of what takes away and is no return: no alert asks for more, nor did one within `wait_s`."""
    firing = first_firing(askers)
    if firing is not None:
        return _not_calm(f"{firing.name} fires and asks for more of {target}")
    last = max((each.resolved_at for each in askers if each.resolved_at is not None), default=0.0)
    if last + wait_s > now:
        until = last + wait_s
        saw = f"an alert asked for more of {target} until {clock_time(last)}"
        return _not_calm(f"{saw}; nothing is taken away until {clock_time(until)}", until)
    return Check(CALM, passed=True, saw=f"no alert asks for more of {target}")


def check_calm(quiet: Check, load: Load) -> Check:
    """The second half, of a target that is quiet: the load after the step stays below what asks
    for more."""
    if load.value is None:
        return _not_calm(f"there is no reading of {load.what}: {load.unread}")
    after = f"{load.what} is {load.value:.4g}, and would be {load.projected:.4g} after the step"
    if load.projected >= load.below:
        return _not_calm(f"{after}; it has to stay below {load.below:g}")
    return Check(CALM, passed=True, saw=f"{quiet.saw}; {after}, below {load.below:g}")


def first_firing(askers: Sequence[Asker]) -> Asker | None:
    """The first of these alerts that fires."""
    return next((each for each in askers if each.fires), None)


def _not_calm(saw: str, until: float | None = None) -> Check:
    return Check(CALM, passed=False, saw=saw, until=until)
