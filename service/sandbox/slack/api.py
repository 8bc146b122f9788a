"""The methods of Slack's Web API that a bot needs: post, answer in a thread, edit, react."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from service.sandbox.core.routes import Route
from service.sandbox.core.tokens import Scopes, Tokens
from service.sandbox.core.wire import Answer, Call, Json, Refusal, as_object
from service.sandbox.slack import blocks as slack_blocks
from service.sandbox.slack.state import BOT_USER, Message, Workspace, channel_id, is_channel

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

Args = Mapping[str, str]

LONGEST_TEXT = 40_000
"""Characters of a message, Slack's documented limit."""

TEAM = "T0QUIZMENT"
_BOT = "B0RUNBOOKD"
TS = re.compile(r"\d+\.\d{6}")
"""What a message's timestamp looks like."""


def refusal(error: str, *, messages: list[str] | None = None) -> Refusal:
    """A refusal in Slack's form: status 200 and `ok: false`."""
    body: Json = {"ok": False, "error": error}
    if messages:
        body["response_metadata"] = {"messages": [f"[ERROR] {one}" for one in messages]}
    return Refusal(Answer(200, body, refused=True))


_SCOPES = ("chat:write", "files:write", "reactions:write")
"""The scopes of a token if no tokens were set."""
UNAUTHORIZED = refusal("not_authed").answer


def unknown_token() -> Answer:
    """The answer to a token that Slack does not know."""
    return refusal("invalid_auth").answer


def forbidden(missing: list[str]) -> Answer:
    """The answer to a token without the scopes, which names them."""
    body = {"ok": False, "error": "missing_scope", "needed": ",".join(missing), "provided": ""}
    return Answer(200, body, refused=True)


def no_such_operation() -> Answer:
    """The answer for a method that the vendor, or this sandbox, does not have."""
    return refusal("unknown_method").answer


def auth_test(cloud: Cloud, call: Call, args: Args) -> Answer:
    """auth.test: the owner of the token."""
    body = {
        "ok": True,
        "url": "https://quizmentor.slack.invalid/",
        "team": "QuizMentor",
        "user": "runbookd",
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": _BOT,
        "is_enterprise_install": False,
    }
    scopes = cloud.state(Tokens).scopes_of(call)
    granted = _SCOPES if scopes is None else tuple(sorted(scopes))
    return Answer(200, body, {"X-OAuth-Scopes": ",".join(granted)})


def post_message(cloud: Cloud, call: Call, args: Args) -> Answer:
    """chat.postMessage."""
    message = _posted(cloud, call)
    return Answer(
        200,
        {
            "ok": True,
            "channel": message.channel,
            "ts": message.ts,
            "message": _message_json(message),
        },
    )


def post_ephemeral(cloud: Cloud, call: Call, args: Args) -> Answer:
    """chat.postEphemeral: posts for one person, who must be named."""
    if not as_object(call.body).get("user"):
        raise refusal("user_not_in_channel")
    message = _posted(cloud, call)
    message.ephemeral = True
    return Answer(200, {"ok": True, "message_ts": message.ts})


def update(cloud: Cloud, call: Call, args: Args) -> Answer:
    """chat.update: replaces a message of the bot."""
    body = as_object(call.body)
    message = _message(cloud, body, "ts")
    blocks = _blocks(body)
    _check_content(body, blocks)
    message.text = str(body.get("text") or "")
    message.blocks, message.edited = blocks, True
    answer = {
        "ok": True,
        "channel": message.channel,
        "ts": message.ts,
        "text": message.text,
        "message": _message_json(message),
    }
    return Answer(200, answer)


def add_reaction(cloud: Cloud, call: Call, args: Args) -> Answer:
    """reactions.add: adds an emoji to a message."""
    body = as_object(call.body)
    message, name = _message(cloud, body, "timestamp"), str(body.get("name") or "").strip(":")
    if not name:
        raise refusal("invalid_name")
    if name in message.reactions:
        raise refusal("already_reacted")
    message.reactions.append(name)
    return Answer(200, {"ok": True})


def users_conversations(cloud: Cloud, call: Call, args: Args) -> Answer:
    """users.conversations: the channels that the bot is a member of, page by page. All channels of
    the sandbox are public."""
    workspace = cloud.state(Workspace)
    known = workspace.channels if workspace.member_of is None else workspace.member_of
    names = sorted(known or ()) if "public_channel" in _types(call) else []
    first, limit = _page(call)
    shown = [
        {"id": channel_id(name), "name": name, "is_channel": True, "is_private": False}
        for name in names[first : first + limit]
    ]
    following = first + limit
    cursor = f"from:{following}" if following < len(names) else ""
    body = {"ok": True, "channels": shown, "response_metadata": {"next_cursor": cursor}}
    return Answer(200, body)


_LISTED = {"public_channel": "channels:read", "private_channel": "groups:read"}
"""The scope for each type of channel that is listed."""


def _types(call: Call) -> list[str]:
    types = [each.strip() for each in (argument(call, "types") or "public_channel").split(",")]
    if not set(types) <= set(_LISTED):
        raise refusal("invalid_types")
    return types


def _scopes_to_list(call: Call) -> tuple[str, ...]:
    return tuple(_LISTED[each] for each in _types(call))


_MOST_LISTED = 999


def _page(call: Call) -> tuple[int, int]:
    """Where a page begins, and how many channels it has."""
    cursor, limit = argument(call, "cursor"), argument(call, "limit") or "100"
    begin = cursor.removeprefix("from:") or "0"
    if not begin.isdecimal():
        raise refusal("invalid_cursor")
    if not limit.isdecimal() or not 0 < int(limit) <= _MOST_LISTED:
        raise refusal("invalid_limit")
    return int(begin), int(limit)


def argument(call: Call, name: str) -> str:
    """An argument of a method that takes them in the query or in the body."""
    given = call.first(name)
    return str(as_object(call.body).get(name) or "") if given is None else given


def _posted(cloud: Cloud, call: Call) -> Message:
    body = as_object(call.body)
    channel, thread = _channel(body), body.get("thread_ts") or None
    if refused := cloud.state(Workspace).refuses(channel):
        raise refusal(refused)
    blocks = _blocks(body)
    _check_content(body, blocks)
    if thread is not None and not TS.fullmatch(str(thread)):
        raise refusal("invalid_thread_ts")
    message = Message(
        channel=channel_id(channel),
        channel_name=channel.lstrip("#"),
        ts=cloud.state(Workspace).next_ts(call.now),
        thread_ts=None if thread is None else str(thread),
        text=str(body.get("text") or ""),
        blocks=blocks,
    )
    cloud.state(Workspace).messages.append(message)
    return message


def _channel(body: Json) -> str:
    channel = body.get("channel")
    if not is_channel(channel):
        raise refusal("channel_not_found")
    return str(channel)


def _message(cloud: Cloud, body: Json, ts_field: str) -> Message:
    message = cloud.state(Workspace).find(channel_id(_channel(body)), str(body.get(ts_field) or ""))
    if message is None:
        raise refusal("message_not_found")
    return message


def _blocks(body: Json) -> list[Any]:
    blocks = body.get("blocks")
    if isinstance(blocks, str) and blocks:
        try:
            blocks = json.loads(blocks)
        except ValueError:
            raise refusal("invalid_blocks_format") from None
    blocks = blocks or []
    if found := slack_blocks.problems(blocks):
        raise refusal("invalid_blocks", messages=found)
    if slack_blocks.length(blocks) > slack_blocks.LONGEST_SUM:
        raise refusal("msg_blocks_too_long")
    return list(blocks)


def _check_content(body: Json, blocks: list[Any]) -> None:
    text = body.get("text") or ""
    if not text and not blocks and not body.get("attachments"):
        raise refusal("no_text")
    if len(str(text)) > LONGEST_TEXT:
        raise refusal("msg_too_long")


def _message_json(message: Message) -> Json:
    body: Json = {
        "type": "message",
        "user": message.user,
        "bot_id": _BOT,
        "team": TEAM,
        "ts": message.ts,
        "text": message.text,
        "blocks": message.blocks,
    }
    if message.thread_ts:
        body["thread_ts"] = message.thread_ts
    return body


def methods(name: str, handler: Any, needed: Scopes = ()) -> tuple[Route, Route]:
    """The routes of a method that Slack takes as POST, and as GET with arguments in the query."""
    path = f"/api/{name}"
    return Route("POST", path, handler, needed), Route("GET", path, handler, needed)


ROUTES = (
    *methods("auth.test", auth_test),
    *methods("users.conversations", users_conversations, _scopes_to_list),
    Route("POST", "/api/chat.postMessage", post_message, ("chat:write",)),
    Route("POST", "/api/chat.postEphemeral", post_ephemeral, ("chat:write",)),
    Route("POST", "/api/chat.update", update, ("chat:write",)),
    Route("POST", "/api/reactions.add", add_reaction, ("reactions:write",)),
)
