"""The rules that Prometheus needs for the KPIs: what it records, and on what it alerts.

How fast a budget burns is looked at over a long window, which says that it matters, and over a
short one, which says that it still goes on. Factors and windows are those of the chapter on
alerting of Google's "The Site Reliability Workbook", for a budget over 30 days: at a factor of
14.4 an hour uses up 2 % of it, at 6 a quarter of a day 5 %, at 1 three days 10 %.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.domain.kpis.kpi import WINDOW_DAYS, Kpi

INTERVAL, LONG_INTERVAL = "30s", "5m"
WINDOWS = ("30m", "1h", "6h")
"""Over which the share of good ones is recorded, beside the present one."""
LONG_WINDOWS = ("3d", f"{WINDOW_DAYS}d")
"""Those that are only looked at each 5 minutes: 86,400 readings of each KPI every 30 s are too many
for a small Prometheus."""


@dataclass(frozen=True, slots=True)
class Burn:
    """An alert on how fast budgets burn: a factor, its long and short window, and who is told."""

    alert: str
    factor: float
    long: str
    short: str
    severity: str
    says: str


BURNS = (
    Burn("KPI Budget Burns Fast", 14.4, "1h", "5m", "critical", "it lasts for 2 days at most"),
    Burn("KPI Budget Burns", 6, "6h", "30m", "critical", "it lasts for 5 days at most"),
    Burn("KPI Budget Burns Slowly", 1, "3d", "6h", "warning", "it is used up before its 30 days"),
)
"""A burn cannot pass 1 / (1 - objective): at an objective of 80 % only the last can fire."""
_HEAD = """\
# Rendered by `runbookd kpis render`: change the file of the KPIs, not this one.
#
#   kpi:value         the present value of each KPI, in its own unit
#   kpi:good, :total  the good ones of all, now
#   kpi:ratio:…       the share of good ones over a window, 0 to 1
#   kpi:burn:…        how fast the error budget is used up; at 1 it lasts exactly 30 days
#   kpi:budget_left   what is left of 30 days' budget, 1 to 0, below 0 overdrawn
#
# No data records nothing and fires nothing. The windows fill up from the day on which it is loaded.
"""


def rendered(kpis: Sequence[Kpi]) -> str:
    """A rule file for Prometheus, as YAML."""
    lines = [_HEAD + "groups:", "  - name: kpis", f"    interval: {INTERVAL}", "    rules:"]
    for kpi in kpis:
        lines += _readings(kpi)
    lines += _recorded("kpi:ratio:5m", "kpi:good / kpi:total")
    lines += [line for window in WINDOWS for line in _ratio(window, window)]
    lines += [line for window in ("5m", *WINDOWS) for line in _burnt(window)]
    for kpi in kpis:
        lines += _threshold(kpi)
    for burn in BURNS:
        if burn.long in WINDOWS:
            lines += _burn(burn)
    lines += ["  - name: kpi-budgets", f"    interval: {LONG_INTERVAL}", "    rules:"]
    for window in LONG_WINDOWS:
        lines += [*_ratio(window, f"{window}:{LONG_INTERVAL}"), *_burnt(window)]
    lines += _recorded("kpi:budget_left", f"1 - kpi:burn:{LONG_WINDOWS[-1]}")
    for burn in BURNS:
        if burn.long in LONG_WINDOWS:
            lines += _burn(burn)
    return "\n".join(lines) + "\n"


def _readings(kpi: Kpi) -> Iterator[str]:
    labels = f"{{kpi: {kpi.name}, signal: {kpi.signal}}}"
    yield f"      # {kpi.name}: {kpi.what}"
    expressions = {
        "kpi:value": kpi.value,
        "kpi:good": kpi.good,
        "kpi:total": kpi.total,
        "kpi:objective": f"vector({kpi.objective:g})",
    }
    for name, expression in expressions.items():
        yield from _recorded(name, expression)
        yield f"        labels: {labels}"


def _ratio(window: str, range_: str) -> tuple[str, str]:
    share = f"sum_over_time(kpi:good[{range_}]) / sum_over_time(kpi:total[{range_}])"
    return _recorded(f"kpi:ratio:{window}", share)


def _burnt(window: str) -> tuple[str, str]:
    burnt = f"(1 - kpi:ratio:{window}) / (1 - kpi:objective)"
    return _recorded(f"kpi:burn:{window}", burnt)


def _recorded(name: str, expression: str) -> tuple[str, str]:
    return f"      - record: {name}", f"        expr: {json.dumps(' '.join(expression.split()))}"


def _threshold(kpi: Kpi) -> Iterator[str]:
    if kpi.alert is None:
        return
    limit = kpi.shown(kpi.alert)
    side = "below" if kpi.higher else "above"
    unit = f" {kpi.unit}" if kpi.unit else ""
    yield "      - alert: KPI Threshold Passed"
    passed = f'kpi:value{{kpi="{kpi.name}"}} {kpi.sign} {kpi.alert:g}'
    yield f"        expr: {json.dumps(passed)}"
    yield f"        for: {kpi.for_}"
    yield f"        labels: {{kpi: {kpi.name}, severity: {kpi.severity}}}"
    yield "        annotations:"
    yield f"          summary: {json.dumps(f'{kpi.name} is {side} {limit}')}"
    told = f'It is {{{{ $value | printf "%.4g" }}}}{unit} ({kpi.what}); the target is '
    yield f"          description: {json.dumps(told + kpi.shown(kpi.target) + '.')}"


def _burn(burn: Burn) -> Iterator[str]:
    over = f"kpi:burn:{burn.long} > {burn.factor:g} and kpi:burn:{burn.short} > {burn.factor:g}"
    yield f"      - alert: {burn.alert}"
    yield f"        expr: {json.dumps(over)}"
    yield f"        labels: {{severity: {burn.severity}}}"
    yield "        annotations:"
    yield f"          summary: {json.dumps('The error budget of {{ $labels.kpi }} burns')}"
    told = (
        '{{ $labels.kpi }} uses up its error budget {{ $value | printf "%.1f" }} times as fast as '
        f"it may, over {burn.long} and still over {burn.short}: {burn.says}."
    )
    yield f"          description: {json.dumps(told)}"
