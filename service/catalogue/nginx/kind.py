"""nginx's entry in the catalogue, and its own action."""

from __future__ import annotations

from service.catalogue.nginx.plan import (
    AS_THE_RULES_SAY,
    file_changed,
    file_digest,
    file_is,
    plan_file,
)
from service.catalogue.nginx.steps import BalancerFile, digest_of_file, place_of
from service.catalogue.nginx.target import NAME, PRICES, NginxShape, NginxTarget, build_balancer
from service.catalogue.spec import ActionSpec, Effect, KindSpec
from service.domain.decisions.requests import Wanted
from service.ports.nginx import Nginx

APPLY_BALANCER = ActionSpec(
    "apply_balancer",
    Effect.CHANGES,
    "out",
    wanted=lambda options: (Wanted("file", to=AS_THE_RULES_SAY),),
)
"""The file of the rules into force (runbook, Load Balancer Configuration)."""


def _look(nginx: Nginx, target: NginxTarget) -> str:
    seen = nginx.look(place_of(target))
    nginx.rehearse(place_of(target))
    runs = "nginx runs" if seen.running else "nginx does not run"
    read = "" if seen.included else f", and {target.main} does not include it"
    return f"{target.file} is {digest_of_file(seen)}, {runs}{read}"


KIND = KindSpec(
    name=NAME,
    stand_in="nginx",
    target=NginxTarget,
    shape=NginxShape,
    build=build_balancer,
    actions=(APPLY_BALANCER,),
    plan=plan_file,
    state=file_is,
    work=BalancerFile,
    look=_look,
    prices=PRICES,
    cost=lambda _: 0.0,
    values=file_digest,
    changed=file_changed,
    manages=lambda target: f"nginx:{target.file}",
    interrupts=False,
)
