"""The metrics that a rule file names: what Prometheus is asked for each."""

from __future__ import annotations

from typing import Any

from service.domain.readings.metrics import COUNT, DOLLARS, NAME
from service.rulebook.substitution import Complain

KEY = "readings"
"""Its key at the top of a file."""


def read_readings(raw: Any, complain: Complain) -> dict[str, str]:
    """The expressions by metric, noting everything that is wrong with them."""
    if not isinstance(raw, dict):
        sentence = "readings must be a mapping of metrics to what Prometheus is asked for each."
        complain((KEY,), sentence)
        return {}
    for name, expression in raw.items():
        if name in (COUNT, DOLLARS):
            complain((KEY, name), f"{name} is told by the vendors; Prometheus is not asked for it.")
        elif not NAME.fullmatch(name):
            complain(
                (KEY, name), f"{name!a} is no name of a metric: 1 to 32 of a-z, 0-9, _, a-z first."
            )
        elif not isinstance(expression, str) or not expression.strip():
            complain((KEY, name), f"{name} needs an expression that yields one series, as text.")
    return {name: each for name, each in raw.items() if isinstance(each, str)}
