from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.dev.home import DevRefused, held_home


def test_a_home_is_made_and_held_by_one(tmp_path: Path) -> None:
    with held_home(tmp_path / "new" / "home") as home:
        assert home.is_dir()
        with pytest.raises(DevRefused) as refused, held_home(home):
            pytest.fail("two held it")
    assert f"process {os.getpid()}" in str(refused.value)
    assert "RUNBOOKD_HOME" in str(refused.value)


def test_a_home_is_free_again_after_its_end(tmp_path: Path) -> None:
    for _ in range(2):
        with held_home(tmp_path):
            pass


def test_a_home_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DevRefused, match="cannot be used for data"), held_home(tmp_path / "file"):
        pytest.fail("it was held")
