"""`POST /_sandbox/supabase`: sets when a resize takes the database down, and the project's plan."""

from __future__ import annotations

from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.core.wire import Json

LONGEST_S = 3_600.0
"""Seconds between an order and the downtime."""
_FIELDS = ("restart_after", "nano", "hourly", "engine", "paused_bytes", "readers", "fails")


class SupabaseControlError(ValueError):
    """Why a change of the project is refused, in one sentence."""


def project_json(cloud: Cloud) -> Json:
    """The present values of what this control sets."""
    project = cloud.projects[cloud.config.supabase_ref]
    return {
        "restart_after": project.restart_after,
        "nano": project.nano,
        "hourly": project.hourly,
        "engine": project.engine,
    }


def change_project(cloud: Cloud, body: Any, _now: float) -> None:
    """Set everything that the body names, or nothing if a value is wrong.

    `restart_after` is how many seconds the project stays up after a resize was ordered. null means
    the usual share of the downtime. `nano` removes the compute add-on, which legacy projects do not
    have. `hourly` makes the vendor quote compute by the hour. `engine` is its version of
    PostgreSQL. The rest is about all of its read replicas: `paused_bytes` is what they have not
    replayed, `readers` how many connections of the application each has, and `fails` whether they
    fail to come up.

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
    engine = body.get("engine", project.engine)
    if not isinstance(engine, str) or not engine.isdecimal():
        raise SupabaseControlError("engine must be a number as a text, such as '15'.")
    for name in ("paused_bytes", "readers"):
        value = body.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise SupabaseControlError(f"{name} must be a whole number, 0 or more.")
    if not isinstance(body.get("fails", False), bool):
        raise SupabaseControlError("fails must be true or false.")
    for one in project.replicas:
        one.behind_bytes = body.get("paused_bytes", one.behind_bytes)
        one.readers = body.get("readers", one.readers)
        one.fails = body.get("fails", one.fails)
    project.engine = engine
    project.restart_after, project.nano, project.hourly = after, nano, hourly
