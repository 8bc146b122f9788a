"""How tables and their sizes are written for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KIB = 1024


def shown_table(table: Mapping[str, Any]) -> str:
    """`public.questions`."""
    return f"{table['schema']}.{table['name']}"


def shown_bytes(count: int) -> str:
    """A size as people read it: `8 KiB`, `3.1 GiB`."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < _KIB:
            return f"{size:.3g} {unit}"
        size /= _KIB
    return f"{size:.3g} TiB"
