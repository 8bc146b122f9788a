"""Properties of backtests: what holds for any alerts."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.backtests.past import Past
from tests.fakes.alerts import CPU
from tests.unit.backtests.stage import HOUR, compared, cpu, file_of, fired, rule

RULES = file_of(
    cpu(return_="{after: 20m, when: load < 50}"), rule("errors", "Errors", "page_oncall")
)
FILES = (RULES, file_of(cpu(cooldown="7m"), rule("more", "Errors", "investigate", cooldown="1h")))


@st.composite
def episodes(draw: st.DrawFn) -> list[Past]:
    """Up to a dozen episodes of a few alerts, in the order in which they began."""
    begins = sorted(draw(st.lists(st.integers(0, int(6 * HOUR)), max_size=12)))
    return [
        fired(
            number,
            float(at),
            draw(st.one_of(st.none(), st.integers(0, 7_200).map(float))),
            draw(st.integers(0, 4)),
            name=draw(st.sampled_from([CPU, "Errors", "Memory", "Unknown"])),
            instance=draw(st.sampled_from("ab")),
            last_s=draw(st.integers(0, 3_600).map(float)),
        )
        for number, at in enumerate(begins, start=1)
    ]


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(episodes(), st.sampled_from(FILES))
def test_a_file_against_itself_never_differs(pasts: list[Past], text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = compared(Path(folder), text, text, pasts, until_s=8 * HOUR)
    assert found.before == found.after
    assert found.differing() == []
    assert all(row.difference == 0 for row in found.rows())
    assert all(after == before for name, (before, after) in found.totals().items())
    assert found.alerts == len(pasts)
