"""Slack's uploads: an address for a file, the file itself, and the message that shows it.

A file that has come is seen by nobody until its upload is completed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, Json, as_object, whole_number
from service.sandbox.slack.api import TS, argument, methods, refusal
from service.sandbox.slack.state import Message, Upload, Workspace, channel_id, is_channel

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

Args = Mapping[str, str]


def get_upload_url(cloud: Cloud, call: Call, args: Args) -> Answer:
    """files.getUploadURLExternal: an address for one file of this name and length."""
    name, length = argument(call, "filename"), whole_number(argument(call, "length"))
    if not name or not length:
        raise refusal("invalid_arguments")
    upload = cloud.state(Workspace).announce(name, length)
    url = f"{call.base_url}/upload/v1/{upload.secret}"
    return Answer(200, {"ok": True, "upload_url": url, "file_id": upload.id})


def take_upload(cloud: Cloud, call: Call, args: Args) -> Answer:
    """The address itself: takes the bytes, once, and no other number of them than announced."""
    uploads = cloud.state(Workspace).uploads
    upload = next((each for each in uploads if each.secret == args["secret"]), None)
    if upload is None or upload.content is not None:
        return Answer(404)
    if len(call.raw) != upload.length:
        return Answer(400, "the length is not the one that was announced")
    upload.content = call.raw
    return Answer(200, f"OK - {upload.length}")


def complete_upload(cloud: Cloud, call: Call, args: Args) -> Answer:
    """files.completeUploadExternal: shows files in a channel, or in a thread of it."""
    found = [_uploaded(cloud, each) for each in _files(call)]
    channel, thread = argument(call, "channel_id"), argument(call, "thread_ts")
    if channel:
        _show(cloud, call, found, channel, thread)
    for upload, _ in found:
        upload.shared = True
    shown = [{"id": upload.id, "title": title} for upload, title in found]
    return Answer(200, {"ok": True, "files": shown})


def _files(call: Call) -> list[Json]:
    given: Any = as_object(call.body).get("files") or call.first("files") or "[]"
    try:
        files = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        raise refusal("invalid_arguments") from None
    if not isinstance(files, list) or not files:
        raise refusal("invalid_arguments")
    return [as_object(each) for each in files]


def _uploaded(cloud: Cloud, file: Json) -> tuple[Upload, str]:
    """A file whose bytes have come and that no message shows yet, and its title."""
    for each in cloud.state(Workspace).uploads:
        if each.id == file.get("id") and each.content is not None and not each.shared:
            return each, str(file.get("title") or each.name)
    raise refusal("file_not_found")


def _show(
    cloud: Cloud, call: Call, found: list[tuple[Upload, str]], channel: str, thread: str
) -> None:
    """Post the message. Slack takes the channel by its id alone here."""
    workspace = cloud.state(Workspace)
    if not is_channel(channel) or channel != channel_id(channel):
        raise refusal("channel_not_found")
    if refused := workspace.refuses(channel):
        raise refusal(refused)
    if thread and not TS.fullmatch(thread):
        raise refusal("invalid_thread_ts")
    files = [
        {"id": upload.id, "name": upload.name, "title": title, "size": upload.length}
        for upload, title in found
    ]
    parent = workspace.find(channel, thread)
    workspace.messages.append(
        Message(
            channel=channel,
            channel_name=channel if parent is None else parent.channel_name,
            ts=workspace.next_ts(call.now),
            thread_ts=thread or None,
            text=argument(call, "initial_comment"),
            blocks=[],
            files=files,
        )
    )


ROUTES = (
    *methods("files.getUploadURLExternal", get_upload_url, ("files:write",)),
    Route("POST", "/upload/v1/<secret>", take_upload, open=True),
    *methods("files.completeUploadExternal", complete_upload, ("files:write",)),
)
