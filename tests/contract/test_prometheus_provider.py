from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from service.domain.errors import FailureKind, VendorError
from service.providers.prometheus import PrometheusMetrics
from tests.contract.loopback import Loopback


def provider(vendor: Loopback) -> PrometheusMetrics:
    return PrometheusMetrics(base_url=f"{vendor.url}/prefix")


def vector(*values: str) -> dict[str, Any]:
    result = [{"metric": {}, "value": [1.5, value]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (vector("71.5"), 71.5),
        (vector(), None),
        (vector("NaN"), None),
        (vector("+Inf"), None),
        ({"status": "success", "data": {"resultType": "scalar", "result": [1.5, "3"]}}, 3.0),
    ],
)
def test_a_query_gives_its_one_value(
    vendor: Loopback, answer: dict[str, Any], value: float | None
) -> None:
    vendor.answers(200, answer)

    assert provider(vendor).query('up{job="a"} > 0') == value
    path, _, query = vendor.seen[0].path.partition("?")
    assert path == "/prefix/api/v1/query"
    assert parse_qs(query) == {"query": ['up{job="a"} > 0']}
    assert "Authorization" not in vendor.seen[0].headers


def test_several_series_are_refused_rather_than_guessed(vendor: Loopback) -> None:
    vendor.answers(200, vector("1", "2"))

    with pytest.raises(VendorError) as caught:
        provider(vendor).query("up")

    assert caught.value.kind is FailureKind.PERMANENT
    assert "2 series" in caught.value.sentence


def test_a_wrong_expression_is_permanent_with_prometheus_words(vendor: Loopback) -> None:
    vendor.answers(400, {"status": "error", "errorType": "bad_data", "error": "parse error: x"})

    with pytest.raises(VendorError) as caught:
        provider(vendor).query("up{")

    assert caught.value.kind is FailureKind.PERMANENT
    assert "parse error: x" in caught.value.sentence


def test_a_matrix_is_not_taken_for_a_value(vendor: Loopback) -> None:
    vendor.answers(200, {"status": "success", "data": {"resultType": "matrix", "result": []}})

    with pytest.raises(VendorError, match="matrix"):
        provider(vendor).query("up[5m]")


def matrix(*series: list[list[Any]]) -> dict[str, Any]:
    result = [{"metric": {}, "values": values} for values in series]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def test_a_range_gives_the_samples_of_its_one_series_without_what_is_no_number(
    vendor: Loopback,
) -> None:
    vendor.answers(200, matrix([[60, "1.5"], [120.0, "NaN"], [180, "+Inf"], [240, "0"]]))

    assert provider(vendor).history("up", 60.0, 240.0, 60.0) == [(60.0, 1.5), (240.0, 0.0)]
    path, _, query = vendor.seen[0].path.partition("?")
    assert path == "/prefix/api/v1/query_range"
    assert parse_qs(query) == {
        "query": ["up"],
        "start": ["60.0"],
        "end": ["240.0"],
        "step": ["60.0"],
    }


def test_a_range_without_data_is_empty(vendor: Loopback) -> None:
    vendor.answers(200, matrix())

    assert provider(vendor).history("up", 0.0, 60.0, 60.0) == []


def test_a_range_of_several_series_is_refused(vendor: Loopback) -> None:
    vendor.answers(200, matrix([[60, "1"]], [[60, "2"]]))

    with pytest.raises(VendorError, match="2 series") as caught:
        provider(vendor).history("up", 0.0, 60.0, 60.0)

    assert caught.value.kind is FailureKind.PERMANENT


@pytest.mark.parametrize("answer", [vector("1"), {"data": {"resultType": "matrix"}}, matrix([[1]])])
def test_an_answer_that_is_no_range_is_told_and_asked_for_again(
    vendor: Loopback, answer: dict[str, Any]
) -> None:
    vendor.answers(200, answer)

    with pytest.raises(VendorError) as caught:
        provider(vendor).history("up", 0.0, 60.0, 60.0)

    assert caught.value.kind is FailureKind.TEMPORARY
