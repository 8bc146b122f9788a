"""What people are shown of a run's pinned request, in any version.

Apart from `service.catalogue.request_json`, because whoever only reads runs need not load the
catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def alerts_of(pinned: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of the alerts that earned a run, from what it pins, in any version."""
    return tuple(pinned["origin"]["alerts"] if "version" in pinned else pinned["alerts"])


def why_of(pinned: Mapping[str, Any]) -> str:
    """Why a run was asked for, in one line, from what it pins, in any version."""
    return str(pinned["origin"]["why"] if "version" in pinned else pinned["summary"])
