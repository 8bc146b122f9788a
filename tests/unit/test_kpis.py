"""KPIs: what their file may say, how each stands, and where other alerts name other numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from service.domain.kpis.kpi import Compared, Kpi, Standing, contradictions
from service.domain.kpis.prometheus import rendered
from service.rulebook.errors import RuleBookInvalid
from service.rulebook.kpis import alert_expressions, load_kpis
from service.rulebook.pack import packaged
from tests.unit.test_prometheus_rules import ROOT, run

SHIPPED = ROOT / "rules" / "kpis.yml"
RULES = ROOT / "rules" / "prometheus" / "kpis.rules.yml"
ALERTS = ROOT / "rules" / "prometheus" / "quizmentor.rules.yml"
ERRORS = Kpi(
    name="error_rate",
    what="requests that failed",
    unit="%",
    value="x",
    good="g",
    total="t",
    objective=0.999,
    target=0.1,
    alert=0.5,
    for_="5m",
    higher=False,
    signal="errors",
    severity="critical",
    alerts={},
)
RATIO = replace(ERRORS, name="hits", unit="", target=80, alert=70, higher=True, objective=0.8)
EARLIER = "alert '{}' fires above 500 ms, which is earlier than the KPI's own alert above 750 ms."
GOOD = """\
  - name: errors
    what: requests that failed
    value: x
    better: lower
    target: 0.1
    alert: 0.5
    for: 5m
    severity: critical
    signal: errors
    objective: 99.9%
    good: g
    total: t
"""


def test_the_runbooks_five_have_its_targets_thresholds_and_an_error_budget() -> None:
    shipped = {kpi.name: kpi for kpi in load_kpis(SHIPPED)}
    limits = {name: (kpi.target, kpi.alert) for name, kpi in shipped.items()}
    assert limits == {
        "availability": (99.9, 99.5),
        "response_time": (500, 750),
        "response_time_p50": (100, None),
        "response_time_p99": (1000, None),
        "error_rate": (0.1, 0.5),
        "throughput": (1000, 800),
        "cache_hit_ratio": (80, 70),
    }
    assert all(0 < kpi.objective < 1 for kpi in shipped.values())
    assert packaged("kpis.yml").read_text() == SHIPPED.read_text(), "an installation carries it"


def test_the_shipped_rules_of_prometheus_are_those_that_are_rendered() -> None:
    assert RULES.read_text(encoding="utf-8") == rendered(load_kpis(SHIPPED))


def test_promtool_accepts_the_rules_and_budgets_burn_as_they_should() -> None:
    checked = run("promtool", "prometheus", "check", "rules", str(RULES))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = run("promtool", "prometheus", "test", "rules", str(RULES.with_suffix(".test.yml")))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_what_the_runbook_contradicts_itself_in_is_listed() -> None:
    found = contradictions(load_kpis(SHIPPED), alert_expressions(ALERTS))
    assert [(each.name, each.sentence) for each in found] == [
        ("response_time", EARLIER.format("Slow Response Time")),
        ("response_time", EARLIER.format("Response Time Above Scaling Trigger")),
        (
            "error_rate",
            (
                "alert 'Error Rate Above Scaling Trigger' fires above 1 %, which is later than the "
                "KPI's own alert above 0.5 %."
            ),
        ),
        (
            "error_rate",
            (
                "alert 'High Error Rate' (rate(errors[5m]) > 0.01) cannot be compared with it: it "
                "counts errors per second of one process, and not a share of its requests."
            ),
        ),
        (
            "throughput",
            (
                "alert 'Request Rate Above Scaling Trigger' fires above 1000 req/s, and the KPI's "
                "target is 1000 req/s or more."
            ),
        ),
    ]


@pytest.mark.parametrize(
    ("kpi", "expression", "sentence"),
    [
        (ERRORS, "a > 0.5", ""),
        (
            ERRORS,
            "a > 0.6",
            "fires above 0.6 %, which is later than the KPI's own alert above 0.5 %",
        ),
        (ERRORS, "a > 0.3", "fires above 0.3 %, which is earlier than"),
        (ERRORS, "a >= 0.05", "although the KPI's target of 0.1 % is met then"),
        (ERRORS, "a < 0.05", "fires below 0.05 %, and the KPI's target is 0.1 % or less"),
        (RATIO, "a < 60", "fires below 60, which is later than the KPI's own alert below 70"),
        (RATIO, "a < 75", "which is earlier than the KPI's own alert below 70"),
        (RATIO, "a < 90", "although the KPI's target of 80 is met then"),
        (RATIO, "a > 90", "fires above 90, and the KPI's target is 80 or more"),
        (ERRORS, "absent(a)", "does not end with a limit to compare with"),
        (ERRORS, None, "it names the alert 'Other', and there is none."),
    ],
)
def test_another_alert_is_compared_by_side_target_and_threshold(
    kpi: Kpi, expression: str | None, sentence: str
) -> None:
    kpi = replace(kpi, alerts={"Other": Compared(1.0)})
    alerts = {} if expression is None else {"Other": expression}
    found = list(contradictions([kpi], alerts))
    assert len(found) == bool(sentence)
    assert all(sentence in each.sentence for each in found)


@pytest.mark.parametrize(
    ("kpi", "value", "verdict"),
    [
        (ERRORS, 0.1, "met"),
        (ERRORS, 0.2, "missed"),
        (ERRORS, 0.51, "alert"),
        (RATIO, 80, "met"),
        (RATIO, 79, "missed"),
        (RATIO, 69, "alert"),
        (replace(RATIO, alert=None), 1, "missed"),
        (ERRORS, None, "no data"),
    ],
)
def test_a_value_is_met_missed_or_past_the_threshold_and_no_data_is_none_of_them(
    kpi: Kpi, value: float | None, verdict: str
) -> None:
    assert Standing(kpi, value, None).verdict == verdict


@pytest.mark.parametrize(
    ("ratio", "left", "minutes"),
    [
        (1.0, 1.0, 43.2),
        (0.9995, 0.5, 21.6),
        (0.999, 0.0, 0.0),
        (0.99, -9.0, 0.0),
        (None, None, None),
    ],
)
def test_the_budget_is_what_the_objective_allows_less_what_has_failed(
    ratio: float | None, left: float | None, minutes: float | None
) -> None:
    standing = Standing(ERRORS, None, ratio)
    assert standing.budget_left == (left if left is None else pytest.approx(left))
    assert standing.minutes_left == (
        minutes if minutes is None else pytest.approx(minutes, abs=1e-6)
    )


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("kpis:\n", "kpi:\n", "1: unknown key 'kpi'."),
        ("kpis:\n" + GOOD, "kpis: []\n", "1: a file of KPIs has a list `kpis`."),
        ("    target: 0.1\n", "", "2: KPI errors: target is missing."),
        ("    for: 5m\n", "", "2: KPI errors: for is missing."),
        ("target: 0.1", "target: low", "6: target must be a number, not 'low'."),
        ("99.9%", "100%", "11: objective must be a share in percent, such as 99.9%, not '100%'."),
        ("99.9%", "0%", "11: objective must be above 0% and below 100%."),
        ("alert: 0.5", "alert: 0.05", "7: KPI errors: alert 0.05 is stricter than its target 0.1"),
        ("for: 5m", "for: 5x", "8: for: "),
        ("better: lower", "better: less", "5: better must be 'higher' or 'lower', not 'less'."),
        ("name: errors", "name: Errors!", "2: name must be 1 to 63 of a-z, 0-9 and _"),
        (
            "    total: t\n",
            "    total: t\n    totl: t\n",
            "14: unknown key totl; did you mean total?",
        ),
        (
            "    total: t\n",
            "    total: t\n    alerts: {A: true}\n",
            "14: alerts.A must be a factor",
        ),
        ("    total: t\n", "    total: t\n" + GOOD, "14: KPI errors is already on line 2."),
        (GOOD, "  - errors\n", "2: a KPI is a mapping with a name"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    file = tmp_path / "kpis.yml"
    text = "kpis:\n" + GOOD
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RuleBookInvalid) as told:
        load_kpis(file)
    assert f"{file}:{error}" in str(told.value)
