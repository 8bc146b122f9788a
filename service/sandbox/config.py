"""The configuration of a sandbox. It is frozen, so that a reset can return to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """How a sandbox starts.

    `action_seconds` is how many seconds a deployment, a droplet action and a Supabase restart take.
    With 0 they are complete at the next request. `rate_limits` turns the vendors' limits on.
    `database_url` is a PostgreSQL on this machine that answers Supabase's query operation; empty
    for none. `extra_apps` adds that many idle copies of the app for load tests: `app-bench-000` and
    so on. `slack_requests_to` is the address of the service to which Slack sends what people press,
    signed by `slack_signing_secret`; both empty: nobody can press.
    """

    action_seconds: float = 1.0
    rate_limits: bool = True
    app_id: str = "app-quizmentor"
    droplet_id: int = 101
    supabase_ref: str = "quizmentorquizmentor"
    cloudflare_zone: str = "5eed0000000000000000000000000c0d"
    database_url: str = ""
    valkey_cluster: str = "9cc10173-0c0d-4e1f-8c0d-5eed00000001"
    extra_apps: int = 0
    slack_signing_secret: str = ""
    slack_requests_to: str = ""

    def __post_init__(self) -> None:
        if self.action_seconds < 0:
            raise ValueError("action_seconds must be 0 or more")
        if not 0 <= self.extra_apps <= MAX_EXTRA_APPS:
            raise ValueError(f"extra_apps must be between 0 and {MAX_EXTRA_APPS}")


MAX_EXTRA_APPS = 1000
"""More than our load tests use. A mistyped number must not fill the memory."""
