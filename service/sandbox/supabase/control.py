"""`POST /_sandbox/supabase`: when a resize takes the database down, and what the project is."""

from __future__ import annotations

from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.core.wire import Json

LONGEST_S = 3_600.0
_FIELDS = ("restart_after", "nano", "hourly")


class SupabaseControlError(ValueError):
    """Why a change of the project is not taken, in one sentence."""


def project_json(cloud: Cloud) -> Json:
    """What this control sets, as it is now."""
    project = cloud.projects[cloud.config.supabase_ref]
    return {name: getattr(project, name) for name in _FIELDS}


def change_project(cloud: Cloud, body: Any, _now: float) -> None:
    """Set what the body names, all of it or nothing.

    `restart_after` is for how many seconds the project stays up after a resize was ordered, null
    for the usual part of its downtime. `nano` takes the compute add-on away, as legacy projects
    have none. `hourly` quotes compute sizes by the hour, as the vendor may.

    Raises:
        SupabaseControlError: it makes no sense.
    """
    if not isinstance(body, dict) or not body or not set(body) <= set(_FIELDS):
        raise SupabaseControlError(f"The body sets one of {', '.join(_FIELDS)}.")
    project = cloud.projects[cloud.config.supabase_ref]
    after = body.get("restart_after", project.restart_after)
    if after is not None and (
        isinstance(after, bool) or not isinstance(after, int | float) or not 0 <= after <= LONGEST_S
    ):
        raise SupabaseControlError(f"restart_after must be from 0 to {LONGEST_S:g} s, or null.")
    switches = {name: body.get(name, getattr(project, name)) for name in ("nano", "hourly")}
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise SupabaseControlError(f"{name} must be true or false.")
    project.restart_after = after
    project.nano, project.hourly = switches["nano"], switches["hourly"]
