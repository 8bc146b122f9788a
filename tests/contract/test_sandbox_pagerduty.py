"""PagerDuty's own SDK against the sandbox, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pagerduty import EventsApiV2Client, HttpError

from tests.unit.sandbox.support import Served, served

KEY = "test-routing-key-of-32-character"


class OverPlainHttp(EventsApiV2Client):
    """The SDK refuses a base URL without TLS, which a sandbox on loopback doesn't have."""

    @property
    def url(self) -> str:
        return str(self._url)

    @url.setter
    def url(self, new_base_url: str) -> None:
        self._url = new_base_url


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served() as one:
        yield one


def client(sandbox: Served) -> Any:
    return OverPlainHttp(KEY, base_url=f"{sandbox.url}/pagerduty")


def test_the_sdk_triggers_twice_and_resolves_one_incident(sandbox: Served) -> None:
    vendor = client(sandbox)
    links = [{"href": "http://127.0.0.1/alerts/1", "text": "alert"}]
    for summary in ("High error rate", "High error rate, 2 alerts"):
        key = vendor.trigger(
            summary, "quizmentor", severity="critical", dedup_key="rule-group", links=links
        )
        assert key == "rule-group"
    (incident,) = sandbox.state()["pagerduty"]["open"]
    assert (incident["count"], incident["severity"]) == (2, "critical")
    assert incident["links"] == links
    vendor.resolve("rule-group")
    assert sandbox.state()["pagerduty"]["open"] == []


def test_the_sdk_records_a_change(sandbox: Served) -> None:
    payload = {"summary": "api 2 → 3", "source": "runbookd", "timestamp": "2026-01-01T00:00:00Z"}
    client(sandbox).send_change_event(payload)
    (change,) = sandbox.state()["pagerduty"]["changes"]
    assert change["summary"] == "api 2 → 3"


def test_the_sdk_raises_for_an_invalid_event(sandbox: Served) -> None:
    with pytest.raises(HttpError) as refused:
        client(sandbox).trigger("x" * 1025, "quizmentor", severity="critical")
    answer: Any = refused.value.response
    assert answer.status_code == 400
    assert answer.json()["status"] == "invalid event"
    assert sandbox.state()["pagerduty"]["open"] == []
