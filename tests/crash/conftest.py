from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.stand import Stand, a_stand
from tests.databases import Databases


@pytest.fixture
def stand(tmp_path: Path, databases: Databases) -> Iterator[Stand]:
    """A sandbox, a fresh database, and no worker yet."""
    with databases.borrowed() as url, a_stand(tmp_path, url) as stand:
        yield stand
