"""The sandbox's machine with nginx, by its calls."""

from __future__ import annotations

from typing import Any

from tests.unit.sandbox.support import Sandbox

PATH = "/etc/nginx/conf.d/edge.conf"
TEXT = """\
upstream edge {
    server 10.0.0.11:8080;
}
server {
    location = /config {
        return 200 "edge 0123\\n";
    }
    location = /server/1 {
        add_header X-Runbookd-File 0123 always;
        proxy_pass http://10.0.0.11:8080/;
    }
}
"""


def put(sandbox: Sandbox, text: str | None, keep_as: str | None = None) -> tuple[int, str]:
    body = {"path": PATH, "text": text, "keep_as": keep_as}
    answer = sandbox.call("PUT", "/nginx/file", body)
    return answer.status_code, (answer.json or {}).get("message", "")


def look(sandbox: Sandbox) -> dict[str, object]:
    found = sandbox.call("GET", f"/nginx/file?path={PATH}").json
    assert isinstance(found, dict)
    return found


def test_a_file_works_only_once_it_was_loaded() -> None:
    sandbox = Sandbox()
    assert look(sandbox) == {"text": None, "told": "", "running": True}
    assert put(sandbox, TEXT) == (200, "")
    assert look(sandbox) == {"text": TEXT, "told": "", "running": True}
    assert sandbox.call("POST", "/nginx/reload").status_code == 200
    assert look(sandbox)["told"] == "edge 0123"
    server = sandbox.call("GET", f"/nginx/servers/1?path={PATH}").json
    assert server == {"status": 200, "told": "edge 0123"}
    assert sandbox.call("GET", f"/nginx/servers/2?path={PATH}").json["status"] == 404  # type: ignore[index]


def test_a_file_that_nginx_would_refuse_is_refused_in_its_words_and_the_old_one_stays() -> None:
    sandbox = Sandbox()
    put(sandbox, TEXT)
    unknown = TEXT.replace("10.0.0.11:8080;", "api-1.invalid:8080;")
    status, said = put(sandbox, unknown)
    assert (status, said) == (
        422,
        f'[emerg] host not found in upstream "api-1.invalid:8080" in {PATH}:2',
    )
    assert put(sandbox, TEXT.rstrip().removesuffix("}"))[0] == 422
    assert look(sandbox)["text"] == TEXT


def test_what_is_replaced_is_kept_under_its_name_and_a_reset_forgets_all() -> None:
    sandbox = Sandbox()
    put(sandbox, TEXT)
    assert put(sandbox, None, keep_as="0123") == (200, "")
    kept = sandbox.call("GET", f"/nginx/kept?path={PATH}&as=0123").json
    assert kept == {"text": TEXT}
    sandbox.call("POST", "/_sandbox/reset", {})
    assert sandbox.call("GET", f"/nginx/kept?path={PATH}&as=0123").json == {"text": None}


def test_a_body_that_is_no_file_is_refused() -> None:
    sandbox = Sandbox()
    bodies: tuple[Any, ...] = ({}, {"path": PATH, "text": 1}, {"path": 1, "text": ""}, [], "x")
    for body in bodies:
        assert sandbox.call("PUT", "/nginx/file", body).status_code == 400
