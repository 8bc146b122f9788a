from __future__ import annotations

from tests.reliability import PAGE, all_scenarios, page, shown


def test_the_page_says_what_the_tests_prove() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(all_scenarios()), (
        "write it anew with `python -m tests.reliability`"
    )


def test_each_fault_stands_once_on_the_page() -> None:
    faults = [row.fault for row, _ in all_scenarios()]
    assert len(faults) == len(set(faults))


def test_writes_made_several_times_are_shown_once_in_the_order_of_the_first() -> None:
    sent = ["snapshot", "power_on", "shutdown", "power_on", "power_on", "resize", "resize"]
    assert shown(sent) == ("snapshot", "power_on again and again", "shutdown", "resize twice")
