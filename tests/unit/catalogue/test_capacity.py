"""What a plan of the months ahead knows of a target, and what it assumes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.catalogue.capacity import Planned, Present, planned
from service.catalogue.droplet.target import DropletTarget
from service.catalogue.nginx.target import NAME as NGINX
from service.catalogue.prices import Kept
from service.catalogue.supabase.target import SupabaseTarget
from service.domain.capacity.priced import Scaled
from tests.fakes.runs import API

VM = DropletTarget("vm", "101", ("s-1vcpu-1gb", "s-1vcpu-2gb", "s-2vcpu-2gb"))
DATABASE = SupabaseTarget("db", "quizmentorquizmentor", ("ci_micro", "ci_small"))


def scaled(found: Planned) -> Scaled:
    assert found.scaled is not None
    return found.scaled


def test_what_was_seen_of_a_target_is_what_the_plan_begins_with() -> None:
    present = Present(4, "professional-s", {"cpu": 35.0, "memory": 99.0})
    found = planned(API, present, None)
    api = scaled(found)
    assert (api.count, api.least, api.most, api.load) == (4, 2, 10, 0.5)
    assert [each.name for each in api.sizes] == [
        "professional-s",
        "professional-m",
        "professional-l",
    ]
    assert [each.dollars for each in api.sizes] == [25.0, 50.0, 150.0]
    assert found.assumed == ("api: CPU of 35 % counts as 50 % full.",)


def test_what_was_never_seen_is_assumed_and_said() -> None:
    found = planned(API, Present(), None)
    assert (scaled(found).count, scaled(found).sizes[0].name) == (2, "professional-xs")
    assert len(found.assumed) == 3
    assert scaled(found).load == 1.0


def test_memory_says_how_full_a_droplet_is_and_nothing_how_full_a_database_is() -> None:
    loads = {"cpu": 35.0, "memory": 40.0}
    assert scaled(planned(VM, Present(None, "s-1vcpu-1gb", loads), None)).load == 0.5
    database = planned(DATABASE, Present(None, "ci_micro", loads), None)
    assert scaled(database).load == 1.0
    assert scaled(database).most is None
    assert "how busy it is is not known" in database.assumed[0]


def test_the_vendors_own_list_wins_over_the_documented_prices() -> None:
    kept = Kept(0.0, {"s-1vcpu-2gb": {"price_monthly": 14.0}})
    sizes = scaled(planned(VM, Present(None, "s-1vcpu-1gb"), kept)).sizes
    assert [(each.name, each.dollars) for each in sizes] == [
        ("s-1vcpu-1gb", 6.0),
        ("s-1vcpu-2gb", 14.0),
        ("s-2vcpu-2gb", 18.0),
    ]


def test_a_size_off_the_ladder_goes_on_with_what_is_dearer() -> None:
    sizes = scaled(planned(VM, Present(None, "s-1vcpu-2gb"), None)).sizes
    assert [each.name for each in sizes] == ["s-1vcpu-2gb", "s-2vcpu-2gb"]
    wide = replace(VM, sizes=("s-1vcpu-1gb", "s-2vcpu-4gb", "s-4vcpu-8gb"))
    sizes = scaled(planned(wide, Present(None, "c-2"), None)).sizes
    assert [each.name for each in sizes] == ["c-2", "s-4vcpu-8gb"]


def test_what_is_below_the_present_size_on_the_ladder_is_no_step_up_whatever_it_costs() -> None:
    odd = replace(API, sizes=("professional-m", "professional-xs", "professional-s"))
    sizes = scaled(planned(odd, Present(3, "professional-xs"), None)).sizes
    assert [each.name for each in sizes] == ["professional-xs", "professional-s"]


@pytest.mark.parametrize("size", ["new-size", ""])
def test_a_target_whose_price_nobody_knows_is_left_out_by_name(size: str) -> None:
    found = planned(replace(API, sizes=()), Present(3, size), None)
    what = "what new-size costs" if size else "its size"
    assert found == Planned(None, (f"api is left out, because {what} is not known.",))


def test_a_kind_without_prices_is_left_out_by_name() -> None:
    class Balancer:
        """As much of a target as is asked for."""

        name, kind, sizes = "edge", NGINX, ()

    found = planned(Balancer(), Present(), None)  # type: ignore[arg-type]  # see above
    assert found == Planned(None, ("edge is left out, because nothing of it has a price.",))
