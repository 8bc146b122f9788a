from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.domain.text import cut
from service.ports import Message
from service.providers.slack_blocks import SUM_LIMIT, blocks
from service.providers.text import slack_text


def literal(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def test_a_message_is_header_text_fields_and_a_last_line() -> None:
    message = Message("Scaling api", "2 → 3", [("CPU", "91 %"), ("Rule", "high-cpu")], "run api.1")

    assert blocks(message) == [
        {"type": "header", "text": {"type": "plain_text", "text": "Scaling api", "emoji": False}},
        {"type": "section", "text": literal("2 → 3")},
        {
            "type": "section",
            "fields": [
                literal("*CPU*\n91 %"),
                literal("*Rule*\nhigh-cpu"),
            ],
        },
        {"type": "context", "elements": [literal("run api.1")]},
    ]


def test_what_is_empty_has_no_block() -> None:
    assert [one["type"] for one in blocks(Message("t", " "))] == ["header"]


def test_fields_come_by_ten_and_the_rest_is_counted() -> None:
    few = blocks(Message("t", "", [("k", "v")] * 11))
    many = blocks(Message("t", "x", [("k", "v")] * 600, "c"))

    assert [len(one["fields"]) for one in few[1:]] == [10, 1]
    assert len(many) == 49
    shown = sum(len(one.get("fields", ())) for one in many)
    assert many[-2]["elements"][0]["text"] == f"{600 - shown} more not shown"


def test_a_mention_and_a_link_in_a_label_are_only_text() -> None:
    found = json.dumps(blocks(Message("t", "<!channel>", [("<@U1>", "<http://x|y> & z")])))

    assert "<!" not in found
    assert "<@" not in found
    assert "&lt;http://x|y&gt; &amp; z" in found


def test_only_the_links_of_a_message_can_be_clicked_and_each_shows_where_it_leads() -> None:
    pairs = [
        ("https://wiki.example/a?b=1&c=<x>|y z", "the\nrunbook <!here>"),
        ("https://wiki.example/" + "x" * 3000, "too long"),
        ("https://wiki.example/ü\u202e", "odd"),
        ("javascript:alert(1)", "no web address"),
    ]

    (context,) = blocks(Message("", "", links=pairs))

    assert context["type"] == "context"
    assert context["elements"] == [
        literal(
            "the runbook &lt;!here&gt;: <https://wiki.example/a?b=1&amp;c=%3Cx%3E%7Cy%20z>\n"
            "odd: <https://wiki.example/%C3%BC%E2%80%AE>"
        )
    ]


def test_links_that_do_not_fit_are_left_out_whole() -> None:
    many = [(f"https://wiki.example/{number:04}", "w" * 100) for number in range(100)]

    (context,) = blocks(Message("", "", links=many))

    text = context["elements"][0]["text"]
    assert len(text) <= 3000
    assert text.count("<") == text.count(">") > 10


def test_all_blocks_together_are_cut_to_what_slack_takes_the_longest_first() -> None:
    fields = [("short", "kept"), *[(f"k{number}", "v" * 1_900) for number in range(8)]]
    shown = blocks(Message("title", "t" * 2_900, fields, "last line"))
    texts = _texts(shown)
    assert SUM_LIMIT - 100 < sum(map(len, texts)) <= SUM_LIMIT
    assert "*short*\nkept" in texts
    assert texts[-2:] == ["last line", "Cut to what Slack takes."]
    longest = max(map(len, texts))
    assert [len(text) for text in texts].count(longest) == 9


def test_links_are_never_cut_for_the_sum() -> None:
    links = [(f"https://wiki.example/{number}", "w" * 150) for number in range(15)]
    texts = _texts(blocks(Message("t", "t" * 3_000, [("k", "v" * 1_900)] * 5, "", links)))
    (shown,) = [text for text in texts if "wiki.example" in text]
    assert shown.count("<https://wiki.example/") == 15
    assert shown.endswith(">")


def test_a_title_shows_what_would_turn_or_hide_it() -> None:
    (header,) = blocks(Message("api\u202e4321\n\x07ok\u200b", ""))

    assert header["text"]["text"] == "api\\u202e4321 \\u0007ok\\u200b"


def test_a_cut_ends_in_an_ellipsis_and_never_within_an_escape() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert cut("abcd", 4) == "abcd"
    assert slack_text("aaaa&&", 10) == "aaaa&amp;…"
    assert slack_text("aaaa<b", 8) == "aaaa…"


@given(
    st.text(alphabet=st.sampled_from("ab&<>\n "), max_size=4000),
    st.lists(st.tuples(st.text(max_size=300), st.text(max_size=3000)), max_size=12),
)
def test_no_text_breaks_a_limit(text: str, fields: list[tuple[str, str]]) -> None:
    for block in blocks(Message(text, text, fields, text)):
        if block["type"] == "header":
            assert 0 < len(block["text"]["text"]) <= 150
        elif "fields" in block:
            assert all(0 < len(one["text"]) <= 2000 for one in block["fields"])
        else:
            inner = block.get("text") or block["elements"][0]
            assert 0 < len(inner["text"]) <= 3000
            assert not any(sign in inner["text"] for sign in "<>")


def _texts(shown: list[dict[str, Any]]) -> list[str]:
    return [
        text["text"]
        for block in shown
        for text in [
            *([block["text"]] if "text" in block else []),
            *block.get("fields", []),
            *block.get("elements", []),
        ]
    ]
