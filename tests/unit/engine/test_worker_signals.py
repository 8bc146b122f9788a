"""A worker that is told to end, whatever its main thread does at that moment."""

from __future__ import annotations

import subprocess
import sys

PATIENCE_S = 120.0
"""For a child that imports the worker on a busy machine; one that hangs never ends."""

_CHILD = """
import os, signal, sys, threading, time
from service.engine.worker import Worker

LINES = 20
begun, ended = threading.Semaphore(0), threading.Semaphore(0)

class Waiting(Worker):
    def __init__(self, at):
        self._at, self._seen, self._under_way = at, 0, set()
    def start(self):
        sys.settrace(self._trace)
        begun.release()
    def stop(self):
        sys.settrace(None)
        ended.release()
    def _trace(self, frame, event, _argument):
        self._seen += event == "line"
        if event == "line" and self._seen == self._at:
            signal.raise_signal(signal.SIGTERM)
        return self._trace

def tell_again():
    for _ in range(LINES):
        begun.acquire()
        while not ended.acquire(timeout=0.02):
            os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=tell_again, daemon=True).start()
for at in range(1, LINES + 1):
    Waiting(at).serve()
print("ended each time")
"""
"""A signal comes at each line of Python that the wait runs, then again until the worker ends."""


def test_a_signal_ends_a_worker_at_whatever_line_its_wait_is() -> None:
    child = subprocess.run(
        [sys.executable, "-c", _CHILD],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert child.stdout == "ended each time\n", child.stderr
