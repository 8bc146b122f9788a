"""Puts together what a month costs: bills, lists of what is billed, and what targets cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from service.catalogue.costs import line_of
from service.catalogue.registry import kind_spec
from service.domain.costs.costs import Booked, Line, Report, lines_of_fixed
from service.domain.errors import StepFailed, VendorError
from service.domain.rules.rules import RuleBook, Target
from service.ports.bills import Bills

_PLACES = 6
"""Digits of a price after the point: prices are floats elsewhere."""


def report_of(
    book: RuleBook | None, bills: Sequence[Bills], work_of: Callable[[Target], Any], now: float
) -> Report:
    """What the month of `now` costs, by each vendor that can be asked.

    Everything in an account with a bill comes from that account's own lists, whether it is a target
    or not. Of the other vendors there is what the targets cost, and what the rules name.
    """
    lines: list[Line] = []
    booked: list[Booked] = []
    unread: list[str] = []
    for account in bills:
        booked.append(_booked(account))
        try:
            inventory = account.inventory()
        except VendorError as error:
            unread.append(str(error))
            continue
        lines += [line_of(account.seller, each) for each in inventory.resources]
        unread += inventory.unread
    sellers = {account.seller for account in bills}
    for told in _of_targets(book, sellers, work_of):
        if isinstance(told, Line):
            lines.append(told)
        else:
            unread.append(told)
    lines += lines_of_fixed([] if book is None else list(book.costs.items()))
    budget = None if book is None or book.policy.budget is None else book.policy.budget.monthly
    allowed = None if budget is None else Decimal(str(budget))
    return Report(now, tuple(lines), tuple(booked), tuple(unread), allowed)


def _booked(account: Bills) -> Booked:
    try:
        return account.booked()
    except VendorError as error:
        return Booked(account.seller, None, why=str(error))


def _of_targets(
    book: RuleBook | None, sellers: set[str], work_of: Callable[[Target], Any]
) -> Iterator[Line | str]:
    """A line for each target of a vendor without a bill, or why it could not be looked at."""
    for target in () if book is None else book.targets.values():
        kind = kind_spec(target.kind)
        if not kind.is_sold or kind.prices.seller in sellers:
            continue
        try:
            observed = work_of(target).observe(target)
        except (VendorError, StepFailed) as error:
            yield f"target {target.name}: {error}"
            continue
        cost = kind.cost(observed)
        dollars = None if cost is None else round(Decimal(repr(cost)), _PLACES)
        state = ", ".join(str(each) for each in kind.values(observed).values())
        yield Line(kind.prices.seller, target.kind, target.name, state, dollars)
