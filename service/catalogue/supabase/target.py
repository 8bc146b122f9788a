"""A Supabase project: as a target, and as it is written in a rule file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Sizes, Text
from service.catalogue.spec import Noted

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
    """One Supabase project with its ladder of compute sizes (`ci_micro` …), smallest first."""

    name: str
    project: str
    sizes: tuple[str, ...]
    service: str = ""

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
        """The two ends of the ladder."""
        return f"{self.sizes[0]} … {self.sizes[-1]}" if self.sizes else ""

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
    return SupabaseTarget(name, shape.project, tuple(shape.sizes or ()), shape.service or "")
