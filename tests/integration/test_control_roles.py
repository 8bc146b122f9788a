"""Who may do what: each endpoint with each role, and the record of whoever was refused."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from service.domain.decisions.approval import Approval
from service.domain.decisions.planning import Plan
from service.domain.errors import StoreUnavailable
from service.domain.people import AuditEntry, Person, Role
from service.store.approvals import ApprovalStore
from service.store.bell import bell_of
from service.web.app import create_app
from service.web.refused import EACH_MINUTE, NOBODY, Refused
from tests.fakes.web import sqlite_url
from tests.operators import PAUSE, RUN, Operators

VIEWER, OPERATOR, APPROVER, ADMIN = "vera", "olga", "paul", "ada"
EVERYBODY = (VIEWER, OPERATOR, APPROVER, ADMIN)
OPERATORS = (OPERATOR, ADMIN)
ADMINS = (ADMIN,)
WHY = {"why": "x"}
_ANY = "<any(pauses, locks, holds):plural>"
SIGN_IN = {"Authorization": "Bearer guessed"}

VERBS: list[tuple[str, str, str, Any, tuple[str, ...]]] = [
    ("GET", f"/{_ANY}", "/pauses", None, EVERYBODY),
    ("POST", f"/{_ANY}", "/pauses", PAUSE, OPERATORS),
    ("POST", f"/{_ANY}", "/locks", PAUSE, OPERATORS),
    ("POST", f"/{_ANY}", "/holds", PAUSE, OPERATORS),
    ("DELETE", f"/{_ANY}/<path:control_id>", "/pauses/p-1", WHY, OPERATORS),
    ("POST", "/targets/<path:name>/release", "/targets/api/release", WHY, OPERATORS),
    ("POST", "/targets/<path:name>/unlock", "/targets/api/unlock", WHY, OPERATORS),
    ("POST", "/targets/<path:name>/resume", "/targets/api/resume", WHY, OPERATORS),
    ("POST", "/runs", "/runs", RUN, OPERATORS),
    ("POST", "/runs", "/runs", {**RUN, "plan": True}, EVERYBODY),
    ("POST", "/runs/<path:run_id>/cancel", "/runs/api.out.1/cancel", WHY, OPERATORS),
    ("POST", "/runs/<path:run_id>/retry", "/runs/api.out.1/retry", WHY, OPERATORS),
    ("POST", "/runs/<path:run_id>/undo", "/runs/api.out.1/undo", WHY, OPERATORS),
    ("GET", "/scenarios", "/scenarios", None, EVERYBODY),
    ("GET", "/scenarios/runs/<path:run_id>", "/scenarios/runs/rush.1", None, EVERYBODY),
    ("POST", "/scenarios/<path:name>/runs", "/scenarios/rush/runs", WHY, OPERATORS),
    (
        "POST",
        "/scenarios/<path:name>/runs",
        "/scenarios/rush/runs",
        {**WHY, "plan": True},
        EVERYBODY,
    ),
    (
        "POST",
        "/scenarios/runs/<path:run_id>/signoffs",
        "/scenarios/runs/rush.1/signoffs",
        {"as": "ceo", **WHY},
        EVERYBODY,
    ),
    ("GET", "/approvals", "/approvals", None, EVERYBODY),
    (
        "POST",
        "/approvals/<path:approval_id>/<any(approve, reject):verb>",
        "/approvals/{approval}/approve",
        {},
        (APPROVER, ADMIN),
    ),
    (
        "POST",
        "/approvals/<path:approval_id>/<any(approve, reject):verb>",
        "/approvals/{approval}/reject",
        WHY,
        (APPROVER, ADMIN),
    ),
    ("GET", "/jobs", "/jobs", None, EVERYBODY),
    ("POST", "/jobs/<path:name>/run", "/jobs/cost-monitor/run", WHY, OPERATORS),
    ("POST", "/rules/<path:name>/promote", "/rules/high-cpu/promote", WHY, (APPROVER, ADMIN)),
    ("GET", "/me", "/me", None, EVERYBODY),
    ("GET", "/audit", "/audit", None, OPERATORS),
    ("GET", "/tokens", "/tokens", None, ADMINS),
    ("POST", "/tokens", "/tokens", {"name": "eve", "roles": ["viewer"]}, ADMINS),
    ("DELETE", "/tokens/<path:name>", "/tokens/eve", None, ADMINS),
    *(
        ("GET", path, path, None, EVERYBODY)
        for path in (
            "/alerts",
            "/decisions",
            "/runs",
            "/outcomes",
            "/readings",
            "/rules",
            "/levels",
            "/quarantine",
            "/status",
        )
    ),
    ("GET", "/explain", "/explain?last=true", None, EVERYBODY),
    ("GET", "/alerts/<alert_id>", "/alerts/a-1", None, EVERYBODY),
    ("GET", "/alerts/<alert_id>/explain", "/alerts/a-1/explain", None, EVERYBODY),
    ("GET", "/runs/<path:run_id>", "/runs/api.out.1", None, EVERYBODY),
]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Operators]:
    made = Operators(sqlite_url(tmp_path))
    yield made
    made.stand.engine.dispose()


def approval(api: Operators) -> str:
    """A plan that waits for an approver."""
    _, made = api.post(OPERATOR, "/runs", RUN)
    stored = api.runs.get(made["id"])
    assert stored is not None
    plan = Plan("replicas", "2", "5", ("update_app",), {"after": {"instance_count": 5}})
    store = ApprovalStore(api.stand.engine, api.enqueue, bell_of(api.stand.engine))
    asked = store.ask(stored.request, plan, "it is dear", Approval(), time.time())
    assert asked is not None
    return asked


def refusals(api: Operators) -> list[tuple[str, str, str, str]]:
    """Outcome, who, method and path of each, the first one first."""
    return [
        (each["outcome"], each["who"], each["verb"], each["subject"])
        for each in api.audit()[::-1]
        if each["outcome"] != "done"
    ]


# ---- Each endpoint, each role ----


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize(
    ("method", "path", "body", "allowed"),
    [(method, *rest) for method, _, *rest in VERBS],
    ids=[f"{each[0]} {each[2]}{' as a plan' * ('plan' in (each[3] or {}))}" for each in VERBS],
)
def test_each_endpoint_wants_its_role(
    api: Operators, method: str, path: str, body: Any, allowed: tuple[str, ...], who: str
) -> None:
    address = path.format(approval=approval(api)) if "{approval}" in path else path
    before = len(api.audit())
    queued = list(api.stand.enqueued)
    status, said = api.ask(who, method, address, body)
    if who in allowed:
        assert status not in (401, 403), said
        assert refusals(api) == []
        return
    assert status == 403, said
    assert api.stand.enqueued == queued
    assert refusals(api) == [("forbidden", who, method, f"/api/v1{address}")]
    assert len(api.audit()) == before + 1, "nothing else was done"


def test_no_endpoint_is_missing_from_the_table(api: Operators) -> None:
    there = {
        (method, rule.rule.removeprefix("/api/v1"))
        for rule in api.app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, rule) for method, rule, *_ in VERBS} == there


def test_without_a_token_no_endpoint_answers(api: Operators) -> None:
    for method, _, path, body, _ in VERBS:
        assert api.ask("", method, path, body)[0] == 401


def test_a_change_that_nobody_has_given_a_role_is_for_admins(api: Operators) -> None:
    api.app._got_first_request = False
    api.app.add_url_rule("/api/v1/new", "api.new", dict, methods=["POST"])
    assert api.post(OPERATOR, "/new")[0] == 403
    assert api.post(ADMIN, "/new")[0] == 200


class NeverRead(io.RawIOBase):
    """A body that must not be touched."""

    def readinto(self, _buffer: Any) -> int:
        raise AssertionError("the body was read")


@pytest.mark.parametrize(
    ("path", "who", "status"),
    [
        ("/pauses", VIEWER, 403),
        ("/runs/api.out.1/undo", APPROVER, 403),
        ("/tokens", OPERATOR, 403),
        ("/approvals/{approval}/approve", VIEWER, 403),
        ("/pauses", "guessed", 401),
    ],
)
def test_the_role_is_asked_before_the_body_is_read(
    api: Operators, path: str, who: str, status: int
) -> None:
    address = path.format(approval=approval(api)) if "{approval}" in path else path
    response = api.client.post(
        f"/api/v1{address}",
        environ_overrides={"wsgi.input": NeverRead(), "CONTENT_LENGTH": "60000000"},
        headers={"Authorization": f"Bearer test-{who}"},
    )
    assert response.status_code == status, response.json


# ---- Without API_TOKENS, on loopback ----

CLOSED = {"OPEN_WEBHOOKS": "false", "ALERTMANAGER_TOKENS": "prod:test-secret-one"}


@pytest.mark.parametrize("environment", [CLOSED, {**CLOSED, "OPEN_WEBHOOKS": "true"}])
def test_without_api_tokens_and_with_a_senders_secret_this_machine_may_only_read(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    api = Operators(sqlite_url(tmp_path), tokens="", **environment)
    for method, _, path, body, allowed in VERBS:
        status, said = api.ask("", method, path, body)
        if method == "GET" and allowed == EVERYBODY:
            assert status in (200, 404), path
        else:
            assert (status, said["error"].startswith("This takes a token. ")) == (401, True)
    assert {each["outcome"] for each in api.audit()} == {"unauthorized"}
    assert api.stand.enqueued == []


def test_a_token_that_was_made_in_the_terminal_changes_things_without_api_tokens(
    tmp_path: Path,
) -> None:
    api = Operators(sqlite_url(tmp_path), tokens="", **CLOSED)
    terminal = Person("local:root", frozenset({Role.ADMIN}), via="terminal")
    made = api.stand.tokens.new(terminal, "olga", ["operator"], [], None)
    header = {"Authorization": f"Bearer {made['secret']}"}
    assert api.ask("", "POST", "/pauses", PAUSE, **header)[0] == 201


# ---- The record of the refused ----


def test_a_sign_in_that_failed_is_audited_with_its_address_and_never_its_secret(
    api: Operators,
) -> None:
    assert api.ask("", "GET", "/alerts", **SIGN_IN)[0] == 401
    assert api.ask("", "POST", "/pauses", PAUSE, **SIGN_IN)[0] == 401
    assert refusals(api) == [
        ("unauthorized", NOBODY, "GET", "/api/v1/alerts"),
        ("unauthorized", NOBODY, "POST", "/api/v1/pauses"),
    ]
    newest = api.audit()[0]
    assert (newest["via"], newest["address"]) == ("api", "127.0.0.1")
    assert "guessed" not in str(api.audit())


def test_who_shows_no_token_and_only_reads_is_not_audited(api: Operators) -> None:
    assert api.ask("", "GET", "/alerts")[0] == 401
    assert api.audit() == []
    assert api.ask("", "POST", "/pauses", PAUSE)[0] == 401
    assert refusals(api) == [("unauthorized", NOBODY, "POST", "/api/v1/pauses")]


def test_many_failed_reads_hide_no_failed_change_and_strangers_hide_nobody(api: Operators) -> None:
    for _ in range(3 * EACH_MINUTE):
        api.ask("", "GET", "/alerts", **SIGN_IN)
        api.ask("", "DELETE", "/tokens/ada", **SIGN_IN)
        api.ask(VIEWER, "GET", "/audit")
    api.ask(VIEWER, "POST", "/pauses", PAUSE)
    api.ask(APPROVER, "GET", "/audit")
    kept = refusals(api)
    assert kept.count(("unauthorized", NOBODY, "GET", "/api/v1/alerts")) == EACH_MINUTE
    assert kept.count(("unauthorized", NOBODY, "DELETE", "/api/v1/tokens/ada")) == EACH_MINUTE
    assert kept.count(("forbidden", VIEWER, "GET", "/api/v1/audit")) == EACH_MINUTE
    assert kept[-2:] == [
        ("forbidden", VIEWER, "POST", "/api/v1/pauses"),
        ("forbidden", APPROVER, "GET", "/api/v1/audit"),
    ]


def test_the_next_minute_says_how_many_were_not_kept() -> None:
    kept: list[AuditEntry] = []
    now = [0.0]
    refused = Refused(kept.append, lambda: 1_000.0, lambda: now[0])

    def try_it(times: int) -> None:
        for _ in range(times):
            refused.unauthorized("POST", "/api/v1/pauses", "192.0.2.7", "not known")

    try_it(EACH_MINUTE + 7)
    now[0] = 60.0
    try_it(2)
    assert len(kept) == EACH_MINUTE + 2
    assert [dict(each.what) for each in kept[-2:]] == [{"not_kept_before": 7}, {}]


def test_strangers_paths_are_kept_short_and_in_one_line() -> None:
    kept: list[AuditEntry] = []
    refused = Refused(kept.append, lambda: 1_000.0)
    refused.unauthorized("POST", "/a\n\0\x1b[2J" + "x" * 500, "192.0.2.7", "not known")
    (entry,) = kept
    assert len(entry.subject) == 160
    assert entry.subject.startswith("/a \\u0000\\u001b[2Jxxx")


def test_people_are_refused_also_while_the_audit_cannot_be_written(api: Operators) -> None:
    class Away:
        def keep(self, _entry: AuditEntry) -> None:
            raise StoreUnavailable("the database cannot be used now")

    client: FlaskClient = create_app(replace(api.stand, audit=Away())).test_client()  # type: ignore[arg-type]  # only what is called
    assert client.post("/api/v1/pauses", json=PAUSE, headers=SIGN_IN).status_code == 401
    vera = {"Authorization": "Bearer test-vera"}
    assert client.post("/api/v1/pauses", json=PAUSE, headers=vera).status_code == 403


def test_what_is_counted_does_not_grow_with_strangers() -> None:
    refused = Refused(lambda _entry: None, lambda: 0.0, lambda: 0.0)
    for number in range(2_000):
        refused.unauthorized("POST", f"/{number}", f"192.0.2.{number}", "not known")
    assert len(refused._minutes) == 1
