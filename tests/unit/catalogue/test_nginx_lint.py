"""What is found in files for nginx, by line."""

from __future__ import annotations

import pytest

from service.catalogue.nginx.config import UnreadableConfig, parse_config
from service.catalogue.nginx.lint import find_faults

RUNBOOK = """\
# nginx.conf for custom load balancing
upstream quizmentor_backend {
    least_conn;  # Use least connections algorithm

    server api-1.quizmentor.app:8080 weight=1 max_fails=3 fail_timeout=30s;
    server api-2.quizmentor.app:8080 weight=1 max_fails=3 fail_timeout=30s;
    server api-3.quizmentor.app:8080 weight=1 max_fails=3 fail_timeout=30s;

    # Health check
    keepalive 32;
    keepalive_timeout 60s;
}

server {
    listen 80;
    server_name api.quizmentor.app;

    location / {
        proxy_pass http://quizmentor_backend;
        proxy_next_upstream error timeout http_500 http_502 http_503;
        proxy_connect_timeout 5s;
        proxy_send_timeout 60s;
        proxy_read_timeout 60s;

        # Headers for proper proxying
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
"""
"""The runbook's section about nginx, as it is written there."""

SOUND = """\
upstream backend {
    least_conn;
    server 10.0.0.11:8080 max_fails=3;
    server [fd00::2]:8080 backup;
    server unix:/run/app.sock;
    keepalive 16;
}
server {
    listen 443 ssl;
    proxy_http_version 1.1;
    location / {
        proxy_pass http://backend/api;
        proxy_set_header Connection "";
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_next_upstream error timeout;
        proxy_next_upstream_tries 2;
        proxy_next_upstream_timeout 10s;
    }
}
"""


def found(text: str) -> list[tuple[int, str]]:
    return [(each.line, each.name) for each in find_faults(text)]


def test_the_runbooks_own_file_is_refused_with_each_of_its_faults_by_line() -> None:
    assert found(RUNBOOK) == [
        (5, "names"),
        (9, "health-check"),
        (10, "keepalive"),
        (15, "plain-http"),
        (20, "retry-500"),
        (20, "retry-bounds"),
        (28, "forwarded-for"),
        (29, "forwarded-proto"),
    ]


def test_a_sound_file_has_no_finding() -> None:
    assert found(SOUND) == []


@pytest.mark.parametrize(
    ("was", "is_now", "line", "name"),
    [
        ("10.0.0.11:8080", "api-1.example:8080", 3, "names"),
        ("proxy_http_version 1.1;", "", 6, "keepalive"),
        ('proxy_set_header Connection "";', "", 6, "keepalive"),
        ('Connection ""', "Connection upgrade", 6, "keepalive"),
        ("keepalive 16;", "# health-check:\n    keepalive 16;", 6, "health-check"),
        ("listen 443 ssl;", "listen 8080;", 9, "plain-http"),
        ("error timeout;", "error http_500;", 16, "retry-500"),
        ("proxy_next_upstream_tries 2;", "", 16, "retry-bounds"),
        ("proxy_next_upstream_timeout 10s;", "", 16, "retry-bounds"),
        ("proxy_next_upstream_tries 2;", "proxy_next_upstream_tries 0;", 16, "retry-bounds"),
        ("For $remote_addr", "For $proxy_add_x_forwarded_for", 14, "forwarded-for"),
        ("listen 443 ssl;", "listen 80; set_real_ip_from 10.0.0.0/8;", 15, "forwarded-proto"),
        ("max_fails=3", "max_fails=0", 3, "never-out"),
    ],
)
def test_one_fault_in_a_sound_file_is_found_at_its_line(
    was: str, is_now: str, line: int, name: str
) -> None:
    assert was in SOUND
    assert (line, name) in found(SOUND.replace(was, is_now))


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        ("error timeout;", "off;"),
        ("10.0.0.11:8080", "api-1.example:8080 resolve"),
        ("10.0.0.11:8080", "localhost:8080"),
        ("http://backend/api", "http://elsewhere.example"),
        ("keepalive 16;", "# health-check:\n    health_check;\n    keepalive 16;"),
    ],
)
def test_what_is_right_though_it_looks_like_a_fault_is_not_found(was: str, is_now: str) -> None:
    changed = SOUND.replace(was, is_now)
    if is_now == "off;":
        changed = changed.replace("proxy_next_upstream_tries 2;", "")
    assert found(changed) == []


def test_a_header_set_further_in_takes_the_place_of_those_further_out() -> None:
    """As in nginx: one proxy_set_header in a location forgets all those of the server."""
    changed = SOUND.replace('        proxy_set_header Connection "";\n', "").replace(
        "    proxy_http_version 1.1;", '    proxy_http_version 1.1; proxy_set_header Connection "";'
    )
    assert found(changed) == [(6, "keepalive")]


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("http {\n  server {\n    listen 80;\n  }\n", 1, "never closed"),
        ("events {}\n}\n", 2, "closes nothing"),
        ("listen 80\n", 1, "listen does not end with a semicolon"),
        ("server {\n  listen 80\n}\n", 2, "listen does not end with a semicolon"),
        ('a;\nadd_header X "never closed;\n', 2, "never ends"),
        ("a;\n;\n", 2, "no directive before it"),
        ("content_by_lua_block {\n if x then {\n", 1, "never closed"),
    ],
)
def test_a_text_that_is_no_configuration_is_one_finding_at_its_line(
    text: str, line: int, sentence: str
) -> None:
    (finding,) = find_faults(text)
    assert (finding.line, finding.name) == (line, "unreadable")
    assert sentence in finding.sentence


def test_quotes_comments_variables_and_programs_are_read_as_nginx_reads_them() -> None:
    read = parse_config(
        "log_format main '$remote_addr # \"$request\"; {';\n"
        "rewrite ^/a#b ${scheme}://x/;  # said\n"
        "content_by_lua_block { if x then { y = 1 } }\n"
        "location ~ \\.php$ { return 200 a\\;b; }\n"
    )
    named = [(each.name, each.args, each.line) for each in read.directives]
    assert named == [
        ("log_format", ("main", '$remote_addr # "$request"; {'), 1),
        ("rewrite", ("^/a#b", "${scheme}://x/"), 2),
        ("content_by_lua_block", (), 3),
        ("location", ("~", "\\.php$"), 4),
    ]
    assert [each.text for each in read.comments] == ["said"]
    with pytest.raises(UnreadableConfig):
        parse_config("a {")
