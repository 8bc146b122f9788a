from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.world import World, open_world
from tests.programs import require


@pytest.fixture(scope="session")
def senders() -> None:
    """Skip where a sender is not installed; with CI=true: fail."""
    require("prometheus", "prometheus")
    require("prometheus-alertmanager", "prometheus-alertmanager")


@pytest.fixture(scope="module")
def shared_world(senders: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture
def world(shared_world: World) -> World:
    """The world of the module, calm: for tests that each have a target of their own."""
    shared_world.calm_down()
    return shared_world


@pytest.fixture
def new_world(senders: None, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """A world of one's own, for tests of what a target has been through. It takes what
    `open_world` takes: `new_world(2)`, `new_world(rules=RULES)`."""
    with ExitStack() as ends:
        yield lambda *given, **named: ends.enter_context(open_world(tmp_path, *given, **named))
