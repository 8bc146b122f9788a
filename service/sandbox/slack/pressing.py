"""A person in Slack presses a button, or types a slash command.

Slack sends both to the app as a form, signed over the raw body. Whatever the app answers by the
`response_url` is kept as a message: at most five times within 30 minutes, as Slack documents it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request

from service.sandbox.cloud import Cloud
from service.sandbox.core.wire import Json
from service.sandbox.slack.control import SlackControlError
from service.sandbox.slack.state import Answerable, Message, Workspace

SLACK_WAITS_S = 3.0
"""Seconds that Slack waits for the answer to a press or a command."""
_USES, _LASTS_S = 5, 1_800.0
"""How often, and for how many seconds, a `response_url` is taken."""
_TEAM = {"id": "T0QUIZMENT", "domain": "quizmentor"}


def add_pressing(control: Blueprint, cloud: Cloud) -> None:
    """`/_sandbox/slack/press`, and the addresses at which the app answers it."""

    @control.post("/slack/press")
    def press() -> Response:
        ts, action_id, user = _asked("message", "action_id", "user")
        with cloud.at_now() as now:
            payload = _block_actions(cloud, ts, action_id, user, now)
        return _sent(cloud, "/slack/interactions", {"payload": json.dumps(payload)})

    @control.post("/slack/command")
    def command() -> Response:
        text, user = _asked("text", "user")
        form = {
            "command": "/runbook",
            "text": text,
            "user_id": user,
            "team_id": _TEAM["id"],
            "team_domain": _TEAM["domain"],
        }
        return _sent(cloud, "/slack/commands", form)

    @control.post("/slack/response/<key>")
    def respond(key: str) -> tuple[Response, int]:
        body = request.get_json(force=True, silent=True)
        with cloud.at_now() as now:
            workspace = cloud.state(Workspace)
            known = workspace.response_urls.get(key)
            if known is None or known.uses >= _USES or now > known.since + _LASTS_S:
                return jsonify({"ok": False, "error": "used_url"}), 404
            if not isinstance(body, dict) or not isinstance(body.get("text"), str):
                return jsonify({"ok": False, "error": "no_text"}), 400
            known.uses += 1
            workspace.messages.append(_answered(workspace, known.message, body, now))
        return jsonify({"ok": True}), 200


def _asked(*names: str) -> list[str]:
    body = request.get_json(force=True, silent=True)
    if (
        not isinstance(body, dict)
        or set(body) != set(names)
        or not all(isinstance(each, str) and each for each in body.values())
    ):
        raise SlackControlError(f"The body has {', '.join(names)}, each a text.")
    return [body[name] for name in names]


def _block_actions(cloud: Cloud, ts: str, action_id: str, user: str, now: float) -> Json:
    workspace = cloud.state(Workspace)
    message = next((each for each in workspace.messages if each.ts == ts), None)
    if message is None:
        raise SlackControlError(f"There is no message {ts}.")
    button = next((each for each in _buttons(message) if each.get("action_id") == action_id), None)
    if button is None:
        raise SlackControlError(f"Message {ts} has no button {action_id}.")
    return {
        "type": "block_actions",
        "user": {"id": user, "username": user.lower(), "team_id": _TEAM["id"]},
        "team": _TEAM,
        "container": {
            "type": "message",
            "message_ts": ts,
            "channel_id": message.channel,
            "is_ephemeral": message.ephemeral,
        },
        "channel": {"id": message.channel, "name": message.channel_name},
        "message": {"type": "message", "ts": ts, "text": message.text, "blocks": message.blocks},
        "trigger_id": f"{workspace.last_micros}.{len(workspace.response_urls)}",
        "response_url": _response_url(workspace, message, now),
        "actions": [{**button, "action_ts": f"{now:.6f}"}],
    }


def _buttons(message: Message) -> list[Json]:
    blocks = [each for each in message.blocks if each.get("type") == "actions"]
    return [button for block in blocks for button in block["elements"]]


def _response_url(workspace: Workspace, message: Message, now: float) -> str:
    key = f"r{len(workspace.response_urls) + 1}"
    workspace.response_urls[key] = Answerable(message, now)
    return f"{request.host_url}_sandbox/slack/response/{key}"


def _answered(workspace: Workspace, about: Message, body: Json, now: float) -> Message:
    thread = body.get("thread_ts")
    return Message(
        channel=about.channel,
        channel_name=about.channel_name,
        ts=workspace.next_ts(now),
        thread_ts=thread if isinstance(thread, str) else None,
        text=body["text"],
        blocks=[],
        ephemeral=body.get("response_type") != "in_channel",
    )


def _sent(cloud: Cloud, path: str, form: dict[str, str]) -> Response:
    """Send a form to the app as Slack does; its status and body, and whether it was in time."""
    config = cloud.config
    if not config.slack_signing_secret or not config.slack_requests_to:
        raise SlackControlError("Nobody can press: set SLACK_SIGNING_SECRET for the sandbox too.")
    body, timestamp = urlencode(form).encode(), str(int(time.time()))
    signed = f"v0:{timestamp}:".encode() + body
    digest = hmac.new(config.slack_signing_secret.encode(), signed, hashlib.sha256).hexdigest()
    asked = urllib.request.Request(  # noqa: S310 - an address of the settings
        config.slack_requests_to.rstrip("/") + path,
        body,
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={digest}",
        },
    )
    began = time.monotonic()
    try:
        with urllib.request.urlopen(asked, timeout=SLACK_WAITS_S) as answer:  # noqa: S310
            status, said = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, said = error.code, error.read()
    except OSError as error:
        return jsonify({"status": 0, "body": f"operation_timeout: {type(error).__name__}"})
    took = time.monotonic() - began
    return jsonify({"status": status, "body": said.decode(errors="replace"), "seconds": took})
