"""apply_balancer on this machine's own nginx: from the rules into force, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.catalogue.nginx.digest import digest_on_disk
from service.catalogue.nginx.render import render
from service.catalogue.nginx.target import NginxTarget
from service.catalogue.registry import kind_spec
from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import PlanHeld
from service.domain.decisions.requests import Wanted
from service.domain.errors import StepFailed, VendorError
from service.providers.nginx import LocalNginx
from service.store.clock import StoreClock
from tests.fakes.runs import FakeRun, Works, planned, request_for, works_on
from tests.nginx import Balancer, nginx_under, refusing, servers

QUICK = replace(Timings(), poll_min_s=0.01, reload_deadline_s=2.0)


class Machine:
    """nginx, and runs on it."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self.nginx = LocalNginx(balancer.command)
        self.clock = StoreClock()
        self.works: Works = works_on(self.clock, nginx=self.nginx, timings=QUICK)

    def run(self, target: NginxTarget, to: str = "") -> FakeRun:
        """A run for the file of the rules, or for an older one."""
        wanted: dict[str, Any] = {"wanted": (Wanted("file", to=to),)} if to else {}
        return planned(self.works, request_for("apply_balancer", target, **wanted), self.clock)

    def answers(self) -> tuple[int, str]:
        """What a client gets."""
        address = f"http://127.0.0.1:{self.balancer.listen}/quiz"
        answer = httpx.get(address, trust_env=False, headers={"Connection": "close"})
        return answer.status_code, answer.text


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with nginx_under(tmp_path) as balancer:
        made = Machine(balancer)
        yield made
        made.nginx.close()


def test_the_file_of_the_rules_serves_clients_and_an_undo_brings_the_one_before(
    machine: Machine,
) -> None:
    with servers(200, 200) as (first, second):
        one = machine.balancer.target(first.address)
        machine.run(one).execute()
        assert machine.answers() == (200, "ok")
        two = machine.balancer.target(second.address)
        run = machine.run(two)
        assert f"Adds server {second.address}" in run.plan.downtime
        records = run.execute()
        assert records["verify"]["answers"] == {second.address: "200"}
        asked = first.asked["GET"]
        assert machine.answers() == (200, "ok")
        assert (first.asked["GET"], second.asked["GET"] > 0) == (asked, True)
        machine.run(two, to=digest_on_disk(render(one))).execute()
        assert machine.balancer.file.read_text() == render(one)
        assert machine.answers() == (200, "ok")
        assert first.asked["GET"] > asked
        machine.run(one, to="none").execute()
        assert not machine.balancer.file.exists()


def test_no_request_is_lost_while_files_take_turns(machine: Machine) -> None:
    with servers(200, 200) as (first, second):
        one, two = (machine.balancer.target(each.address) for each in (first, second))
        machine.run(one).execute()
        statuses: list[int] = []
        for target in (two, one, two, one):
            run = machine.run(target)
            for step in run.plan.steps:
                run.step(step)
                statuses += [machine.answers()[0] for _ in range(5)]
    assert set(statuses) == {200}


def test_a_file_by_which_no_server_answers_is_put_back_and_clients_are_served_on(
    machine: Machine,
) -> None:
    with servers(200) as (sound,), refusing() as dead:
        good = machine.balancer.target(sound.address)
        machine.run(good).execute()
        bad = machine.run(machine.balancer.target(dead))
        with pytest.raises(StepFailed, match="none of its servers answers"):
            bad.execute()
        said = bad.works.make_safe(bad.context, bad.request, bad.plan)
        assert "was put back" in said
        assert "and nginx works by it" in said
        assert machine.balancer.file.read_text() == render(good)
        assert machine.answers() == (200, "ok")


def test_a_server_whose_name_nobody_knows_is_refused_and_clients_are_served_on(
    machine: Machine,
) -> None:
    """A name too long for DNS is refused without asking anybody."""
    with servers(200) as (sound,):
        good = machine.balancer.target(sound.address)
        machine.run(good).execute()
        unknown = machine.run(machine.balancer.target(f"{'a' * 64}.example:8080"))
        with pytest.raises(VendorError, match="host not found in upstream"):
            unknown.execute()
        assert unknown.intents == {}
        assert machine.balancer.file.read_text() == render(good)
        assert machine.answers() == (200, "ok")


def test_a_file_that_was_written_and_not_loaded_is_loaded_by_the_next_execution(
    machine: Machine,
) -> None:
    with servers(200) as (sound,):
        run = machine.run(machine.balancer.target(sound.address))
        run.step("write")
        run.records.clear()
        run.execute()
        assert machine.answers() == (200, "ok")


def test_a_reload_that_nginx_gives_up_is_seen_although_its_command_succeeded(
    machine: Machine,
) -> None:
    """A port that somebody else has: `nginx -t` and the command take it, the reload does not."""
    with servers(200) as (sound,):
        good = machine.balancer.target(sound.address)
        machine.run(good).execute()
        # The address of the server is taken: its socket listens there.
        taken = replace(good, listen=int(sound.address.rpartition(":")[2]))
        run = machine.run(taken)
        with pytest.raises(StepFailed, match="does not work by it after 2 s"):
            run.execute()
        assert "was put back" in run.works.make_safe(run.context, run.request, run.plan)
        assert machine.answers() == (200, "ok")


def test_a_file_that_a_person_has_written_there_holds_the_plan(machine: Machine) -> None:
    machine.balancer.file.write_text("# by hand\n", encoding="utf-8")
    target = machine.balancer.target("127.0.0.1:1")
    held = machine.works.plan(request_for("apply_balancer", target))
    assert isinstance(held, PlanHeld)
    assert held.guard == "changed_by_a_person"


def test_doctor_tries_what_an_apply_needs_and_changes_nothing(machine: Machine) -> None:
    look = kind_spec("nginx").look
    target = machine.balancer.target("127.0.0.1:1")
    assert look(machine.nginx, target) == f"{target.file} is none, nginx runs"
    elsewhere = replace(target, file=str(machine.balancer.root / "missing" / "edge.conf"))
    with pytest.raises(VendorError, match=r"may not write in .*/missing, which it has to"):
        look(machine.nginx, elsewhere)
    (machine.balancer.root / "conf.d" / "other.conf").write_text("nonsense;")
    with pytest.raises(
        VendorError, match=r"refuses its own files as they are: .*unknown directive"
    ):
        look(machine.nginx, target)
