"""The account at DigitalOcean: as a target, and as it is written in a rule file."""

from __future__ import annotations

from dataclasses import dataclass

from service.catalogue.prices import PriceList
from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import Noted

NAME = "digitalocean_account"
PRICES = PriceList("DigitalOcean", {})
"""It has no sizes; what lies in it has the prices of `catalogue/costs.py`."""


@dataclass(frozen=True, slots=True)
class AccountTarget:
    """The account that the token is of. `keep` are tags beside `keep` of what is never removed."""

    name: str
    keep: tuple[str, ...] = ()
    service: str = ""

    @property
    def kind(self) -> str:
        """The kind of vendor resource."""
        return NAME

    @property
    def resource(self) -> str:
        """What one run at a time may change: the token opens one account."""
        return "do-account:unused"

    @property
    def sizes(self) -> tuple[str, ...]:
        """It has no sizes."""
        return ()

    @property
    def bounds(self) -> str:
        """What is never removed."""
        return f"nothing with the tag {' or '.join(('keep', *self.keep))}"

    @property
    def console(self) -> str:
        """Its bill in DigitalOcean's control panel."""
        return "https://cloud.digitalocean.com/account/billing"


class AccountShape(Shape):
    """The account in a rule file."""

    kind: str
    keep: list[Text] | None = None
    service: Text | None = None


def build_account(name: str, shape: AccountShape, noted: Noted) -> AccountTarget:
    """The target. Nothing can be missing."""
    return AccountTarget(name, tuple(shape.keep or ()), shape.service or "")
