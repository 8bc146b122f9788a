"""Prometheus: the values of an expression now and before, which must be one series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from service.domain.errors import FailureKind
from service.providers.errors import Call, no_answer, reading
from service.providers.http import ask, make_http_client
from service.providers.waits import Timeouts


class PrometheusMetrics:
    """Instant queries (`service.ports.Metrics`). Safe for threads.

    `token` is for a Prometheus behind bearer authentication. It may be empty.
    """

    def __init__(self, *, base_url: str, token: str = "", timeouts: Timeouts | None = None):
        self._token = token
        self._http = make_http_client(base_url, token=token, timeouts=timeouts)

    def query(self, expression: str) -> float | None:
        """The value now. None if there is no data, or NaN (0/0 of an idle service).

        Raises:
            VendorError: PERMANENT if the expression has several series.
        """
        call = Call("prometheus", f"query {expression}", True, "PROMETHEUS_TOKEN", self._token)
        found = ask(self._http, call, "GET", "/api/v1/query", params={"query": expression})
        with reading(call):
            samples = _samples(call, found["data"])
            value = float(samples[0]) if samples else None
        _refuse_several(call, len(samples), expression)
        return value if value is not None and math.isfinite(value) else None

    def history(
        self, expression: str, since: float, until: float, step_s: float
    ) -> Sequence[tuple[float, float]]:
        """The samples from `since` to `until`, `step_s` seconds apart, without those that are NaN
        or infinite.

        Raises:
            VendorError: PERMANENT if the expression has several series.
        """
        call = Call("prometheus", f"query {expression}", True, "PROMETHEUS_TOKEN", self._token)
        asked = {"query": expression, "start": f"{since}", "end": f"{until}", "step": f"{step_s}"}
        found = ask(self._http, call, "GET", "/api/v1/query_range", params=asked)
        with reading(call):
            data = found["data"]
            if data["resultType"] != "matrix":
                raise no_answer(call, f"it gave a {data['resultType']} instead of a matrix")
            series = [
                [(float(at), float(value)) for at, value in each["values"]]
                for each in data["result"]
            ]
        _refuse_several(call, len(series), expression)
        return [each for one in series for each in one if math.isfinite(each[1])]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _refuse_several(call: Call, count: int, expression: str) -> None:
    if count > 1:
        sentence = (
            f"Prometheus gave {count} series for {expression}, where one is wanted; aggregate it."
        )
        raise call.error(FailureKind.PERMANENT, sentence)


def _samples(call: Call, data: dict[str, Any]) -> list[str]:
    result = data["result"]
    if data["resultType"] == "scalar":
        return [result[1]]
    if data["resultType"] == "vector":
        return [series["value"][1] for series in result]
    raise no_answer(call, f"it gave a {data['resultType']} instead of a scalar or a vector")
