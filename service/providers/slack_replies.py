"""Answers a press of a button in Slack, by the address that came with the press.

Slack takes five answers there within 30 minutes. An answer that is lost is not repeated: what was
done is on record, and every surface shows it.
"""

from __future__ import annotations

from service.domain.errors import FailureKind, VendorError
from service.providers.text import slack_text

SLACKS = "https://hooks.slack.com/"
"""How the addresses begin that Slack sends."""
_OPERATION = "answer a press"
_TIMEOUT, _LONGEST = 5, 3_000
"""Whole seconds for an answer, and characters of it."""


def reply(url: str, text: str, *, thread: str = "") -> None:
    """Answer the presser alone, or with `thread` (a message's `ts`) everybody in that thread.

    Raises:
        VendorError: Slack did not take the answer. The sentence does not hold the address, which
            lets anybody answer.
    """
    # Loaded with the first press: a web process that nobody presses at does without it.
    from slack_sdk.webhook import WebhookClient  # noqa: PLC0415

    body = {"text": shown(text), "replace_original": False, "response_type": "ephemeral"}
    if thread:
        body |= {"response_type": "in_channel", "thread_ts": thread}
    try:
        status = WebhookClient(url, timeout=_TIMEOUT, retry_handlers=[]).send_dict(body).status_code
    except Exception as error:
        sentence = f"Slack did not take the answer to a press: {type(error).__name__}."
        raise VendorError("slack", _OPERATION, FailureKind.UNKNOWN, sentence) from None
    if status != 200:  # noqa: PLR2004 - anything else is a refusal
        sentence = f"Slack refused the answer to a press with status {status}."
        raise VendorError("slack", _OPERATION, FailureKind.PERMANENT, sentence)


def shown(text: str) -> str:
    """A text as Slack shows it literally."""
    return slack_text(text, _LONGEST)
