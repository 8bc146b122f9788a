"""Asks come back from the queue as they went in, also those that an earlier version pinned."""

from __future__ import annotations

import json

import pytest

from service.domain.decisions.ask_json import dump_ask, load_ask
from service.domain.decisions.planning import Ask, Tell
from service.domain.rules.rules import ActionName, AppTarget
from tests.fakes.runs import API, DATABASE, WORKER, ask_for

TELL = Tell(
    run_id="errors-0123456789abcdef.notify.1",
    action=ActionName.PAGE_ONCALL,
    rule="errors",
    subject="runbookd/0123456789abcdef",
    cooldown_s=0.0,
    severity=None,
    summary='High Error Rate: 3 % → "<b>"',
    alerts=("a-1", "a-2"),
    rules_hash="0123456789ab",
    replay=True,
)


@pytest.mark.parametrize(
    "ask",
    [
        ask_for(ActionName.HORIZONTAL_SCALE, API, step=3, replay=True),
        ask_for(
            ActionName.HORIZONTAL_SCALE, AppTarget("a", "b", "c", 1, 2, (), "http://a.example")
        ),
        ask_for(ActionName.VERTICAL_SCALE, API),
        ask_for(ActionName.VERTICAL_SCALE, WORKER),
        ask_for(ActionName.SCALE_DATABASE, DATABASE),
        TELL,
    ],
)
def test_an_ask_survives_json(ask: Ask | Tell) -> None:
    assert load_ask(json.loads(json.dumps(dump_ask(ask)))) == ask


def test_the_pinned_form_stays_as_it_is() -> None:
    """Runs queued by the version before must be understood after a deploy."""
    assert dump_ask(ask_for(ActionName.VERTICAL_SCALE, WORKER)) == {
        "run_id": "worker-vm.up.1",
        "action": "vertical_scale",
        "rule": "a-rule",
        "target": {
            "kind": "droplet",
            "name": "worker-vm",
            "droplet": "101",
            "sizes": ("s-1vcpu-1gb", "s-1vcpu-2gb", "s-2vcpu-2gb", "c-2"),
            "health_url": None,
        },
        "direction": "up",
        "cooldown_s": 600.0,
        "settle_s": 120.0,
        "step": 1,
        "summary": "High CPU Usage is 93",
        "alerts": ["alert-1"],
        "rules_hash": "0123456789ab",
        "replay": False,
    }


def test_fields_that_came_later_may_be_missing() -> None:
    pinned = dump_ask(TELL)
    del pinned["replay"]
    loaded = load_ask(pinned)
    assert loaded.replay is False


@pytest.mark.parametrize("ask", [TELL, ask_for(ActionName.SCALE_DATABASE, DATABASE)])
def test_fields_of_a_later_version_are_left_out(ask: Ask | Tell) -> None:
    """After a deploy is taken back, its runs are still in the queue."""
    assert load_ask({**dump_ask(ask), "of_tomorrow": 1}) == ask


def test_fields_of_a_later_target_are_left_out() -> None:
    ask = ask_for(ActionName.SCALE_DATABASE, DATABASE)
    pinned = dump_ask(ask)
    pinned["target"] = {**pinned["target"], "of_tomorrow": 1}
    assert load_ask(pinned) == ask
