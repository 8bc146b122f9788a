"""A balloon: as a target, and as it is written in a rule file."""

from __future__ import annotations

from dataclasses import dataclass

from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Sizes, Text
from service.catalogue.spec import Noted

NAME = "toy"
PRICES = PriceList("Toys", {"toy-small": 1.0, "toy-large": 2.0}, whole=True)


@dataclass(frozen=True, slots=True)
class ToyTarget:
    """One balloon."""

    name: str
    toy: str
    sizes: tuple[str, ...]
    service: str = ""

    @property
    def kind(self) -> str:
        """The kind of vendor resource."""
        return NAME

    @property
    def resource(self) -> str:
        """The vendor resource that one run at a time may change."""
        return f"toy:{self.toy}"

    @property
    def bounds(self) -> str:
        """The two ends of the ladder."""
        return f"{self.sizes[0]} … {self.sizes[-1]}"

    @property
    def console(self) -> str:
        """Its page at the vendor."""
        return f"https://toys.example/balloons/{self.toy}"


class ToyShape(Shape):
    """A balloon in a rule file."""

    kind: str
    toy: Text | None = None
    sizes: Sizes | None = None
    service: Text | None = None


def build_toy(name: str, shape: ToyShape, noted: Noted) -> ToyTarget | None:
    """The target; None when its number is missing."""
    if shape.toy is None:
        noted.missing("toy", "the balloon's number")
        return None
    return ToyTarget(name, shape.toy, tuple(shape.sizes or ()), shape.service or "")
