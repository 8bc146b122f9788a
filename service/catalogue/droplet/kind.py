"""The droplet's entry in the catalogue."""

from __future__ import annotations

from service.catalogue.actions import VERTICAL_SCALE
from service.catalogue.droplet.plan import (
    droplet_costs,
    droplet_is,
    droplet_size,
    plan_droplet_size,
)
from service.catalogue.droplet.steps import DropletResize
from service.catalogue.droplet.target import (
    NAME,
    PRICES,
    DropletShape,
    DropletTarget,
    build_droplet,
)
from service.catalogue.spec import KindSpec, Leftover
from service.ports import Droplets


def _look(droplets: Droplets, target: DropletTarget) -> str:
    found = droplets.get(target.droplet)
    droplets.list_actions(target.droplet)
    droplets.snapshot_names(target.droplet)
    droplets.sizes()
    return f"DigitalOcean knows droplet {target.droplet}, {found.size}, {found.status}"


KIND = KindSpec(
    name=NAME,
    stand_in="digitalocean",
    target=DropletTarget,
    shape=DropletShape,
    build=build_droplet,
    actions=(VERTICAL_SCALE,),
    plan=plan_droplet_size,
    state=droplet_is,
    work=DropletResize,
    look=_look,
    leftover=Leftover("snapshot", DropletResize.remove),
    prices=PRICES,
    cost=droplet_costs,
    values=droplet_size,
    choices=lambda target, name: tuple(target.choices) if name == "size" else (),
    size_form=r"[a-z]+[0-9]*(-[a-z0-9_.]+)+",
)
