"""The page of last resort from real processes: the database is gone, no worker lives."""

from __future__ import annotations

from pathlib import Path

from service.messages.last_resort import NO_WORKER_KEY
from tests.reliability import VendorSaw, scenario
from tests.stack import Json, Options, Stack, alert, notification

ERRORS = "High Error Rate"


def open_incidents(stack: Stack) -> dict[str, Json]:
    """The sandbox's open incidents, by dedup_key."""
    return {each["dedup_key"]: each for each in stack.state()["pagerduty"]["open"]}


def changes(stack: Stack) -> list[str]:
    """The writes that changed a target."""
    return [
        call["body"].get("type", "update_app")
        for call in stack.calls("digitalocean")
        if call["method"] in ("POST", "PUT") and call["acted"]
    ]


@scenario(
    "Where runbookd itself cannot work",
    "The database is gone, and an alert comes that pages.",
    "The sender gets 503. Web itself sends the page, once for all repeats.",
)
def test_an_alert_that_pages_reaches_the_pager_although_the_database_is_gone(
    tmp_path: Path, vendor_saw: VendorSaw
) -> None:
    with Stack(tmp_path, Options(redis="none")) as stack:
        stack.migrate()
        stack.start_sandbox()
        stack.start_web()
        (tmp_path / "runbookd.db").unlink()
        for _ in range(3):
            refused = stack.post(notification(alert(ERRORS)))
            assert refused.status_code == 503
        stack.wait_for(lambda: open_incidents(stack), "a page")
        (incident,) = open_incidents(stack).values()
        assert incident["summary"].startswith(ERRORS)
        assert len(stack.calls("pagerduty")) == 1
        assert {call["vendor"] for call in stack.calls()} == {"pagerduty"}
        vendor_saw(changes(stack))


@scenario(
    "Where runbookd itself cannot work",
    "No worker is alive, and alerts come that scale and that page.",
    "After 30 s web pages that nobody acts, and sends the pages that wait. A worker that starts "
    "closes the first incident, joins the second, and makes the change.",
    "update_app",
)
def test_without_a_worker_the_pages_that_wait_go_out_and_a_worker_closes_the_incident(
    tmp_path: Path, vendor_saw: VendorSaw
) -> None:
    with Stack(tmp_path, Options(redis="none")) as stack:
        stack.migrate()
        stack.start_sandbox()
        stack.start_web()
        stack.start_web("second")
        stack.post_alert(alert("High CPU Usage"), alert(ERRORS))
        stack.wait_for(lambda: len(open_incidents(stack)) == 2, "two incidents")
        said = {each["summary"] for each in open_incidents(stack).values()}
        assert "No worker of runbookd is alive: it decides and nobody acts." in said
        assert stack.calls("digitalocean") == []
        stack.start_worker()
        stack.wait_for(lambda: NO_WORKER_KEY not in open_incidents(stack), "its end")
        stack.wait_for(stack.settled, "the runs")
        (left,) = open_incidents(stack).values()
        assert left["summary"].startswith(ERRORS), "the worker's page joined the incident"
        vendor_saw(changes(stack))
