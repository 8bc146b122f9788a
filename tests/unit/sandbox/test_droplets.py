"""Droplets over time, and every refusal that a resize can meet."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.support import DROPLET, Sandbox

ONE = f"/digitalocean/v2/droplets/{DROPLET}"


def test_the_runbooks_way_of_resizing_ends_on_at_the_new_size_with_its_disk_untouched() -> None:
    sandbox = Sandbox()
    sandbox.done("snapshot", name="pre-scale-20260101-run")
    for kind in ("shutdown", "resize", "power_on"):
        sandbox.done(kind, **({"size": "s-1vcpu-2gb", "disk": False} if kind == "resize" else {}))
    droplet = sandbox.droplet()
    assert (droplet["size"], droplet["status"], droplet["disk"]) == ("s-1vcpu-2gb", "active", 25)
    assert [one["name"] for one in droplet["snapshots"]] == ["pre-scale-20260101-run"]


def test_an_action_takes_effect_only_when_it_completes() -> None:
    sandbox = Sandbox()
    answer = sandbox.act("power_off")
    assert answer.status_code == 201
    action = (answer.json or {})["action"]
    assert (action["status"], action["completed_at"]) == ("in-progress", None)
    sandbox.clock.pass_by(9.9)
    assert sandbox.droplet()["status"] == "active"
    assert (sandbox.call("GET", ONE).json or {})["droplet"]["locked"] is True
    sandbox.clock.pass_by(0.1)
    seen = (sandbox.call("GET", f"{ONE}/actions/{action['id']}").json or {})["action"]
    assert seen["status"] == "completed"
    assert sandbox.droplet()["status"] == "off"
    assert (sandbox.call("GET", ONE).json or {})["droplet"]["locked"] is False


def test_a_second_action_is_refused_while_one_runs() -> None:
    sandbox = Sandbox()
    assert sandbox.act("snapshot", name="one").status_code == 201
    answer = sandbox.act("power_off")
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["id"] == "unprocessable_entity"
    assert answer.json["message"] == "Droplet already has a pending event."
    sandbox.clock.pass_by(10)
    assert sandbox.droplet()["status"] == "active"


@pytest.mark.parametrize(
    ("first", "kind", "fields"),
    [
        ([], "resize", {"size": "s-1vcpu-2gb"}),
        (["power_off"], "resize", {"size": "s-1vcpu-1gb"}),
        (["power_off"], "resize", {"size": "s-9vcpu-1gb"}),
        (["power_off"], "resize", {}),
        (["power_off"], "resize", {"size": "s-1vcpu-2gb", "disk": "yes"}),
        (["power_off"], "power_off", {}),
        (["power_off"], "shutdown", {}),
        (["power_off"], "reboot", {}),
        ([], "power_on", {}),
        ([], "destroy_everything", {}),
        ([], "", {}),
    ],
)
def test_what_the_vendor_would_refuse_is_refused_and_leaves_no_action(
    first: list[str], kind: str, fields: dict[str, Any]
) -> None:
    sandbox = Sandbox()
    for action in first:
        sandbox.done(action)
    before = sandbox.droplet()
    assert sandbox.act(kind, **fields).status_code == 422
    assert sandbox.droplet() == before
    actions = (sandbox.call("GET", f"{ONE}/actions").json or {})["actions"]
    assert len(actions) == len(first)


def test_a_disk_that_grew_can_never_shrink_again() -> None:
    sandbox = Sandbox()
    sandbox.done("power_off")
    sandbox.done("resize", size="s-1vcpu-2gb", disk=True)
    assert sandbox.droplet()["disk"] == 50
    assert sandbox.act("resize", size="s-1vcpu-1gb").status_code == 422
    sandbox.done("resize", size="m-2vcpu-16gb", disk=False)
    assert sandbox.droplet()["size"] == "m-2vcpu-16gb"


def test_the_price_list_is_the_runbooks() -> None:
    sizes = (Sandbox().call("GET", "/digitalocean/v2/sizes").json or {})["sizes"]
    assert {size["slug"]: size["price_monthly"] for size in sizes} == {
        "s-1vcpu-1gb": 6,
        "s-1vcpu-2gb": 12,
        "s-2vcpu-2gb": 18,
        "s-2vcpu-4gb": 24,
        "s-4vcpu-8gb": 48,
        "c-2": 42,
        "c-4": 84,
        "m-2vcpu-16gb": 84,
    }
