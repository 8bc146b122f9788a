"""What a plan of the months ahead has to know of a target: its ladder, its prices, its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.catalogue.prices import Kept
from service.catalogue.registry import kind_spec
from service.catalogue.spec import KindSpec
from service.domain.capacity.priced import Scaled, Size, rising
from service.domain.decisions.decision_tree import Question, trigger_of
from service.domain.rules.rules import Target

_METRIC_OF = {Question.CPU: "cpu", Question.MEMORY: "memory"}


@dataclass(frozen=True, slots=True)
class Present:
    """What is known of a target now. None and empty: not known. `loads` are the readings of the
    whole application by metric, in percent."""

    count: int | None = None
    size: str = ""
    loads: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """The target as the plan takes it, None where it is left out; and what is assumed of it."""

    scaled: Scaled | None
    assumed: tuple[str, ...] = ()


def planned(target: Target, present: Present, kept: Kept | None) -> Planned:
    """The target with what is known of it. What is not known is assumed, and said."""
    kind, name = kind_spec(target.kind), target.name
    if not kind.is_sold:
        return Planned(None, (f"{name} is left out, because nothing of it has a price.",))
    notes: list[str] = []
    size = present.size
    if not size and target.sizes:
        size = target.sizes[0]
        notes.append(f"{name}: its size was never seen; {size} is assumed.")
    sizes = _from(size, target.sizes, _Prices(kind, kept))
    if not sizes:
        what = f"what {size} costs" if size else "its size"
        return Planned(None, (f"{name} is left out, because {what} is not known.",))
    bounds = kind.counts(target)
    least, most = bounds or (1, None)
    count = 1 if bounds is None else present.count
    if count is None:
        count = least
        notes.append(f"{name}: its instances were never counted; {least} are assumed.")
    load, said = _load(name, kind, present)
    return Planned(Scaled(name, sizes, count, least, most, load), (*notes, said))


@dataclass(frozen=True, slots=True)
class _Prices:
    kind: KindSpec
    kept: Kept | None

    def of(self, size: str) -> float | None:
        observed: Mapping[str, Any] = {"sizes": self.kept.sizes} if self.kept else {}
        return self.kind.prices.price(observed, size)


def _from(size: str, ladder: tuple[str, ...], prices: _Prices) -> tuple[Size, ...]:
    """The present size and those above it on the ladder that have a price; empty where the present
    one has none. One that is off the ladder goes on with what is dearer."""
    now = prices.of(size) if size else None
    if now is None:
        return ()
    above = ladder[ladder.index(size) + 1 :] if size in ladder else ladder
    known = [Size(each, price) for each in above if (price := prices.of(each)) is not None]
    return rising([Size(size, now), *known])


def _load(name: str, kind: KindSpec, present: Present) -> tuple[float, str]:
    """How much of what the target can take is used: its reading by the trigger of the runbook."""
    for action in kind.actions:
        trigger = trigger_of(action.name)
        if trigger is None:
            continue
        question, bound = trigger
        value = (present.loads or {}).get(_METRIC_OF[question])
        if value is not None and value > 0:
            load = value / bound
            said = f"{name}: {question} of {value:.0f} % counts as {100 * load:.0f} % full."
            return load, said
        break
    return 1.0, f"{name}: how busy it is is not known; its present size counts as just enough."
