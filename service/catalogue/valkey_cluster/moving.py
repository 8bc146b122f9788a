"""Moving slots from node to node while the cluster serves them, piece by piece.

The cluster itself keeps how far it is. So whoever takes a step up after a crash looks at both
nodes, and goes on with each slot from where it is:

1. the new owner expects the slot (IMPORTING), and the old one sends for what it lacks (MIGRATING);
2. its keys move, some at a time;
3. the new owner takes it, and the old one lets it go.

The new owner comes first in 3: were it the old one, nobody would own the slot for a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from service.catalogue.context import StepContext
from service.catalogue.steps.polling import Pauses
from service.catalogue.steps.timings import Timings
from service.catalogue.valkey_cluster.slots import Piece
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.ports.valkey_cluster import ClusterNodes, Member, View

KEYS = 100
"""Keys of one move. Both nodes do nothing else meanwhile: with values of 100 bytes for 8 ms in the
median and 34 ms at most, of 200 moves on a machine with two busy cores."""
PAUSE_S = 0.002
"""Seconds between two pieces, in which others are served."""
TOLD_EACH_S = 5.0
"""Seconds between two lines in the run's thread that tell how far it is."""


class Moving:
    """The moves of one step. `may_have_written` is whether anything can have moved by it."""

    def __init__(
        self,
        nodes: ClusterNodes,
        context: StepContext,
        timings: Timings,
        *,
        step: str,
        addresses: Mapping[str, str],
        unsure: bool,
    ) -> None:
        self._nodes = nodes
        self._context = context
        self._timings = timings
        self._step = step
        self._addresses = addresses
        self._until = context.clock.monotonic() + timings.slots_deadline_s
        self._told_at = context.clock.monotonic()
        self._keys = 0
        self.may_have_written = unsure

    def bring(self, pieces: Sequence[Piece]) -> dict[str, int]:
        """Move all pieces; how many slots, and how many keys by this execution.

        Raises:
            StepFailed: somebody else moves the same slots, or it took too long.
            VendorError: a node refuses, or stays away.
            FencedOut: another execution owns this run.
        """
        total = sum(len(each.slots) for each in pieces)
        done = 0
        for piece in pieces:
            self._one(piece)
            done += len(piece.slots)
            self._context.clock.sleep(PAUSE_S)
            self._tell(done, total)
            if done < total and self._context.clock.monotonic() >= self._until:
                raise StepFailed(
                    self._step,
                    f"{done:,} of {total:,} slots of this step had moved after "
                    f"{self._timings.slots_deadline_s / 60:.0f} minutes, so it was stopped between "
                    f"two slots. {self._again()}",
                )
        return {"slots": total, "keys": self._keys}

    def _one(self, piece: Piece) -> None:
        """One piece, looked at anew after each failure, for as long as that may pass by itself."""
        pauses = Pauses(self._context.clock, self._timings)
        patience = self._context.clock.monotonic() + self._timings.retry_budget_s
        refusals = 0
        while True:
            try:
                self._go_on(piece)
            except VendorError as problem:
                refusals += problem.kind is FailureKind.PERMANENT
                over = self._context.clock.monotonic() >= patience
                if over or refusals >= self._timings.write_attempts:
                    raise self._stuck(piece, problem) from problem
                self._context.progress(f"{problem} Looking how far the slots are.")
                pauses.wait(at_least=problem.retry_after or 0.0)
            else:
                return

    def _go_on(self, piece: Piece) -> None:
        """From where each slot is now to its new owner."""
        old, new = self._addresses[piece.source], self._addresses[piece.target]
        source, target = self._nodes.view(old), self._nodes.view(new)
        self._check(piece, source, target)
        theirs, ours = _owned(source), _owned(target)
        left = [slot for slot in piece.slots if slot not in ours]
        member = next((each for each in source.members if each.id == piece.target), None)
        if member is None:
            raise StepFailed(self._step, f"Node {old} does not know node {new} any more.")
        expect = [slot for slot in left if slot not in target.coming]
        self._write(expect, lambda: self._nodes.importing(new, expect, piece.source))
        send = [slot for slot in left if slot not in source.leaving]
        self._write(send, lambda: self._nodes.migrating(old, send, piece.target))
        self._empty(left, old, new, member)
        self._write(left, lambda: self._nodes.assign(new, left, piece.target))
        gone = [slot for slot in piece.slots if slot in theirs]
        self._write(gone, lambda: self._nodes.assign(old, gone, piece.target))

    def _check(self, piece: Piece, source: View, target: View) -> None:
        """See that nobody else is moving these slots, and that the nodes are the plan's."""
        for view, wanted in ((source, piece.source), (target, piece.target)):
            if view.me != wanted:
                raise StepFailed(
                    self._step,
                    f"Address {self._addresses[wanted]} leads to node {view.me[:8]} now, and the "
                    f"plan was made for {wanted[:8]}. No more slots were moved. {self._again()}",
                )
        theirs, ours = _owned(source), _owned(target)
        for slot in piece.slots:
            there = slot in theirs or slot in ours
            to, of = source.leaving.get(slot, target.me), target.coming.get(slot, source.me)
            if not there or to != target.me or of != source.me:
                raise StepFailed(
                    self._step,
                    f"Slot {slot} was to move from {self._addresses[piece.source]} to "
                    f"{self._addresses[piece.target]}, and somebody else has moved it, or a "
                    f"replica has taken over. No more slots were moved. {self._again()}",
                )

    def _empty(self, slots: Sequence[int], old: str, new: str, member: Member) -> None:
        """Move the keys of slots until their owner has none. It makes no new ones meanwhile."""
        left = list(slots)
        while left:
            found = self._nodes.keys_in(old, left, KEYS)
            left = [slot for slot, keys in zip(left, found, strict=True) if keys]
            for keys in found:
                self._move(keys, old, new, member)

    def _move(self, keys: Sequence[bytes], old: str, new: str, member: Member) -> None:
        self._write(keys, lambda: self._nodes.move_keys(old, new, member, keys))
        self._keys += len(keys)

    def _write(self, about: Sequence[object], send: Callable[[], None]) -> None:
        """Nothing where it is about nothing; else a write, right after the fence."""
        if not about:
            return
        self._context.fence()
        try:
            send()
        except VendorError as problem:
            self.may_have_written |= problem.kind is not FailureKind.TEMPORARY
            raise
        self.may_have_written = True

    def _stuck(self, piece: Piece, problem: VendorError) -> StepFailed:
        return StepFailed(
            self._step,
            f"{problem.sentence} Slots {piece.slots[0]} to {piece.slots[-1]} are on their way from "
            f"{self._addresses[piece.source]} to {self._addresses[piece.target]} and are served "
            f"meanwhile. {self._again()}",
        )

    def _again(self) -> str:
        return f"`runbookd retry {self._context.run_id}` goes on with the rest."

    def _tell(self, done: int, total: int) -> None:
        now = self._context.clock.monotonic()
        if now - self._told_at >= TOLD_EACH_S:
            self._told_at = now
            self._context.progress(
                f"{done:,} of {total:,} slots of this step have moved, with {self._keys:,} keys."
            )


def _owned(view: View) -> frozenset[int]:
    """The slots that a node believes to own."""
    mine = next(each for each in view.members if each.id == view.me)
    return frozenset(slot for first, last in mine.ranges for slot in range(first, last + 1))
