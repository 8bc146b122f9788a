"""People press buttons in Slack: forged, late, twice, and after somebody else has decided."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from service.domain.decisions.approval import Approval
from service.domain.decisions.planning import Plan
from service.domain.slack import signature_of
from service.messages import approvals as messages
from service.messages.announcements import announced, finished
from service.ports import MessageRef
from service.ports.runs import Outcome
from service.providers.slack import SlackMessenger
from service.sandbox.server import make_server
from service.store.approvals import ApprovalStore
from service.store.bell import bell_of
from tests.operators import RUN, TOKENS, Operators
from tests.unit.sandbox.support import TOKEN, Served, served

SECRET = "signing-secret-not-real-0123456789"
PEOPLE = "U0PAUL=paul:approver,U0OLGA=olga:operator,U0VERA=vera:viewer"
PLAN = Plan("replicas", "2", "3", ("update_app",), {"after": {}}, 24.0, 36.0, "No downtime.")


class Desk:
    """A service whose buttons are pressed in the sandbox's Slack, with a plan that waits."""

    def __init__(self, url: str, sandbox: Served) -> None:
        self.sandbox = sandbox
        self.operators = Operators(
            url,
            TOKENS,
            SLACK_SIGNING_SECRET=SECRET,
            SLACK_PEOPLE=PEOPLE,
            SANDBOX_URL=sandbox.url,
        )
        self.messenger = SlackMessenger(
            token=TOKEN, channel="#ops", base_url=f"{sandbox.url}/slack/api/", buttons=True
        )
        stand = self.operators.stand
        self.store = ApprovalStore(stand.engine, self.operators.enqueue, bell_of(stand.engine))

    def ask(self) -> tuple[str, MessageRef]:
        """A plan that waits, and the message that asks for it."""
        _, made = self.operators.post("olga", "/runs", RUN)
        stored = self.operators.runs.get(made["id"])
        assert stored is not None
        now = time.time()
        approval = self.store.ask(stored.request, PLAN, "it is dear", Approval(), now)
        assert approval is not None
        asked = messages.asked(stored.request, PLAN, "it is dear", approval, now + 900, now)
        return approval, self.messenger.post(asked)

    def press(self, ref: MessageRef, action: str, user: str) -> dict[str, Any]:
        body = {"message": ref.ts, "action_id": action, "user": user}
        answer = httpx.post(f"{self.sandbox.url}/_sandbox/slack/press", json=body, timeout=30)
        said: dict[str, Any] = answer.json()
        assert answer.status_code == 200, said
        return said

    def answers(self, count: int) -> list[dict[str, Any]]:
        """What was answered to presses, once there are that many answers."""
        until = time.monotonic() + 30
        while True:
            found = [
                each for each in self.sandbox.state()["slack"]["messages"] if not each["blocks"]
            ]
            if len(found) >= count or time.monotonic() > until:
                return found
            time.sleep(0.01)

    def state(self, approval: str) -> tuple[str, str | None]:
        asking = self.store.get(approval)
        assert asking is not None
        return asking.state, asking.decided_by

    def send(self, body: bytes, **headers: str) -> Any:
        return self.operators.client.post(
            "/slack/interactions",
            data=body,
            content_type="application/x-www-form-urlencoded",
            headers=headers,
        )


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    made: list[Desk] = []

    def app(environ: Any, start: Any) -> Any:
        return made[0].operators.app(environ, start)

    server = make_server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        to = f"http://127.0.0.1:{server.port}"
        with served(slack_signing_secret=SECRET, slack_requests_to=to) as sandbox:
            made.append(Desk(database_url, sandbox))
            yield made[0]
            made[0].operators.stand.engine.dispose()
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


@pytest.mark.parametrize(("action", "state"), [("approve", "approved"), ("reject", "rejected")])
def test_a_press_decides_what_waits_and_the_message_then_says_who(
    desk: Desk, action: str, state: str
) -> None:
    approval, ref = desk.ask()
    assert desk.press(ref, action, "U0PAUL")["status"] == 200
    assert desk.state(approval) == (state, "paul")
    (answered,) = desk.answers(1)
    assert answered["text"].startswith(f"Approval {approval} is {state} by you.")
    assert answered["ephemeral"]
    record = desk.operators.audit()[0]
    assert (record["who"], record["via"], record["address"]) == ("paul", "slack", "U0PAUL")
    assert (record["verb"], record["subject"]) == (state, approval)
    (asking,) = desk.store.untold()
    desk.messenger.update(ref, messages.decided(asking, time.time()))
    message = desk.sandbox.state()["slack"]["messages"][0]
    assert message["text"].startswith(f"{state.capitalize()}: api: ")
    assert f"{state.capitalize()} by paul" in message["text"]
    assert all(block["type"] != "actions" for block in message["blocks"])


def test_a_button_that_is_pressed_twice_decides_once(desk: Desk) -> None:
    approval, ref = desk.ask()
    desk.press(ref, "approve", "U0PAUL")
    queued = list(desk.operators.stand.enqueued)
    desk.press(ref, "reject", "U0PAUL")
    assert desk.state(approval) == ("approved", "paul")
    assert desk.operators.stand.enqueued == queued
    assert desk.answers(2)[1]["text"] == f"Approval {approval} is approved already, by paul."


def test_whoever_decides_first_in_the_terminal_has_decided(desk: Desk) -> None:
    approval, ref = desk.ask()
    assert desk.operators.post("ada", f"/approvals/{approval}/reject", {})[0] == 200
    desk.press(ref, "approve", "U0PAUL")
    assert desk.state(approval) == ("rejected", "ada")
    assert desk.answers(1)[0]["text"] == f"Approval {approval} is rejected already, by ada."


def test_whoever_lacks_the_role_or_is_not_known_does_nothing_and_is_told(desk: Desk) -> None:
    approval, ref = desk.ask()
    desk.press(ref, "approve", "U0VERA")
    desk.press(ref, "approve", "U0NOBODY")
    assert desk.state(approval)[0] == "waiting"
    first, second = sorted(each["text"] for each in desk.answers(2))[::-1]
    assert first.startswith("vera may not decide on this; it wants approver")
    assert "Set SLACK_PEOPLE to name you, such as U0NOBODY=anna:approver" in second
    assert [each["outcome"] for each in desk.operators.audit()[:2]] == ["unauthorized", "forbidden"]


def payload_for(approval: str, ref: MessageRef) -> bytes:
    action = {"action_id": "approve", "value": f"{approval} "}
    press = {"type": "block_actions", "user": {"id": "U0PAUL"}, "actions": [action]}
    return urlencode(
        {"payload": json.dumps(press | {"container": {"message_ts": ref.ts}})}
    ).encode()


def signed(body: bytes, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    timestamp = str(int(time.time() if at is None else at))
    return {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature_of(secret, timestamp, body),
    }


def test_a_signature_that_is_forged_old_missing_or_of_another_body_does_nothing(desk: Desk) -> None:
    approval, ref = desk.ask()
    body = payload_for(approval, ref)
    right = signed(body)
    for headers, said in (
        ({}, "no signature"),
        (signed(body, secret="another-secret-not-real"), "not the one of this body"),
        (signed(b"payload=other"), "not the one of this body"),
        (signed(body, at=time.time() - 301), "older than five minutes"),
        (signed(body, at=time.time() + 302), "older than five minutes"),
        ({**right, "X-Slack-Request-Timestamp": "soon"}, "not a number of seconds"),
        ({**right, "X-Slack-Signature": "v0=\xff"}, "not the one of this body"),
    ):
        answer = desk.send(body, **headers)
        assert (answer.status_code, said in answer.json["error"]) == (401, True), answer.json
    assert desk.state(approval)[0] == "waiting"
    assert desk.send(body, **right).status_code == 200
    assert desk.state(approval) == ("approved", "paul")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"payload=not-json",
        b"payload=" + b"%5B" * 10_000,
        urlencode({"payload": json.dumps({"type": "view_submission"})}).encode(),
        urlencode({"payload": json.dumps({"type": "block_actions", "user": 7})}).encode(),
        urlencode(
            {"payload": json.dumps({"type": "block_actions", "user": {"id": "U"}, "actions": []})}
        ).encode(),
        "&".join(f"f{number}=1" for number in range(1_000)).encode(),
    ],
)
def test_a_signed_body_that_is_no_press_is_refused_with_a_sentence(desk: Desk, body: bytes) -> None:
    answer = desk.send(body, **signed(body))
    assert answer.status_code == 400
    assert answer.json["error"].startswith(("The body is no form", "The payload is no press"))


def test_a_huge_body_is_refused_before_it_is_read(desk: Desk) -> None:
    body = b"payload=" + b"x" * 100_000
    assert desk.send(body, **signed(body)).status_code == 413


def test_a_press_is_not_answered_at_an_address_that_is_not_slacks(desk: Desk) -> None:
    approval, ref = desk.ask()
    action = {"action_id": "approve", "value": approval}
    press = {"type": "block_actions", "user": {"id": "U0PAUL"}, "actions": [action]}
    press["response_url"] = "http://127.0.0.1:1/elsewhere"
    body = urlencode({"payload": json.dumps(press)}).encode()
    assert desk.send(body, **signed(body)).status_code == 200
    assert desk.state(approval) == ("approved", "paul")
    assert desk.sandbox.state()["slack"]["messages"][0]["ts"] == ref.ts


def test_a_target_is_paused_by_a_button_once_and_everybody_is_told_in_the_thread(
    desk: Desk,
) -> None:
    _, made = desk.operators.post("olga", "/runs", RUN)
    stored = desk.operators.runs.get(made["id"])
    assert stored is not None
    ref = desk.messenger.post(announced(stored.request, PLAN))
    desk.press(ref, "pause", "U0PAUL")
    assert desk.operators.ask("ada", "GET", "/pauses")[1]["items"] == []
    desk.press(ref, "pause", "U0OLGA")
    desk.press(ref, "pause", "U0OLGA")
    (pause,) = desk.operators.ask("ada", "GET", "/pauses")[1]["items"]
    assert (pause["target"], pause["by"]) == ("api", "olga")
    refused, paused, again = sorted(desk.answers(3), key=lambda each: each["text"])[::-1]
    assert refused["text"].startswith("paul needs the role operator"), refused
    assert paused["text"].startswith("olga has paused api for 1h. `runbookd resume api`"), paused
    assert (paused["thread_ts"], paused["ephemeral"]) == (ref.ts, False)
    assert again["text"].startswith("api is paused already, by olga"), again
    assert (again["thread_ts"], again["ephemeral"]) == (None, True)


def test_the_undo_of_a_run_is_asked_for_once_however_often_it_is_pressed(desk: Desk) -> None:
    _, made = desk.operators.post("olga", "/runs", RUN)
    runs, now = desk.operators.runs, time.time()
    changed = {"after": {"instance_count": 5}, "planned_from": {"instance_count": 2}}
    runs.set_plan(made["id"], replace(PLAN, after="5", wanted=changed))
    runs.conclude(made["id"], Outcome("succeeded", "verified", now), now)
    stored = runs.get(made["id"])
    assert stored is not None
    ref = desk.messenger.post(finished(stored.request, PLAN, 3.0))
    before = len(desk.operators.stand.enqueued)
    desk.press(ref, "undo", "U0OLGA")
    desk.press(ref, "undo", "U0OLGA")
    told = sorted(each["text"] for each in desk.answers(2))
    assert len(desk.operators.stand.enqueued) == before + 1, told
    assert told[0].startswith(f"The undo of run {made['id']} was asked for already, by olga")
    assert told[1].startswith(f"olga has asked for the undo of run {made['id']}: run api.person.2")


def test_a_slash_command_pauses_shows_explains_and_resumes(desk: Desk) -> None:
    def type_(text: str, user: str = "U0OLGA") -> str:
        body = {"text": text, "user": user}
        answer = httpx.post(f"{desk.sandbox.url}/_sandbox/slack/command", json=body, timeout=30)
        sent = answer.json()
        assert sent["status"] == 200, sent
        said = json.loads(sent["body"])
        assert said["response_type"] == "ephemeral"
        text_: str = said["text"]
        return text_

    _, made = desk.operators.post("olga", "/runs", RUN)
    assert type_("pause api 1h the vendor is down").startswith("api is paused for 1h.")
    (pause,) = desk.operators.ask("ada", "GET", "/pauses")[1]["items"]
    assert (pause["by"], pause["why"]) == ("olga", "the vendor is down")
    assert "paused by olga: the vendor is down" in type_("status")
    assert made["id"] in type_(f"why {made['id']}")
    assert type_("why nothing-of-that-name").startswith("There is no alert, decision or run")
    assert type_("resume api", "U0VERA").startswith("vera needs the role operator")
    assert type_("resume api").startswith("api is not paused any more")
    assert desk.operators.ask("ada", "GET", "/pauses")[1]["items"] == []
    for wrong in ("destroy api", "pause api 1h", "why"):
        assert type_(wrong).startswith("Type `/runbook status`")
    assert "Set SLACK_PEOPLE" in type_("status", "U0NOBODY")


def test_a_command_with_a_forged_signature_does_nothing(desk: Desk) -> None:
    body = urlencode({"user_id": "U0OLGA", "text": "pause api 1h why"}).encode()
    answer = desk.operators.client.post(
        "/slack/commands", data=body, headers=signed(body, secret="another-secret-not-real")
    )
    assert answer.status_code == 401
    assert desk.operators.ask("ada", "GET", "/pauses")[1]["items"] == []
