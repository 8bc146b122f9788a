"""A Supabase project: as a target, and as it is written in a rule file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Sizes, Text
from service.catalogue.spec import Noted
from service.catalogue.supabase.pooler import PoolerShape, read_pooler
from service.catalogue.supabase.replicas import ReplicasShape, read_replicas

NAME = "supabase"

_DOCUMENTED: dict[str, float] = {
    "ci_micro": 10.0,
    "ci_small": 15.0,
    "ci_medium": 60.0,
    "ci_large": 111.0,
    "ci_xlarge": 210.0,
    "ci_2xlarge": 410.0,
    "ci_4xlarge": 964.0,
    "ci_8xlarge": 1870.0,
    "ci_12xlarge": 2800.0,
    "ci_16xlarge": 3738.0,
}
"""Dollars a month (Supabase's compute add-ons; the runbook's Free, Pro and Team are plans)."""
PRICES = PriceList(
    "Supabase", _DOCUMENTED, documented_in="2026-11", note="prices.supabase.compute", whole=True
)

_REF = re.compile(r"[a-z]{20}|.*\$.*")
"""The ref of a project. What holds a `$` has been noted already."""


@dataclass(frozen=True, slots=True)
class SupabaseTarget:
    """One Supabase project with its ladder of compute sizes (`ci_micro` …), smallest first.

    `pooler` holds the bounds of its pool size as plain JSON; it is empty where runbookd does not
    look at the pooler. `replicas` is the same for read replicas.
    """

    name: str
    project: str
    sizes: tuple[str, ...]
    service: str = ""
    pooler: Mapping[str, Any] = field(default_factory=dict, hash=False)
    replicas: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def kind(self) -> str:
        """The kind of vendor resource."""
        return NAME

    @property
    def resource(self) -> str:
        """The vendor resource that one run at a time may change."""
        return f"supabase:{self.project}"

    @property
    def bounds(self) -> str:
        """The two ends of the ladder, and the bounds of pool size and replicas."""
        ladder = f"{self.sizes[0]} … {self.sizes[-1]}" if self.sizes else ""
        pool = self.pooler and f"pool size {self.pooler['min']}–{self.pooler['max']}"
        limit = self.replicas.get("limit")
        by_people = f" ({limit} by people and levels)" if limit else ""
        copies = self.replicas and f"at most {self.replicas['max']} replicas{by_people}"
        return ", ".join(each for each in (ladder, pool, copies) if each)

    @property
    def console(self) -> str:
        """Its page in Supabase's dashboard."""
        return f"https://supabase.com/dashboard/project/{quote(self.project, safe='')}"


class SupabaseShape(Shape):
    """A Supabase project in a rule file."""

    kind: str
    project: Text | None = None
    sizes: Sizes | None = None
    service: Text | None = None
    pooler: PoolerShape | None = None
    replicas: ReplicasShape | None = None


def build_project(name: str, shape: SupabaseShape, noted: Noted) -> SupabaseTarget | None:
    """The target; None when its ref is missing."""
    if shape.project is None:
        if "project" not in noted.wrong:
            noted.missing("project", "the Supabase project's ref")
        return None
    if not _REF.fullmatch(shape.project):
        noted.doubt(
            "project",
            f"{shape.project} does not look like the ref of a project, which is 20 small letters. "
            "It is in the address of the project's dashboard.",
        )
    return SupabaseTarget(
        name,
        shape.project,
        tuple(shape.sizes or ()),
        shape.service or "",
        read_pooler(shape.pooler, noted),
        read_replicas(shape.replicas, noted),
    )
