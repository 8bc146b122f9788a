"""Costs that no vendor's list shows, from YAML: plans, licences, whatever is paid each month."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from service.rulebook.schema import NAME_PATTERN
from service.rulebook.substitution import Complain

KEY = "costs"
"""Its key at the top of a file."""
_NAME = re.compile(NAME_PATTERN)
_MOST = 1e9
"""Dollars a month: more is a slip."""


def read_costs(raw: Any, complain: Complain) -> dict[str, Decimal]:
    """Dollars a month by name, noting everything that is wrong with them."""
    if not isinstance(raw, dict):
        complain((KEY,), "costs must be a mapping of names to dollars a month.")
        return {}
    found: dict[str, Decimal] = {}
    for name, dollars in raw.items():
        number = isinstance(dollars, int | float) and not isinstance(dollars, bool)
        if not _NAME.fullmatch(name):
            complain(
                (KEY, name), "the name must be 1 to 63 of a-z, 0-9, - and _, a-z or 0-9 first."
            )
        elif not number or not math.isfinite(dollars) or not 0 < dollars < _MOST:
            sentence = f"{name} must be dollars a month above 0, such as 25, not {dollars!r}."
            complain((KEY, name), sentence)
        else:
            found[name] = Decimal(str(dollars))
    return found
