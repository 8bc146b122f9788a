"""What each kind calls the state of a target, out of what its look has found."""

from __future__ import annotations

from typing import Any

import pytest

from service.catalogue.app_platform.plan import component_is
from service.catalogue.droplet.plan import droplet_is
from service.catalogue.nginx.plan import file_is
from service.catalogue.registry import KINDS
from service.catalogue.supabase.plan import project_is

APP = {"kind": "services", "replicas": 2, "size": "basic-s"}
FILE = {"file": "0123", "in_force": "0123", "running": True, "servers": 2}
OFF = {"size": "s-1vcpu-1gb", "status": "off"}


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (component_is(APP), {"replicas": 2, "size": "basic-s"}),
        (component_is({**APP, "replicas": 0}), {"replicas": 0, "size": "basic-s"}),
        (component_is({"kind": None, "replicas": None, "size": ""}), {}),
        (droplet_is({**OFF, "status": "active"}), {"size": "s-1vcpu-1gb"}),
        (droplet_is(OFF), {"size": "s-1vcpu-1gb", "status": "off"}),
        (file_is(FILE), {"file": "0123 with 2 servers"}),
        (file_is({**FILE, "file": "none", "in_force": ""}), {"file": "none"}),
        (
            file_is({**FILE, "in_force": ""}),
            {"file": "0123 with 2 servers", "status": "not loaded"},
        ),
        (project_is({"variant": "ci_small", "status": "ACTIVE_HEALTHY"}), {"compute": "ci_small"}),
        (
            project_is({"variant": "", "status": "RESIZING"}),
            {"compute": "nano", "status": "RESIZING"},
        ),
    ],
)
def test_a_state_is_what_changes_and_a_status_that_is_not_the_usual_one(
    found: dict[str, Any], state: dict[str, Any]
) -> None:
    assert found == state


def test_each_kind_of_ours_tells_its_state() -> None:
    ours = {"app_platform": component_is, "droplet": droplet_is, "supabase": project_is}
    assert {kind.name: kind.state for kind in KINDS if kind.name in ours} == ours
