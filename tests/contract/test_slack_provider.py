from __future__ import annotations

import httpx
import pytest

from service.domain.errors import FailureKind, VendorError
from service.ports import Message, MessageRef
from service.ports.messenger import in_channel
from service.providers.slack import SlackMessenger
from tests.contract.loopback import Loopback
from tests.unit.sandbox.support import served

MESSAGE = Message(title="Scaling api", text="2 → 3 <!channel>", fields=[("CPU", "91 %")])


def provider(vendor: Loopback) -> SlackMessenger:
    return SlackMessenger(
        token="test-token-not-real", channel="C1", base_url=f"{vendor.url}/slack/api/"
    )


def test_a_post_gives_back_where_it_is(vendor: Loopback) -> None:
    vendor.answers(200, {"ok": True, "channel": "C9", "ts": "17.5"})

    assert provider(vendor).post(MESSAGE) == MessageRef("C9", "17.5")

    sent = vendor.seen[0]
    assert (sent.method, sent.path) == ("POST", "/slack/api/chat.postMessage")
    assert sent.json["channel"] == "C1"
    assert sent.json["text"] == "Scaling api: 2 → 3 &lt;!channel&gt;"
    assert "thread_ts" not in sent.json
    assert [block["type"] for block in sent.json["blocks"]] == ["header", "section", "section"]


def test_an_answer_goes_into_the_thread_and_channel_of_its_parent(vendor: Loopback) -> None:
    vendor.answers(200, {"ok": True, "channel": "C9", "ts": "18.0"})

    provider(vendor).post(MESSAGE, MessageRef("C9", "17.5"))

    assert (vendor.seen[0].json["channel"], vendor.seen[0].json["thread_ts"]) == ("C9", "17.5")


def test_a_message_for_another_channel_goes_there_and_into_no_thread(vendor: Loopback) -> None:
    vendor.answers(200, {"ok": True, "channel": "C9", "ts": "18.0"})

    provider(vendor).post(MESSAGE, in_channel("#web"))

    assert vendor.seen[0].json["channel"] == "#web"
    assert "thread_ts" not in vendor.seen[0].json


HOSTILE = (
    "<!channel> <!here|here> <@U123> <#C123> <!subteam^S1> @channel @here @everyone #general "
    "http://attacker.example <https://attacker.example|log in>"
)


def test_the_text_of_a_stranger_mentions_nobody_and_links_nowhere() -> None:
    message = Message(
        HOSTILE, HOSTILE, [(HOSTILE, HOSTILE)], HOSTILE, [("https://wiki.example/1", HOSTILE)]
    )
    with served() as sandbox:
        url = f"{sandbox.url}/slack/api/"
        slack = SlackMessenger(token="test-token-not-real", channel="#ops", base_url=url)
        ref = slack.post(message)
        slack.update(ref, message)

        (shown,) = sandbox.state()["slack"]["messages"]
    assert shown["mentions"] == []
    assert shown["links"] == ["https://wiki.example/1"]


def test_an_edit_replaces_the_message(vendor: Loopback) -> None:
    vendor.answers(200, {"ok": True, "channel": "C9", "ts": "17.5"})

    provider(vendor).update(MessageRef("C9", "17.5"), MESSAGE)

    sent = vendor.seen[0]
    assert sent.path == "/slack/api/chat.update"
    assert (sent.json["channel"], sent.json["ts"]) == ("C9", "17.5")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("channel_not_found", FailureKind.PERMANENT),
        ("invalid_auth", FailureKind.PERMANENT),
        ("ratelimited", FailureKind.TEMPORARY),
        ("internal_error", FailureKind.TEMPORARY),
        ("fatal_error", FailureKind.TEMPORARY),
    ],
)
def test_an_ok_that_is_false_is_told_apart_by_its_code(
    vendor: Loopback, code: str, kind: FailureKind
) -> None:
    vendor.answers(200, {"ok": False, "error": code})

    with pytest.raises(VendorError) as caught:
        provider(vendor).post(MESSAGE)

    assert caught.value.kind is kind
    assert code in caught.value.sentence
    assert len(vendor.seen) == 1


def test_a_bad_token_names_its_setting_though_slack_says_200(vendor: Loopback) -> None:
    vendor.answers(200, {"ok": False, "error": "invalid_auth"})

    with pytest.raises(VendorError) as caught:
        provider(vendor).post(MESSAGE)

    assert "SLACK_BOT_TOKEN" in caught.value.sentence


@pytest.mark.parametrize("code", ["msg_blocks_too_long", "invalid_blocks", "msg_too_long"])
def test_a_message_whose_form_is_refused_is_sent_once_more_as_plain_text(
    vendor: Loopback, code: str
) -> None:
    vendor.answers(200, {"ok": False, "error": code})
    vendor.answers(200, {"ok": True, "channel": "C9", "ts": "17.5"})

    assert provider(vendor).post(MESSAGE) == MessageRef("C9", "17.5")

    first, second = vendor.seen
    assert first.json["blocks"]
    assert second.json["blocks"] == []
    assert second.json["text"] == "Scaling api: 2 → 3 &lt;!channel&gt;"


def test_a_message_that_is_refused_as_plain_text_too_is_refused_for_good(vendor: Loopback) -> None:
    for _ in range(2):
        vendor.answers(200, {"ok": False, "error": "msg_too_long"})
    with pytest.raises(VendorError) as refused:
        provider(vendor).update(MessageRef("C9", "17.5"), MESSAGE)
    assert type(refused.value) is VendorError
    assert refused.value.kind is FailureKind.PERMANENT
    assert len(vendor.seen) == 2


def test_the_longest_message_that_can_be_made_is_taken() -> None:
    fields = [("label " * 30, "<" * 5_000) for _ in range(600)]
    links = [(f"https://wiki.example/{number}", "w" * 300) for number in range(40)]
    with served() as sandbox:
        url = f"{sandbox.url}/slack/api/"
        slack = SlackMessenger(token="test-token-not-real", channel="#ops", base_url=url)
        slack.post(Message("t" * 500, "x&" * 5_000, fields, "c" * 5_000, links))
        (shown,) = sandbox.state()["slack"]["messages"]
    assert shown["blocks"]


def test_the_channels_of_the_bot_are_listed_page_by_page() -> None:
    names = [f"team-{number:03}" for number in range(450)]
    with served() as sandbox:
        httpx.post(f"{sandbox.url}/_sandbox/slack", json={"member_of": names}).raise_for_status()
        slack = SlackMessenger(
            token="test-token-not-real", channel="#ops", base_url=f"{sandbox.url}/slack/api/"
        )
        found = slack.channels_of(["public_channel", "private_channel"])
        assert len([each for each in sandbox.calls() if "users.conversations" in each["path"]]) == 3
    assert {f"#{name}" for name in names} <= found
    assert len([each for each in found if each.startswith("C")]) == 450


def test_a_list_of_channels_that_never_ends_is_asked_for_ten_times(vendor: Loopback) -> None:
    page = {"ok": True, "channels": [], "response_metadata": {"next_cursor": "more"}}
    for _ in range(11):
        vendor.answers(200, page)
    assert provider(vendor).channels_of(["public_channel"]) == frozenset()
    assert len(vendor.seen) == 10


def test_a_list_of_channels_that_the_token_may_not_have_names_the_scope() -> None:
    with served() as sandbox:
        tokens = {"slack": {"test-token-not-real": ["chat:write", "channels:read"]}}
        httpx.post(f"{sandbox.url}/_sandbox/tokens", json=tokens).raise_for_status()
        slack = SlackMessenger(
            token="test-token-not-real", channel="#ops", base_url=f"{sandbox.url}/slack/api/"
        )
        assert slack.channels_of(["public_channel"]) == frozenset()
        with pytest.raises(VendorError, match="groups:read"):
            slack.channels_of(["public_channel", "private_channel"])
