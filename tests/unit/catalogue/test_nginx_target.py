"""A balancer in a rule file, and the file that is made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.catalogue.nginx.config import parse_config
from service.catalogue.nginx.difference import difference, servers_of
from service.catalogue.nginx.digest import digest_on_disk, made_by_runbookd
from service.catalogue.nginx.lint import find_faults
from service.catalogue.nginx.render import UnsafeValue, render
from service.catalogue.nginx.target import NginxTarget
from service.catalogue.request_json import dump_request, load_request
from service.rulebook import RuleBookInvalid, load_rulebook
from service.rulebook.pack import packaged
from tests.fakes.runs import EDGE, request_for
from tests.unit.rulebook_files import ENV, PACK, load, told

RULES = """\
targets:
  edge:
    kind: nginx
    file: /etc/nginx/conf.d/edge.conf
    servers:
      - {host: 10.0.0.11, port: 8080}
      - {host: API-2.example, port: 8080, weight: 2}
      - {host: "fd00::3", port: 8080, backup: true}
rules:
  - name: differs
    match: ['alertname="Differs"']
    action: apply_balancer
    target: edge
    cooldown: 5m
"""


def read(folder: Path, text: str) -> NginxTarget:
    file = folder / "rules.yml"
    file.write_text(text, encoding="utf-8")
    target = load_rulebook([file], {}).targets["edge"]
    assert isinstance(target, NginxTarget)
    return target


def test_the_servers_of_a_rule_file_are_those_of_the_target(tmp_path: Path) -> None:
    target = read(tmp_path, RULES)
    assert target.servers == (
        "10.0.0.11:8080",
        "api-2.example:8080 weight=2",
        "[fd00::3]:8080 backup",
    )
    assert target.console == "http://127.0.0.1/"
    assert (target.bounds, target.resource) == ("3 servers", "nginx:/etc/nginx/nginx.conf")


@pytest.mark.parametrize(
    ("was", "is_now", "line", "sentence"),
    [
        ("10.0.0.11,", '"a;include /etc/passwd",', 6, "servers[1].host must be a host name or"),
        ("10.0.0.11,", '"10.0.0.11\\n}",', 6, "servers[1].host must be a host name or"),
        ("10.0.0.11,", '".:",', 5, "'.:' is neither a host name nor an address"),
        ("port: 8080}", "port: 0}", 6, "servers[1].port must be at least 1, not 0."),
        ("port: 8080}", "port: 65536}", 6, "servers[1].port must be at most 65535"),
        (
            "API-2.example, port: 8080, weight: 2",
            "10.0.0.11, port: 8080",
            5,
            "10.0.0.11:8080 2 tim",
        ),
        ("weight: 2", "weight: 0", 7, "servers[2].weight must be at least 1, not 0."),
        ("weight: 2", "down: true", 7, "unknown key servers[2].down"),
        (
            "    servers:",
            "    max_fails: 0\n    servers:",
            5,
            "max_fails must be at least 1, not 0.",
        ),
        ("    servers:", "    method: fastest\n    servers:", 5, "method must be 'least_conn'"),
        (
            "    servers:",
            "    method: ip_hash\n    servers:",
            5,
            "no server as a backup with ip_hash",
        ),
        (
            "    servers:",
            "    check_port: 80\n    servers:",
            5,
            "check_port 80 is also the port of",
        ),
        ("    servers:", "    names: ['a b']\n    servers:", 5, "'a b' is no host name"),
        ("    servers:", "    names: ['a;b']\n    servers:", 5, "'a;b' is no host name"),
        (
            "    servers:",
            "    trusted_proxies: [all]\n    servers:",
            5,
            "'all' is no address or net",
        ),
        ("    servers:", "    trusted_proxies: [0.0.0.0/0]\n    servers:", 5, "trusts everybody"),
        ("    servers:", "    certificate: /a.pem\n    servers:", 5, "belong together"),
        ("    servers:", "    health_path: '/x;y'\n    servers:", 5, "health_path must be a path"),
        ("    servers:", "    retry_for: soon\n    servers:", 5, "'soon' is not a duration"),
        ("    servers:", "    read_timeout: 2h\n    servers:", 5, "from 1s to 1h, not 2h"),
        ("conf.d/edge.conf", "../edge.conf", 4, "must not go through .."),
        ("conf.d/edge.conf", "nginx.conf", 4, "must not be nginx's main file"),
        ("conf.d/edge.conf", "conf.d/edge;x.conf", 4, "file must be a path from the root"),
        ("/etc/nginx/conf.d/edge.conf", "edge.conf", 4, "file must be a path from the root"),
    ],
)
def test_a_value_that_nginx_would_misread_is_refused_by_name_and_line(
    tmp_path: Path, was: str, is_now: str, line: int, sentence: str
) -> None:
    assert was in RULES
    with pytest.raises(RuleBookInvalid) as refused:
        read(tmp_path, RULES.replace(was, is_now, 1))
    told = [str(each) for each in refused.value.errors]
    assert any(f"rules.yml:{line}:" in each and sentence in each for each in told), told


@pytest.mark.parametrize("servers", ["", " []"])
def test_a_balancer_without_servers_is_refused(tmp_path: Path, servers: str) -> None:
    head, _, rest = RULES.partition("    servers:")
    rules = rest[rest.index("rules:") :]
    text = f"{head}    servers:{servers}\n{rules}" if servers else f"{head}{rules}"
    with pytest.raises(RuleBookInvalid, match="servers is missing: at least one"):
        read(tmp_path, text)


def test_a_balancer_of_backups_alone_is_refused(tmp_path: Path) -> None:
    text = RULES.replace("port: 8080}", "port: 8080, backup: true}").replace(
        "weight: 2}", "backup: true}"
    )
    with pytest.raises(RuleBookInvalid, match="every server is a backup"):
        read(tmp_path, text)


def test_a_return_of_a_file_is_refused_because_nothing_was_added(tmp_path: Path) -> None:
    text = RULES.replace("    cooldown: 5m", "    cooldown: 5m\n    return: {after: 30m}")
    with pytest.raises(RuleBookInvalid, match="return is of no use to apply_balancer"):
        read(tmp_path, text)


def test_a_server_that_hangs_for_longer_than_retries_last_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(RULES.replace("    servers:", "    read_timeout: 60s\n    servers:"))
    (warning,) = load_rulebook([file], {}).warnings
    assert "its requests go to no other server" in str(warning)


def test_a_balancer_survives_being_queued() -> None:
    request = request_for("apply_balancer", EDGE)
    assert load_request(dump_request(request)) == request


def test_the_rendered_file_has_no_finding_of_our_own_but_for_plain_http() -> None:
    assert [each.name for each in find_faults(render(EDGE))] == ["plain-http", "forwarded-proto"]
    behind = replace(EDGE, trusted_proxies=("10.0.0.0/8",))
    assert find_faults(render(behind)) == []
    encrypted = replace(EDGE, certificate="/a.pem", certificate_key="/b.pem", listen=443)
    assert find_faults(render(encrypted)) == []


def test_the_same_target_makes_the_same_file_and_another_one_makes_another() -> None:
    assert render(EDGE) == render(replace(EDGE))
    assert digest_on_disk(render(EDGE)) != digest_on_disk(render(replace(EDGE, tries=3)))
    assert servers_of(render(EDGE)) == list(EDGE.addresses)


@pytest.mark.parametrize("hostile", ["10.0.0.1:80; include /etc/passwd", "a}", 'x"', "#", "a\nb"])
def test_no_value_of_a_target_that_was_queued_otherwise_can_end_a_directive(hostile: str) -> None:
    """The rules refuse such a value; this holds where a target comes from elsewhere."""
    for changed in (
        replace(EDGE, servers=(hostile,)),
        replace(EDGE, names=(hostile,)),
        replace(EDGE, health_path=f"/{hostile}"),
    ):
        with pytest.raises(UnsafeValue, match="nothing was written"):
            render(changed)


def test_a_file_that_was_changed_by_hand_is_no_longer_runbookds() -> None:
    text = render(EDGE)
    assert made_by_runbookd(text) == digest_on_disk(text)
    changed = text.replace("10.0.0.12", "10.0.0.13")
    assert made_by_runbookd(changed) is None
    assert digest_on_disk(changed) != digest_on_disk(text)
    assert made_by_runbookd("server { listen 80; }") is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"servers": ("10.0.0.11:8080", "10.0.0.13:8080")}, "Adds server 10.0.0.13:8080"),
        ({"servers": ("10.0.0.11:8080",)}, "Removes server 10.0.0.12:8080"),
        (
            {"servers": ("10.0.0.11:8080 weight=2", "10.0.0.12:8080")},
            "Changes server 10.0.0.11:8080 from max_fails=3 fail_timeout=30s to weight=2",
        ),
        ({"read_timeout_s": 5}, "Changes proxy_read_timeout from 8s to 5s."),
        ({"method": "round_robin"}, "Removes least_conn."),
    ],
)
def test_what_a_new_file_changes_is_told_in_words(changes: dict[str, Any], told: str) -> None:
    said = difference(render(EDGE), render(replace(EDGE, **changes)))
    assert said.startswith(told)
    assert bool(said) == bool(told)


def test_many_differences_are_counted_instead_of_told_one_by_one() -> None:
    many = replace(EDGE, servers=tuple(f"10.0.1.{n}:8080" for n in range(9)))
    assert difference(render(EDGE), render(many)).endswith("; and 5 more.")
    assert difference("server {", render(EDGE)) == "Replaces the whole file."


def test_the_text_that_is_made_is_one_that_can_be_read() -> None:
    full = replace(EDGE, trusted_proxies=("10.0.0.0/8",), names=("a.example",), retry_500=True)
    assert [each.name for each in parse_config(render(full)).directives] == [
        *("upstream", "geo", "map", "server", "server")
    ]


def test_the_shipped_balancer_is_valid_beside_the_pack_and_says_what_it_lacks(
    tmp_path: Path,
) -> None:
    files = [PACK.read_text(), PACK.with_name("balancer.yml").read_text()]
    servers = {"BALANCER_SERVER_1": "10.0.0.11", "BALANCER_SERVER_2": "10.0.0.12"}
    book = load(tmp_path, *files, env={**ENV, **servers})
    target = book.targets["edge"]
    assert isinstance(target, NginxTarget)
    assert (target.servers, book.warnings) == (("10.0.0.11:8080", "10.0.0.12:8080"), ())
    assert "server 10.0.0.12:8080" in render(target)
    assert any("BALANCER_SERVER_1" in each for each in told(tmp_path, *files, env=ENV))
    assert packaged("balancer.yml").read_text() == files[1], "an installation carries it"
