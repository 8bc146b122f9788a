"""What a sender is answered, for everything that it may send."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.domain.errors import StoreUnavailable
from service.ports.admission import Delivery, Receipt
from service.store import schema
from service.web.app import create_app
from tests.fakes.web import Stand, make_stand, sqlite_url
from tests.integration.payloads import LEGACY, alert, named, notification, unified
from tests.processes import ROOT

AM = "/webhooks/alertmanager"
GRAFANA = "/webhooks/grafana"


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return make_stand(sqlite_url(tmp_path))


@pytest.fixture
def client(stand: Stand) -> FlaskClient:
    return create_app(stand).test_client()


def guarded(tmp_path: Path, **environment: str) -> FlaskClient:
    stand = make_stand(sqlite_url(tmp_path), OPEN_WEBHOOKS="false", **environment)
    return create_app(stand).test_client()


def failing(stand: Stand, fault: Callable[[], Exception]) -> FlaskClient:
    def admit(_batch: Sequence[Delivery], _now: float) -> list[Receipt]:
        raise fault()

    return create_app(replace(stand, admit=admit)).test_client()


def rows(stand: Stand, table: sa.Table) -> int:
    with stand.engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def sentence(response: TestResponse) -> str:
    said: dict[str, str] = response.get_json()
    assert list(said) == ["error"]
    assert "Traceback" not in response.text
    return said["error"]


def post(client: FlaskClient, body: bytes, **arguments: Any) -> TestResponse:
    return client.post(AM, data=body, content_type="application/json", **arguments)


def test_an_alert_is_answered_with_its_verdict_after_it_is_kept(
    client: FlaskClient, stand: Stand
) -> None:
    response = client.post(AM, json=notification(alert()))
    assert response.status_code == 200
    said = response.get_json()
    (decision,) = said["decisions"]
    assert said["notification"].startswith("n-")
    assert decision["alert"].startswith("a-")
    assert decision["reason"].startswith("horizontal scale on api: rule high-cpu matches")
    assert {key: decision[key] for key in ("rule", "target", "verdict", "run", "until")} == {
        "rule": "high-cpu",
        "target": "api",
        "verdict": "act",
        "run": "api.out.1",
        "until": None,
    }
    assert said["quarantined"] == []
    assert stand.enqueued == ["api.out.1"]
    assert rows(stand, schema.alerts) == 1


@pytest.mark.parametrize("times", [1, 2], ids=["an act", "a hold"])
def test_the_answer_and_the_read_api_show_a_decision_in_one_shape(
    client: FlaskClient, times: int
) -> None:
    """The read API adds its id, its checks, and when and how often it was decided."""
    for _ in range(times):
        said = client.post(AM, json=notification(alert())).get_json()
    (answered,) = said["decisions"]
    stored = client.get("/api/v1/decisions").get_json()["items"][0]
    assert {key: stored[key] for key in answered} == answered
    added = ["id", "notification", "checks", "rules_hash", "decided_at", "last_at", "times"]
    assert sorted(stored.keys() - answered.keys()) == sorted(added)


def test_a_hold_says_until_when(client: FlaskClient, stand: Stand) -> None:
    client.post(AM, json=notification(alert()))
    with stand.engine.begin() as connection:
        connection.execute(sa.update(schema.cooldowns).values(until=4_000_000_000.0))
    (decision,) = client.post(AM, json=notification(alert())).get_json()["decisions"]
    assert (decision["verdict"], decision["guard"]) == ("hold", "cooldown")
    assert decision["until"] == "2096-10-02T07:06:40Z"


@pytest.mark.parametrize("method", ["post", "put"])
@pytest.mark.parametrize("path", [AM, GRAFANA, f"{AM}/"])
@pytest.mark.parametrize("payload", [notification(alert()), unified(), LEGACY])
def test_each_address_takes_every_format_by_post_and_put(
    client: FlaskClient, method: str, path: str, payload: dict[str, Any]
) -> None:
    response = getattr(client, method)(path, json=payload)
    assert response.status_code == 200
    assert [each["verdict"] for each in response.get_json()["decisions"]] == ["act"]


def test_the_source_is_the_address_whatever_the_format(client: FlaskClient, stand: Stand) -> None:
    client.post(GRAFANA, json=notification(alert()))
    with stand.engine.connect() as connection:
        assert connection.execute(sa.select(schema.alerts.c.source)).scalar_one() == "grafana"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "not JSON"),
        (b"status=firing", "not JSON"),
        (b"[]", "a list"),
        (b"null", "null"),
        (b'"firing"', "a string"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "too deeply"),
        (b"[" * 100_000, "too deeply"),
        (b"{}", "no `alerts`"),
        (b'{"version":"4","alerts":null}', "not a list"),
        (b'{"version":"4","alerts":{"a":1}}', "not a list"),
    ],
)
def test_what_can_never_be_understood_is_422_with_a_sentence(
    client: FlaskClient, stand: Stand, body: bytes, says: str
) -> None:
    response = post(client, body)
    assert response.status_code == 422
    assert says in sentence(response)
    assert rows(stand, schema.deliveries) == 0


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
def test_another_content_type_is_415(client: FlaskClient, kind: str) -> None:
    response = client.post(AM, data=json.dumps(notification(alert())), content_type=kind)
    assert response.status_code == 415
    assert "application/json" in sentence(response)


@pytest.mark.parametrize(
    ("headers", "status", "says"),
    [
        ({"Host": "attacker.example"}, 403, "'attacker.example'"),
        ({"Host": "localhost.attacker.example:8080"}, 403, "this machine only"),
        ({"Host": "[::1"}, 403, "this machine only"),
        ({"Host": "10.0.0.7:8080"}, 403, "this machine only"),
        ({"Origin": "https://attacker.example"}, 403, "no web page may post"),
        ({"Origin": "http://localhost:3000"}, 403, "no web page may post"),
        ({"Origin": "null"}, 403, "no web page may post"),
        ({"Content-Type": ""}, 415, "Content-Type header is missing"),
        ({"Content-Type": "text/plain"}, 415, "application/json"),
    ],
)
def test_without_secrets_a_page_in_a_browser_starts_nothing(
    client: FlaskClient, stand: Stand, headers: dict[str, str], status: int, says: str
) -> None:
    sent = {"Content-Type": "application/json", **headers}
    response = client.post(AM, data=json.dumps(notification(alert())), headers=sent)
    assert (response.status_code, stand.enqueued) == (status, [])
    assert says in sentence(response)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:8080"},
        {"Host": "LOCALHOST"},
        {"Host": "127.0.0.1:8080"},
        {"Host": "127.9.9.9"},
        {"Host": "[::1]:8080"},
        {"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:8080"},
    ],
)
def test_without_secrets_a_program_on_this_machine_is_let_in(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    assert client.post(AM, json=notification(alert()), headers=headers).status_code == 200


def test_with_a_secret_neither_host_nor_origin_nor_a_missing_type_matters(tmp_path: Path) -> None:
    client = guarded(tmp_path, ALERTMANAGER_TOKENS="test-token")
    response = client.post(
        AM,
        data=json.dumps(notification(alert())),
        headers={
            "Authorization": "Bearer test-token",
            "Host": "runbookd.example",
            "Origin": "https://grafana.example",
        },
    )
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/api/v2/alerts", f"{AM}/api/v2/alerts", "/api/v1/alerts"])
def test_prometheus_itself_is_told_where_to_point(client: FlaskClient, path: str) -> None:
    response = client.post(path, json=[alert()])
    assert response.status_code == (405 if path == "/api/v1/alerts" else 404)
    said = sentence(response)
    assert "alerting.alertmanagers" in said
    assert "/webhooks/alertmanager" in said


@pytest.mark.parametrize(
    "path", ["/", "/webhook", "/webhooks", "/webhooks/", "/alerts", "/webhooks/prometheus"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_wrong_address_is_told_the_right_ones(
    client: FlaskClient, method: str, path: str
) -> None:
    response = getattr(client, method)(path)
    assert response.status_code == 404
    assert "/webhooks/alertmanager, Grafana to /webhooks/grafana" in sentence(response)


def test_a_body_above_the_limit_is_413_and_says_what_to_set(tmp_path: Path) -> None:
    client = create_app(make_stand(sqlite_url(tmp_path), MAX_BODY_BYTES="1000")).test_client()
    response = post(client, b"x" * 1001)
    assert response.status_code == 413
    assert "larger than 1000 bytes" in sentence(response)
    assert post(client, json.dumps(notification(alert())).encode()).status_code == 200


def test_a_chunked_body_above_the_limit_is_413(tmp_path: Path) -> None:
    client = create_app(make_stand(sqlite_url(tmp_path), MAX_BODY_BYTES="1000")).test_client()
    response = client.post(
        AM,
        input_stream=io.BytesIO(b" " * 5000),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert response.status_code == 413


def test_a_chunked_body_within_the_limit_is_taken(client: FlaskClient) -> None:
    response = client.post(
        AM,
        input_stream=io.BytesIO(json.dumps(notification(alert())).encode()),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert response.status_code == 200


def test_a_body_that_gzip_packed_is_taken(client: FlaskClient) -> None:
    body = gzip.compress(json.dumps(notification(alert())).encode())
    answer = client.post(
        AM, data=body, content_type="application/json", headers={"Content-Encoding": "gzip"}
    )
    assert answer.status_code == 200
    assert len(answer.get_json()["decisions"]) == 1


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", gzip.compress(b" " * 20_000_000, mtime=0), 413),
        ("gzip", b"{}", 422),
        ("br", b"{}", 415),
    ],
)
def test_a_packed_body_that_cannot_be_taken_is_told_why(
    client: FlaskClient, stand: Stand, encoding: str, body: bytes, status: int
) -> None:
    answer = client.post(
        AM, data=body, content_type="application/json", headers={"Content-Encoding": encoding}
    )
    assert answer.status_code == status
    assert sentence(answer)
    assert rows(stand, schema.deliveries) == 0


def test_who_is_not_let_in_learns_nothing_about_the_body(tmp_path: Path) -> None:
    client = guarded(tmp_path, ALERTMANAGER_TOKENS="test-token,test-token-next")
    refused = client.post(AM, data=b"not json", headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="runbookd"'
    assert "Authorization" in sentence(refused)
    assert client.post(AM, json={}).status_code == 401
    let_in = client.post(
        AM, json=notification(alert()), headers={"Authorization": "Bearer test-token-next"}
    )
    assert let_in.status_code == 200


def test_the_size_is_checked_before_the_secret(tmp_path: Path) -> None:
    client = guarded(tmp_path, ALERTMANAGER_TOKENS="test-token", MAX_BODY_BYTES="10")
    assert post(client, b"x" * 11).status_code == 413


def test_basic_authentication_lets_in(tmp_path: Path) -> None:
    client = guarded(tmp_path, GRAFANA_BASIC="grafana:test-password")
    assert client.post(GRAFANA, json=unified()).status_code == 401
    response = client.post(GRAFANA, json=unified(), auth=("grafana", "test-password"))
    assert response.status_code == 200


def test_a_source_without_a_secret_is_shut_and_says_what_to_set(tmp_path: Path) -> None:
    response = guarded(tmp_path, ALERTMANAGER_TOKENS="test-token").post(GRAFANA, json=unified())
    assert response.status_code == 401
    assert "set GRAFANA_TOKENS or GRAFANA_BASIC" in sentence(response)


def test_another_method_is_405_as_json(client: FlaskClient) -> None:
    response = client.get(AM)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST, PUT"
    assert "POST or PUT" in sentence(response)


def test_one_bad_alert_is_set_aside_and_the_rest_is_taken(
    client: FlaskClient, stand: Stand
) -> None:
    bad: list[Any] = [alert(labels={"n": 1}), alert(status="ok"), 7]
    response = client.post(AM, json=notification(bad[0], alert(), *bad[1:]))
    assert response.status_code == 200
    said = response.get_json()
    assert [each["index"] for each in said["quarantined"]] == [0, 2, 3]
    assert "not a string" in said["quarantined"][0]["reason"]
    assert len(said["decisions"]) == 1
    assert (rows(stand, schema.alerts), rows(stand, schema.quarantine)) == (1, 3)


def test_a_notification_of_nothing_but_bad_alerts_is_still_kept(
    client: FlaskClient, stand: Stand
) -> None:
    response = client.post(AM, json=notification(alert(status="exploded")))
    assert response.status_code == 200
    assert response.get_json()["decisions"] == []
    assert rows(stand, schema.quarantine) == 1


def test_an_empty_list_is_taken(client: FlaskClient, stand: Stand) -> None:
    response = client.post(AM, json=notification())
    assert response.status_code == 200
    assert response.get_json()["decisions"] == []
    assert rows(stand, schema.deliveries) == 1


@pytest.mark.parametrize(
    "value",
    ['"quoted" & <b>bold</b>', "line\nbreak", "{{ .Labels }} {% raw %}", "\\", "'; DROP TABLE--"],
)
def test_hostile_strings_come_back_as_they_went_in(client: FlaskClient, value: str) -> None:
    labels = {"alertname": "High CPU Usage", "note": value}
    said = client.post(AM, json=notification(alert(labels=labels))).get_json()
    stored = client.get(f"/api/v1/alerts/{said['decisions'][0]['alert']}").get_json()
    assert stored["labels"]["note"] == value


def test_what_cannot_be_stored_is_replaced_and_noted(client: FlaskClient) -> None:
    body = json.dumps(notification(alert(annotations={"summary": "a\x00b\ud800c"}))).encode()
    said = post(client, body).get_json()
    stored = client.get(f"/api/v1/alerts/{said['decisions'][0]['alert']}").get_json()
    assert stored["annotations"]["summary"] == "a\ufffdb\ufffdc"
    assert "became U+FFFD" in stored["notes"][0]


def test_the_test_button_with_labels_of_its_own_is_shown_and_opens_nothing(
    client: FlaskClient, stand: Stand
) -> None:
    body = (ROOT / "tests/payloads/grafana-test-button-custom-labels.json").read_bytes()
    for run in ("test-grafana.notify.1", None):
        response = client.post(GRAFANA, data=body, content_type="application/json")
        (decision,) = response.get_json()["decisions"]
        assert (decision["verdict"], decision["rule"], decision["run"]) == ("reject", "test", run)
    assert stand.enqueued == ["test-grafana.notify.1"]
    with stand.engine.connect() as connection:
        found = connection.execute(sa.select(schema.alerts.c.open, schema.alerts.c.kind)).all()
    assert found == [(False, "test"), (False, "test")]


def test_an_alert_of_grafana_without_a_value_is_held_and_told(
    client: FlaskClient, stand: Stand
) -> None:
    said = client.post(GRAFANA, json={**LEGACY, "evalMatches": []}).get_json()
    assert [(each["rule"], each["verdict"], each["guard"]) for each in said["decisions"]] == [
        ("high-cpu", "hold", "unmeasured"),
        ("no-data", "act", "cooldown"),
    ]
    assert stand.enqueued == [said["decisions"][1]["run"]]


def test_nan_is_taken(client: FlaskClient) -> None:
    body = json.dumps(unified()).replace("93.0", "NaN").encode()
    assert post(client, body).status_code == 200


def test_ten_thousand_alerts_in_one_notification_are_one_run(
    client: FlaskClient, stand: Stand
) -> None:
    alerts = [alert(f"{number:016x}") for number in range(10_000)]
    response = client.post(AM, json=notification(*alerts))
    assert response.status_code == 200
    decisions = response.get_json()["decisions"]
    assert len(decisions) == 10_000
    assert [each["verdict"] for each in decisions].count("act") == 1
    assert rows(stand, schema.alerts) == 10_000
    assert stand.enqueued == ["api.out.1"]


def test_a_page_is_admitted_beside_a_scaling_rule(client: FlaskClient, stand: Stand) -> None:
    said = client.post(
        AM, json=notification(alert(), named("High Error Rate", "00000000000000c1"))
    ).get_json()
    assert [each["rule"] for each in said["decisions"]] == ["high-cpu", "high-error-rate"]
    assert len(stand.enqueued) == 2


def test_a_store_that_is_down_is_503_and_asks_to_try_again(
    client: FlaskClient, stand: Stand
) -> None:
    with stand.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE deliveries")
    response = client.post(AM, json=notification(alert()))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "database" in sentence(response)
    assert rows(stand, schema.alerts) == 0
    assert "api.out" in stand.gate.given_back


def test_a_journal_that_says_unavailable_is_503(stand: Stand) -> None:
    client = failing(stand, lambda: StoreUnavailable("the disk is full"))
    response = client.post(AM, json=notification(alert()))
    assert response.status_code == 503
    assert sentence(response) == "the disk is full"


@pytest.mark.parametrize("fault", [ZeroDivisionError, MemoryError, RecursionError])
def test_a_mistake_of_ours_is_503_without_a_stack_trace(
    stand: Stand, fault: type[Exception]
) -> None:
    client = failing(stand, lambda: fault("secret detail"))
    response = client.post(AM, json=notification(alert()))
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "secret detail" not in sentence(response)


def test_notifications_and_decisions_are_counted(client: FlaskClient) -> None:
    def sample(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    asked = 'runbookd_notifications_total{source="alertmanager",status="200"}'
    held = 'runbookd_decisions_total{action="horizontal_scale",guard="in_progress"'
    before = sample(asked), sample(held)
    client.post(AM, json=notification(alert("1"), alert("2"), alert("3")))
    assert (sample(asked) - before[0], sample(held) - before[1]) == (1, 2)


def test_what_the_store_has_is_measured_beside_what_this_process_has_counted(
    client: FlaskClient,
) -> None:
    client.post(AM, json=notification(alert("1")))
    lines = client.get("/metrics").text.splitlines()
    assert "runbookd_store_answers 1.0" in lines
    assert 'runbookd_unended_runs{state="queued"} 1.0' in lines
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names)), "Prometheus takes no name twice"


def test_what_nobody_foresaw_is_503_and_never_500(stand: Stand) -> None:
    def clock() -> float:
        raise ZeroDivisionError("nobody foresaw this")

    client = create_app(replace(stand, clock=clock)).test_client()
    response = client.post(AM, json=notification(alert()))
    assert response.status_code == 503
    assert sentence(response) == "Something unexpected went wrong here; send it again."
    assert rows(stand, schema.alerts) == 0


# ---- Many alerts ----


def many(count: int) -> dict[str, Any]:
    return notification(*(alert(f"{number:016x}") for number in range(count)))


def test_many_alerts_are_answered_as_one_notification(client: FlaskClient, stand: Stand) -> None:
    response = client.post(AM, json=many(1_300))
    assert response.status_code == 200
    said = response.get_json()
    assert [each["verdict"] for each in said["decisions"]] == ["act"] + ["hold"] * 1_299
    assert len({each["alert"] for each in said["decisions"]}) == 1_300
    assert said["quarantined"] == []
    assert rows(stand, schema.alerts) == 1_300
    assert stand.enqueued == ["api.out.1"]


def test_the_quarantined_of_many_alerts_are_kept_and_told_once(
    client: FlaskClient, stand: Stand
) -> None:
    payload = many(600)
    payload["alerts"][550]["status"] = "perhaps"
    response = client.post(AM, json=payload)
    assert [each["index"] for each in response.get_json()["quarantined"]] == [550]
    assert rows(stand, schema.quarantine) == 1


def test_what_was_kept_before_a_part_failed_is_a_repeat_when_it_is_sent_again(
    stand: Stand,
) -> None:
    calls = 0

    def admit(batch: Sequence[Delivery], now: float) -> list[Receipt]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise StoreUnavailable("the disk is full")
        return stand.admit(batch, now)

    client = create_app(replace(stand, admit=admit)).test_client()
    refused = client.post(AM, json=many(1_300))
    assert refused.status_code == 503
    kept = rows(stand, schema.alerts)
    assert 0 < kept < 1_300
    assert f"{kept} of 1300 alerts, were kept" in sentence(refused)

    again = client.post(AM, json=many(1_300))
    assert again.status_code == 200
    assert rows(stand, schema.alerts) == 1_300
    assert stand.enqueued == ["api.out.1"], "no second run"
    assert [each["verdict"] for each in again.get_json()["decisions"]] == ["hold"] * 1_300
    with stand.engine.connect() as connection:
        seen = connection.execute(sa.select(schema.alerts.c.times_seen)).scalars().all()
    assert sorted(seen) == [1] * (1_300 - kept) + [2] * kept


def sent_by(stand: Stand) -> list[tuple[str | None, str | None]]:
    query = sa.select(schema.deliveries.c.credential, schema.deliveries.c.address)
    with stand.engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(query)]


def test_the_credential_and_the_address_are_kept_with_each_notification(tmp_path: Path) -> None:
    stand = make_stand(
        sqlite_url(tmp_path), OPEN_WEBHOOKS="false", ALERTMANAGER_TOKENS="prod:test-secret-one"
    )
    client = create_app(stand).test_client()
    response = client.post(
        AM,
        json=notification(alert()),
        headers={"Authorization": "Bearer test-secret-one"},
        environ_overrides={"REMOTE_ADDR": "192.0.2.7"},
    )
    assert response.status_code == 200
    assert "prod" not in response.text
    assert sent_by(stand) == [("prod", "192.0.2.7")]


def test_in_open_mode_only_the_address_is_known(client: FlaskClient, stand: Stand) -> None:
    client.post(AM, json=notification(alert()))
    assert sent_by(stand) == [(None, "127.0.0.1")]


def test_two_senders_of_one_source_are_one_sender_to_the_alert(tmp_path: Path) -> None:
    secrets = "one:test-secret-one,two:test-secret-two"
    stand = make_stand(sqlite_url(tmp_path), OPEN_WEBHOOKS="false", ALERTMANAGER_TOKENS=secrets)
    client = create_app(stand).test_client()
    for secret in ("test-secret-one", "test-secret-two"):
        header = {"Authorization": f"Bearer {secret}"}
        client.post(AM, json=notification(alert()), headers=header)
    assert sent_by(stand) == [("one", "127.0.0.1"), ("two", "127.0.0.1")]
    assert rows(stand, schema.alerts) == 1
    assert stand.enqueued == ["api.out.1"]
