"""What became of a change: judged by when its alerts resolved, and not by when somebody looks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.decisions.expected import (
    CLEARED,
    LOOK_EVERY_S,
    NO_EFFECT,
    PENDING,
    Expected,
    Judged,
    Sequel,
    check_in_vain,
    seen,
)

END = 10_000.0
LENGTH = 900.0
DUE = END + LENGTH
GRACE = 120.0
NEW = Judged(END, DUE, next_at=END + LOOK_EVERY_S)


def at(*alerts: Sequel, now: float, outcome: Judged = NEW) -> Judged:
    return seen(outcome, alerts, END + now, GRACE)


def ended(resolved: float | None, again: float | None = None, over: float | None = None) -> Sequel:
    """Times from the end of the run."""
    moments = [None if each is None else END + each for each in (resolved, again, over)]
    return Sequel(moments[0], moments[1], moments[2])


@pytest.mark.parametrize(
    ("alerts", "now", "result", "cleared", "look"),
    [
        ([ended(None)], 30, PENDING, None, 60),
        ([ended(None)], 890, PENDING, None, LENGTH),
        ([ended(None)], LENGTH, NO_EFFECT, None, None),
        ([ended(240)], 250, PENDING, None, 240 + GRACE),
        ([ended(240)], 240 + GRACE, CLEARED, 240, 240 + GRACE + LOOK_EVERY_S),
        ([ended(240), ended(None)], 700, PENDING, None, 730),
        ([ended(240), ended(None)], LENGTH, NO_EFFECT, None, None),
        ([ended(240), ended(600)], 720, CLEARED, 600, 750),
        ([ended(890)], LENGTH, PENDING, None, 890 + GRACE),
        ([ended(890)], 890 + GRACE, CLEARED, 890, 1_040),
        ([ended(LENGTH)], 5_000, CLEARED, LENGTH, None),
        ([ended(LENGTH + 1)], 5_000, NO_EFFECT, None, None),
        ([ended(-20)], 100, CLEARED, -20, 130),
        ([], LENGTH, NO_EFFECT, None, None),
        ([ended(240, 500), ended(600)], 720, PENDING, None, 750),
        ([ended(240, 500), ended(600)], LENGTH, NO_EFFECT, None, None),
        ([ended(240, 500, 550), ended(600)], 720, CLEARED, 600, 750),
    ],
    ids=[
        "it fires",
        "it is looked at when it is due",
        "it fires when it is due",
        "its episode may go on",
        "it has cleared",
        "one of two fires",
        "one of two fires when it is due",
        "the last of two has cleared",
        "it cleared in time and may go on",
        "it cleared in time and is judged later",
        "it cleared in the last second",
        "it cleared a second too late",
        "it cleared before the run had ended",
        "no alert is known",
        "one had fired again before the other cleared",
        "and still fires when it is due",
        "and had cleared again",
    ],
)
def test_a_change_is_judged_by_when_its_alerts_resolved(
    alerts: list[Sequel], now: float, result: str, cleared: float | None, look: float | None
) -> None:
    found = at(*alerts, now=now)
    assert found.result == result
    assert found.cleared_at == (None if cleared is None else END + cleared)
    assert found.next_at == (None if look is None else END + look)


CLEAR = Judged(END, DUE, CLEARED, END + 240)


@pytest.mark.parametrize(
    ("alert", "now", "recurred", "look"),
    [
        (ended(240), 500, None, 530),
        (ended(240), 240 + LENGTH - 10, None, 240 + LENGTH),
        (ended(240), 240 + LENGTH, None, None),
        (ended(240, 700), 720, 700, None),
        (ended(240, 240 + LENGTH), 5_000, 240 + LENGTH, None),
        (ended(240, 241 + LENGTH), 5_000, None, None),
        (ended(240, 700, 720), 5_000, 700, None),
    ],
    ids=[
        "it is watched",
        "to the end",
        "and no longer",
        "it fires again",
        "in the last second",
        "a second too late",
        "it fired again and that is over",
    ],
)
def test_it_has_recurred_when_the_same_alert_fires_again_as_soon_as_it_had_to_clear(
    alert: Sequel, now: float, recurred: float | None, look: float | None
) -> None:
    found = at(alert, now=now, outcome=CLEAR)
    assert (found.result, found.cleared_at) == (CLEARED, END + 240)
    assert found.recurred_at == (None if recurred is None else END + recurred)
    assert found.next_at == (None if look is None else END + look)


def test_a_worker_that_was_away_comes_to_the_same_result() -> None:
    alerts = [ended(240, 700)]
    prompt = NEW
    for now in range(0, 1_500, 30):
        # What happens later is not known yet.
        known = ended(240 if now >= 240 else None, 700 if now >= 700 else None)
        if prompt.next_at is not None and END + now >= prompt.next_at:
            prompt = at(known, now=now, outcome=prompt)
    late = at(*alerts, now=50_000)
    assert replace(prompt, next_at=None) == replace(late, next_at=None)
    assert late.recurred_at == END + 700


IN_VAIN = Judged(END, DUE, NO_EFFECT)


@pytest.mark.parametrize(
    ("alerts", "now", "counts", "look"),
    [
        ([ended(None)], LENGTH, True, LENGTH + LOOK_EVERY_S),
        ([ended(240), ended(None)], LENGTH, True, LENGTH + LOOK_EVERY_S),
        ([ended(2_000)], 2_010, True, 2_040),
        ([ended(2_000)], 2_000 + GRACE, False, None),
        ([ended(2_000), ended(None)], 9_000, True, 9_030),
        ([], LENGTH, False, None),
    ],
    ids=["it fires", "one fires", "it may go on", "it has resolved", "the other fires", "none"],
)
def test_what_had_no_effect_counts_until_its_alerts_have_resolved(
    alerts: list[Sequel], now: float, counts: bool, look: float | None
) -> None:
    found = seen(IN_VAIN, alerts, END + now, GRACE, counted=True)
    assert (found.result, found.counts) == (NO_EFFECT, counts)
    assert found.next_at == (None if look is None else END + look)
    assert not seen(IN_VAIN, alerts, END + now, GRACE).counts, "the rule never gives up"


@pytest.mark.parametrize(
    ("give_up", "runs", "passed"),
    [(3, 0, True), (3, 2, True), (3, 3, False), (1, 1, False), (3, 4, False)],
)
def test_the_rule_gives_up_after_so_many_in_a_row(give_up: int, runs: int, passed: bool) -> None:
    in_vain = [f"api.out.{number}" for number in range(runs)]
    check = check_in_vain(Expected(600.0, give_up), "api", in_vain)
    assert check is not None
    assert (check.guard, check.passed) == ("no_effect", passed)
    assert all(run in check.saw for run in in_vain)


def test_a_rule_that_never_gives_up_is_not_asked() -> None:
    assert check_in_vain(Expected(600.0), "api", ["api.out.1"]) is None
    assert check_in_vain(None, "api", ["api.out.1"]) is None
