"""Named ways of caching, and the settings that tell the application of them. Pure.

They are fields of one hash, which the application reads: `ttl`, seconds for which it keeps what it
caches; `everything`, whether it caches also what it usually leaves out; and `strategy`, their name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, unquote

from service.catalogue.shapes import Shape
from service.domain.durations import lasted

ATTRIBUTE = "strategy"
FIELDS = ("strategy", "ttl", "everything")
NONE = "none"
"""The value of a cache whose hash has none of the fields."""
NAMES = ("standard", "aggressive", "maximum", "multi_region")
Name = Literal["standard", "aggressive", "maximum", "multi_region"]
DEFAULTS: Mapping[str, tuple[int, bool]] = {
    "standard": (300, False),
    "aggressive": (3600, True),
    "maximum": (7200, True),
    "multi_region": (3600, True),
}
"""Seconds, and whether everything is cached. 5 minutes are the runbook's edgeTTL of the questions
(CDN Cache Rules). An hour and two are its cache_ttl in a viral growth and in an emergency. What
makes a strategy multi-region is the CDN: its hash has the values of aggressive."""
_LONGEST = 200
"""Characters of a field's value that an undo can carry. Longer ones are no settings of a cache."""

_SECONDS = re.compile(r"[0-9]{1,9}")

Fields = Mapping[str, str]


class StrategyOptions(Shape):
    """Which of the strategies."""

    strategy: Name = "standard"


def fields_of(name: str, values: Mapping[str, tuple[int, bool]]) -> dict[str, str]:
    """The fields of a named strategy."""
    ttl_s, everything = values[name]
    return {"strategy": name, "ttl": str(ttl_s), "everything": "true" if everything else "false"}


def value_of(fields: Fields, values: Mapping[str, tuple[int, bool]]) -> str:
    """What the fields are, in one text, from which `fields_from` makes them again.

    A strategy by its name; `none`; or else each field, such as `ttl=600 everything=true`.
    """
    if not fields:
        return NONE
    name = fields.get("strategy", "")
    if name in values and dict(fields) == fields_of(name, values):
        return name
    return " ".join(f"{each}={quote(fields[each], safe='')}" for each in FIELDS if each in fields)


def fields_from(value: str, values: Mapping[str, tuple[int, bool]]) -> dict[str, str] | None:
    """The fields that a text of `value_of` stands for; None for any other text."""
    if value == NONE:
        return {}
    if value in values:
        return fields_of(value, values)
    pairs = [each.partition("=") for each in value.split(" ")]
    if not all(sign and name in FIELDS for name, sign, _ in pairs):
        return None
    return {name: unquote(text) for name, _, text in pairs}


def too_long(fields: Fields) -> str:
    """The name of a field whose value is no setting of a cache; empty where there is none."""
    return next((name for name, text in fields.items() if len(text) > _LONGEST), "")


def in_words(fields: Fields) -> str:
    """What the application does by these fields."""
    ttl = fields.get("ttl", "")
    if not fields:
        return "the application caches as it does by itself"
    kept = lasted(int(ttl)) if _SECONDS.fullmatch(ttl) else ""
    how_long = f"what is cached is kept for {kept}" if kept else f"its ttl is {ttl or 'not set'}"
    everything = fields.get("everything") == "true"
    return f"{how_long}, and {'everything' if everything else 'only the usual'} is cached"
