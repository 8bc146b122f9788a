"""`POST /_sandbox/slack`: which channels there are, and of which the bot is a member."""

from __future__ import annotations

from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.core.wire import Json
from service.sandbox.slack.state import Workspace, is_channel


class SlackControlError(ValueError):
    """Why a change of the workspace is not taken, in one sentence."""


def workspace_json(cloud: Cloud) -> Json:
    """What this control sets, as it is now; null where every channel counts."""
    workspace = cloud.state(Workspace)
    return {
        name: None if (names := getattr(workspace, name)) is None else sorted(names)
        for name in _FIELDS
    }


def change_workspace(cloud: Cloud, body: Any, _now: float) -> None:
    """Set what the body names, all of it or nothing.

    Raises:
        SlackControlError: it makes no sense.
    """
    if not isinstance(body, dict) or not body or not set(body) <= set(_FIELDS):
        raise SlackControlError(f"The body sets {' or '.join(_FIELDS)}, as lists of channel names.")
    changes = {name: _names(name, value) for name, value in body.items()}
    for name, names in changes.items():
        setattr(cloud.state(Workspace), name, names)


_FIELDS = ("channels", "member_of")


def _names(name: str, value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(is_channel(each) for each in value):
        raise SlackControlError(f"{name} must be a list of channel names, or null for any.")
    return frozenset(each.lstrip("#") for each in value)
