"""The two pictures as matplotlib itself draws them: what stands where, and what can be read."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from service.cli.capacity_forms import png
from service.domain.capacity.growth import Growth
from service.domain.capacity.projection import Projection, Span, months_ahead
from service.engine.week_picture import drawn

figure = pytest.importorskip(
    "matplotlib.figure",
    reason="matplotlib is not installed: pip install 'runbookd[plot]'",
)
NOW = 1_767_225_600.0


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each figure that was written as a PNG."""
    figures: list[Any] = []
    written = figure.Figure.savefig

    def savefig(self: Any, *given: Any, **named: Any) -> None:
        figures.append(self)
        written(self, *given, **named)

    monkeypatch.setattr(figure.Figure, "savefig", savefig)
    return figures


def names_below(axes: Any) -> list[Any]:
    return [each for each in axes.get_xticklabels() if each.get_text()]


def week(dollars: list[float | None], instances: list[float | None]) -> list[dict[str, Any]]:
    return [
        {"day": f"2026-11-{20 + number}", "dollars": dollar, "instances": instance}
        for number, (dollar, instance) in enumerate(zip(dollars, instances, strict=True))
    ]


def test_both_halves_of_a_week_show_all_its_days_where_no_value_is_known_at_its_ends(
    kept: list[Any],
) -> None:
    content = drawn(week([None] * 7, [None, 3.0, 4.0, 0.0, 6.4, 3.0, None]))
    assert content is not None
    assert content.startswith(b"\x89PNG")
    above, below = kept[0].axes
    assert above.get_xlim() == below.get_xlim()
    days = [f"2026-11-{number}" for number in range(20, 27)]
    for axes in (above, below):
        assert [each.get_text() for each in names_below(axes)] == days
        assert axes.get_ylim()[0] == 0.0


def test_a_day_without_a_value_says_so_and_a_day_with_none_running_does_not(
    kept: list[Any],
) -> None:
    drawn(week([1.0] * 7, [None, 3.0, 4.0, 0.0, 6.4, 3.0, None]))
    above, below = kept[0].axes
    assert list(above.texts) == []
    assert [each.get_position()[0] for each in below.texts] == [0, 6]


@pytest.mark.parametrize("count", [1, 6, 12, 60])
def test_no_name_of_a_month_lies_on_the_next_one(kept: list[Any], count: int) -> None:
    growth = Growth(0.05, 0.1, 0.15, 60)
    months = months_ahead(count, growth, 1.0, NOW)
    dollars = tuple(Span(*(85.0 * times for times in month.times.values)) for month in months)
    plan = Projection("priced", growth, months, (), (), dollars, 200.0, (), ())
    assert png(plan).startswith(b"\x89PNG")
    (axes,) = kept[0].axes
    # A name leans by 45 degrees: two lie on one another when they are nearer than one is high.
    ends = [each.get_window_extent().x1 for each in names_below(axes)]
    points = names_below(axes)[0].get_fontsize()
    height = points * kept[0].dpi / 72 * 2**0.5
    assert all(after - before > height for before, after in pairwise(ends))
    said = {each.get_text() for each in axes.get_legend().get_texts()}
    assert said == {"95 % certain", "expected", "budget $200"}
