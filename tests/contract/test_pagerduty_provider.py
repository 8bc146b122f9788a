from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pagerduty import EventsApiV2Client, UrlError

from service.domain.errors import VendorError
from service.ports import Page
from service.providers.pagerduty import DETAILS_LIMIT, PagerDutyPager
from tests.contract.loopback import Loopback

KEY = "test-routing-key-not-real"
PAGE = Page(
    dedup_key="group-1",
    summary="High Error Rate on api",
    source="api",
    severity="critical",
    component="api",
    details={"run": "api.out.1"},
    links=(("http://alerts.example/1", "the alert"),),
)


def provider(vendor: Loopback, path: str = "") -> PagerDutyPager:
    return PagerDutyPager(routing_key=KEY, base_url=vendor.url + path)


def test_a_page_is_one_trigger_with_its_facts(vendor: Loopback) -> None:
    vendor.answers(202, {"status": "success", "dedup_key": "group-1"})

    provider(vendor, "/pagerduty").trigger(PAGE)

    sent = vendor.seen[0]
    event = sent.json
    moment = datetime.fromisoformat(event["payload"].pop("timestamp"))
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)
    assert sent.path == "/pagerduty/v2/enqueue"
    assert event == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "group-1",
        "client": "runbookd",
        "links": [{"href": "http://alerts.example/1", "text": "the alert"}],
        "payload": {
            "summary": "High Error Rate on api",
            "source": "api",
            "severity": "critical",
            "component": "api",
            "custom_details": {"run": "api.out.1"},
        },
    }


def test_a_resolve_names_only_the_incident(vendor: Loopback) -> None:
    vendor.answers(202, {"dedup_key": "group-1"})

    provider(vendor).resolve("group-1")

    assert vendor.seen[0].json == {
        "routing_key": KEY,
        "event_action": "resolve",
        "dedup_key": "group-1",
    }


def test_a_change_goes_to_the_change_events(vendor: Loopback) -> None:
    vendor.answers(202, {"status": "success"})

    provider(vendor).change("api 2 → 3", "runbookd", {"run": "api.out.1"})

    sent = vendor.seen[0]
    assert sent.path == "/v2/change/enqueue"
    assert sent.json["payload"]["summary"] == "api 2 → 3"
    assert sent.json["payload"]["source"] == "runbookd"
    assert sent.json["payload"]["custom_details"] == {"run": "api.out.1"}
    assert datetime.fromisoformat(sent.json["payload"]["timestamp"]).tzinfo is not None


def test_a_summary_and_details_too_large_are_cut_and_the_page_goes_out(vendor: Loopback) -> None:
    vendor.answers(202, {"dedup_key": "k"})
    details = {f"alert {number}": "x" * 1000 for number in range(1000)}

    provider(vendor).trigger(Page("k", "s" * 5000, "api", "error", details=details))

    payload = vendor.seen[0].json["payload"]
    assert len(payload["summary"]) == 1024
    assert payload["summary"].endswith("…")
    assert len(vendor.seen[0].body) < DETAILS_LIMIT + 10_000
    assert payload["custom_details"]["alert 0"] == "x" * 1000
    shown = len(payload["custom_details"]) - 1
    assert payload["custom_details"]["left out"].startswith(f"{1000 - shown} more details")


def test_no_part_of_the_routing_key_is_in_the_error_of_a_401(vendor: Loopback) -> None:
    vendor.answers(401, {"status": "unauthorized"})

    with pytest.raises(VendorError) as caught:
        provider(vendor).resolve("group-1")

    assert KEY[-4:] not in str(caught.value)


def test_the_sdk_alone_still_refuses_plain_http() -> None:
    """The trap that our subclass is for; when this fails, the subclass may go."""
    with pytest.raises(UrlError):
        EventsApiV2Client(KEY, base_url="http://127.0.0.1:1")
