"""A second terminal finds the development service of the same home, and only while it runs."""

from __future__ import annotations

from pathlib import Path

from service.dev.home import held_home, noted, running_beside

NOTE = {"API_APP_ID": "app-quizmentor", "SANDBOX_URL": "http://127.0.0.1:8090"}


def test_a_running_service_tells_where_it_is(tmp_path: Path) -> None:
    with held_home(tmp_path) as home, noted(home, NOTE):
        assert running_beside(tmp_path) == NOTE


def test_a_service_that_ended_tells_nothing(tmp_path: Path) -> None:
    with held_home(tmp_path) as home, noted(home, NOTE):
        pass
    assert running_beside(tmp_path) == {}


def test_the_note_of_a_service_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    with held_home(tmp_path):
        pass
    (tmp_path / "dev.json").write_text('{"SANDBOX_URL": "http://127.0.0.1:8090"}')
    assert running_beside(tmp_path) == {}


def test_a_home_that_was_never_used_tells_nothing(tmp_path: Path) -> None:
    assert running_beside(tmp_path / "new") == {}
