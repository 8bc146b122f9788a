"""Slack's Web API: messages, threads, edits and every limit a message can break."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.support import TOKEN, Sandbox


def api(sandbox: Sandbox, method: str, token: str | None = TOKEN, **body: Any) -> Any:
    answer = sandbox.call("POST", f"/slack/api/{method}", body, token=token)
    assert answer.status_code == 200
    return answer.json


def post(sandbox: Sandbox, **body: Any) -> Any:
    return api(sandbox, "chat.postMessage", **({"channel": "#ops", "text": "hello"} | body))


def section(text: str = "words") -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(label: str = "Approve", value: str = "1") -> dict[str, Any]:
    text = {"type": "plain_text", "text": label}
    element = {"type": "button", "action_id": "a", "text": text, "value": value}
    return {"type": "actions", "elements": [element]}


def header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def test_a_message_its_thread_and_its_edit_are_kept() -> None:
    sandbox = Sandbox()
    first = post(sandbox, text="scaling", blocks=[section("scaling")])
    reply = post(sandbox, text="deploying", thread_ts=first["ts"])
    done = api(sandbox, "chat.update", channel=first["channel"], ts=first["ts"], text="scaled")
    assert done["ok"]
    parent, child = sandbox.state()["slack"]["messages"]
    assert (parent["text"], parent["edited"], parent["thread_ts"]) == ("scaled", True, None)
    assert (child["text"], child["edited"], child["thread_ts"]) == ("deploying", False, first["ts"])
    assert reply["channel"] == first["channel"]
    assert child["ts"] != parent["ts"]


def test_messages_of_one_instant_have_each_their_own_timestamp() -> None:
    sandbox = Sandbox()
    stamps = [post(sandbox)["ts"] for _ in range(50)]
    assert len(set(stamps)) == 50
    assert stamps == sorted(stamps)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"channel": ""}, "channel_not_found"),
        ({"channel": "No Such Channel"}, "channel_not_found"),
        ({"text": ""}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"blocks": [section()] * 51}, "invalid_blocks"),
        ({"blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ({"blocks": [section("")]}, "invalid_blocks"),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "poem"}]}, "invalid_blocks"),
        ({"blocks": [header("x" * 151)]}, "invalid_blocks"),
        ({"blocks": [button("x" * 76)]}, "invalid_blocks"),
        ({"blocks": [button(value="x" * 2001)]}, "invalid_blocks"),
        ({"blocks": [{"type": "context", "elements": []}]}, "invalid_blocks"),
        ({"blocks": "[{"}, "invalid_blocks_format"),
        ({"thread_ts": "yesterday"}, "invalid_thread_ts"),
    ],
)
def test_what_slack_would_refuse_is_refused_and_not_shown(
    wrong: dict[str, Any], error: str
) -> None:
    sandbox = Sandbox()
    answer = post(sandbox, **wrong)
    assert (answer["ok"], answer["error"]) == (False, error)
    assert sandbox.state()["slack"]["messages"] == []
    assert sandbox.calls()[-1]["acted"] is False


def test_text_that_is_not_verbatim_is_looked_through_for_mentions_and_addresses() -> None:
    sandbox = Sandbox()
    text = "<!here> @channel #ops http://a.example/?x=1&amp;y <https://b.example|b> &lt;@U1&gt;"
    for verbatim in (False, True):
        block = section(text)
        block["text"]["verbatim"] = verbatim
        post(sandbox, blocks=[block])
    parsed, literal = sandbox.state()["slack"]["messages"]
    assert sorted(parsed["mentions"]) == ["!here", "#ops", "@channel"]
    assert sorted(parsed["links"]) == ["http://a.example/?x=1&y", "https://b.example"]
    assert (literal["mentions"], literal["links"]) == (["!here"], ["https://b.example"])


def test_blocks_up_to_the_limits_are_taken() -> None:
    blocks = [section("x" * 3000), header("x" * 150), button("x" * 75, "x" * 2000)]
    assert post(Sandbox(), blocks=blocks + [section()] * 47)["ok"]


def test_without_a_token_nothing_works() -> None:
    sandbox = Sandbox()
    for method in ("auth.test", "chat.postMessage"):
        assert api(sandbox, method, token=None)["error"] == "not_authed"
    assert api(sandbox, "auth.test")["ok"]


def test_what_was_never_posted_cannot_be_edited() -> None:
    sandbox = Sandbox()
    answer = api(sandbox, "chat.update", channel="#ops", ts="1.000000", text="x")
    assert answer["error"] == "message_not_found"
    assert api(sandbox, "chat.explode")["error"] == "unknown_method"


def test_a_reaction_is_added_once() -> None:
    sandbox = Sandbox()
    sent = post(sandbox)
    at = {"channel": sent["channel"], "timestamp": sent["ts"], "name": "eyes"}
    assert api(sandbox, "reactions.add", **at)["ok"]
    assert api(sandbox, "reactions.add", **at)["error"] == "already_reacted"
    assert sandbox.state()["slack"]["messages"][0]["reactions"] == ["eyes"]


def test_channels_that_exist_and_those_that_the_bot_is_in_can_be_ordered() -> None:
    sandbox = Sandbox()
    wanted = {"channels": ["ops", "#dev"], "member_of": ["#ops"]}
    set_ = sandbox.call("POST", "/_sandbox/slack", wanted)
    assert set_.json == {"channels": ["dev", "ops"], "member_of": ["ops"]}
    assert post(sandbox, channel="#nowhere")["error"] == "channel_not_found"
    assert post(sandbox, channel="dev")["error"] == "not_in_channel"
    posted = post(sandbox, channel="#ops")
    assert post(sandbox, channel=posted["channel"], thread_ts=posted["ts"])["ok"]
    sandbox.call("POST", "/_sandbox/slack", {"channels": None, "member_of": None})
    assert post(sandbox, channel="#nowhere")["ok"]


@pytest.mark.parametrize("body", [{}, [], {"rooms": []}, {"channels": "ops"}, {"channels": [""]}])
def test_channels_that_make_no_sense_are_refused(body: Any) -> None:
    answer = Sandbox().call("POST", "/_sandbox/slack", body)
    assert answer.status_code == 422


def test_blocks_of_more_than_twelve_thousand_characters_together_are_refused() -> None:
    sandbox = Sandbox()
    assert post(sandbox, blocks=[section("x" * 3_000)] * 4)["ok"]
    refused = post(sandbox, blocks=[*[section("x" * 3_000)] * 4, section("x")])
    assert refused["error"] == "msg_blocks_too_long"
