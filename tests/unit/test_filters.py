from __future__ import annotations

import pytest

from service.domain.filters import BadFilter
from service.store.filters import alert_filter, decision_filter, paging, run_filter

NOON = 1767268800.0  # 2026-01-01T12:00:00Z


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T12:00:00Z",
        "2026-01-01T12:00:00",
        "2026-01-01T14:00:00+02:00",
        "2026-01-01T14:00:00 02:00",
        "1767268800",
        "1767268800.0",
    ],
)
def test_a_time_may_be_iso_8601_or_seconds(text: str) -> None:
    assert alert_filter({"since": text}).since == NOON


@pytest.mark.parametrize("text", ["", "yesterday", "-1", "1e9", "nan", "2026-13-01", "9" * 40])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadFilter, match="until must be a time as ISO 8601"):
        alert_filter({"until": text})


@pytest.mark.parametrize("text", ["", "0", "201", "-5", "ten", "5.0", "٥", "9" * 5000])
def test_a_limit_is_a_whole_number_from_1_to_200(text: str) -> None:
    with pytest.raises(BadFilter, match="from 1 to 200"):
        paging({"limit": text})


def test_a_page_has_fifty_items_unless_asked_otherwise() -> None:
    assert paging({}).limit == 50
    assert paging({"limit": "200"}).limit == 200


def test_an_unknown_parameter_is_refused_rather_than_ignored() -> None:
    with pytest.raises(BadFilter, match="'alertname' is no parameter here; there are name, "):
        paging({"alertname": "High CPU Usage"}, "name")


def test_a_nul_is_refused_because_no_store_takes_it() -> None:
    with pytest.raises(BadFilter, match="NUL"):
        paging({"name": "a\x00b"}, "name")


def test_words_are_checked() -> None:
    with pytest.raises(BadFilter, match="status must be one of firing, resolved"):
        alert_filter({"status": "open"})
    with pytest.raises(BadFilter, match="verdict must be one of act, hold, reject"):
        decision_filter({"verdict": "acted"})
    with pytest.raises(BadFilter, match="action must be one of horizontal_scale"):
        run_filter({"action": "explode"})


def test_what_is_not_asked_is_no_condition() -> None:
    nothing = alert_filter({})
    assert (nothing.name, nothing.source, nothing.firing, nothing.since) == (None,) * 4
    assert alert_filter({"status": "resolved"}).firing is False
