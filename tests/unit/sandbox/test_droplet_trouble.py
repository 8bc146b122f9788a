"""What the vendor's documents say of droplets that do not do as asked, each orderable."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.unit.sandbox.support import DROPLET, Sandbox

ONE = f"/digitalocean/v2/droplets/{DROPLET}"


def control(sandbox: Sandbox, **body: Any) -> TestResponse:
    return sandbox.call("POST", "/_sandbox/droplet", body)


def fault(sandbox: Sandbox, **body: Any) -> TestResponse:
    return sandbox.call("POST", "/_sandbox/faults", {"vendor": "digitalocean", **body})


def newest_action(sandbox: Sandbox) -> Any:
    return (sandbox.call("GET", f"{ONE}/actions").json or {})["actions"][0]


def test_a_fault_can_pick_one_type_of_droplet_action() -> None:
    sandbox = Sandbox()
    fault(sandbox, type="power_off", status=503)
    assert sandbox.act("snapshot", name="one").status_code == 201
    sandbox.clock.pass_by(10)
    assert sandbox.act("power_off").status_code == 503


@pytest.mark.parametrize(
    ("outcome", "action_status"), [("no_effect", "completed"), ("errored", "errored")]
)
def test_an_action_can_be_taken_and_end_without_effect(outcome: str, action_status: str) -> None:
    sandbox = Sandbox()
    fault(sandbox, type="shutdown", outcome=outcome)
    sandbox.done("shutdown")
    assert newest_action(sandbox)["status"] == action_status
    assert sandbox.droplet()["status"] == "active"


def test_an_action_that_hangs_ends_only_when_a_person_ends_it() -> None:
    sandbox = Sandbox()
    sandbox.done("power_off")
    fault(sandbox, type="resize", outcome="hangs")
    sandbox.done("resize", size="s-1vcpu-2gb")
    sandbox.clock.pass_by(86_400)
    assert newest_action(sandbox)["status"] == "in-progress"
    assert sandbox.act("power_on").status_code == 422

    assert control(sandbox, end="completed").status_code == 200

    assert newest_action(sandbox)["status"] == "completed"
    assert sandbox.droplet()["size"] == "s-1vcpu-2gb"


def test_an_outcome_met_by_a_refused_action_changes_nothing() -> None:
    sandbox = Sandbox()
    fault(sandbox, type="power_on", outcome="hangs")
    assert sandbox.act("power_on").status_code == 422
    assert sandbox.act("power_off").status_code == 201


def test_durations_follow_the_type_and_the_used_disk() -> None:
    sandbox = Sandbox()
    control(sandbox, seconds={"power_off": 1}, seconds_per_gb={"snapshot": 60}, used_gb=20)
    sandbox.act("snapshot", name="s")
    sandbox.clock.pass_by(10 + 20 * 60 - 1)
    assert newest_action(sandbox)["status"] == "in-progress"
    sandbox.clock.pass_by(1)
    assert newest_action(sandbox)["status"] == "completed"
    assert sandbox.droplet()["snapshots"][0]["size_gigabytes"] == 20
    sandbox.act("power_off")
    sandbox.clock.pass_by(1)
    assert sandbox.droplet()["status"] == "off"


def test_a_size_that_the_region_does_not_sell_shows_in_both_lists_and_is_refused() -> None:
    sandbox = Sandbox()
    control(sandbox, region_sizes=["s-1vcpu-1gb", "c-2"])
    droplet = (sandbox.call("GET", ONE).json or {})["droplet"]
    assert droplet["region"]["sizes"] == ["s-1vcpu-1gb", "c-2"]
    sizes = (sandbox.call("GET", "/digitalocean/v2/sizes").json or {})["sizes"]
    sold_here = [one["slug"] for one in sizes if droplet["region"]["slug"] in one["regions"]]
    assert sold_here == ["s-1vcpu-1gb", "c-2"]
    sandbox.done("power_off")
    answer = sandbox.act("resize", size="s-1vcpu-2gb")
    assert (answer.status_code, answer.json and answer.json["id"]) == (422, "unprocessable_entity")


def test_a_size_too_large_for_the_host_shows_in_no_list_and_is_refused() -> None:
    sandbox = Sandbox()
    before = sandbox.call("GET", "/digitalocean/v2/sizes").json
    control(sandbox, too_large=["s-1vcpu-2gb"])
    assert sandbox.call("GET", "/digitalocean/v2/sizes").json == before
    sandbox.done("power_off")
    answer = sandbox.act("resize", size="s-1vcpu-2gb")
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["message"] == "Size is too large to fit on your droplet's server."


def test_a_person_at_the_control_panel_acts_as_the_vendor_allows() -> None:
    sandbox = Sandbox()
    assert control(sandbox, act="power_off").status_code == 200
    sandbox.clock.pass_by(10)
    assert sandbox.droplet()["status"] == "off"
    assert control(sandbox, act="power_off").status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"colour": "red"},
        {"seconds": {"fly": 1}},
        {"seconds": {"resize": -1}},
        {"used_gb": "much"},
        {"too_large": ["s-9vcpu-1gb"]},
        {"end": "hangs"},
        {"act": "resize"},
    ],
)
def test_what_makes_no_sense_is_told_and_changes_nothing(body: dict[str, Any]) -> None:
    sandbox = Sandbox()
    before = control(sandbox, used_gb=2.36).json
    answer = control(sandbox, **body)
    assert answer.status_code == 422
    assert "error" in (answer.json or {})
    assert control(sandbox, used_gb=2.36).json == before


@pytest.mark.parametrize(
    "body",
    [
        {"type": "fly", "status": 500},
        {"outcome": "explodes"},
        {"outcome": "errored", "status": 500},
        {"outcome": "errored", "drop": "before"},
    ],
)
def test_a_fault_that_contradicts_itself_is_refused(body: dict[str, Any]) -> None:
    assert fault(Sandbox(), **body).status_code == 422
