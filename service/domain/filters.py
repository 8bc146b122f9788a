"""The words that may be asked for: known values of filters, and how long a page may be.

They stand here because the terminal names them in its help and completes them, and must not load
the stores or the catalogue for that.
"""

from __future__ import annotations

from collections.abc import Collection

from service.domain.errors import Told

RUN_STATUSES = (
    "queued",
    "running",
    "succeeded",
    "held",
    "failed",
    "cancelled",
    "shadow",
    "waiting",
)
"""What a run's status may be; all but the first two end it. A run in shadow has decided, and has
changed nothing. One that is waiting has asked for approval; what was decided on it becomes a hold,
and an approval starts another run."""
ACTIONS = (
    "horizontal_scale",
    "vertical_scale",
    "set_capacity",
    "set_autoscaling",
    "apply_balancer",
    "scale_database",
    "set_pooler",
    "set_replicas",
    "purge",
    "set_cache_rules",
    "set_cache_level",
    "scale_cache",
    "kill_queries",
    "optimize_database",
    "archive_rows",
    "set_flags",
    "set_database",
    "set_cache_strategy",
    "flush_cache",
    "put_object",
    "compress_assets",
    "remove_unused",
    "page_oncall",
    "investigate",
    "ignore",
    "tell",
    "decide",
    "watch",
    "cost_report",
    "weekly_report",
    "start_scenario",
)
"""The names of the catalogue's actions, for help and completion. The catalogue decides what is an
action; a test holds the two equal."""
UNTARGETED = ("tell", "decide", "watch", "cost_report", "weekly_report")
"""Those that change no target, and that a person may ask for."""
PAGING = ("page_oncall",)
"""Those that tell the pager. A test holds them to the catalogue."""
SOURCES = ("alertmanager", "grafana")
"""The senders that may post: the last parts of the webhooks' paths."""

MAX_LIMIT = 200
"""Most items on one page: none may hold the database for long."""
DEFAULT_LIMIT = 50


class BadFilter(Told):
    """What was asked for cannot be; the message is the sentence for whoever asked."""


def require_known(name: str, value: str | None, known: Collection[str]) -> str | None:
    """The value, or None as it is.

    Raises:
        BadFilter: it is none of those that are known.
    """
    if value is not None and value not in known:
        raise BadFilter(f"{name} must be one of {', '.join(known)}.")
    return value
