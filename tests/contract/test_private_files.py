"""SQLite's files are for their owner alone, on a real file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.bootstrap.stores import Stores
from service.settings import SettingsInvalid, load_settings


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def used(home: Path) -> dict[str, int]:
    """What is in a home while its database is open, with the mode of each."""
    stores = Stores(load_settings({"RUNBOOKD_HOME": str(home)}))
    with stores.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS kept (id INTEGER)")
        connection.exec_driver_sql("INSERT INTO kept VALUES (1)")
    found = {each.name: mode(each) for each in home.iterdir()}
    stores.engine.dispose()
    return found


def test_a_new_home_and_all_that_sqlite_puts_there_are_the_owners_alone(tmp_path: Path) -> None:
    home = tmp_path / "var"
    files = used(home)
    assert files == dict.fromkeys(["runbookd.db", "runbookd.db-wal", "runbookd.db-shm"], 0o600)
    assert mode(home) == 0o700


def test_what_an_earlier_version_left_open_is_shut_at_the_next_start(tmp_path: Path) -> None:
    home = tmp_path / "var"
    home.mkdir(mode=0o755)
    for name in ("runbookd.db", "runbookd.db-wal", "runbookd.db-shm", "dev.lock", "redis.rdb"):
        (home / name).touch(mode=0o644)
    files = used(home)
    assert {files[name] for name in files if name.startswith("runbookd.db")} == {0o600}
    assert mode(home) == 0o700


def test_a_directory_that_is_not_runbookds_alone_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    (shared / "something of somebody").touch(mode=0o644)
    files = used(shared)
    assert mode(shared) == 0o755
    assert files["runbookd.db"] == 0o600
    assert files["something of somebody"] == 0o644


def test_a_place_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    stores = Stores(load_settings({"RUNBOOKD_HOME": str(tmp_path / "file" / "var")}))
    with pytest.raises(SettingsInvalid, match="set RUNBOOKD_HOME or DATABASE_URL"):
        _ = stores.engine
