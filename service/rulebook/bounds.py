"""How small and how large each number and each duration in a rule file may be, in one table.

Whatever `check` calls valid must not surprise a run: a cooldown of thousands of years once made
every message about its run fail, because no calendar reaches so far.
"""

from __future__ import annotations

MAX_INSTANCES = 250
"""App Platform's own limit for one component (DigitalOcean's API reference). It bounds
`replicas.min`, `replicas.max` and `with.step`; the least of each is 1."""

MIN_LADDER = 2
"""A ladder with fewer sizes has no step to take."""

MAX_LADDER = 50
"""More sizes than any vendor sells that rise in price step by step."""

MAX_DROPLET_DIGITS = 19
"""Digits of a droplet's id: DigitalOcean's are whole numbers, which 64 bits hold."""

MAX_COOLDOWN_DAYS = 30
"""A claim that rests for longer is a rule that should not be there."""

MAX_SETTLE_DAYS = 30
"""A target that has to rest for longer should not be scaled by rules."""
