"""The application's cache: as a target, and as it is written in a rule file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from service.catalogue.cache.strategies import DEFAULTS, NAMES
from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import Noted
from service.domain.durations import parse_duration

NAME = "cache"
PRICES = PriceList("the application's cache", {})
"""What is set and flushed costs nothing."""
SETTINGS = "runbookd:cache-settings"
"""The hash of a target that names none. It is ours by its name, and no prefix of the runbook's."""
MOST_DAYS = 7
"""The application's library keeps nothing for longer (`service/caching/entry.py`)."""
_ENDS = (":", "/", ".", "-", "_", "|", "#")
"""What prefixes usually end with, so that they cover no key of another kind."""

Key = Annotated[
    str, Field(pattern=r"^[!-~]{2,200}$", description="2 to 200 printable signs without spaces")
]


@dataclass(frozen=True, slots=True)
class CacheTarget:
    """The one cache that APP_CACHE_URL leads to.

    `settings` is the hash that tells the application how to cache. `prefixes` begin the keys that
    may be removed. `generation` is the key of a number that is part of all names of entries, empty
    where the application has none. `strategies` are the values of each: seconds, and whether
    everything is cached. `zone` is the target of the CDN before it, for people.
    """

    name: str
    settings: str = SETTINGS
    prefixes: tuple[str, ...] = ()
    generation: str = ""
    strategies: Mapping[str, Any] = field(default_factory=lambda: dict(DEFAULTS), hash=False)
    zone: str = ""
    service: str = ""

    @property
    def kind(self) -> str:
        """The kind of resource."""
        return NAME

    @property
    def resource(self) -> str:
        """The one server that one run at a time may change."""
        return "cache:application"

    @property
    def sizes(self) -> tuple[str, ...]:
        """None: its size is another kind's matter."""
        return ()

    @property
    def bounds(self) -> str:
        """What may be changed, and no more."""
        flushed = [*self.prefixes, *([self.generation] if self.generation else [])]
        keys = f", entries of {' and '.join(flushed)}" if flushed else ""
        return f"the strategy in {self.settings}{keys}"

    @property
    def console(self) -> str:
        """The vendor's list of databases, where a managed cache has its page."""
        return "https://cloud.digitalocean.com/databases"

    @property
    def values(self) -> Mapping[str, tuple[int, bool]]:
        """The strategies; the pinned form of a target has lists."""
        return {name: (int(ttl), bool(all_)) for name, (ttl, all_) in self.strategies.items()}


class StrategyShape(Shape):
    """The values of one strategy in a rule file."""

    ttl: Text | None = Field(default=None, description="a duration such as 1h")
    everything: bool | None = None


class CacheShape(Shape):
    """The application's cache in a rule file."""

    kind: str
    settings: Key = SETTINGS
    prefixes: list[Key] = Field(default_factory=list)
    generation: Key | None = None
    strategies: dict[str, StrategyShape] = Field(default_factory=dict)
    zone: Text | None = None
    service: Text | None = None


def build_cache(name: str, shape: CacheShape, noted: Noted) -> CacheTarget | None:
    """The target. What a flush could take that is no entry is noted."""
    ours = [("settings", shape.settings)]
    if shape.generation is not None:
        ours.append(("generation", shape.generation))
        if shape.generation == shape.settings:
            noted.at("generation", f"generation and settings are both {shape.settings}.")
    for prefix in shape.prefixes:
        for key, its_name in ours:
            if its_name.startswith(prefix):
                noted.at("prefixes", f"prefix {prefix} also covers {its_name}, the key of {key}.")
        if not prefix.endswith(_ENDS):
            noted.doubt(
                "prefixes",
                f"prefix {prefix} covers every key that begins like that, such as "
                f"{prefix}d-sessions. End it with the sign that parts your keys, such as "
                f"{prefix}: .",
            )
    return CacheTarget(
        name,
        shape.settings,
        tuple(shape.prefixes),
        shape.generation or "",
        _strategies(shape.strategies, noted),
        shape.zone or "",
        shape.service or "",
    )


def _strategies(given: Mapping[str, StrategyShape], noted: Noted) -> dict[str, list[Any]]:
    """All strategies as plain JSON: those of the file over those of the runbook."""
    values = {name: list(each) for name, each in DEFAULTS.items()}
    for name, shape in given.items():
        if name not in values:
            noted.at("strategies", f"unknown strategy {name!r}; known: {', '.join(NAMES)}.")
            continue
        if shape.ttl is not None:
            values[name][0] = _seconds(name, shape.ttl, noted)
        if shape.everything is not None:
            values[name][1] = shape.everything
    for one, another in _alike(values):
        noted.doubt("strategies", f"{one} keeps entries no longer than {another}.")
    return values


def _alike(values: Mapping[str, Sequence[Any]]) -> list[tuple[str, str]]:
    """Pairs of which the first should keep entries longer than the second, and does not."""
    order = ("standard", "aggressive", "maximum")
    pairs = zip(order[1:], order[:-1], strict=True)
    return [(one, another) for one, another in pairs if values[one][0] < values[another][0]]


def _seconds(name: str, given: str, noted: Noted) -> int:
    try:
        seconds = int(parse_duration(given, MOST_DAYS).total_seconds())
    except ValueError as error:
        noted.at("strategies", f"{name}: ttl {error}.")
        return 1
    if seconds < 1:
        noted.at("strategies", f"{name}: ttl must be at least 1s, not {given}.")
    return seconds
