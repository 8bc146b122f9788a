"""The months ahead: the runbook's own formulas, and what the targets would need and cost."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from service.domain.capacity.chart import svg, top_of
from service.domain.capacity.growth import Growth, NoPlan, given
from service.domain.capacity.priced import (
    Connections,
    Scaled,
    Size,
    by_price,
    need,
    rising,
)
from service.domain.capacity.projection import (
    CURRENT,
    MOST_MONTHS,
    Projection,
    Span,
    by_the_runbook,
    months_ahead,
    runbook_cost,
    runbook_row,
    what_if,
)
from service.domain.pools.size import Server

NOVEMBER = 1_795_000_000.0
LADDER = (Size("xs", 12.0), Size("s", 25.0), Size("m", 50.0), Size("l", 150.0))
API = Scaled("api", LADDER, count=3, least=2, most=10)
DATABASE = Scaled("database", (Size("ci_micro", 10.0), Size("ci_small", 15.0), Size("ci_m", 60.0)))
WIDE = Growth(0.1, 0.2, 0.4, 60)


def runbook(growth: float, budget: float | None = None) -> Projection:
    grown = given(growth)
    return by_the_runbook(months_ahead(6, grown, 1.0, NOVEMBER), grown, budget)


def priced(
    *targets: Scaled,
    growth: Growth = WIDE,
    months: int = 6,
    budget: float | None = None,
    connections: Connections | None = None,
) -> Projection:
    ahead = months_ahead(months, growth, 1.0, NOVEMBER)
    return by_price(ahead, growth, targets, budget, connections)


GOLDEN = {
    0.2: [
        (12000, 120, 72, 3, 168.00),
        (14400, 144, 86, 4, 201.60),
        (17279, 172, 103, 5, 241.92),
        (20736, 207, 124, 6, 261.27),
        (24883, 248, 149, 7, 313.53),
        (29859, 298, 179, 8, 376.23),
    ],
    1.0: [
        (20000, 200, 120, 6, 280.00),
        (40000, 400, 240, 12, 504.00),
        (80000, 800, 480, 24, 896.00),
        (160000, 1600, 960, 48, 1792.00),
        (320000, 3200, 1920, 96, 3584.00),
        (640000, 6400, 3840, 192, 7168.00),
    ],
}
"""What the runbook's own class gives, run as it stands there."""


def test_the_runbooks_formulas_are_reproduced_to_the_digit() -> None:
    for growth, rows in GOLDEN.items():
        assert [row[2:7] for row in runbook(growth).rows] == rows


def test_the_runbooks_own_code_gives_the_same_at_any_growth() -> None:
    """Its two methods as they stand in the runbook, without pandas."""

    def cost(multiplier: float) -> float:
        base_costs = {"compute": 85, "database": 25, "storage": 10, "bandwidth": 20}
        scaled = {k: v * multiplier for k, v in base_costs.items()}
        if multiplier > 5:
            scaled = {k: v * 0.8 for k, v in scaled.items()}
        elif multiplier > 2:
            scaled = {k: v * 0.9 for k, v in scaled.items()}
        return sum(scaled.values())

    for number in range(200):
        times = 1.05 ** (number - 20)
        want = (
            int(10000 * times),
            int(100 * times),
            int(50 * times * 1.2),
            max(3, int(3 * times)),
        )
        *found, dollars = runbook_row(times)
        assert tuple(found) == want
        assert dollars == pytest.approx(cost(times), abs=0.006)


def test_the_runbooks_dollars_fall_at_its_discounts_and_the_plan_says_so() -> None:
    assert runbook_cost(2.01) < runbook_cost(2.0)
    assert runbook_cost(5.01) < runbook_cost(5.0)
    assert any("fall where a discount begins" in each for each in runbook(0.2).assumed)


def test_the_first_month_over_the_budget_is_named() -> None:
    assert runbook(0.2, 200.0).passed == (
        "The budget of $200 a month is passed in 2027-01, at $201.60.",
    )
    assert (
        runbook(1.0, 200.0).passed[0].startswith("The budget of $200 a month is passed in 2026-12")
    )
    assert runbook(0.0, 200.0).passed == runbook(0.2).passed == ()


def test_the_interval_says_how_early_and_how_late_the_budget_may_be_passed() -> None:
    (sentence,) = priced(Scaled("vm", LADDER, 1, 1, 99), growth=WIDE, budget=35.0).passed
    assert "at the ends of the interval in " in sentence
    (late,) = priced(Scaled("vm", LADDER, 1, 1, 99), growth=WIDE, budget=61.0).passed
    assert "holds as expected until 2027-05; at the upper end" in late


def test_months_are_named_across_the_turn_of_the_year() -> None:
    names = [each.name for each in months_ahead(14, given(0.1), 1.0, NOVEMBER)]
    assert (names[0], names[1], names[13]) == ("2026-12", "2027-01", "2028-01")


@pytest.mark.parametrize("count", [0, -1, MOST_MONTHS + 1])
def test_a_number_of_months_that_cannot_be_planned_is_refused(count: int) -> None:
    with pytest.raises(NoPlan, match="--months must be from 1 to 60"):
        months_ahead(count, given(0.1), 1.0, NOVEMBER)


def test_a_what_if_multiplies_everything_by_as_much() -> None:
    assert what_if(["users=50000"], CURRENT, "") == 5.0
    assert what_if([], CURRENT, "") == 1.0
    (first, *_) = months_ahead(1, given(0.0), 5.0, NOVEMBER)
    assert runbook_row(first.times.mid)[:4] == (50_000, 500, 300, 15)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (["visitors=5"], "how many there are now is not known; known are instances, rps, storage"),
        (["users"], "users must be a number above 0"),
        (["users=0"], "users must be a number above 0"),
        (["users=-3"], "users must be a number above 0"),
        (["users=nan"], "users must be a number above 0"),
        (["users=inf"], "users must be a number above 0"),
        (["users=many"], "users must be a number above 0"),
        (["users=1", "rps=2"], "One --what-if is enough"),
    ],
)
def test_a_what_if_that_cannot_be_is_refused(given_: list[str], said: str) -> None:
    with pytest.raises(NoPlan, match=said):
        what_if(given_, CURRENT, "")


def test_instances_are_rounded_up_and_added_before_the_next_size_is_taken() -> None:
    def found(times: float) -> tuple[int, str, float]:
        needed = need(API, times)
        return needed.count, needed.size, needed.dollars

    assert found(1.0) == (3, "xs", 36.0)
    assert found(1.01) == (4, "xs", 48.0)
    assert found(10 / 3) == (10, "xs", 120.0)
    assert found(3.4) == (5, "s", 125.0)
    assert found(0.1) == (2, "xs", 24.0)
    assert need(API, 42.0) == need(API, 41.9)


def test_what_is_more_than_a_target_may_have_is_said_with_the_month() -> None:
    small = Scaled("api", LADDER[:1], 3, 2, 5)
    (sentence,) = priced(small, growth=given(0.5)).passed
    assert sentence == (
        "api needs 7 × xs in 2027-01, and may have 5: raise replicas.max, or add a larger size."
    )
    (sentence,) = priced(DATABASE, growth=given(1.0)).passed
    assert sentence == (
        "database needs more than ci_m, the largest size of its ladder, from 2027-02 on."
    )


def test_a_target_with_room_needs_nothing_until_it_is_full() -> None:
    half = Scaled("database", DATABASE.sizes, load=0.5)
    assert [row[3] for row in priced(half, growth=given(0.3), months=3).rows] == [
        "ci_micro"
    ] * 2 + ["ci_small"]


def test_the_first_month_with_too_many_connections_is_named() -> None:
    plan = priced(API, DATABASE, growth=given(0.3), connections=Connections(20, Server(200)))
    assert plan.passed[-1].startswith("In 2027-03, 9 instances × 20 connections are too many")
    enough = priced(API, DATABASE, growth=given(0.3), connections=Connections(2, Server(200)))
    assert not any("connections" in each for each in enough.passed)
    none = priced(DATABASE, growth=given(0.3), connections=Connections(2000, Server(200)))
    assert not any("connections" in each for each in none.passed)


def test_the_sizes_that_a_step_up_may_take_are_dearer_each() -> None:
    mixed = (Size("a", 10.0), Size("b", 5.0), Size("c", 10.0), Size("d", 11.0))
    assert [each.name for each in rising(mixed)] == ["a", "d"]


prices = st.lists(st.floats(1.0, 4_000.0), min_size=1, max_size=6).map(
    lambda each: rising([Size(f"size-{n}", price) for n, price in enumerate(sorted(each))])
)
scaled = st.builds(
    Scaled,
    name=st.just("it"),
    sizes=prices,
    count=st.integers(1, 20),
    least=st.integers(1, 5),
    most=st.one_of(st.none(), st.integers(5, 40)),
    load=st.floats(0.05, 1.5),
)


@hypothesis_given(
    scaled.filter(lambda each: each.most is not None or (each.count, each.least) == (1, 1)),
    st.lists(st.floats(0.01, 100.0), min_size=2, max_size=20),
)
def test_more_load_never_costs_less(target: Scaled, times: list[float]) -> None:
    costs = [need(target, each).dollars for each in sorted(times)]
    assert all(before <= after + 1e-6 for before, after in pairwise(costs))


@hypothesis_given(scaled.filter(lambda each: each.most is not None), st.floats(0.01, 100.0))
def test_what_is_needed_is_enough_and_within_the_bounds_unless_it_says_so(
    target: Scaled, times: float
) -> None:
    found = need(target, times)
    price = next(each.dollars for each in target.sizes if each.name == found.size)
    units = target.count * target.sizes[0].dollars * target.load * times
    assert found.count * price >= units - 1e-5
    assert found.count >= target.least
    assert found.beyond == (found.count > (target.most or 0))


@hypothesis_given(st.floats(0.0, 2.0), st.floats(0.0, 2.0))
def test_a_larger_growth_never_costs_less_in_any_month(one: float, other: float) -> None:
    slow, fast = (priced(API, DATABASE, growth=given(each)) for each in sorted((one, other)))
    assert all(a.mid <= b.mid + 1e-6 for a, b in zip(slow.dollars, fast.dollars, strict=True))


@pytest.mark.parametrize("months", [1, 6, 60])
@pytest.mark.parametrize("budget", [None, 200.0])
def test_the_picture_is_well_formed_and_lies_within_its_frame(
    months: int, budget: float | None
) -> None:
    plan = priced(API, growth=Growth(0.0, 0.1, 0.3, 40), months=months, budget=budget)
    root = ET.fromstring(svg(plan))  # noqa: S314 - our own
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    circles = root.findall("{*}circle")
    assert len(circles) == months
    assert all(0 < float(each.attrib["cx"]) < 720 for each in circles)
    assert all(0 < float(each.attrib["cy"]) < 360 for each in circles)
    heights = [float(each.attrib["cy"]) for each in circles]
    assert heights == sorted(heights, reverse=True)
    assert ("budget $200" in svg(plan)) == (budget is not None)
    assert len([each for each in root.findall("{*}text") if each.text in names_of(plan)]) <= 12


def names_of(plan: Projection) -> set[str]:
    return {month.name for month in plan.months}


@hypothesis_given(st.floats(0.0, 1e9))
def test_the_scale_is_round_and_above_everything(most: float) -> None:
    plan = runbook(0.2)
    plan = Projection(
        *(plan.model, plan.growth, plan.months, plan.columns, plan.rows),
        dollars=(Span(0.0, most / 2, most),),
        budget=None,
        passed=(),
        assumed=(),
    )
    top = top_of(plan)
    assert most <= top <= max(4.0, most * 3)
    assert math.isfinite(top)
