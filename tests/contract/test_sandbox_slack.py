"""Slack's own SDK against the sandbox, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from tests.unit.sandbox.support import TOKEN, Served, served


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served() as one:
        yield one


def client(sandbox: Served, token: str = TOKEN) -> WebClient:
    return WebClient(token, base_url=f"{sandbox.url}/slack/api/")


SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "api *2 → 3*"}}


def test_the_sdk_tells_a_story_in_a_thread_and_edits_its_beginning(sandbox: Served) -> None:
    slack = client(sandbox)
    assert slack.auth_test()["user"] == "runbookd"
    parent = slack.chat_postMessage(channel="#ops", text="api 2 → 3", blocks=[SECTION])
    slack.chat_postMessage(
        channel=parent["channel"], text="deployment active", thread_ts=parent["ts"]
    )
    slack.chat_update(channel=parent["channel"], ts=parent["ts"], text="api 2 → 3: done")
    slack.reactions_add(channel=parent["channel"], timestamp=parent["ts"], name="ok_hand")
    first, second = sandbox.state()["slack"]["messages"]
    assert (first["text"], first["edited"], first["channel_name"]) == (
        "api 2 → 3: done",
        True,
        "ops",
    )
    assert (second["thread_ts"], second["edited"]) == (parent["ts"], False)
    assert [call["path"] for call in sandbox.calls()][:2] == [
        "/api/auth.test",
        "/api/chat.postMessage",
    ]


def test_the_sdk_raises_what_slack_refuses(sandbox: Served) -> None:
    for channel, blocks, error in (
        ("#ops", [SECTION] * 51, "invalid_blocks"),
        ("No Such Channel", [SECTION], "channel_not_found"),
    ):
        with pytest.raises(SlackApiError) as refused:
            client(sandbox).chat_postMessage(channel=channel, text="x", blocks=blocks)
        assert refused.value.response["error"] == error
    with pytest.raises(SlackApiError, match="not_authed"):
        client(sandbox, token="").auth_test()


def test_the_sdk_waits_out_a_rate_limit_when_it_is_told_to(sandbox: Served) -> None:
    slack = client(sandbox)
    slack.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    sandbox.fault(
        vendor="slack",
        path="/api/chat.postMessage",
        status=429,
        headers={"Retry-After": "0"},
        body={"ok": False, "error": "ratelimited"},
    )
    assert slack.chat_postMessage(channel="#ops", text="hello")["ok"]
    assert [call["status"] for call in sandbox.calls()] == [429, 200]
