"""What a month costs: booked, running, projected."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.costs.costs import (
    Booked,
    Line,
    Report,
    amount_of,
    cents,
    lines_of_fixed,
    shown,
)
from service.domain.decisions.budget import month_of

D = Decimal


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def app(month: str) -> Line:
    return Line("DigitalOcean", "app", "api", "3 × professional-s", D(month))


PLAN = lines_of_fixed([("supabase-plan", D(25))])


def booked(report_lines: tuple[Line, ...], now: float) -> Booked:
    """A bill that has booked exactly what the inventory says."""
    return Booked("DigitalOcean", Report(now, report_lines).counted("DigitalOcean"))


@given(
    st.sampled_from(["2026-02", "2027-01", "2026-11", "2028-02"]),
    st.integers(0, 31 * 86_400 - 1),
)
def test_a_steady_month_comes_to_its_price_on_any_day(month: str, since: int) -> None:
    begin, end = month_of(at(f"{month}-01"))
    now = min(begin + since, end)
    if now == end:
        return
    lines = (app("85"), *PLAN)
    report = Report(now, lines, (booked(lines, now),), budget=D(200))
    assert report.projection is not None
    assert cents(report.projection) == D("110.00")
    assert report.difference == 0
    assert report.reached == ()


@pytest.mark.parametrize("month", ["2026-02", "2027-01"])
@pytest.mark.parametrize("day", [1, 28])
def test_a_droplet_costs_at_most_672_hours_in_a_month_of_any_length(month: str, day: int) -> None:
    droplet = Line("DigitalOcean", "droplet", "vm", "s-2vcpu-4gb", D(24), D("0.03571"))
    now = at(f"{month}-{day:02}")
    report = Report(now, (droplet,), (booked((droplet,), now),))
    assert report.projection is not None
    assert cents(report.projection) == cents(D("0.03571") * 672)


def test_a_droplet_of_yesterday_has_not_used_up_the_hours_of_the_month() -> None:
    now = at("2026-12-30")
    droplet = Line("DO", "droplet", "vm", "", D(24), D("0.03571"), since=at("2026-12-29"))
    assert droplet.between(0, now, now) == D("0.03571") * 24
    assert droplet.between(now, month_of(now)[1], now) == D("0.03571") * 48


def test_what_is_booked_counts_and_the_difference_to_the_inventory_is_told() -> None:
    now = at("2026-11-16")
    report = Report(now, (app("60"),), (Booked("DigitalOcean", D("85.00")),), budget=D(200))
    assert report.counted("DigitalOcean") == 30
    assert report.difference == D(55)
    assert report.projection == D(115)


def test_a_price_that_nobody_knows_is_listed_and_never_counted_as_nothing() -> None:
    strange = Line("DigitalOcean", "database", "pg", "db-x", None)
    report = Report(at("2026-11-16"), (app("60"), strange), (Booked("DigitalOcean", D(30)),))
    assert report.unknown == (strange,)
    assert not report.complete
    told = report.to_json()
    assert told["unknown"][0]["dollars_month"] is None
    assert told["projection"] == "60.00"


def test_without_a_booked_number_there_is_no_projection_and_no_threshold() -> None:
    unread = Booked("DigitalOcean", None, why="it named no number")
    report = Report(at("2026-11-16"), (app("6000"),), (unread,), budget=D(200))
    assert (report.projection, report.percent, report.reached) == (None, None, ())
    assert report.difference is None
    assert shown(report.projection) == "unknown"


@pytest.mark.parametrize(
    ("dollars", "reached"),
    [
        ("159.99", ()),
        ("160", (80,)),
        ("200", (80, 100)),
        ("239.99", (80, 100)),
        ("240", (80, 100, 120)),
    ],
)
def test_thresholds_are_reached_at_their_percent_of_the_budget(
    dollars: str, reached: tuple[int, ...]
) -> None:
    report = Report(at("2026-11-16"), (), (Booked("DigitalOcean", D(dollars)),), budget=D(200))
    assert report.reached == reached


def test_the_runbooks_own_sum_would_have_alerted_and_this_does_not() -> None:
    """The runbook takes the sum of monthly prices times 30: $85 would be $2,550."""
    now = at("2026-11-10")
    lines = (app("85"), *PLAN)
    report = Report(now, lines, (booked(lines, now),), budget=D(200))
    assert cents(report.projection or D(0)) == D("110.00")
    assert report.reached == ()


@pytest.mark.parametrize("text", ["", None, "n/a", "NaN", "Infinity", []])
def test_what_is_no_number_is_no_amount(text: object) -> None:
    assert amount_of(text) is None


def test_amounts_are_read_and_shown_exactly() -> None:
    assert amount_of("23.44") == D("23.44")
    assert shown(D("1234.505")) == "$1,234.51"
    assert shown(D("-0.10")) == "-$0.10"
