"""`runbookd kpis`: what it prints, and its exit statuses."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.unit.cli.commandline import CommandLine
from tests.unit.test_kpis import ALERTS, SHIPPED

READINGS = {
    'kpi:value{kpi="availability"}': 99.95,
    'kpi:ratio:30d{kpi="availability"}': 0.9995,
    'kpi:value{kpi="error_rate"}': 0.3,
    'kpi:ratio:30d{kpi="error_rate"}': 0.9995,
}


class Readings(NamedTuple):
    """What is known, and the setting that leads to it."""

    known: dict[str, float]
    env: dict[str, str]


@pytest.fixture
def readings(httpserver: HTTPServer) -> Readings:
    """What Prometheus answers; of anything else it has no data."""
    known = dict(READINGS)

    def answer(request: Request) -> Response:
        value = known.get(request.args["query"])
        result: list[Any] = [] if value is None else [{"metric": {}, "value": [0, str(value)]}]
        told = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return Response(json.dumps(told), content_type="application/json")

    httpserver.expect_request("/api/v1/query").respond_with_handler(answer)
    return Readings(known, {"PROMETHEUS_URL": httpserver.url_for("").rstrip("/")})


def test_the_table_tells_what_is_left_of_a_budget_and_that_no_data_is_no_success(
    runbookd: CommandLine, readings: Readings
) -> None:
    said = runbookd("kpis", "show", env=readings.env)
    assert said.status == 0
    rows = {line.split()[0]: " ".join(line.split()) for line in said.out.splitlines()}
    assert rows["availability"] == "availability 99.95 % ≥ 99.9 % met 50%, 22 min"
    assert rows["error_rate"] == "error_rate 0.3 % ≤ 0.1 % missed 50%, 22 min"
    assert rows["throughput"] == "throughput no data ≥ 1000 req/s no data"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({'kpi:value{kpi="error_rate"}': 0.6}, "alert"),
        ({'kpi:ratio:30d{kpi="error_rate"}': 0.997}, "overdrawn: -200%"),
    ],
)
def test_a_passed_threshold_or_a_used_up_budget_exits_with_1(
    runbookd: CommandLine, readings: Readings, changed: dict[str, float], told: str
) -> None:
    readings.known.update(changed)
    said = runbookd("kpis", "show", env=readings.env)
    assert (said.status, told in said.out) == (1, True)


def test_programs_get_numbers(runbookd: CommandLine, readings: Readings) -> None:
    said = runbookd("kpis", "show", "--json", env=readings.env)
    told = {each["kpi"]: each for each in json.loads(said.out)}
    assert told["availability"]["minutes_left"] == pytest.approx(21.6)
    assert told["throughput"]["value"] is told["throughput"]["budget_left"] is None


def test_without_an_address_of_prometheus_nobody_can_say_how_they_stand(
    runbookd: CommandLine,
) -> None:
    said = runbookd("kpis", "show")
    assert (said.status, "PROMETHEUS_URL is not set" in said.err) == (1, True)


def test_different_numbers_are_listed_and_are_no_error(runbookd: CommandLine) -> None:
    said = runbookd("kpis", "check", str(SHIPPED), "--alerts", str(ALERTS))
    assert said.status == 0
    assert said.out.count("kpis.yml:") == 6
    assert "which is later than the KPI's own alert above 0.5 %." in said.out


def test_a_file_of_alerts_that_is_not_there_is_an_error(runbookd: CommandLine) -> None:
    said = runbookd("kpis", "check", str(SHIPPED), "--alerts", "nowhere.yml")
    assert (said.status, said.err.strip()) == (1, "nowhere.yml cannot be read.")
