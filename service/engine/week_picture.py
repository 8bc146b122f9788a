"""Draws the picture of a week: instances and dollars by day. matplotlib is loaded on first use."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

NO_MATPLOTLIB = "matplotlib is not installed beside the worker: pip install 'runbookd[plot]'."


def drawn(days: Sequence[Mapping[str, Any]]) -> bytes | None:
    """A PNG; None where matplotlib is not installed. A day that nobody measured is a gap."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and not always installed
    except ImportError:
        return None
    figure = Figure(figsize=(8, 5), layout="tight")
    names = [each["day"] for each in days]
    above, below = figure.subplots(2, 1)
    above.bar(names, [_height(each["dollars"]) for each in days])
    above.set_ylabel("dollars a day")
    below.bar(names, [_height(each["instances"]) for each in days])
    below.set_ylabel("instances")
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _height(value: float | None) -> float:
    """matplotlib leaves out a bar whose height is no number."""
    return float("nan") if value is None else value
