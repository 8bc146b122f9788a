"""How long a ladder and a duration in a rule file may be; a kind bounds its own numbers.

Whatever `check` calls valid must not surprise a run: a cooldown of thousands of years once made
every message about its run fail, because no calendar reaches so far.
"""

from __future__ import annotations

MIN_LADDER = 2
"""A ladder with fewer sizes has no step to take."""

MAX_LADDER = 50
"""More sizes than any vendor sells that rise in price step by step."""

MAX_COOLDOWN_DAYS = 30
"""A rule with a longer cooldown should not be there."""

MAX_SETTLE_DAYS = 30
"""A target that needs longer to settle should not be scaled by rules."""

MAX_RETURN_DAYS = 30
"""What stays for longer is what the target is meant to have; it belongs in its bounds."""

MAX_FOR_DAYS = 1
"""Whoever wants to wait longer writes it into the sender's own rule."""
