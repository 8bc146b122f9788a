"""`runbookd load`: a load test with planned arrivals, judged by the KPIs."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.output import FAILED, MISUSED, Rows, fail, print_json, say

if TYPE_CHECKING:
    from service.domain.kpis.kpi import Kpi
    from service.domain.load import Judged, LoadTest, Record, Result

STATUSES = {"met": 0, "missed": FAILED, "unsure": 3}
"""Exit statuses. Unsure: it was ended early, or this machine could not send as planned."""
PASSWORD = "LOAD_PASSWORD"  # noqa: S105 - the name of the variable

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


class Form(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@app.command("load")
def load(
    file: Annotated[
        Path | None,
        typer.Argument(help="A file of a load test; without one, the shipped rules/load.yml."),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="The service: this machine, or a name in allow_hosts.")
    ] = "http://127.0.0.1:8090",
    scale: Annotated[
        float, typer.Option("--scale", min=0.0001, max=10, help="All rates times this factor.")
    ] = 0.01,
    times: Annotated[
        float, typer.Option("--times", min=0.001, max=10, help="All durations times this factor.")
    ] = 1.0,
    kpis: Annotated[
        Path | None, typer.Option("--kpis", help="KPIs of another file than rules/kpis.yml.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be sent; send nothing.")] = (
        False
    ),
    yes: Annotated[bool, typer.Option("--yes", help="Needed for another machine than this.")] = (
        False
    ),
    form: Annotated[Form, typer.Option("--format", help="How the result is printed.")] = Form.TABLE,
) -> None:
    """Send users' journeys at planned moments, and judge what they met by the KPIs.

    Arrivals come as planned whatever becomes of those before them. Each journey logs in, gets a
    quiz, submits it and reads the results, and thinks in between. The password is that of
    LOAD_PASSWORD. By default a hundredth of the plan's rates is sent.

    The exit status is 0 where every KPI is met in every phase that is judged, 1 where one is
    missed, 2 where nothing was sent, and 3 where the test was ended early or this machine could not
    send as planned.

    [bold]Examples[/bold]

      runbookd load --plan

      runbookd load --host http://127.0.0.1:8090 --times 0.1

      runbookd load staging.yml --host https://staging.example.com --scale 0.1 --yes
    """
    from service.domain.load import is_loopback, refusal, results, verdict

    test = _read(file).scaled(scale, times)
    judged_by = _kpis(kpis)
    if why := refusal(test, host):
        fail(why, MISUSED)
    if plan:
        _show_plan(test, host)
        return
    if not yes and not is_loopback(host):
        fail(
            f"This sends {test.requests:,} requests to {host}. Nothing was sent. Look at it with "
            "--plan, then say --yes.",
            MISUSED,
        )
    record = _run(test, host, quiet=form is not Form.TABLE)
    found = results(test, record, judged_by)
    said = verdict(record, found)
    {Form.TABLE: _show, Form.CSV: _csv, Form.JSON: _json}[form](record, found, said)
    raise typer.Exit(STATUSES[said])


def _read(file: Path | None) -> LoadTest:
    from service.rulebook.load_tests import load_test
    from service.rulebook.pack import packaged

    return load_test(packaged("load.yml") if file is None else file)


def _kpis(file: Path | None) -> tuple[Kpi, ...]:
    from service.rulebook.kpis import load_kpis
    from service.rulebook.pack import packaged

    return load_kpis(packaged("kpis.yml") if file is None else file)


def _run(test: LoadTest, host: str, *, quiet: bool) -> Record:
    from service.environment import given
    from service.providers.load_generator import answers, run_test

    if not answers(host):
        fail(
            f"Nothing answers at {host}, so no load was sent. Start the service, or name another "
            "with --host; `runbookd sandbox` starts one that answers.",
            MISUSED,
        )
    password = given(PASSWORD) or "password"
    return run_test(test, host, password, (lambda _: None) if quiet else say)


def _show_plan(test: LoadTest, host: str) -> None:
    shown = Rows("phase", "seconds", "journeys/s", "requests/s", "journeys", "")
    steps = len(test.steps)
    for each in test.phases:
        rate, note = each.rate, "" if each.judged else "not judged"
        cells = (f"{each.seconds:g}", f"{rate:g}", f"{rate * steps:g}", f"{each.planned:,}", note)
        shown.add(each.name, *cells)
    shown.print()
    say(
        f"{test.requests:,} requests to {host}, {steps} in each journey, in {test.seconds:g} s and "
        f"what the last journeys take. Ended when more than {test.errors:.0%} fail over "
        f"{test.errors_s:g} s, or after {test.most_seconds:,.0f} s. Nothing was sent."
    )


def _show(record: Record, found: Sequence[Result], said: str) -> None:
    shown = Rows("phase", "begun", "finished", "requests", "failed", "p50", "p95", "p99", "req/s")
    for each in found:
        failed = each.requests - each.statuses.get(200, 0)
        times = (_ms(each.times[name]) for name in ("p50", "p95", "p99"))
        begun = f"{each.begun:,} of {each.phase.planned:,}"
        cells = (begun, f"{each.finished:,}", f"{each.requests:,}", f"{failed:,}")
        shown.add(each.phase.name, *cells, *times, f"{each.answered:.1f}")
    shown.print()
    for each in found:
        _show_phase(each)
    if record.ended:
        say(record.ended, "red")
    say(_VERDICTS[said], "red" if STATUSES[said] else "green")


_VERDICTS = {
    "met": "Every KPI that could be measured is met in the phases that are judged.",
    "missed": "A KPI is missed in a phase that is judged.",
    "unsure": "The test says nothing sure: it was ended early, or not sent as planned.",
}


def _show_phase(result: Result) -> None:
    name, phase = result.phase.name, result.phase
    if not result.is_complete:
        say(f"{name}: only {result.begun:,} of {phase.planned:,} journeys began.", "red")
    if result.missed and not result.is_punctual:
        say(
            f"{name}: 1 % of the journeys began {result.late_ms:,.0f} ms late or later. What was "
            "missed may be the fault of the machine that sends: send less from it.",
            "red",
        )
    for each in result.kpis:
        if each.met is False:
            side = "≥" if each.kpi.higher else "≤"
            limit = each.kpi.shown(each.kpi.target)
            note = "" if phase.judged else " (the phase is not judged)"
            say(f"{name}: {each.kpi.name} {_value(each)}, and should be {side} {limit}{note}")


def _value(judged: Judged) -> str:
    return "not measured" if judged.value is None else judged.kpi.shown(judged.value)


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"


def _csv(_record: Record, found: Sequence[Result], _said: str) -> None:
    rows = [_flat(each) for each in found]
    out = csv.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
    out.writeheader()
    out.writerows(rows)


def _flat(result: Result) -> dict[str, Any]:
    shown = _phase_json(result)
    for nested in ("times_ms", "kpis", "statuses"):
        shown.pop(nested)
    for name, value in result.times.items():
        shown[f"{name}_ms"] = "" if value is None else round(value, 3)
    for each in result.kpis:
        shown[each.kpi.name] = "" if each.met is None else "met" if each.met else "missed"
    return shown


def _json(record: Record, found: Sequence[Result], said: str) -> None:
    phases = [_phase_json(each) for each in found]
    print_json({"verdict": said, "ended": record.ended, "phases": phases})


def _phase_json(result: Result) -> dict[str, Any]:
    return {
        "phase": result.phase.name,
        "judged": result.phase.judged,
        "planned": result.phase.planned,
        "begun": result.begun,
        "finished": result.finished,
        "complete": result.is_complete,
        "punctual": result.is_punctual,
        "late_ms": round(result.late_ms, 3),
        "requests": result.requests,
        "answered_per_second": round(result.answered, 3),
        "statuses": {str(status): count for status, count in sorted(result.statuses.items())},
        "times_ms": dict(result.times),
        "kpis": [
            {"kpi": each.kpi.name, "value": each.value, "met": each.met, "why": each.why}
            for each in result.kpis
        ],
    }
