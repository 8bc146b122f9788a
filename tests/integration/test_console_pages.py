"""The console's pages on both databases: what they show of strangers' text, and who may do what."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from service.domain.decisions.approval import Approval
from service.domain.decisions.planning import Plan
from service.store import schema
from service.store.approvals import ApprovalStore
from service.store.bell import bell_of
from service.store.bulk import bulk_insert
from tests.console import Browser
from tests.databases import Databases
from tests.integration.test_queries import alert_row, insert, run_row
from tests.operators import RUN, Operators

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
WHY = {"why": "the vendor is down"}
EVERYBODY, OPERATORS = ("vera", "olga", "paul", "ada"), ("olga", "ada")
APPROVERS = ("paul", "ada")
DEEDS = [
    *((f"/console/targets/api/{kind}", OPERATORS) for kind in ("pause", "lock", "hold")),
    *((f"/console/targets/api/{verb}", OPERATORS) for verb in ("resume", "unlock", "release")),
    *((f"/console/runs/{{run}}/{verb}", OPERATORS) for verb in ("cancel", "retry", "undo")),
    *((f"/console/approvals/{{approval}}/{verb}", APPROVERS) for verb in ("approve", "reject")),
    ("/console/rules/try", EVERYBODY),
]
"""Every form that does something, and who may send it."""
PAGES = [
    ("/console", EVERYBODY),
    *((f"/console/history/{what}", EVERYBODY) for what in ("alerts", "decisions", "runs")),
    ("/console/history/quarantine", EVERYBODY),
    ("/console/rules", EVERYBODY),
    ("/console/levels", EVERYBODY),
    ("/console/scenarios", EVERYBODY),
    ("/console/runs/{run}", EVERYBODY),
    ("/console/episodes/{run}", EVERYBODY),
    ("/console/audit", OPERATORS),
]


@pytest.fixture
def operators(databases: Databases) -> Iterator[Operators]:
    made = Operators(databases.empty())
    yield made
    made.stand.engine.dispose()


@pytest.fixture
def there(operators: Operators) -> dict[str, str]:
    """A run that is queued, and a plan of it that waits for an approver."""
    _, made = operators.post("olga", "/runs", RUN)
    stored = operators.runs.get(made["id"])
    assert stored is not None
    plan = Plan("replicas", "2", "5", ("update_app",), {"after": {"instance_count": 5}})
    store = ApprovalStore(
        operators.stand.engine, operators.enqueue, bell_of(operators.stand.engine)
    )
    asked = store.ask(stored.request, plan, HOSTILE, Approval(), time.time())
    assert asked is not None
    return {"run": made["id"], "approval": asked}


def signed_in(operators: Operators, who: str) -> Browser:
    browser = Browser(operators)
    assert browser.sign_in(who).status_code == 303
    return browser


def own(browser: Browser) -> str:
    """The token of the forms of whoever has signed in."""
    return browser.get("/console").form_token()


def hostile_alert() -> dict[str, Any]:
    words = {"alertname": HOSTILE, HOSTILE: HOSTILE, "severity": HOSTILE}
    return {
        "status": "firing",
        "labels": words,
        "annotations": {"summary": HOSTILE, "runbook_url": "javascript:alert(3)"},
        "startsAt": "2026-11-28T09:00:00Z",
        "generatorURL": "javascript:alert(4)",
        "fingerprint": "0123456789abcdef",
    }


def post_alerts(operators: Operators, *alerts: dict[str, Any]) -> None:
    body = {"version": "4", "status": "firing", "receiver": HOSTILE, "alerts": list(alerts)}
    answer = operators.client.post(
        "/webhooks/alertmanager", data=json.dumps(body), content_type="application/json"
    )
    assert answer.status_code == 200, answer.data


@pytest.mark.parametrize("who", EVERYBODY)
def test_each_page_and_each_form_wants_the_role_that_the_api_wants(
    operators: Operators, there: dict[str, str], who: str
) -> None:
    browser = signed_in(operators, who)
    for path, may in [*PAGES, *DEEDS]:
        page = browser.get(path.format(**there))
        assert page.status == (200 if who in may else 403), (path, page.text)
    token = own(browser)
    for path, may in DEEDS:
        answer = browser.send(path.format(**there), {**WHY, "for": "30m", "form_token": token})
        said = answer.get_data(as_text=True)
        assert (answer.status_code == 403) == (who not in may), (path, said)


def test_the_table_of_forms_names_every_form(operators: Operators) -> None:
    forms = {
        each.endpoint
        for each in operators.app.url_map.iter_rules()
        if each.endpoint.startswith("console.") and "POST" in (each.methods or ())
    }
    paths = [path for path, _ in DEEDS]
    of_table = {operators.app.url_map.bind("localhost").match(path, "POST")[0] for path in paths}
    assert forms == {*of_table, "console.signed_in", "console.sign_out"}


def test_a_form_without_its_token_is_refused_and_does_nothing(
    operators: Operators, there: dict[str, str]
) -> None:
    browser = signed_in(operators, "ada")
    before = len(operators.audit())
    queued = list(operators.stand.enqueued)
    for path, _ in DEEDS:
        for token in ("", "0" * 64):
            given = {**WHY, "for": "30m", "form_token": token}
            assert browser.send(path.format(**there), given).status_code == 403, path
    done = [each for each in operators.audit() if each["outcome"] == "done"]
    assert len(done) == before
    assert operators.stand.enqueued == queued
    assert operators.ask("vera", "GET", "/pauses")[1]["items"] == []


def test_a_pause_from_a_card_is_in_force_audited_and_ended_from_the_card(
    operators: Operators,
) -> None:
    browser = signed_in(operators, "olga")
    asked = browser.get("/console/targets/api/pause")
    assert "Nothing is changed on api by itself until the pause ends." in asked.text
    given = {"why": "I look into it", "for": "45m", "form_token": asked.form_token()}
    assert browser.send("/console/targets/api/pause", given).status_code == 200
    (pause,) = operators.ask("vera", "GET", "/pauses")[1]["items"]
    assert (pause["by"], pause["why"], pause["target"]) == ("olga", "I look into it", "api")
    page = browser.get("/console")
    assert "by olga until" in page.text
    assert "/console/targets/api/resume" in page.links()
    assert [(each["who"], each["verb"], each["via"]) for each in operators.audit()] == [
        ("olga", "pause", "console")
    ]
    browser.send("/console/targets/api/resume", {**WHY, "form_token": own(browser)})
    assert operators.ask("vera", "GET", "/pauses")[1]["items"] == []


def test_a_plan_that_has_changed_since_it_was_read_is_not_approved(
    operators: Operators, there: dict[str, str]
) -> None:
    browser = signed_in(operators, "paul")
    path = f"/console/approvals/{there['approval']}/approve"
    given = {**WHY, "form_token": own(browser), "plan": "another"}
    answer = browser.send(path, given)
    assert (answer.status_code, "Read it again" in answer.get_data(as_text=True)) == (409, True)
    plan = next(each["value"] for each in browser.get(path).all("input") if each["name"] == "plan")
    assert browser.send(path, {**given, "plan": plan}).status_code == 200


def test_a_viewer_sees_no_button_for_what_a_viewer_may_not_do(
    operators: Operators, there: dict[str, str]
) -> None:
    browser = signed_in(operators, "vera")
    for path in ("/console", f"/console/runs/{there['run']}"):
        links = browser.get(path).links()
        verbs = ("pause", "lock", "hold", "approve", "reject", "cancel", "undo", "retry", "audit")
        assert not [each for each in links if each.rpartition("/")[2] in verbs], links


def test_no_text_of_strangers_becomes_markup_or_a_link(
    operators: Operators, there: dict[str, str]
) -> None:
    post_alerts(operators, hostile_alert(), {"labels": HOSTILE})
    operators.post("olga", "/pauses", {"target": "api", "for": "30m", "why": HOSTILE})
    browser = signed_in(operators, "ada")
    episode = operators.ask("vera", "GET", "/alerts")[1]["items"][0]["id"]
    quarantined = operators.ask("vera", "GET", "/quarantine")[1]["items"][0]["id"]
    paths = [*(path for path, _ in PAGES), f"/console/episodes/{episode}"]
    paths += [f"/console/episodes/{quarantined}", *(path for path, _ in DEEDS)]
    seen = 0
    for path in paths:
        page = browser.get(path.format(**there))
        seen += HOSTILE in page.text
        assert page.status == 200, path
        assert [each.get("src") for each in page.all("script")] == ["/console/static/console.js"]
        assert page.all("img") == []
        assert not [each for each in page.links() if each.startswith("javascript")]
    assert seen >= 5, "the text is shown, as text"


def test_an_invisible_character_is_shown(operators: Operators) -> None:
    alert = {**hostile_alert(), "labels": {"alertname": "paid\u202ereversed"}}
    post_alerts(operators, alert)
    page = signed_in(operators, "vera").get("/console")
    assert "paid\\u202ereversed" in page.text


def test_a_run_shows_its_change_its_steps_and_what_its_vendor_answered(
    operators: Operators,
) -> None:
    plan = {"what": "replicas", "before": "2", "after": "3"}
    ended = {"status": "succeeded", "started_at": 1_000.0, "ended_at": 1_090.0}
    row = run_row("api.out.7", 990.0, **ended, plan=json.dumps(plan))
    step = {
        "run": "api.out.7",
        "position": 1,
        "name": "update_app",
        "attempt": 2,
        "status": "done",
        "started_at": 1_000.0,
        "ended_at": 1_065.0,
        "detail": json.dumps({"deployment": "dep-1"}),
    }
    insert(operators.stand.engine, schema.runs, row)
    insert(operators.stand.engine, schema.run_steps, step)
    page = signed_in(operators, "vera").get("/console/runs/api.out.7")
    for part in ("replicas 2 → 3", "1. update_app: done", "Attempt 2", "took 1 min 5 s", "dep-1"):
        assert part in page.text


@pytest.mark.parametrize(("sandbox", "in_slack"), [("", True), ("http://127.0.0.1:8090", False)])
def test_a_run_links_to_its_vendor_and_to_its_channel_but_not_to_one_of_the_sandbox(
    databases: Databases, sandbox: str, in_slack: bool
) -> None:
    operators = Operators(databases.empty(), SANDBOX_URL=sandbox)
    insert(operators.stand.engine, schema.runs, run_row("api.out.7", 990.0))
    step = {
        "run": "api.out.7",
        "position": 1,
        "name": "announce",
        "attempt": 1,
        "status": "done",
        "started_at": 991.0,
        "ended_at": 992.0,
        "detail": json.dumps({"channel": "C0&x", "ts": "1.2"}),
    }
    insert(operators.stand.engine, schema.run_steps, step)
    links = signed_in(operators, "vera").get("/console/runs/api.out.7").links()
    operators.stand.engine.dispose()
    assert "https://cloud.digitalocean.com/apps/app-1" in links
    assert ("https://slack.com/app_redirect?channel=C0%26x" in links) == in_slack


def test_a_card_shows_the_run_under_way_with_its_step_and_the_last_change(
    operators: Operators,
) -> None:
    plan = json.dumps({"what": "replicas", "before": "2", "after": "3"})
    now = time.time()
    ended = {"status": "succeeded", "started_at": now - 90, "ended_at": now - 60}
    busy = {"status": "running", "started_at": now - 9, "ended_at": None, "plan": None}
    insert(
        operators.stand.engine,
        schema.runs,
        run_row("api.out.1", now - 95, **ended, plan=plan),
        run_row("api.out.2", now - 10, **busy),
    )
    step = {
        "run": "api.out.2",
        "position": 1,
        "name": "prepare",
        "attempt": 1,
        "status": "running",
        "started_at": now - 9,
        "ended_at": None,
        "detail": "{}",
    }
    insert(operators.stand.engine, schema.run_steps, step)
    page = signed_in(operators, "vera").get("/console")
    assert "api.out.2 running, at step prepare (running)" in page.text
    assert "replicas 2 → 3" in page.text
    assert "/console/runs/api.out.1" in page.links()


def test_an_episode_is_one_timeline_in_which_people_stand_for_whoever_may_read_the_audit(
    operators: Operators,
) -> None:
    post_alerts(operators, {**hostile_alert(), "labels": {"alertname": "High CPU Usage"}})
    operators.post("olga", "/targets/api/resume", WHY)
    operators.post("olga", "/pauses", {"target": "api", "for": "30m", "why": "I look into it"})
    episode = operators.ask("vera", "GET", "/alerts")[1]["items"][0]["id"]
    seen = signed_in(operators, "olga").get(f"/console/episodes/{episode}").text
    story = seen[seen.index("What happened when") :]
    parts = ("High CPU Usage from alertmanager", "rule high-cpu", "olga: pause api. I look into it")
    places = [story.index(part) for part in parts]
    assert places == sorted(places)
    assert "resolved let it pass" in story
    seen_by_a_viewer = signed_in(operators, "vera").get(f"/console/episodes/{episode}").text
    assert ("rule high-cpu" in seen_by_a_viewer, "olga: pause" in seen_by_a_viewer) == (True, False)


def test_the_history_goes_on_to_older_pages_and_keeps_its_filters(operators: Operators) -> None:
    now = time.time()
    rows = [alert_row(number, now - 100 + number) for number in range(30)]
    with operators.stand.engine.begin() as connection:
        bulk_insert(schema.alerts)(connection, rows)
    browser = signed_in(operators, "vera")
    seen: list[str] = []
    path = "/console/history/alerts?name=High+CPU+Usage&limit=20&source="
    while path:
        page = browser.get(path)
        seen += [each for each in page.links() if each.startswith("/console/episodes/")]
        older = [each["href"] for each in page.all("a") if each.get("rel") == "next"]
        path = older[0] if older else ""
    assert len(seen) == len(set(seen)) == 30


def test_what_is_not_there_is_said_in_a_sentence(operators: Operators) -> None:
    browser = signed_in(operators, "ada")
    for path, status in (
        ("/console/history/secrets", 404),
        ("/console/history/alerts?nmae=x", 422),
        ("/console/history/alerts?after=x", 422),
        ("/console/history/alerts?name=%00", 422),
        ("/console/runs/none", 404),
        ("/console/runs/%00", 404),
        ("/console/runs/none/undo", 404),
        ("/console/approvals/none/approve", 404),
        ("/console/episodes/none", 404),
    ):
        page = browser.get(path)
        assert (page.status, "Not done" in page.text) == (status, True), path


def test_empty_pages_say_what_would_fill_them(operators: Operators) -> None:
    browser = signed_in(operators, "ada")
    assert "Nothing fires. Alerts come in at /webhooks/alertmanager" in browser.get("/console").text
    assert "No worker is alive" in browser.get("/console").text
    for what in ("alerts", "decisions", "runs", "quarantine"):
        assert "Nothing is stored that fits." in browser.get(f"/console/history/{what}").text


def test_a_wheel_carries_every_template_and_every_static_file() -> None:
    root = Path(__file__).parents[2]
    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = told["tool"]["setuptools"]["package-data"]["service"]
    files = [
        each.relative_to(root / "service").as_posix()
        for folder in ("templates", "static")
        for each in (root / "service/web/console" / folder).rglob("*")
        if each.is_file()
    ]
    assert len(files) > 10
    assert not [each for each in files if not any(fnmatch(each, one) for one in patterns)]
