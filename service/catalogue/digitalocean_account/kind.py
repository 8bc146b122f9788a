"""The entry of the account in the catalogue, and its own action."""

from __future__ import annotations

from service.catalogue.digitalocean_account.plan import RemoveOptions, account_is, plan_removal
from service.catalogue.digitalocean_account.steps import AccountWork
from service.catalogue.digitalocean_account.target import (
    NAME,
    PRICES,
    AccountShape,
    AccountTarget,
    build_account,
)
from service.catalogue.spec import ActionSpec, Effect, KindSpec
from service.ports.digitalocean_account import REMOVABLE, Account

REMOVE_UNUSED = ActionSpec(
    "remove_unused",
    Effect.CHANGES,
    "out",
    options=RemoveOptions,
    undoes=False,
    returns=False,
    by_approval=True,
)
"""What nobody uses and is billed all the same (runbook, Automatic Cost Optimization). It takes no
capacity away, so its direction is that of an addition."""


def _look(account: Account, target: AccountTarget) -> str:
    counted = [f"{len(account.listed(kind))} of kind {kind}" for kind in REMOVABLE]
    return f"the account lists {', '.join(counted)}; {target.bounds} is removed"


KIND = KindSpec(
    name=NAME,
    stand_in="digitalocean",
    target=AccountTarget,
    shape=AccountShape,
    build=build_account,
    actions=(REMOVE_UNUSED,),
    plan=plan_removal,
    state=account_is,
    work=AccountWork,
    look=_look,
    prices=PRICES,
    changed=lambda _: {},
    cost=lambda _: 0.0,
    interrupts=False,
)
