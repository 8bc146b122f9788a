"""`runbookd kpis`: how key performance indicators stand, and Prometheus' rules for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.findings import show_findings
from service.cli.output import FAILED, Rows, fail, keep_logs_aside, print_json, say
from service.domain.errors import VendorError

if TYPE_CHECKING:
    from service.domain.kpis.kpi import Kpi, Standing
    from service.ports import Metrics

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)

_File = Annotated[
    Path | None, typer.Argument(help="A file of KPIs; without one, the shipped rules/kpis.yml.")
]


@app.callback()
def _kpis() -> None:
    """Key performance indicators: their error budgets, and Prometheus' rules for them.

    [bold]Example[/bold]

      runbookd kpis show
    """


@app.command("check")
def check(
    file: _File = None,
    alerts: Annotated[
        Path | None,
        typer.Option("--alerts", help="A rule file of Prometheus whose alerts are compared."),
    ] = None,
) -> None:
    """Check a file of KPIs, and list where it and the alerts name different numbers.

    The exit status is 1 where the file is wrong. Different numbers are told, and change nothing:
    which of them is meant is yours to say.

    [bold]Example[/bold]

      runbookd kpis check rules/kpis.yml --alerts rules/prometheus/quizmentor.rules.yml
    """
    from service.domain.kpis.kpi import contradictions
    from service.rulebook.kpis import alert_expressions

    path = _path(file)
    kpis = _load(path)
    say(f"{path}: {len(kpis)} KPIs, nothing is wrong with them.")
    if alerts is None:
        return
    if not alerts.is_file():
        fail(f"{alerts} cannot be read.")
    show_findings(path, list(contradictions(kpis, alert_expressions(alerts))))


@app.command("render")
def render(file: _File = None) -> None:
    """Print the rule file for Prometheus: what it records of the KPIs, and on what it alerts.

    [bold]Example[/bold]

      runbookd kpis render rules/kpis.yml > kpis.rules.yml && promtool check rules kpis.rules.yml
    """
    from service.domain.kpis.prometheus import rendered

    typer.echo(rendered(_load(_path(file))), nl=False)


@app.command("show")
def show(
    file: _File = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show how each KPI stands, and what is left of its error budget of 30 days.

    Prometheus (PROMETHEUS_URL) is asked; it needs the rules that [bold]kpis render[/bold] prints.
    Where it has no data, that is said, and is no success. The exit status is 1 while one KPI is
    past its threshold or its budget is used up.

    [bold]Example[/bold]

      runbookd kpis show --json
    """
    from service.bootstrap.vendors import build_metrics
    from service.settings import load_settings

    keep_logs_aside()
    kpis = _load(_path(file))
    metrics = build_metrics(load_settings())
    if metrics is None:
        fail("PROMETHEUS_URL is not set, so nobody can say how the KPIs stand.")
    standings = _ask(kpis, metrics)
    if as_json:
        print_json([_json(each) for each in standings])
    else:
        _print(standings)
    if any(each.verdict == "alert" or (each.budget_left or 0) < 0 for each in standings):
        raise typer.Exit(FAILED)


def _path(file: Path | None) -> Path:
    from service.rulebook.pack import packaged

    return packaged("kpis.yml") if file is None else file


def _load(path: Path) -> tuple[Kpi, ...]:
    from service.rulebook.kpis import load_kpis

    return load_kpis(path)


def _ask(kpis: Sequence[Kpi], metrics: Metrics) -> list[Standing]:
    from service.domain.kpis.kpi import WINDOW_DAYS, Standing

    standings: list[Standing] = []
    try:
        for kpi in kpis:
            value = metrics.query(f'kpi:value{{kpi="{kpi.name}"}}')
            ratio = metrics.query(f'kpi:ratio:{WINDOW_DAYS}d{{kpi="{kpi.name}"}}')
            standings.append(Standing(kpi, value, ratio))
    except VendorError as problem:
        fail(f"Prometheus could not be asked for {kpi.name}: {problem}")
    return standings


def _print(standings: Sequence[Standing]) -> None:
    shown = Rows("kpi", "now", "target", "", "budget left")
    for each in standings:
        kpi = each.kpi
        now = "no data" if each.value is None else kpi.shown(each.value)
        target = f"{'≥' if kpi.higher else '≤'} {kpi.shown(kpi.target)}"
        verdict = "" if each.value is None else each.verdict
        shown.add(kpi.name, now, target, verdict, _budget(each))
    shown.print()


def _budget(standing: Standing) -> str:
    left, minutes = standing.budget_left, standing.minutes_left
    if left is None or minutes is None:
        return "no data"
    return f"{left:.0%}, {minutes:,.0f} min" if left >= 0 else f"overdrawn: {left:.0%}"


def _json(standing: Standing) -> dict[str, Any]:
    kpi = standing.kpi
    return {
        "kpi": kpi.name,
        "value": standing.value,
        "unit": kpi.unit,
        "target": kpi.target,
        "alert": kpi.alert,
        "verdict": standing.verdict,
        "objective": kpi.objective,
        "budget_left": standing.budget_left,
        "minutes_left": standing.minutes_left,
    }
