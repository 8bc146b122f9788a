"""The app at the start: the runbook's `api` service with 2 instances of professional-xs."""

from __future__ import annotations

from service.sandbox.core.wire import Json
from service.sandbox.digitalocean.app import App
from service.sandbox.digitalocean.app_spec import accept

LOADED_COMPONENT = "api"
"""The component whose CPU follows the load (runbook, "App Platform Auto-Scaling")."""


def seeded_app(app_id: str, name: str, now: float) -> App:
    """An app as in the runbook, with its first deployment already active."""
    app = App(id=app_id, spec={}, created_at=now, updated_at=now)
    spec = accept(_runbook_spec(name), app.vault)
    app.deploy(spec, now, 0.0, cause="initial deployment")
    app.settle(now)
    return app


def _runbook_spec(name: str) -> Json:
    return {
        "name": name,
        "region": "nyc",
        "services": [
            {
                "name": LOADED_COMPONENT,
                "github": {"repo": "your-org/quizmentor", "branch": "main", "deploy_on_push": True},
                "environment_slug": "node-js",
                "run_command": "npm start",
                "http_port": 8080,
                "instance_count": 2,
                "instance_size_slug": "professional-xs",
                "health_check": {
                    "http_path": "/health",
                    "initial_delay_seconds": 10,
                    "period_seconds": 10,
                    "timeout_seconds": 5,
                    "success_threshold": 1,
                    "failure_threshold": 3,
                },
                "envs": [
                    {"key": "NODE_ENV", "scope": "RUN_AND_BUILD_TIME", "value": "production"},
                    {
                        "key": "DATABASE_URL",
                        "scope": "RUN_TIME",
                        "type": "SECRET",
                        "value": "postgres://quizmentor:not-a-real-password@db.invalid/postgres",
                    },
                ],
            }
        ],
    }
