"""`POST /_sandbox/slack`: sets which channels exist, and of which the bot is a member."""

from __future__ import annotations

from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.core.wire import Json
from service.sandbox.slack.state import Workspace, is_channel


class SlackControlError(ValueError):
    """Why a change of the workspace is refused, in one sentence."""


def workspace_json(cloud: Cloud) -> Json:
    """The present values of what this control sets. null means any channel."""
    workspace = cloud.state(Workspace)
    return {
        name: None if (names := getattr(workspace, name)) is None else sorted(names)
        for name in _FIELDS
    }


def change_workspace(cloud: Cloud, body: Any, _now: float) -> None:
    """Set everything that the body names, or nothing if a value is wrong.

    Raises:
        SlackControlError: the body makes no sense.
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
