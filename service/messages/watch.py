"""watch: the one message of a watch, as it reads after each look, and when the watch has ended.

Pure: the same look makes the same message, so it can be made again after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.domain.decisions.requests import Request
from service.domain.durations import lasted, moment
from service.domain.readings.metrics import unit_of
from service.domain.watching import Seen, Term, Trace, Watched, beyond_now
from service.messages.going_on import alerts_named, asked_for, command, links_of_run
from service.ports import Message

_TITLE = 150
"""Characters of a title in Slack."""


@dataclass(frozen=True, slots=True)
class Course:
    """When a watch began, when it is to end and when it looks next, in seconds since the epoch.

    `again` is whether an earlier message of it may stand in the channel, which nothing edits.
    """

    began_at: float
    ends_at: float
    next_at: float
    again: bool = False


def watching(request: Request, asked: Watched, seen: Seen, course: Course) -> Message:
    """What the last look has shown, and how it was since the first one."""
    return Message(
        title=_title(asked, seen)[:_TITLE],
        text="\n".join(_lines(request, asked, seen, course)),
        fields=[_field(term, seen.traces[term.name]) for term in asked.terms if seen.looks],
        context=_context(request),
        links=links_of_run(request),
    )


def summary(asked: Watched, seen: Seen) -> str:
    """What came of all looks, in one line."""
    looks = "1 look" if seen.looks == 1 else f"{seen.looks} looks"
    found = [
        f"{term.name} in {seen.traces[term.name].beyond}"
        for term in asked.terms
        if seen.looks and seen.traces[term.name].beyond
    ]
    unread = [
        term.name for term in asked.terms if seen.looks and not seen.traces[term.name].measured
    ]
    parts = [f"{asked.what}: {looks}"]
    if any(term.sign for term in asked.terms):
        parts.append(f"beyond its limit: {', '.join(found)}" if found else "none beyond its limit")
    if unread:
        parts.append(f"never read: {', '.join(unread)}")
    return "; ".join(parts)


def plan_of(asked: Watched, seen: Seen) -> str:
    """What would be watched, in a sentence, and what a look shows now."""
    state = f" {_state(asked, seen)}" if asked.target else ""
    now = ", ".join(_read_now(term, seen.traces[term.name]) for term in asked.terms)
    missing = "".join(f" {line}" for line in _unread(asked, seen))
    return (
        f"It would watch {asked.what} for {lasted(asked.lasts_s)}, with a look each "
        f"{lasted(asked.every_s)} and one message in Slack.{state} Now: {now}.{missing}"
    )


def _read_now(term: Term, trace: Trace) -> str:
    limit = f" (limit {term.sign} {term.limit:g})" if term.sign else ""
    value = "no reading" if trace.last is None else f"{_shown(trace.last)}{_over(term, trace.last)}"
    return f"{term.name}{limit} {value}"


def _title(asked: Watched, seen: Seen) -> str:
    if seen.ended:
        return f"Watched {asked.what}"
    beyond = [term.name for term in beyond_now(seen, asked.terms)]
    found = f": {', '.join(beyond)} beyond {_its(beyond)}" if beyond else ""
    return f"Watching {asked.what}{found}"


def _its(names: Sequence[str]) -> str:
    return "its limit" if len(names) == 1 else "their limits"


def _lines(request: Request, asked: Watched, seen: Seen, course: Course) -> Iterator[str]:
    yield asked_for(request.origin)
    if seen.ended:
        yield seen.ended
        yield f"What it saw of {summary(asked, seen)}."
    else:
        yield (
            f"Look {seen.looks}, {moment(seen.at, seen.at).removeprefix('now, ')}. The next one "
            f"follows {moment(course.next_at, seen.at)}; the last one {_last(seen, course)}."
        )
    if asked.target and seen.looks:
        yield _state(asked, seen)
    yield from _unread(asked, seen)
    if course.again:
        yield "An earlier message of this watch may stand here. Nobody edits that one any more."
    yield "A watch changes nothing."
    if not seen.ended:
        yield f"To end it before its time: `runbookd cancel {request.id} --why WHY`."


def _last(seen: Seen, course: Course) -> str:
    return moment(course.ends_at, seen.at)


def _state(asked: Watched, seen: Seen) -> str:
    if seen.unseen:
        before = f" At first it had {seen.first}." if seen.first else ""
        return f"{asked.target} could not be looked at: {seen.unseen}{before}"
    since = "" if seen.first == seen.state else f"; at the first look {seen.first}"
    return f"{asked.target} has {seen.state or 'no state that its vendor tells'}{since}."


def _unread(asked: Watched, seen: Seen) -> Iterator[str]:
    """Why readings are missing, each reason once: most often it is the same for all of them."""
    names: dict[str, list[str]] = {}
    for term in asked.terms:
        trace = seen.traces.get(term.name, Trace())
        if seen.looks and trace.last is None:
            names.setdefault(trace.why, []).append(term.name)
    for why, missing in names.items():
        yield f"No reading of {', '.join(missing)}: {why}"


def _field(term: Term, trace: Trace) -> tuple[str, str]:
    limit = (
        f", limit: {'above' if term.sign == '>' else 'below'} {term.limit:g}" if term.sign else ""
    )
    return f"{term.name}{_in_unit(term.name)}{limit}", "\n".join(_values(term, trace))


def _in_unit(name: str) -> str:
    unit = unit_of(name)
    return f" ({unit})" if unit else ""


def _values(term: Term, trace: Trace) -> Iterator[str]:
    if trace.last is None:
        yield "no reading now"
    else:
        yield f"{_shown(trace.last)} now{_over(term, trace.last)}{_trend(trace)}"
    if trace.low is not None and trace.high is not None and trace.low != trace.high:
        yield f"between {_shown(trace.low)} and {_shown(trace.high)} since the start"
    if trace.beyond:
        yield f"beyond its limit in {trace.beyond} of {trace.measured} looks"


def _over(term: Term, value: float) -> str:
    return ", beyond its limit" if term.beyond(value) else ""


def _trend(trace: Trace) -> str:
    if trace.measured < 2 or trace.first is None or trace.last is None:  # noqa: PLR2004 - a trend has two ends
        return ""
    change = trace.last - trace.first
    if f"{change:.3g}" == "0":
        return ", as at the start"
    return f", {'+' if change > 0 else '−'}{_shown(abs(change))} since the start"


def _shown(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"  # noqa: PLR2004 - more digits are read with separators


def _context(request: Request) -> str:
    parts = [f"run {request.id}", alerts_named(request.origin.alerts), command(request.id)]
    return " · ".join(filter(None, parts))


def over(asked: Watched, began_at: float, ends_at: float, now: float) -> str:
    """That a watch has ended by itself, as a sentence. It ends late where no worker lived."""
    late = now - ends_at
    said = f"It has ended by itself after {lasted(now - began_at)}."
    if late > max(asked.every_s, 60.0):
        return f"{said} It was to end {lasted(late)} before that, and no worker looked meanwhile."
    return said
