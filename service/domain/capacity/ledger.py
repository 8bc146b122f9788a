"""What runbookd knows of each attribute of a target, and what alerts have added to it.

An entry is about one attribute (`replicas`, `size`) of one target. It tells what the last change
made of it, so that a value which nobody here has set is known to be a person's. It lists what
alerts added, so that it can be taken back in calm (`service.domain.decisions.returns`). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

Value = int | str
"""A count of instances, or the name of a size."""

LONGEST_RETURN_S = 86_400.0
"""A return that is answered by a new alert each time waits twice as long each time, but no more
than a day."""


@dataclass(frozen=True, slots=True)
class Addition:
    """What one run added because alerts asked for it, as far as it is still there.

    `rule` is the rule that asked, `alerts` are the ids of the alerts. `at` is the end of the run,
    in seconds since the epoch.
    """

    run: str
    rule: str
    before: Value
    after: Value
    at: float
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What is true instead, where the write of a failed run had no effect."""

    value: Value
    additions: tuple[Addition, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One attribute of one target, as our last change left it.

    `at` is when that was, in seconds since the epoch, and `returned_at` the end of the last return.
    `additions` are in the order in which they were made. `doubled` is how many returns in a row
    were answered by a new alert. `waits` says what the next return waits for, empty where it waits
    for nothing.
    """

    target: str
    attribute: str
    value: Value
    at: float
    additions: tuple[Addition, ...] = ()
    otherwise: Otherwise | None = None
    returned_at: float | None = None
    doubled: int = 0
    waits: str = ""

    @property
    def since(self) -> float:
        """The end of the last change by an alert or a return, in seconds since the epoch."""
        last = max((each.at for each in self.additions), default=0.0)
        return max(last, self.returned_at or 0.0)

    def wait_s(self, after_s: float) -> float:
        """How long it has to be calm before the next return, in seconds."""
        return min(after_s * 2.0**self.doubled, max(after_s, LONGEST_RETURN_S))


@dataclass(frozen=True, slots=True)
class Made:
    """What a run that has ended made of one attribute.

    `adds` is whether alerts asked for it and got more; `returns` whether it took something back;
    `undoes` is the run that a person had undone, empty for another run. `verified` is False where
    the write of a failed run may have had no effect. `asked_again_s` is how long after a return an
    alert counts as its answer, in seconds. `base` is what a level wants without what alerts have
    added, None where no level has asked.
    """

    target: str
    attribute: str
    before: Value
    after: Value
    at: float
    run: str
    rule: str
    alerts: tuple[str, ...] = ()
    adds: bool = False
    returns: bool = False
    undoes: str = ""
    verified: bool = True
    asked_again_s: float = 0.0
    base: Value | None = None


def after_run(known: Entry | None, made: Made) -> Entry:
    """The entry once a run has ended."""
    entry = known or Entry(made.target, made.attribute, made.before, made.at)
    additions = _additions(entry, made)
    return replace(
        entry,
        value=made.after,
        at=made.at,
        additions=additions,
        otherwise=None if made.verified else Otherwise(made.before, entry.additions),
        returned_at=made.at if made.returns else entry.returned_at,
        doubled=_doubled(entry, made),
        waits="",
    )


def _additions(entry: Entry, made: Made) -> tuple[Addition, ...]:
    if made.adds:
        added = Addition(made.run, made.rule, made.before, made.after, made.at, made.alerts)
        return (*entry.additions, added)
    if made.returns:
        return _without(entry.additions, made)
    if made.undoes:
        return tuple(each for each in entry.additions if each.run != made.undoes)
    if made.base is not None:
        return _above(made, entry.additions)
    # What a person or a scenario sets is what the target is meant to be.
    return ()


def _above(made: Made, additions: tuple[Addition, ...]) -> tuple[Addition, ...]:
    """What is left of the additions above what a level wants: of a count the newest of them."""
    if not isinstance(made.after, int) or not isinstance(made.base, int):
        return ()
    room, left = made.after - made.base, list[Addition]()
    for each in reversed(additions):
        there = min(room, int(each.after) - int(each.before))
        if there > 0:
            left.append(replace(each, before=int(each.after) - there))
        room -= there
    return tuple(reversed(left))


def _without(additions: tuple[Addition, ...], made: Made) -> tuple[Addition, ...]:
    """What is left of the additions once a return has taken some of them back."""
    if not isinstance(made.before, int) or not isinstance(made.after, int):
        return additions[:-1]
    less = made.before - made.after
    left: list[Addition] = []
    for each in reversed(additions):
        if less > 0 and each.rule == made.rule:
            there = int(each.after) - int(each.before)
            taken = min(there, less)
            less -= taken
            if taken == there:
                continue
            each = replace(each, after=int(each.after) - taken)  # noqa: PLW2901 - a smaller one
        left.append(each)
    return tuple(reversed(left))


def _doubled(entry: Entry, made: Made) -> int:
    """How often in a row a return was answered by a new alert."""
    if not made.adds:
        return entry.doubled
    if entry.returned_at is None:
        return 0
    soon = made.at - entry.returned_at < entry.wait_s(made.asked_again_s)
    return entry.doubled + 1 if soon else 0


def seen(entry: Entry, value: Value) -> tuple[Entry, bool]:
    """The entry once a look has shown this value, and whether a person has set it.

    What a person has set is the value that the target is meant to have, so nothing of it counts as
    added by alerts any more.
    """
    if value == entry.value:
        return replace(entry, otherwise=None), False
    if entry.otherwise is not None and value == entry.otherwise.value:
        back = entry.otherwise
        return replace(entry, value=value, additions=back.additions, otherwise=None), False
    return replace(entry, value=value, additions=(), otherwise=None, doubled=0, waits=""), True


def entry_json(entry: Entry) -> dict[str, Any]:
    """The parts of an entry that are kept as JSON."""
    other = entry.otherwise
    return {
        "value": entry.value,
        "additions": [asdict(each) for each in entry.additions],
        "otherwise": None if other is None else asdict(other),
    }


def entry_from_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an entry that `entry_json` wrote."""
    other = data.get("otherwise")
    return {
        "value": data["value"],
        "additions": _loaded(data["additions"]),
        "otherwise": None
        if other is None
        else Otherwise(other["value"], _loaded(other["additions"])),
    }


def _loaded(rows: Any) -> tuple[Addition, ...]:
    return tuple(Addition(**{**each, "alerts": tuple(each["alerts"])}) for each in rows)
