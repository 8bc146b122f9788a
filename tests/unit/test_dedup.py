from __future__ import annotations

from typing import Any

import pytest

from service.domain.alerts.dedup import bound_dedup_key, dedup_key, run_dedup_key

FACTS: dict[str, Any] = {
    "source": "alertmanager",
    "rule": "high-errors",
    "receiver": "runbookd",
    "group_labels": {"alertname": "High Error Rate", "cluster": "a"},
    "fingerprint": "0123456789abcdef",
}


def test_the_key_never_changes_between_versions() -> None:
    assert dedup_key(**FACTS) == "runbookd/81640bccabdb3fc04796dcaf2be881b1"


def test_the_order_of_labels_does_not_matter() -> None:
    swapped = dict(reversed(FACTS["group_labels"].items()))
    assert dedup_key(**{**FACTS, "group_labels": swapped}) == dedup_key(**FACTS)


def test_the_alerts_of_one_group_are_one_incident() -> None:
    assert dedup_key(**{**FACTS, "fingerprint": "another"}) == dedup_key(**FACTS)


def test_without_a_group_each_alert_is_its_own_incident() -> None:
    alone = {**FACTS, "group_labels": {}}
    assert dedup_key(**alone) != dedup_key(**{**alone, "fingerprint": "another"})


@pytest.mark.parametrize("name", ["source", "rule", "receiver"])
def test_another_sender_rule_or_receiver_is_another_incident(name: str) -> None:
    assert dedup_key(**{**FACTS, name: "another"}) != dedup_key(**FACTS)


def test_labels_that_look_alike_when_joined_are_told_apart() -> None:
    one = dedup_key(**{**FACTS, "group_labels": {"a": "b", "c": "d"}})
    assert one != dedup_key(**{**FACTS, "group_labels": {"a": 'b", "c', "d": ""}})
    assert one != dedup_key(**{**FACTS, "group_labels": {"a": "b\x00c\x01d"}})


def test_any_label_fits_into_the_vendors_limit() -> None:
    monstrous = {"a" * 5000: "\ud800\x00é" * 5000}
    key = dedup_key(**{**FACTS, "group_labels": monstrous})
    assert len(key) <= 255
    assert key.isascii()


def test_runs_and_bounds_have_incidents_of_their_own() -> None:
    assert run_dedup_key("api.out.7") == "runbookd/run/api.out.7"
    assert bound_dedup_key("api", "out") == "runbookd/bound/api.out"
