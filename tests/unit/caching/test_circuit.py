"""The circuit of one layer, where two callers meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from service.caching.circuit import REST_S, Circuit
from service.caching.counters import Counters
from service.caching.layers import Reading
from service.caching.memory import MemoryLayer
from tests.fakes.caching import MB, Clock, Faulty


class Meeting(Faulty):
    """Another caller comes while the layer reads, or while it invalidates."""

    def __init__(self) -> None:
        super().__init__(MemoryLayer(MB))
        self.meets: Callable[[], object] = lambda: None
        self.invalidated: list[str] = []

    def read(self, key: str, names: Sequence[str], now: float) -> Reading:
        self._met()
        return super().read(key, names, now)

    def invalidate(self, name: str, now: float) -> None:
        super().invalidate(name, now)
        self.invalidated.append(name)
        self._met()

    def _met(self) -> None:
        meets, self.meets = self.meets, lambda: None
        meets()


@pytest.fixture
def layer() -> Meeting:
    return Meeting()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def circuit(layer: Meeting, clock: Clock, counters: Counters) -> Circuit:
    return Circuit(layer, counters, everything="quiz:*", monotonic=clock)


def test_while_one_caller_tries_a_layer_the_others_go_without(
    circuit: Circuit, layer: Meeting, clock: Clock
) -> None:
    layer.down()
    assert circuit.read("key", (), 0) is None
    clock.pass_(REST_S)
    others: list[Reading | None] = []
    layer.meets = lambda: others.extend(circuit.read("key", (), 0) for _ in range(5))
    asked = layer.asked
    assert circuit.read("key", (), 0) is None
    assert others == [None] * 5
    assert layer.asked == asked + 1


def test_after_a_try_that_went_well_everybody_calls_it_again(
    circuit: Circuit, layer: Meeting, clock: Clock
) -> None:
    layer.down()
    circuit.read("key", (), 0)
    layer.up()
    clock.pass_(REST_S)
    assert circuit.read("key", (), 0) is not None
    others: list[Reading | None] = []
    layer.meets = lambda: others.append(circuit.read("key", (), 0))
    circuit.read("key", (), 0)
    assert others != [None]


def test_what_is_invalidated_again_while_it_is_delivered_is_delivered_again(
    circuit: Circuit, layer: Meeting
) -> None:
    """The second one is only owed, because the layer has gone down in between."""

    def again() -> None:
        layer.down()
        assert circuit.invalidate("quiz:t:a", 2) is not None
        layer.up()

    layer.meets = again
    assert circuit.invalidate("quiz:t:a", 1) is None
    assert layer.invalidated == ["quiz:t:a", "quiz:t:a"]


def test_what_is_owed_is_forgotten_once_it_is_taken(circuit: Circuit, layer: Meeting) -> None:
    circuit.invalidate("quiz:t:a", 1)
    circuit.read("key", (), 0)
    assert layer.invalidated == ["quiz:t:a"]


def test_a_fault_of_the_layers_own_code_is_not_hidden(
    circuit: Circuit, layer: Meeting, clock: Clock
) -> None:
    def fault() -> None:
        raise KeyError("a bug")

    layer.down()
    circuit.read("key", (), 0)
    layer.up()
    clock.pass_(REST_S)
    layer.meets = fault
    with pytest.raises(KeyError):
        circuit.read("key", (), 0)
    assert circuit.read("key", (), 0) is not None
