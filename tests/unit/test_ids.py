"""Ids are unique across processes, forked ones too, and sort by the time they were made."""

from __future__ import annotations

import os

from service.store.ids import IdMaker


def test_ids_sort_in_the_order_in_which_they_were_made() -> None:
    new_id = IdMaker()
    made = [new_id("a") for _ in range(1_000)]
    assert made == sorted(made)
    assert len(set(made)) == 1_000


def test_a_forked_process_makes_other_ids_than_its_parent() -> None:
    new_id = IdMaker()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, new_id("a").encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100).decode()[-8:] != new_id("a")[-8:]
