"""A droplet: as a target, and as it is written in a rule file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from pydantic import BeforeValidator, Field

from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Sizes, Text, Url
from service.catalogue.spec import Noted

NAME = "droplet"

MAX_DIGITS = 19
"""Digits of a droplet's id: DigitalOcean's are whole numbers, which 64 bits hold."""

_DOCUMENTED: dict[str, float] = {
    "s-1vcpu-1gb": 6.0,
    "s-1vcpu-2gb": 12.0,
    "s-2vcpu-2gb": 18.0,
    "s-2vcpu-4gb": 24.0,
    "s-4vcpu-8gb": 48.0,
    "c-2": 42.0,
    "c-4": 84.0,
    "m-2vcpu-16gb": 84.0,
}
"""Dollars a month (runbook, DigitalOcean Droplet Sizes). The vendor sells many more sizes."""
PRICES = PriceList(
    "DigitalOcean", _DOCUMENTED, documented_in="2026-11", note="prices.digitalocean.droplets"
)


@dataclass(frozen=True, slots=True)
class DropletTarget:
    """One DigitalOcean droplet with its ladder of sizes, smallest first.

    `choices` are sizes of another shape, neither larger nor smaller, which only a person may name.
    """

    name: str
    droplet: str
    sizes: tuple[str, ...]
    health_url: str | None = None
    service: str = ""
    choices: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The kind of vendor resource."""
        return NAME

    @property
    def resource(self) -> str:
        """The vendor resource that one run at a time may change."""
        return f"do-droplet:{self.droplet}"

    @property
    def bounds(self) -> str:
        """The two ends of the ladder, and what people may choose besides."""
        ladder = f"{self.sizes[0]} … {self.sizes[-1]}" if self.sizes else ""
        return f"{ladder}, or {', '.join(self.choices)} by people" if self.choices else ladder

    @property
    def console(self) -> str:
        """Its page in DigitalOcean's control panel."""
        return console_of(self.droplet)


def console_of(droplet: str) -> str:
    """The page of a droplet, by its id, in DigitalOcean's control panel."""
    return f"https://cloud.digitalocean.com/droplets/{quote(droplet, safe='')}"


def _digits(value: object) -> object:
    return str(value) if type(value) is int else value


class DropletShape(Shape):
    """A droplet in a rule file; its id is a number, so it may be written as one."""

    kind: str
    droplet: (
        Annotated[
            str,
            BeforeValidator(_digits),
            # A ${NAME} that could not be put in stays as it is written, and has been noted already.
            Field(pattern=rf"^[0-9]{{1,{MAX_DIGITS}}}$|\$\{{"),
        ]
        | None
    ) = Field(
        default=None, description=f"the droplet's id, a number of at most {MAX_DIGITS} digits"
    )
    sizes: Sizes | None = None
    choices: Sizes | None = None
    health_url: Url | None = None
    service: Text | None = None


def build_droplet(name: str, shape: DropletShape, noted: Noted) -> DropletTarget | None:
    """The target; None when its id is missing."""
    if shape.droplet is None:
        if "droplet" not in noted.wrong:
            noted.missing("droplet", "the droplet's id")
        return None
    ladder, choices = tuple(shape.sizes or ()), tuple(shape.choices or ())
    return DropletTarget(
        name, shape.droplet, ladder, shape.health_url, shape.service or "", choices
    )
