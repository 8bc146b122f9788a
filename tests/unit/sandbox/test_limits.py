"""The vendors' rate limits, with time moved by hand."""

from __future__ import annotations

from typing import Any

from tests.unit.sandbox.support import APP, PROJECT, START, Sandbox

GET_APP = ("GET", f"/digitalocean/v2/apps/{APP}")


def limited() -> Sandbox:
    return Sandbox(rate_limits=True)


def test_digitalocean_takes_250_calls_a_minute_and_says_when_to_retry() -> None:
    sandbox = limited()
    assert {sandbox.call(*GET_APP).status_code for _ in range(250)} == {200}
    refused = sandbox.call(*GET_APP)
    assert refused.status_code == 429
    assert (refused.json or {})["id"] == "too_many_requests"
    assert (refused.headers["retry-after"], refused.headers["ratelimit-remaining"]) == ("60", "0")
    sandbox.clock.pass_by(60)
    assert sandbox.call(*GET_APP).status_code == 200


def test_digitalocean_takes_5000_calls_an_hour_and_then_names_no_retry() -> None:
    sandbox = limited()
    for _ in range(20):
        for _ in range(250):
            sandbox.call(*GET_APP)
        sandbox.clock.pass_by(60)
    refused = sandbox.call(*GET_APP)
    assert refused.status_code == 429
    assert refused.headers["ratelimit-remaining"] == "0"
    assert refused.headers["ratelimit-reset"] == str(int(START) + 3600)
    assert "retry-after" not in refused.headers


def test_each_token_has_its_own_limit_and_every_answer_says_what_is_left() -> None:
    sandbox = limited()
    headers = sandbox.call(*GET_APP).headers
    assert (headers["ratelimit-limit"], headers["ratelimit-remaining"]) == ("5000", "4999")
    other = sandbox.call(*GET_APP, token="test-other-not-real").headers
    assert other["ratelimit-remaining"] == "4999"


def test_supabase_takes_120_calls_a_minute() -> None:
    sandbox, path = limited(), f"/supabase/v1/projects/{PROJECT}"
    seen = [sandbox.call("GET", path).status_code for _ in range(121)]
    assert (seen.count(200), seen[-1]) == (120, 429)
    refused = sandbox.call("GET", path)
    assert refused.headers["X-RateLimit-Reset"] == "60"
    assert set(refused.json or {}) == {"message"}


def test_slack_takes_a_burst_for_a_channel_then_one_message_a_second() -> None:
    sandbox = limited()

    def post(channel: str = "#ops") -> Any:
        body = {"channel": channel, "text": "x"}
        return sandbox.call("POST", "/slack/api/chat.postMessage", body)

    seen = [post().status_code for _ in range(11)]
    assert (seen.count(200), seen[-1]) == (10, 429)
    refused = post()
    assert refused.json == {"ok": False, "error": "ratelimited"}
    assert int(refused.headers["Retry-After"]) == 10
    assert post("#other").status_code == 200
    sandbox.clock.pass_by(10)
    assert post().status_code == 200
    assert len(sandbox.state()["slack"]["messages"]) == 12


def test_pagerduty_takes_120_events_a_minute_for_a_key() -> None:
    sandbox = limited()
    event = {
        "routing_key": "test-routing-key-of-32-character",
        "event_action": "resolve",
        "dedup_key": "k",
    }
    seen = [sandbox.call("POST", "/pagerduty/v2/enqueue", event).status_code for _ in range(121)]
    assert (seen.count(202), seen[-1]) == (120, 429)


def test_turned_off_there_are_no_limits() -> None:
    sandbox = Sandbox(rate_limits=False)
    assert {sandbox.call(*GET_APP).status_code for _ in range(300)} == {200}


def test_a_refused_call_is_recorded_as_one_that_did_not_act() -> None:
    sandbox = limited()
    for _ in range(251):
        sandbox.call(*GET_APP)
    last = sandbox.calls()[-1]
    assert (last["status"], last["acted"]) == (429, False)
