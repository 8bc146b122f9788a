"""The Postgres settings that Supabase's management API takes, with bounds (from its OpenAPI)."""

from __future__ import annotations

from typing import Any

from service.sandbox.core.wire import Json, one_of

_WHOLE: dict[str, tuple[int, int]] = {
    "max_connections": (1, 262_143),
    "max_locks_per_transaction": (10, 2_147_483_640),
    "max_parallel_maintenance_workers": (0, 1024),
    "max_parallel_workers": (0, 1024),
    "max_parallel_workers_per_gather": (0, 1024),
    "max_replication_slots": (0, 262_143),
    "max_wal_senders": (0, 262_143),
    "max_worker_processes": (0, 262_143),
}
_TEXT = frozenset(
    {
        "effective_cache_size",
        "logical_decoding_work_mem",
        "maintenance_work_mem",
        "track_activity_query_size",
        "max_slot_wal_keep_size",
        "max_standby_archive_delay",
        "max_standby_streaming_delay",
        "max_wal_size",
        "shared_buffers",
        "statement_timeout",
        "wal_keep_size",
        "wal_sender_timeout",
        "work_mem",
        "checkpoint_timeout",
    }
)
_YES_NO = frozenset({"track_commit_timestamp", "hot_standby_feedback"})
_ROLES = frozenset({"origin", "replica", "local"})


def problem(settings: Json) -> str | None:
    """Why these settings are refused, in one sentence. None if they are accepted."""
    found = (_problem(name, value) for name, value in settings.items())
    return next((reason for reason in found if reason), None)


def _problem(name: str, value: Any) -> str | None:
    if name in _WHOLE:
        low, high = _WHOLE[name]
        if type(value) is not int or not low <= value <= high:
            return f"{name} must be a whole number from {low} to {high}"
    elif name in _TEXT:
        return None if isinstance(value, str) else f"{name} must be a string"
    elif name in _YES_NO:
        return None if isinstance(value, bool) else f"{name} must be true or false"
    elif name == "session_replication_role":
        return None if one_of(value, _ROLES) else f"{name} must be origin, replica or local"
    else:
        return f"property {name} should not exist"
    return None
