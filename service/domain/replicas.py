"""The configuration by which an application reads from read replicas. Pure."""

from __future__ import annotations


def render_config(count: int) -> str:
    """The application's database configuration for so many replicas.

    Addresses with passwords stay in the environment of the application: only references to them
    are here.
    """
    names = ["REPLICA_URL"] if count == 1 else [f"REPLICA_URL_{at}" for at in range(1, count + 1)]
    lines = [
        "# Rendered by `runbookd replicas render`. What stands in ${…} comes from the environment",
        "# of the application; no address and no password stands here.",
        "database:",
        "  primary:",
        "    url: ${DATABASE_URL}",
        "  # Reads that may be some seconds old. Whoever has just written reads from the primary.",
        "  replicas:" if names else "  replicas: []",
    ]
    for name in names:
        lines += [f"    - url: ${{{name}}}", "      read_only: true"]
    return "\n".join(lines) + "\n"
