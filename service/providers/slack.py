"""Slack: posts one message per run, answers in its thread, and edits it.

People see it when a post is repeated, so a post whose answer never came is UNKNOWN. An edit
replaces the whole message, so it may be repeated.

The SDK (slack-sdk 3.47) by itself repeats a request whose connection broke, also a post. Its
handler for 429 sleeps as long as the vendor says. We use neither. Its one time-out applies to the
connection and to each wait for data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from service.domain.errors import FailureKind, VendorError
from service.ports import Message, MessageRef
from service.ports.messenger import Picture
from service.providers.errors import (
    Call,
    broke,
    busy,
    from_status,
    never_sent,
    no_answer,
    reading,
    refused,
    refused_credential,
)
from service.providers.slack_blocks import TEXT_LIMIT, blocks
from service.providers.text import slack_text
from service.providers.told import told
from service.providers.waits import retry_after

ENDPOINT = "https://slack.com/api/"
TIMEOUT = 5
"""Whole seconds to connect, and again to answer: together ten for a call."""
_A_PAGE, MOST_PAGES = 200, 10
"""Channels of one answer, as Slack recommends, and the most answers that are asked for."""
_TURNED_AWAY = frozenset({"ratelimited", "rate_limited", "service_unavailable", "request_timeout"})
_STUMBLED = frozenset({"internal_error", "fatal_error"})
"""Codes after which the message may have been posted. A message that comes twice is better than
none, so the request is repeated."""
_CREDENTIAL = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "missing_scope",
        "no_permission",
    }
)

_FORM = frozenset(
    {
        "msg_blocks_too_long",
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_too_long",
        "markdown_text_conflict",
    }
)
"""Codes by which Slack refuses only the form of a message. Then it is sent as plain text."""

_UNREADABLE = (AttributeError, TypeError)
"""What the SDK raises when an answer is JSON but no object."""


class _FormRefusedError(VendorError):
    """Slack refuses the form of a message."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The owner of a token (`user in workspace`), and its scopes. Empty if Slack does not say."""

    who: str
    scopes: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """The owner."""
        return self.who


class SlackMessenger:
    """Messages in one channel, or in another that is named (`service.ports.Messenger`).

    Safe for threads.
    """

    def __init__(
        self,
        *,
        token: str,
        channel: str,
        base_url: str = ENDPOINT,
        timeout: int = TIMEOUT,
        buttons: bool = False,
    ) -> None:
        self._buttons = buttons
        self._token = token
        self._channel = channel
        self._client = WebClient(token, base_url=base_url, timeout=timeout, retry_handlers=[])

    def post(self, message: Message, thread: MessageRef | None = None) -> MessageRef:
        """Post a message, in `thread` if it is given; without a `ts` that is only a channel."""
        channel = thread.channel if thread else self._channel
        call = self._call(f"post to {channel}", repeatable=False)
        place: dict[str, Any] = {"channel": channel, "unfurl_links": False, "unfurl_media": False}
        if thread and thread.ts:
            place["thread_ts"] = thread.ts
        answer = _taken(
            call,
            message,
            lambda content: self._client.chat_postMessage(**place, **content),
            buttons=self._buttons,
        )
        with reading(call):
            return MessageRef(str(answer["channel"]), str(answer["ts"]))

    def update(self, ref: MessageRef, message: Message) -> None:
        """Replace a message by another."""
        call = self._call(f"edit a message in {ref.channel}", repeatable=True)
        _taken(
            call,
            message,
            lambda content: self._client.chat_update(channel=ref.channel, ts=ref.ts, **content),
            buttons=self._buttons,
        )

    def picture(self, thread: MessageRef, picture: Picture) -> None:
        """Upload a picture and show it in a thread: an address, the bytes, and the message. Nobody
        sees anything before the last of these three calls. It needs the scope files:write."""
        call = self._call(f"upload a picture to {thread.channel}", repeatable=False)
        _sent(
            call,
            lambda: self._client.files_upload_v2(
                filename=picture.name,
                title=picture.title,
                alt_txt=picture.title,
                content=picture.content,
                channel=thread.channel,
                thread_ts=thread.ts,
            ),
        )

    def whoami(self) -> Identity:
        """The owner and the scopes of the token. Posts nothing."""
        call = self._call("ask whose the token is", repeatable=True)
        answer = _sent(call, self._client.auth_test)
        with reading(call):
            granted = {name.lower(): text for name, text in answer.headers.items()}
            scopes = str(granted.get("x-oauth-scopes", "")).split(",")
            who = f"{answer['user']} in {answer['team']}"
            return Identity(who, frozenset(each.strip() for each in scopes if each.strip()))

    def channels_of(self, kinds: Sequence[str]) -> frozenset[str]:
        """The channels that the bot is a member of, each by its id and by its name with a `#`.
        `kinds` are `public_channel` and `private_channel`; each needs a scope of its own."""
        call = self._call("list the bot's channels", repeatable=True)
        found: set[str] = set()
        cursor = ""
        for _ in range(MOST_PAGES):
            asked = partial(
                self._client.users_conversations,
                types=",".join(kinds),
                exclude_archived=True,
                limit=_A_PAGE,
                cursor=cursor or None,
            )
            answer = _sent(call, asked)
            with reading(call):
                for channel in answer["channels"]:
                    found |= {str(channel["id"]), f"#{channel['name']}"}
                cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return frozenset(found)

    def _call(self, operation: str, *, repeatable: bool) -> Call:
        return Call("slack", operation, repeatable, "SLACK_BOT_TOKEN", self._token)


def _taken(
    call: Call,
    message: Message,
    send: Callable[[dict[str, Any]], SlackResponse],
    *,
    buttons: bool,
) -> SlackResponse:
    """Send a message as blocks, or as plain text if Slack refuses the form."""
    plain = {"text": _plain(message)}
    try:
        return _sent(call, lambda: send({**plain, "blocks": blocks(message, buttons=buttons)}))
    except _FormRefusedError:
        return _as_text(call, plain, send)


def _as_text(
    call: Call, plain: Mapping[str, str], send: Callable[[dict[str, Any]], SlackResponse]
) -> SlackResponse:
    """Send the message without blocks. `blocks` must be empty, because an edit without it keeps
    them."""
    try:
        return _sent(call, lambda: send({**plain, "blocks": []}))
    except _FormRefusedError as problem:
        raise VendorError(*problem.args) from problem


def _plain(message: Message) -> str:
    """The text for a phone's notification, and for the message if Slack refuses its blocks."""
    fallback = ": ".join(part for part in (message.title, message.text) if part)
    return slack_text(fallback, TEXT_LIMIT)


def _sent(call: Call, send: Callable[[], SlackResponse]) -> SlackResponse:
    with told(call):
        return _answered(call, send)


def _answered(call: Call, send: Callable[[], SlackResponse]) -> SlackResponse:
    try:
        return send()
    except SlackApiError as problem:
        raise _translated(call, problem.response) from problem
    except HTTPError as problem:
        # The address for a file's bytes: the methods themselves answer with a SlackApiError.
        raise from_status(call, problem.code, str(problem.reason), None) from problem
    except URLError as problem:
        # urllib raises URLError only for a failure before the whole request was sent.
        raise never_sent(call, problem.reason) from problem
    except (OSError, HTTPException, SlackClientError, ValueError, *_UNREADABLE) as problem:
        raise no_answer(call, problem) from problem


def _translated(call: Call, response: SlackResponse) -> VendorError:
    status, headers = response.status_code, response.headers
    body = response.data if isinstance(response.data, dict) else {}
    code = str(body.get("error", ""))
    if status != 200:  # noqa: PLR2004 - Slack says every outcome of its own with 200
        return from_status(call, status, code, retry_after(headers, status))
    if code in _TURNED_AWAY:
        return busy(call, status, code, retry_after(headers))
    if code in _STUMBLED:
        sentence = (
            f"{call.who} stumbled over the request to {call.operation}: {code}. A repeat may show "
            "the message twice."
        )
        return call.error(FailureKind.TEMPORARY, sentence, status=status)
    if code in _CREDENTIAL:
        needed = f" (needed: {body['needed']})" if body.get("needed") else ""
        return refused_credential(call, None, f"{code}{needed}")
    if "ok" in body and " " not in code:
        known = refused(call, status, code)
        return _FormRefusedError(*known.args) if code in _FORM else known
    return broke(call, status, code)
