"""Sets the garbage collector for a process that serves.

The collector stops the process to look through everything that could be garbage. After the imports,
that is about 300,000 objects that never become garbage. A notification of ten thousand alerts makes
it look dozens of times. docs/performance.md has the figures.
"""

from __future__ import annotations

import gc

_THRESHOLDS = (20_000, 20, 100)
"""New objects between two looks at the youngest generation (default: 700), and looks at one
generation for each look at the next (default: 10). Only reference cycles wait for the collector,
and the requests of a storm leave few of them."""


def spare_the_collector() -> None:
    """Hide everything that exists now from the collector. Call it once, at start-up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
