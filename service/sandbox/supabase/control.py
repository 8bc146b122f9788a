"""`POST /_sandbox/supabase`: sets when a resize takes the database down, and the project's plan."""

from __future__ import annotations

from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.core.wire import Json

LONGEST_S = 3_600.0
"""Seconds between an order and the downtime."""
_FIELDS = ("restart_after", "nano", "hourly")


class SupabaseControlError(ValueError):
    """Why a change of the project is refused, in one sentence."""


def project_json(cloud: Cloud) -> Json:
    """The present values of what this control sets."""
    project = cloud.projects[cloud.config.supabase_ref]
    return {"restart_after": project.restart_after, "nano": project.nano, "hourly": project.hourly}


def change_project(cloud: Cloud, body: Any, _now: float) -> None:
    """Set everything that the body names, or nothing if a value is wrong.

    `restart_after` is how many seconds the project stays up after a resize was ordered. null means
    the usual share of the downtime. `nano` removes the compute add-on, which legacy projects do not
    have. `hourly` makes the vendor quote compute by the hour.

    Raises:
        SupabaseControlError: the body makes no sense.
    """
    if not isinstance(body, dict) or not body or not set(body) <= set(_FIELDS):
        raise SupabaseControlError(f"The body sets {' or '.join(_FIELDS)}.")
    project = cloud.projects[cloud.config.supabase_ref]
    after = body.get("restart_after", project.restart_after)
    if after is not None and (
        isinstance(after, bool) or not isinstance(after, int | float) or not 0 <= after <= LONGEST_S
    ):
        raise SupabaseControlError(f"restart_after must be from 0 to {LONGEST_S:g} s, or null.")
    nano = body.get("nano", project.nano)
    if not isinstance(nano, bool):
        raise SupabaseControlError("nano must be true or false.")
    hourly = body.get("hourly", project.hourly)
    if not isinstance(hourly, bool):
        raise SupabaseControlError("hourly must be true or false.")
    project.restart_after, project.nano, project.hourly = after, nano, hourly
