"""What a sandbox starts with; one frozen value, so that a reset can always return to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """How the stand-in cloud begins.

    `action_seconds` is how long a deployment, a droplet action and a Supabase restart take
    (seconds; 0 completes them by the next look). `rate_limits` turns the vendors' limits on.
    `extra_apps` adds that many idle copies of the app, `app-bench-000` and on, for load tests.
    """

    action_seconds: float = 1.0
    rate_limits: bool = True
    app_id: str = "app-quizmentor"
    droplet_id: int = 101
    supabase_ref: str = "quizmentorquizmentor"
    extra_apps: int = 0

    def __post_init__(self) -> None:
        if self.action_seconds < 0:
            raise ValueError("action_seconds must be 0 or more")
        if not 0 <= self.extra_apps <= MAX_EXTRA_APPS:
            raise ValueError(f"extra_apps must be between 0 and {MAX_EXTRA_APPS}")


MAX_EXTRA_APPS = 1000
"""More than any load test here uses; keeps a mistyped number from filling the memory."""
