from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.loopback import Loopback, loopback


@pytest.fixture
def vendor() -> Iterator[Loopback]:
    """A vendor that does what the test tells it."""
    with loopback() as server:
        yield server
