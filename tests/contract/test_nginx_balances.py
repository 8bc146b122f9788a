"""The file that is made of a target, under Debian's nginx with servers that are ill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.catalogue.nginx.render import render
from service.catalogue.nginx.target import NginxTarget
from service.domain.errors import VendorError
from service.providers.nginx import LocalNginx
from tests.nginx import Balancer, nginx_under, refusing, servers

GETS = 100


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    with nginx_under(tmp_path, started=False) as made:
        yield made


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=30.0) as made:
        yield made


def in_force(balancer: Balancer, target: NginxTarget) -> str:
    """Start nginx by the target's file; the address of clients."""
    balancer.file.write_text(render(target), encoding="utf-8")
    balancer.start()
    return f"http://127.0.0.1:{balancer.listen}/quiz"


def test_with_a_refusing_a_failing_and_a_hanging_server_every_get_is_answered_by_the_sound_one(
    balancer: Balancer, client: httpx.Client
) -> None:
    with refusing() as dead, servers(500, None, 200) as (failing, hanging, sound):
        target = balancer.target(
            *(dead, failing.address, hanging.address, sound.address),
            tries=4,
            max_fails=2,
            retry_500=True,
            read_timeout_s=1,
        )
        address = in_force(balancer, target)
        statuses = [client.get(address).status_code for _ in range(GETS)]
    assert statuses == [200] * GETS
    bad = failing.asked.total() + hanging.asked.total() + balancer.log().count("refused")
    assert 3 <= bad <= 6
    assert sound.asked["GET"] == GETS
    assert sound.connections <= 3


@pytest.mark.parametrize("ill", ["refusing", "failing", "hanging"])
def test_one_ill_server_of_three_costs_no_get_its_answer_and_is_taken_out(
    balancer: Balancer, client: httpx.Client, ill: str
) -> None:
    """By the defaults, with 503 for the failing one: they pass a request on to one more server."""
    with refusing() as dead, servers(200, 200, None if ill == "hanging" else 503) as made:
        first, second, bad = made
        third = dead if ill == "refusing" else bad.address
        target = balancer.target(first.address, second.address, third, read_timeout_s=1)
        address = in_force(balancer, target)
        statuses = [client.get(address).status_code for _ in range(GETS)]
    assert statuses == [200] * GETS
    tries = bad.asked.total() or balancer.log().count("refused")
    assert 1 <= tries <= target.max_fails
    assert first.connections + second.connections <= 3
    assert first.asked["GET"] + second.asked["GET"] == GETS


@pytest.mark.parametrize("answer", [500, 503, None])
def test_a_post_reaches_exactly_one_server(
    balancer: Balancer, client: httpx.Client, answer: int | None
) -> None:
    with servers(answer, answer, answer) as made:
        target = balancer.target(*(each.address for each in made), read_timeout_s=1)
        answered = client.post(in_force(balancer, target), content=b"answers of a quiz")
    assert sum(each.asked["POST"] for each in made) == 1
    assert answered.status_code == (answer or 504)


def test_an_error_of_the_application_takes_no_server_out(
    balancer: Balancer, client: httpx.Client
) -> None:
    with servers(500, 500) as made:
        address = in_force(balancer, balancer.target(*(each.address for each in made)))
        statuses = {client.get(address).status_code for _ in range(20)}
    assert statuses == {500}
    assert sum(each.asked["GET"] for each in made) == 20


def test_where_no_server_answers_a_get_is_asked_to_come_again_and_a_post_is_not(
    balancer: Balancer, client: httpx.Client
) -> None:
    with refusing() as dead:
        address = in_force(balancer, balancer.target(dead))
        got, posted = client.get(address), client.post(address, content=b"x")
    assert (got.status_code, got.headers["Retry-After"]) == (503, "30")
    assert posted.status_code == 502
    assert "Retry-After" not in posted.headers


def test_a_backup_is_asked_only_when_no_other_server_answers(
    balancer: Balancer, client: httpx.Client
) -> None:
    with servers(200, 200) as (first, backup):
        target = balancer.target(first.address, f"{backup.address} backup")
        address = in_force(balancer, target)
        assert [client.get(address).status_code for _ in range(10)] == [200] * 10
        assert backup.asked.total() == 0
        first.status = 503
        assert [client.get(address).status_code for _ in range(10)] == [200] * 10
        assert backup.asked.total() == 10


@pytest.mark.parametrize(
    ("trusted", "client_address", "proto"),
    [((), "127.0.0.1", "http"), (("127.0.0.0/8",), "6.6.6.6", "https")],
)
def test_only_a_trusted_proxy_may_say_who_the_client_is_and_how_it_came(
    balancer: Balancer,
    client: httpx.Client,
    trusted: tuple[str, ...],
    client_address: str,
    proto: str,
) -> None:
    said = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
    with servers(200) as (server,):
        target = balancer.target(server.address, trusted_proxies=trusted)
        client.get(in_force(balancer, target), headers=said)
    (headers,) = server.headers
    assert headers["X-Forwarded-For"] == headers["X-Real-IP"] == client_address
    assert headers["X-Forwarded-Proto"] == proto


def test_nginx_tells_which_file_is_in_force_and_asks_each_server_by_its_number(
    balancer: Balancer,
) -> None:
    nginx = LocalNginx(balancer.command)
    with servers(200, 404) as made, refusing() as dead:
        target = balancer.target(*(each.address for each in made), dead, health_path="/health")
        in_force(balancer, target)
        seen = nginx.look(balancer.place)
        asked = [nginx.ask_server(balancer.place, n, seen.in_force) for n in (1, 2, 3)]
        assert asked == [200, 404, 502]
        with pytest.raises(VendorError, match="nginx does not work by 0000 there"):
            nginx.ask_server(balancer.place, 1, "0000")
    assert (seen.text, seen.running, seen.included) == (render(target), True, True)
    assert f"# runbookd-file: {seen.in_force}\n" in render(target)
    nginx.close()
