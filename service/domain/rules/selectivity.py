"""Whether a rule's matchers choose anything at all.

An empty selector that is read as "everything" has erased whole fleets, so a rule must say at
least once what an alert is, not only what it is not.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.rules.matchers import predicate
from service.domain.rules.rules import Matcher

_PROBES = ("x", "7", "High CPU Usage", "web-1.example:9100/path?q=%20", "\u03c7\u03ac\u03bf\u03c2_")
"""Values with nothing in common: a pattern that takes all of them takes whatever comes."""


def selects(matchers: Iterable[Matcher]) -> bool:
    """Whether one matcher at least refuses both a missing label and some of the other values."""
    return any(_is_selective(matcher) for matcher in matchers)


def _is_selective(matcher: Matcher) -> bool:
    accepts = predicate(matcher)
    return not accepts("") and not all(map(accepts, _PROBES))
