"""`runbookd capacity`: what the months ahead need and cost."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.output import MISUSED, fail
from service.cli.reading import Reader, TokenFile, Url, open_reader

if TYPE_CHECKING:
    from service.catalogue.capacity import Present
    from service.domain.capacity.growth import Growth
    from service.domain.capacity.priced import Connections
    from service.domain.capacity.projection import Projection
    from service.domain.rules.rules import RuleBook, Target

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

_HISTORY_DAYS = 366
_RECENT_DAYS = 7
"""Days whose readings are the present: a whole week, so that no weekday weighs more."""
_LOADS = ("cpu", "memory")
_DEMANDS = "rps"


class Model(StrEnum):
    """By what is planned."""

    PRICED = "priced"
    RUNBOOK = "runbook"


class Format(StrEnum):
    """As what it is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    SVG = "svg"
    PNG = "png"


@app.command("capacity")
def capacity(  # noqa: PLR0917 - one parameter per option, all given by name
    months: Annotated[int, typer.Option(help="How many months ahead, 1 to 60.")] = 6,
    growth: Annotated[
        float | None,
        typer.Option(help="Growth in a month: 0.2 is 20 %. Without it, it is measured."),
    ] = None,
    metric: Annotated[
        str, typer.Option(help="The readings by which growth is measured.")
    ] = _DEMANDS,
    what_if: Annotated[
        list[str] | None,
        typer.Option("--what-if", help="Suppose another present, such as users=50000."),
    ] = None,
    model: Annotated[
        Model,
        typer.Option(help="By the targets' ladders and prices, or by the runbook's formulas."),
    ] = Model.PRICED,
    per_instance: Annotated[
        int | None, typer.Option(min=1, help="Database connections of one instance's pool.")
    ] = None,
    max_connections: Annotated[
        int | None, typer.Option(min=1, help="The database's max_connections.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="As what it is printed.")] = Format.TABLE,
    out: Annotated[
        Path | None, typer.Option(help="A file for it; otherwise standard output.")
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """What the months ahead need and cost, and what is passed first.

    Growth is measured on at least 28 days of readings, with an interval of 95 %; or give it. The
    plan names the first month over the budget of the rules, over what a target may have and, with
    --per-instance and --max-connections, over what the database takes. Nothing is changed.

    Targets, ladders and the budget are those of the rule files here (RULES). Readings and the
    targets' present state are those of the local store, or of the service that --url names.

    [bold]Examples[/bold]

      runbookd capacity

      runbookd capacity --growth 0.2 --what-if users=50000 --months 12 --format csv

      runbookd capacity --growth 1 --model runbook

      runbookd capacity --format svg --out capacity.svg
    """
    from service.domain.capacity.growth import NoPlan

    asked = _Asked(url, token_file)
    supposed = what_if or []
    connections = _connections(per_instance, max_connections)
    try:
        now = time.time()
        grown = _growth(growth, metric, asked, now)
        if model is Model.RUNBOOK:
            plan = _by_the_runbook(months, grown, supposed, now)
        else:
            plan = _by_price(months, grown, supposed, connections, asked, now)
    except NoPlan as problem:
        fail(str(problem), MISUSED)
    _write(plan, metric, form, out)


class _Asked:
    """What is read of a store or a service: only once it is needed."""

    def __init__(self, url: str | None, token_file: str | None) -> None:
        self._where = (url, token_file)
        self._reader: Reader | None = None

    @property
    def reader(self) -> Reader:
        if self._reader is None:
            self._reader = open_reader(*self._where)
        return self._reader

    def readings(self, since: float, **wanted: str) -> list[dict[str, Any]]:
        """Readings, newest first."""
        from service.cli.reading import filters
        from service.cli.readings import read_all
        from service.domain.filters import MAX_LIMIT

        asked = filters(since=since, limit=MAX_LIMIT, **wanted)
        return list(read_all(self.reader, asked))


def _connections(per_instance: int | None, max_connections: int | None) -> Connections | None:
    from service.domain.capacity.priced import Connections
    from service.domain.pools.size import Server

    if per_instance is None or max_connections is None:
        if per_instance is not max_connections:
            fail("--per-instance and --max-connections belong together: give both.", MISUSED)
        return None
    return Connections(per_instance, Server(max_connections))


def _growth(growth: float | None, metric: str, asked: _Asked, now: float) -> Growth:
    from datetime import datetime

    from service.domain.capacity.growth import given, measured
    from service.domain.readings.readings import DAY_S, beginning

    if growth is not None:
        return given(growth)
    # Today is not over: its reading is that of a night, or of a rush.
    today = beginning(now, DAY_S)
    days = asked.readings(
        now - _HISTORY_DAYS * DAY_S, metric=metric, target="", until=f"{today:.0f}"
    )
    return measured(
        metric, ((datetime.fromisoformat(day["at"]).timestamp(), day["mean"]) for day in days)
    )


def _by_the_runbook(months: int, growth: Growth, supposed: list[str], now: float) -> Projection:
    from service.domain.capacity.projection import (
        CURRENT,
        RUNBOOKS_BUDGET,
        by_the_runbook,
        months_ahead,
        what_if,
    )

    more = what_if(supposed, CURRENT, "These are the runbook's own.")
    ahead = months_ahead(months, growth, more, now)
    return by_the_runbook(ahead, growth, RUNBOOKS_BUDGET)


def _by_price(
    months: int,
    growth: Growth,
    supposed: list[str],
    connections: Connections | None,
    asked: _Asked,
    now: float,
) -> Projection:
    from service.bootstrap.prices import kept_prices
    from service.bootstrap.rules import load_rules
    from service.catalogue.capacity import planned
    from service.domain.capacity.growth import NoPlan
    from service.domain.capacity.priced import by_price
    from service.domain.capacity.projection import months_ahead, what_if
    from service.domain.readings.readings import DAY_S
    from service.settings import load_settings

    settings = load_settings()
    book = load_rules(settings)
    recent = asked.readings(now - _RECENT_DAYS * DAY_S)
    whole = _present_of_all(recent)
    demands = {
        name: value for name, value in whole.items() if name == _DEMANDS or name in book.readings
    }
    more = what_if(supposed, demands, _HOW_TO_KNOW)
    ahead = months_ahead(months, growth, more, now)
    kept = kept_prices(settings)
    seen = _Seen(asked.reader.status(None)["targets"], recent, whole)
    found = [
        planned(target, seen.present(target), kept.get(target.kind))
        for target in book.targets.values()
    ]
    targets = [each.scaled for each in found if each.scaled is not None]
    if not targets:
        raise NoPlan("No target of the rules has a known price, so there is nothing to plan.")
    assumed = [sentence for each in found for sentence in each.assumed]
    return by_price(ahead, growth, targets, _budget(book), connections, assumed)


_HOW_TO_KNOW = (
    "Name it in a rule file (readings: {users: 'sum(active_users)'}), or take the runbook's own "
    "present with --model runbook."
)


def _present_of_all(recent: list[dict[str, Any]]) -> dict[str, float]:
    """What each metric of the whole application is now. Of a load that is what 95 % of the time is
    below, and of a demand the mean."""
    found: dict[str, list[float]] = {}
    for day in recent:
        if not day["target"]:
            value = day["p95"] if day["metric"] in _LOADS else day["mean"]
            found.setdefault(day["metric"], []).append(value)
    return {metric: value for metric, each in found.items() if (value := median(each)) > 0}


class _Seen:
    """What was seen of the targets: by readings, else by the last run."""

    def __init__(
        self,
        targets: dict[str, Any],
        recent: list[dict[str, Any]],
        loads: dict[str, float],
    ) -> None:
        self._targets = targets
        self._loads = loads
        # Newest first, so the first one of a target is its newest.
        self._counts: dict[str, float] = {}
        for day in recent:
            if day["metric"] == "instances":
                self._counts.setdefault(day["target"], day["high"])

    def present(self, target: Target) -> Present:
        from service.catalogue.capacity import Present

        present = self._targets.get(target.name, {}).get("present") or {}
        state = present.get("state") or {}
        count = self._counts.get(target.name, state.get("replicas"))
        return Present(None if count is None else int(count), state.get("size", ""), self._loads)


def _budget(book: RuleBook) -> float | None:
    budget = book.policy.budget
    return None if budget is None else budget.monthly


def _write(plan: Projection, metric: str, form: Format, out: Path | None) -> None:
    from service.cli import capacity_forms as forms

    if form is Format.TABLE and out is None:
        forms.show(plan, metric)
        return
    if form is Format.PNG:
        content = forms.png(plan)
    else:
        texts = {Format.CSV: forms.csv_of, Format.JSON: forms.json_of, Format.SVG: forms.svg_of}
        if form not in texts:
            fail("--out is for csv, json, svg and png: name one with --format.", MISUSED)
        content = texts[form](plan).encode()
    forms.put(content, out, is_picture=form is Format.PNG)
