"""Pictures in Slack: the provider on the sandbox, and its fake, as Slack documents uploads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.domain.errors import FailureKind, VendorError
from service.ports import Message, MessageRef
from service.ports.messenger import Picture
from service.providers.slack import SlackMessenger
from tests.contract.loopback import Loopback
from tests.unit.sandbox.support import served

TOKEN = "test-token-not-real"
PICTURE = Picture("week.png", "Instances by day", b"\x89PNG not really" * 50)


@pytest.fixture
def sandbox() -> Iterator[str]:
    with served() as place:
        yield place.url


def slack(url: str) -> SlackMessenger:
    return SlackMessenger(token=TOKEN, channel="#ops", base_url=f"{url}/slack/api/")


def messages(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{url}/_sandbox/state").json()["slack"]["messages"]
    return found


def method(url: str, name: str, **given: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.post(f"{url}/slack/api/{name}", json=given, headers=headers)
    body: dict[str, Any] = answer.json()
    return body


def test_a_picture_is_shown_in_the_thread_of_its_message(sandbox: str) -> None:
    ours = slack(sandbox)
    parent = ours.post(Message("The week", "12 runs"))
    ours.picture(parent, PICTURE)
    _, shown = messages(sandbox)
    assert (shown["thread_ts"], shown["channel"]) == (parent.ts, parent.channel)
    (file,) = shown["files"]
    assert (file["name"], file["title"], file["size"]) == (
        "week.png",
        "Instances by day",
        len(PICTURE.content),
    )


def test_a_picture_for_a_channel_without_the_bot_is_refused_and_shown_nowhere(
    sandbox: str,
) -> None:
    httpx.post(f"{sandbox}/_sandbox/slack", json={"member_of": ["ops"]}).raise_for_status()
    with pytest.raises(VendorError, match="not_in_channel"):
        slack(sandbox).picture(MessageRef("C0123456789", "1.000001"), PICTURE)
    assert messages(sandbox) == []


def test_a_token_without_files_write_is_refused_with_the_scope_that_it_lacks(
    vendor: Loopback,
) -> None:
    vendor.answers(200, {"ok": False, "error": "missing_scope", "needed": "files:write"})
    with pytest.raises(VendorError, match="files:write") as refused:
        slack(vendor.url).picture(MessageRef("C0123456789", "1.000001"), PICTURE)
    assert refused.value.kind is FailureKind.PERMANENT


def test_a_file_is_taken_once_in_the_length_that_was_announced_and_shown_once(
    sandbox: str,
) -> None:
    announced = method(sandbox, "files.getUploadURLExternal", filename="a.png", length=3)
    url, file = announced["upload_url"], announced["file_id"]
    complete = {"files": [{"id": file}], "channel_id": "C0123456789"}
    name = "files.completeUploadExternal"
    assert method(sandbox, name, **complete)["error"] == "file_not_found", "nothing has come"
    assert httpx.post(url, content=b"four").status_code == 400
    assert httpx.post(url, content=b"abc").status_code == 200
    assert httpx.post(url, content=b"abc").status_code == 404
    assert messages(sandbox) == []
    named = {**complete, "channel_id": "#ops"}
    assert method(sandbox, name, **named)["error"] == "channel_not_found", "a name is no id"
    assert method(sandbox, name, **complete)["ok"]
    assert len(messages(sandbox)) == 1
    assert method(sandbox, name, **complete)["error"] == "file_not_found"


def test_an_upload_needs_a_name_and_a_length(sandbox: str) -> None:
    name = "files.getUploadURLExternal"
    assert method(sandbox, name, filename="a.png")["error"] == "invalid_arguments"
    assert method(sandbox, name, length=3)["error"] == "invalid_arguments"
