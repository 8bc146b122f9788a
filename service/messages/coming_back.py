"""What people are told of a value that somebody has set past runbookd. Pure."""

from __future__ import annotations

from service.domain.capacity.ledger import Entry, Value
from service.domain.durations import moment
from service.domain.rules.rules import Target
from service.ports import Message


def set_by_a_person(target: Target, was: Entry, value: Value, until: float, now: float) -> Message:
    """Somebody has changed a target at its vendor. `until` and `now` are in seconds since the
    epoch."""
    return Message(
        title=f"Held as a person has set it: {target.name}: {was.attribute} {was.value} → {value}",
        text=(
            f"The last change had made it {was.value}. It is {value} now, and no run of runbookd "
            f"has set that, so it is kept until {moment(until, now)}. Alerts may add to it. "
            "Nothing is taken away by itself."
        ),
        fields=[("Let runbookd decide again", f"runbookd release {target.name} --why WHY")],
        links=((target.console, f"{target.name}: the vendor's console"),),
    )
