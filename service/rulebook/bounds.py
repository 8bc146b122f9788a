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

MIN_TRANSITIONS = 3
"""Whatever fires has turned once, and whatever fires again three times; fewer would hold every
alert."""

MAX_TRANSITIONS = 50
"""So many turns of an alert are kept. Whoever allows more of them wants no such guard."""

MAX_FLAPPING_DAYS = 1
"""An alert that turned yesterday does not flap."""

MAX_EXPECT_DAYS = 1
"""An alert that a change clears only after more than a day was cleared by something else."""

MAX_SLO_OF = 100
"""A rule makes a few changes a day: more than so many reach back for months."""

MAX_GIVE_UP = 20
"""Whoever goes on for longer than so many changes in vain does not want to give up."""

MAX_SCENARIO_STEPS = 30
"""A message that names more steps than that is read by nobody at night."""

MAX_SCENARIO_DAYS = 90
"""What is to hold for longer belongs in a level, or in the bounds of the target."""
