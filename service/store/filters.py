"""What is asked of the record, as the read API and the terminal ask it: by names and texts.

Each wrong filter is told in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from service.domain.alerts.alert import AlertStatus
from service.domain.decisions.decision import Verdict
from service.domain.decisions.expected import RESULTS
from service.domain.filters import (
    ACTIONS,
    DEFAULT_LIMIT,
    MAX_LIMIT,
    RUN_STATUSES,
    SOURCES,
    BadFilter,
    require_known,
)
from service.domain.readings.readings import DAY, SPANS
from service.store.pages import Page
from service.store.queries import AlertFilter, DecisionFilter, OutcomeFilter, Queries, RunFilter
from service.store.readings import ReadingFilter

Arguments = Mapping[str, str]

_NUMBER = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?").fullmatch
_PAGING = ("limit", "after")


@dataclass(frozen=True, slots=True)
class Paging:
    """Where a page begins and how long it is."""

    limit: int
    after: str | None


def page_of(queries: Queries, what: str, arguments: Arguments) -> Page:
    """A page of what is listed (`LISTED`), as the arguments filter it.

    Raises:
        BadFilter: an argument cannot be used.
        UnknownCursor: `after` names nothing.
    """
    listed = LISTED[what]
    asked = paging(arguments, *listed.filters)
    return listed.read(queries, arguments, asked)


def paging(arguments: Arguments, *filters: str) -> Paging:
    """The page asked for; BadFilter for a parameter that is not one of `filters`.

    An unknown name is refused: a filter with a typo would otherwise answer with everything.
    """
    only(arguments, *filters, *_PAGING)
    return Paging(_limit(arguments.get("limit")), arguments.get("after"))


def only(arguments: Arguments, *allowed: str) -> None:
    """Return when all of the arguments are among those that are allowed; otherwise BadFilter."""
    for name, value in arguments.items():
        if name not in allowed:
            raise BadFilter(f"{name!a} is no parameter here; there are {', '.join(allowed)}.")
        if "\x00" in value:
            raise BadFilter(f"{name} holds a NUL character, which nothing stored does.")


def alert_filter(arguments: Arguments) -> AlertFilter:
    """name, source, status (firing, resolved), since and until (ISO 8601 or seconds)."""
    status = _known(arguments, "status", [each.value for each in AlertStatus])
    return AlertFilter(
        name=arguments.get("name"),
        source=_known(arguments, "source", SOURCES),
        firing=None if status is None else status == AlertStatus.FIRING,
        since=moment_asked(arguments, "since"),
        until=moment_asked(arguments, "until"),
    )


def decision_filter(arguments: Arguments) -> DecisionFilter:
    """verdict (act, hold, reject), rule, target, alert, run."""
    return DecisionFilter(
        verdict=_known(arguments, "verdict", [each.value for each in Verdict]),
        rule=arguments.get("rule"),
        target=arguments.get("target"),
        alert=arguments.get("alert"),
        run=arguments.get("run"),
    )


def run_filter(arguments: Arguments) -> RunFilter:
    """status, target, action."""
    return RunFilter(
        status=_known(arguments, "status", RUN_STATUSES),
        target=arguments.get("target"),
        action=_action(arguments),
    )


def outcome_filter(arguments: Arguments) -> OutcomeFilter:
    """rule, target, result (pending, cleared, no_effect)."""
    return OutcomeFilter(
        rule=arguments.get("rule"),
        target=arguments.get("target"),
        result=_known(arguments, "result", RESULTS),
    )


def reading_filter(arguments: Arguments) -> ReadingFilter:
    """span (day, hour), metric, target (empty: of the whole application), since and until."""
    return ReadingFilter(
        span=_known(arguments, "span", SPANS) or DAY,
        metric=arguments.get("metric"),
        target=arguments.get("target"),
        since=moment_asked(arguments, "since"),
        until=moment_asked(arguments, "until"),
    )


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise BadFilter(f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def whole_number(arguments: Arguments, name: str, default: int) -> int:
    """A whole number that is asked for, or the default."""
    text = arguments.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal():
        raise BadFilter(f"{name} must be a whole number, such as {default}.")
    return int(text[:9])


def _action(arguments: Arguments) -> str | None:
    asked = arguments.get("action")
    if asked is None or asked in ACTIONS:
        return asked
    # Loaded for what is hardly ever asked: a slip, or an action that is not on that list.
    from service.catalogue import registry  # noqa: PLC0415 - see above

    return _known(arguments, "action", [each.name for each in registry.ACTIONS])


def _known(arguments: Arguments, name: str, known: Collection[str]) -> str | None:
    return require_known(name, arguments.get(name), known)


def moment_asked(arguments: Arguments, name: str) -> float | None:
    """A time as ISO 8601 or in seconds; None where it is not asked for."""
    text = arguments.get(name)
    if text is None:
        return None
    if _NUMBER(text):
        return float(text)
    try:
        # A + in a query string arrives as a blank.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise BadFilter(
            f"{name} must be a time as ISO 8601 (2026-01-31T09:00:00Z) or in seconds since 1970."
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@dataclass(frozen=True, slots=True)
class Listed:
    """One kind of thing that is read in pages: the names of its filters, and how it is read."""

    filters: tuple[str, ...]
    read: Callable[[Queries, Arguments, Paging], Page]


LISTED: Mapping[str, Listed] = {
    "alerts": Listed(
        ("name", "source", "status", "since", "until"),
        lambda queries, given, page: queries.alerts(alert_filter(given), page.limit, page.after),
    ),
    "decisions": Listed(
        ("verdict", "rule", "target", "alert", "run"),
        lambda queries, given, page: queries.decisions(
            decision_filter(given), page.limit, page.after
        ),
    ),
    "runs": Listed(
        ("status", "target", "action"),
        lambda queries, given, page: queries.runs(run_filter(given), page.limit, page.after),
    ),
    "outcomes": Listed(
        ("rule", "target", "result"),
        lambda queries, given, page: queries.outcomes(
            outcome_filter(given), page.limit, page.after
        ),
    ),
    "readings": Listed(
        ("span", "metric", "target", "since", "until"),
        lambda queries, given, page: queries.readings(
            reading_filter(given), page.limit, page.after
        ),
    ),
    "quarantine": Listed((), lambda queries, _, page: queries.quarantine(page.limit, page.after)),
}
"""By the last part of its path in the read API."""
