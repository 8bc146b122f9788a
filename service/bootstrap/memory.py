"""How the garbage collector is set in a process that serves.

It stops the process to look through everything that could be garbage, which after all imports is
some 300,000 objects that never will be; and a notification of ten thousand alerts makes it look
dozens of times. docs/performance.md has the figures.
"""

from __future__ import annotations

import gc

_THRESHOLDS = (20_000, 20, 100)
"""Objects made since the last look at the youngest (default: 700), and how many looks at one
generation there are to each at the next (default: 10). What is dropped is freed at once in any
case; only cycles wait for the collector, and the requests of a storm leave few."""


def spare_the_collector() -> None:
    """Take what lives as long as the process out of the collector's sight; once, at start-up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
