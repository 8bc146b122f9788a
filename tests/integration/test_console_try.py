"""Try: the whole verdict on an alert that is written or picked, on both databases."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from service.domain.rules.matching import RuleIndex
from service.domain.rules.scopes import NOTHING, Scopes
from service.intake.parse import parse_notification
from service.ports.admission import Delivery
from service.store import schema
from service.triggers.alerts.candidates import RulesInForce
from service.triggers.alerts.preview import Preview
from service.web.app import create_app
from tests.console import Browser, Page
from tests.databases import Databases
from tests.fakes.web import Stand
from tests.operators import PAUSE, Operators
from tests.processes import ROOT
from tests.stack import alert, notification

TRY = "/console/rules/try"
KEPT = (schema.alerts, schema.decisions, schema.runs, schema.deliveries, schema.cooldowns)


@pytest.fixture
def operators(databases: Databases) -> Iterator[Operators]:
    made = Operators(databases.empty())
    yield made
    made.stand.engine.dispose()


@pytest.fixture
def vera(operators: Operators) -> Browser:
    browser = Browser(operators)
    assert browser.sign_in("vera").status_code == 303
    return browser


def tried(browser: Browser, text: str) -> Page:
    token = browser.get(TRY).form_token()
    return Page(browser.send(TRY, {"form_token": token, "alert": text}))


def stored(operators: Operators) -> list[int]:
    """How many rows each table has that an alert would get one in."""
    with operators.stand.engine.connect() as connection:
        return [
            connection.execute(sa.select(sa.func.count()).select_from(each)).scalar_one()
            for each in KEPT
        ]


def test_labels_are_tried_with_every_guard_and_nothing_is_touched(
    operators: Operators, vera: Browser
) -> None:
    before = stored(operators)
    page = tried(vera, "alertname=High CPU Usage\nseverity=critical")
    for part in ("act horizontal_scale api", "paused let it pass", "cooldown let it pass"):
        assert part in page.text
    assert 'alertname="High CPU Usage" holds: the alert has “High CPU Usage”' in page.text
    assert (stored(operators), operators.stand.enqueued) == (before, [])
    assert operators.stand.gate.settled == []


def test_what_would_hold_an_alert_is_named(operators: Operators, vera: Browser) -> None:
    operators.post("olga", "/pauses", PAUSE)
    page = tried(vera, "alertname=High CPU Usage")
    assert "hold horizontal_scale api" in page.text
    assert "by olga: the vendor is down" in page.text


def test_a_whole_notification_is_tried_and_so_is_an_alert_that_no_rule_matches(
    vera: Browser,
) -> None:
    page = tried(vera, json.dumps(notification(alert("High CPU Usage"), alert("Never Heard Of"))))
    assert "act horizontal_scale api" in page.text
    assert "No rule matches: such an alert is investigated and told in Slack." in page.text


def test_an_alert_that_came_is_picked_from_its_page(operators: Operators, vera: Browser) -> None:
    operators.client.post("/webhooks/alertmanager", json=notification(alert("High CPU Usage")))
    episode = operators.ask("vera", "GET", "/alerts")[1]["items"][0]["id"]
    link = f"{TRY}?of={episode}"
    assert link in vera.get(f"/console/episodes/{episode}").links()
    assert link in vera.get(TRY).links()
    page = vera.get(link)
    assert "hold horizontal_scale api" in page.text
    assert "in_progress held it: run api.out.1 is under way" in page.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("High CPU Usage", "is no label: write each as name=value, one a line."),
        ("severity=critical", "Write at least alertname=…"),
        ("{", "Nothing was tried."),
        (json.dumps(notification(*[alert("A", n=str(n)) for n in range(21)])), "at most 20"),
    ],
)
def test_what_cannot_be_tried_is_said(vera: Browser, text: str, said: str) -> None:
    page = tried(vera, text)
    assert (page.status, said in page.text) == (422, True), page.text


def test_an_alert_that_is_not_stored_cannot_be_picked(vera: Browser) -> None:
    assert vera.get(f"{TRY}?of=a-none").status == 404


def test_a_rule_that_pages_is_tried_as_an_alert_and_not_as_a_replay(vera: Browser) -> None:
    page = tried(vera, "alertname=High Error Rate")
    assert "act page_oncall" in page.text
    assert "a replay pages nobody" not in page.text


def test_an_alert_that_came_is_tried_with_the_credential_that_it_came_with(
    operators: Operators,
) -> None:
    vera = scoped(operators, Scopes.stating({"intern": NOTHING}))
    now = time.time()
    came = parse_notification(
        json.dumps(notification(alert("High CPU Usage"))).encode(),
        source="alertmanager",
        content_type="application/json",
        received_at=datetime.fromtimestamp(now, UTC),
    )
    operators.stand.admit([Delivery(came, now, credential="intern", address="192.0.2.7")], now)
    episode = operators.ask("vera", "GET", "/alerts")[1]["items"][0]["id"]
    picked = vera.get(f"{TRY}?of={episode}")
    assert "scope held it" in picked.text
    assert "without a credential" not in picked.text
    written = tried(vera, "alertname=High Error Rate")
    assert "act page_oncall" in written.text
    assert "as if it had come without a credential, so no scope limits it" in written.text


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("alertmanager-firing.json", "alertmanager"),
        ("grafana-firing.json", "grafana"),
        ("grafana-legacy-alerting.json", "grafana"),
    ],
)
def test_a_notification_that_is_written_has_the_source_of_its_format(
    operators: Operators, file: str, source: str
) -> None:
    seen: list[str] = []

    def preview(given: Sequence[Delivery], rules: RulesInForce) -> list[Preview]:
        seen.extend(each.notification.source for each in given)
        return operators.stand.preview(given, rules)

    vera = browser_of(operators, replace(operators.stand, preview=preview))
    assert tried(vera, (ROOT / "tests" / "payloads" / file).read_text()).status == 200
    assert seen == [source]


def browser_of(operators: Operators, stand: Stand) -> Browser:
    """Vera's browser at a web process with these parts."""
    operators.app = create_app(stand)
    browser = Browser(operators)
    assert browser.sign_in("vera").status_code == 303
    return browser


def scoped(operators: Operators, scopes: Scopes) -> Browser:
    """Vera's browser at a web process whose rules state these scopes."""
    book = replace(operators.stand.rules().book, scopes=scopes)
    rules = RulesInForce(book, RuleIndex(book))
    return browser_of(operators, replace(operators.stand, rules=lambda: rules))
