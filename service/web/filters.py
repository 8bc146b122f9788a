"""Filters of the read API, from query strings: each wrong one is told in a sentence (422)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from service.catalogue.registry import ACTIONS
from service.domain.alerts.alert import AlertStatus
from service.domain.decisions.decision import Verdict
from service.ports.runs import RUN_STATUSES
from service.store.pages import DEFAULT_LIMIT, MAX_LIMIT
from service.store.queries import AlertFilter, DecisionFilter, RunFilter

Arguments = Mapping[str, str]

_NUMBER = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?").fullmatch
_PAGING = ("limit", "after")


class BadFilter(Exception):  # noqa: N818 - it names an answer (422)
    """A query parameter cannot be used; the message is the sentence for the client."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Where a page begins and how long it is."""

    limit: int
    after: str | None


def paging(arguments: Arguments, *filters: str) -> Paging:
    """The page asked for; BadFilter for a parameter that is not one of `filters`.

    An unknown name is refused: a filter with a typo would otherwise answer with everything.
    """
    allowed = (*filters, *_PAGING)
    for name, value in arguments.items():
        if name not in allowed:
            raise BadFilter(f"{name!a} is no parameter here; there are {', '.join(allowed)}.")
        if "\x00" in value:
            raise BadFilter(f"{name} holds a NUL character, which nothing stored does.")
    return Paging(_limit(arguments.get("limit")), arguments.get("after"))


def alert_filter(arguments: Arguments) -> AlertFilter:
    """name, source, status (firing, resolved), since and until (ISO 8601 or seconds)."""
    status = _one_of(arguments, "status", [each.value for each in AlertStatus])
    return AlertFilter(
        name=arguments.get("name"),
        source=arguments.get("source"),
        firing=None if status is None else status == AlertStatus.FIRING,
        since=_moment(arguments, "since"),
        until=_moment(arguments, "until"),
    )


def decision_filter(arguments: Arguments) -> DecisionFilter:
    """verdict (act, hold, reject), rule, target, alert, run."""
    return DecisionFilter(
        verdict=_one_of(arguments, "verdict", [each.value for each in Verdict]),
        rule=arguments.get("rule"),
        target=arguments.get("target"),
        alert=arguments.get("alert"),
        run=arguments.get("run"),
    )


def run_filter(arguments: Arguments) -> RunFilter:
    """status, target, action."""
    return RunFilter(
        status=_one_of(arguments, "status", list(RUN_STATUSES)),
        target=arguments.get("target"),
        action=_one_of(arguments, "action", [each.name for each in ACTIONS]),
    )


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_LIMIT:
        raise BadFilter(f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _one_of(arguments: Arguments, name: str, allowed: list[str]) -> str | None:
    value = arguments.get(name)
    if value is not None and value not in allowed:
        raise BadFilter(f"{name} must be one of {', '.join(allowed)}.")
    return value


def _moment(arguments: Arguments, name: str) -> float | None:
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
