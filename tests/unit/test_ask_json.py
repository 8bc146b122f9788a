"""Asks come back from the queue as they went in, also those that an earlier version pinned."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.catalogue.app_platform.target import AppTarget
from service.catalogue.ask_json import dump_ask, load_ask
from service.catalogue.registry import NotInCatalogue
from service.domain.decisions.planning import Ask, Tell
from tests.fakes.runs import API, DATABASE, WORKER, ask_for

TELL = Tell(
    run_id="errors-0123456789abcdef.notify.1",
    action="page_oncall",
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
        ask_for("horizontal_scale", API, options={"step": 3}, replay=True),
        ask_for("horizontal_scale", AppTarget("a", "b", "c", 1, 2, (), "http://a.example")),
        ask_for("vertical_scale", API),
        ask_for("vertical_scale", WORKER),
        ask_for("scale_database", DATABASE),
        TELL,
    ],
)
def test_an_ask_survives_json(ask: Ask | Tell) -> None:
    assert load_ask(json.loads(json.dumps(dump_ask(ask)))) == ask


def test_the_pinned_form_stays_as_it_is() -> None:
    """Runs queued by the version before must be understood after a deploy."""
    assert dump_ask(ask_for("vertical_scale", WORKER)) == {
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
        "options": {},
        "summary": "High CPU Usage is 93",
        "alerts": ["alert-1"],
        "rules_hash": "0123456789ab",
        "replay": False,
    }


def test_an_ask_that_pinned_a_step_and_no_options_keeps_its_step() -> None:
    """The version before had no options."""
    pinned = dump_ask(ask_for("horizontal_scale", API))
    del pinned["options"]
    loaded = load_ask({**pinned, "step": 3})
    assert isinstance(loaded, Ask)
    assert loaded.options == {"step": 3}


def test_a_step_that_its_action_never_used_is_left_out() -> None:
    pinned = dump_ask(ask_for("vertical_scale", WORKER))
    del pinned["options"]
    loaded = load_ask({**pinned, "step": 1})
    assert isinstance(loaded, Ask)
    assert loaded.options == {}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"action": "scale_everything"}, "There is no action 'scale_everything'"),
        ({"options": {"step": 0}}, "step: Input should be greater than or equal to 1"),
        ({"options": {"steps": 2}}, "steps: Extra inputs are not permitted"),
        ({"target": {"kind": "mainframe", "name": "m"}}, "no kind of target 'mainframe'"),
    ],
)
def test_what_the_catalogue_does_not_know_is_not_loaded(
    changes: dict[str, Any], sentence: str
) -> None:
    pinned = dump_ask(ask_for("horizontal_scale", API))
    with pytest.raises(NotInCatalogue, match=sentence):
        load_ask({**pinned, **changes})


def test_what_the_catalogue_does_not_know_is_not_queued() -> None:
    with pytest.raises(NotInCatalogue, match="step"):
        dump_ask(ask_for("horizontal_scale", API, options={"step": 251}))


def test_fields_that_came_later_may_be_missing() -> None:
    pinned = dump_ask(TELL)
    del pinned["replay"]
    loaded = load_ask(pinned)
    assert loaded.replay is False


@pytest.mark.parametrize("ask", [TELL, ask_for("scale_database", DATABASE)])
def test_fields_of_a_later_version_are_left_out(ask: Ask | Tell) -> None:
    """After a deploy is taken back, its runs are still in the queue."""
    assert load_ask({**dump_ask(ask), "of_tomorrow": 1}) == ask


def test_fields_of_a_later_target_are_left_out() -> None:
    ask = ask_for("scale_database", DATABASE)
    pinned = dump_ask(ask)
    pinned["target"] = {**pinned["target"], "of_tomorrow": 1}
    assert load_ask(pinned) == ask
