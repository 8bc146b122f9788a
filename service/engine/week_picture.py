"""Draws the picture of a week: instances and dollars by day. matplotlib is loaded on first use."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

_MARGIN = 1.1
"""How high the picture is above its highest bar."""
NO_MATPLOTLIB = "matplotlib is not installed beside the worker: pip install 'runbookd[plot]'."


def drawn(days: Sequence[Mapping[str, Any]]) -> bytes | None:
    """A PNG; None where matplotlib is not installed. A day that nobody measured is a gap."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and not always installed
    except ImportError:
        return None
    figure = Figure(figsize=(8, 5), layout="tight")
    above, below = figure.subplots(2, 1)
    _draw(above, days, "dollars", "dollars a day")
    _draw(below, days, "instances", "instances")
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _draw(axes: Any, days: Sequence[Mapping[str, Any]], key: str, label: str) -> None:
    """One bar a day. All days are on the axis, so that the two halves of the picture stand one
    below the other, and a day without a value says so: it is no day with 0."""
    places = range(len(days))
    axes.bar(places, [_height(each[key]) for each in days])
    axes.set_xticks(places, [each["day"] for each in days])
    axes.set_xlim(-0.5, len(days) - 0.5)
    known = [each[key] for each in days if each[key] is not None]
    axes.set_ylim(0, _MARGIN * max([*known, 0.0]) or 1.0)
    axes.set_ylabel(label)
    for place, each in zip(places, days, strict=True):
        if each[key] is None:
            height = 0.5 * axes.get_ylim()[1]
            axes.text(place, height, "not\nmeasured", ha="center", va="center", color="grey")


def _height(value: float | None) -> float:
    """matplotlib leaves out a bar whose height is no number."""
    return float("nan") if value is None else value
