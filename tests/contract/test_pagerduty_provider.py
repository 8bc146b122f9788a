from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pagerduty import EventsApiV2Client, UrlError

from service.domain.errors import FailureKind, VendorError
from service.messages.page_oncall import page_for
from service.ports import Page
from service.providers.pagerduty import BACK_OFF_S, PagerDutyPager
from service.providers.pagerduty_events import DETAILS_LIMIT
from tests.contract.loopback import Loopback
from tests.unit.sandbox.support import served
from tests.unit.test_incident import alert, incident

KEY = "test-routing-key-of-32-character"
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

    provider(vendor).change("api 2 → 3", "runbookd", {"run": "api.out.1"}, PAGE.links)

    sent = vendor.seen[0]
    assert sent.path == "/v2/change/enqueue"
    assert sent.json["payload"]["summary"] == "api 2 → 3"
    assert sent.json["payload"]["source"] == "runbookd"
    assert sent.json["payload"]["custom_details"] == {"run": "api.out.1"}
    assert sent.json["links"] == [{"href": "http://alerts.example/1", "text": "the alert"}]
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


LONG = "x" * 600_000


@pytest.mark.parametrize(
    "labels",
    [
        {"service": LONG},
        {"service": "api", "note": LONG},
        {f"label {number}": "y" * 5_000 for number in range(500)},
        {LONG: "a"},
        {"service": "a\x00b\u202e\ud800"},
    ],
    ids=["component", "detail", "many details", "name", "odd characters"],
)
def test_a_page_goes_out_however_long_a_label_is(labels: dict[str, str]) -> None:
    annotations = {
        "summary": LONG,
        "runbook_url": f"https://wiki.example/{LONG}",
        "odd_url": "https://wiki.example/\ud800",
    }
    group = incident(alert(labels=labels, annotations=annotations), group_labels=labels)
    with served() as sandbox:
        pager = PagerDutyPager(routing_key=KEY, base_url=f"{sandbox.url}/pagerduty")

        pager.trigger(page_for(group))

        (open_incident,) = sandbox.state()["pagerduty"]["open"]
        answers = [call["status"] for call in sandbox.calls() if call["vendor"] == "pagerduty"]
    assert open_incident["summary"].startswith("High Error Rate")
    assert answers == [202]


def test_a_page_and_its_resolve_agree_on_a_key_that_had_to_be_cut() -> None:
    with served() as sandbox:
        pager = PagerDutyPager(routing_key=KEY, base_url=f"{sandbox.url}/pagerduty")
        for key in ("k" * 300 + "1", "k" * 300 + "2"):
            pager.trigger(Page(key, "s", "api", "error"))
        pager.resolve("k" * 300 + "1")

        state = sandbox.state()["pagerduty"]
    assert (len(state["open"]), len(state["resolved"])) == (1, 1)


def test_only_web_addresses_are_sent_as_links_and_ten_of_them(vendor: Loopback) -> None:
    odd = (
        ("javascript:alert(1)", "a"),
        ("https://", "b"),
        ("https://x.example/" + "y" * 2_000, "c"),
    )
    good = tuple((f"https://x.example/{number}", "d") for number in range(12))
    vendor.answers(202, {"status": "success", "dedup_key": "group-1"})

    provider(vendor).trigger(replace(PAGE, links=(*odd, *good)))

    sent = [link["href"] for link in vendor.seen[0].json["links"]]
    assert sent == [href for href, _ in good[:10]]


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422])
def test_a_page_that_is_refused_goes_out_smaller(vendor: Loopback, status: int) -> None:
    vendor.answers(status, {"status": "invalid event"})
    vendor.answers(status, {"status": "invalid event"})
    vendor.answers(202, {"dedup_key": "group-1"})

    provider(vendor).trigger(
        Page("group-1", "Größe " * 200, "api", "critical", "api", "g", {"a": "b"}, PAGE.links)
    )

    full, fields, least = (seen.json for seen in vendor.seen)
    assert {"links", "payload"} <= full.keys()
    assert fields["payload"].keys() == full["payload"].keys() - {"custom_details"}
    assert "links" not in fields
    assert least["payload"].keys() == {"summary", "source", "severity", "timestamp"}
    assert least["payload"]["summary"].isascii()
    assert {each["dedup_key"] for each in (full, fields, least)} == {"group-1"}


def test_a_page_that_is_refused_in_every_size_says_why(vendor: Loopback) -> None:
    vendor.answers(400, {"status": "invalid event", "errors": ["no such routing key"]})

    with pytest.raises(VendorError) as caught:
        provider(vendor).trigger(PAGE)

    assert caught.value.kind is FailureKind.PERMANENT
    assert "no such routing key" in caught.value.sentence


def test_too_many_events_request_for_a_minutes_rest_and_no_smaller_page(vendor: Loopback) -> None:
    vendor.answers(429, {"status": "throttle exceeded"})

    with pytest.raises(VendorError) as caught:
        provider(vendor).trigger(PAGE)

    assert (caught.value.kind, caught.value.retry_after) == (FailureKind.TEMPORARY, BACK_OFF_S)
    assert len(vendor.seen) == 1


def test_no_part_of_the_routing_key_is_in_the_error_of_a_401(vendor: Loopback) -> None:
    vendor.answers(401, {"status": "unauthorized"})

    with pytest.raises(VendorError) as caught:
        provider(vendor).resolve("group-1")

    assert KEY[-4:] not in str(caught.value)


def test_the_sdk_alone_still_refuses_plain_http() -> None:
    """The trap that our subclass is for; when this fails, the subclass may go."""
    with pytest.raises(UrlError):
        EventsApiV2Client(KEY, base_url="http://127.0.0.1:1")
