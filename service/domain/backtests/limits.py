"""How much two rule files may differ, as a person writes it: `actions>+10`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.domain.backtests.tally import COUNTED, DOLLARS, VERDICTS

NAMES = (*COUNTED, DOLLARS, VERDICTS)
"""What a limit can be about."""
_FORM = re.compile(r"\s*([a-z]+)\s*([<>])\s*([+-]?)\s*([0-9]+(?:\.[0-9]+)?)\s*")


class BadLimit(ValueError):  # noqa: N818 - a fact about a text, told as it is
    """A text is no limit. The message says what to write."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit, and the text that it was read from.

    With a sign it is about the difference, new minus old: `actions>+10` fails where the new rules
    act more than ten times more often. Without a sign it is about the new rules alone.
    """

    text: str
    name: str
    above: bool
    relative: bool
    value: float

    def passed_by(self, totals: Mapping[str, tuple[float, float]]) -> str:
        """What is beyond the limit, as a sentence; empty where nothing is."""
        before, after = totals[self.name]
        found = round(after - before, 2) if self.relative else after
        beyond = found > self.value if self.above else found < self.value
        if not beyond:
            return ""
        shown = f"{found:+g}" if self.relative else f"{found:g}"
        return f"{self.text} fails: {self.name} {before:g} → {after:g} ({shown})."


def read_limit(text: str) -> Limit:
    """The limit that a person wrote.

    Raises:
        BadLimit: it is none, or names nothing that is counted.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadLimit(
            f"{text!r} is no limit. Write what is counted, > or <, and a number: 'actions>+10' "
            "fails where the new rules act more than ten times more often, and 'pages>40' where "
            "they page more than 40 times in all."
        )
    name, sign, plus, number = found.groups()
    if name not in NAMES:
        raise BadLimit(f"{name!r} in {text!r} is nothing that is counted; there are {_listed()}.")
    value = float(number) * (-1 if plus == "-" else 1)
    return Limit(text.strip(), name, sign == ">", bool(plus), value)


def passed_limits(
    limits: Sequence[Limit], totals: Mapping[str, tuple[float, float]]
) -> tuple[str, ...]:
    """What is beyond any of the limits, a sentence each."""
    return tuple(said for each in limits if (said := each.passed_by(totals)))


def _listed() -> str:
    return f"{', '.join(NAMES[:-1])} and {NAMES[-1]}"
