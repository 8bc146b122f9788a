"""Sends a load test's journeys, each at its moment, over one event loop.

An arrival never waits for those before it. It is dropped where `MOST_OPEN` journeys are under way,
and then the phase does not count as held. No proxy is used and no redirect followed: what was
allowed is one host.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx

from service.domain.load import MOST_OPEN, Arrived, LoadTest, Record, Sample, Step, too_many_errors

ANSWER_S = 10.0
"""Seconds that a user waits for an answer: ten times the KPI's p99."""
LOOK_S = 0.5
"""Seconds between two looks at the errors."""
PHASE_HEADER = "X-Load-Phase"
"""In each request: its phase, so that a server can tell which requests are a test's."""


def run_test(
    test: LoadTest, host: str, password: str, told: Callable[[str], None] = lambda _: None
) -> Record:
    """Run a test. The caller has asked `service.domain.load.refusal`. Ctrl-C ends it in good
    order, with what it has shown so far. `told` gets a line at the start of each phase."""
    return asyncio.run(_Run(test, host, password, told).run())


def answers(host: str) -> bool:
    """Whether anything answers there at all: one request, before a test begins. The caller has
    asked `service.domain.load.refusal`."""
    try:
        httpx.get(host, timeout=ANSWER_S, trust_env=False, follow_redirects=False)
    except (httpx.HTTPError, OSError):
        return False
    return True


class _Run:
    def __init__(
        self, test: LoadTest, host: str, password: str, told: Callable[[str], None]
    ) -> None:
        self._test = test
        self._host = host.rstrip("/")
        self._password = password
        self._told = told
        self._samples: list[Sample] = []
        self._arrived: list[Arrived] = []
        self._sent = self._began_phases = 0
        self._ended = ""
        self._stop = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()
        # The same test thinks the same times again. It is no secret.
        self._thinking = random.Random(1)  # noqa: S311

    async def run(self) -> Record:
        loop = asyncio.get_running_loop()
        with suppress(ValueError, NotImplementedError, RuntimeError):  # not in the main thread
            loop.add_signal_handler(signal.SIGINT, self._end, "It was ended by Ctrl-C.")
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=MOST_OPEN)
        async with httpx.AsyncClient(
            timeout=ANSWER_S, limits=limits, trust_env=False, follow_redirects=False
        ) as client:
            self._start = loop.time()
            watch = asyncio.create_task(self._watch())
            await self._arrive(client)
            await self._drain()
            watch.cancel()
            for task in self._open:
                task.cancel()
            await asyncio.gather(watch, *self._open, return_exceptions=True)
        return Record(self._samples, self._arrived, self._began_phases, self._ended)

    async def _arrive(self, client: httpx.AsyncClient) -> None:
        begins, number = self._start, 0
        for index, phase in enumerate(self._test.phases):
            self._began_phases = index + 1
            self._told(f"{phase.name}: {phase.planned} journeys in {phase.seconds:g} s")
            for offset in phase.arrivals():
                await self._sleep_until(begins + offset)
                if self._stop.is_set():
                    return
                if len(self._open) < MOST_OPEN:
                    journey = self._journey(client, index, number, begins + offset)
                    task = asyncio.create_task(journey)
                    self._open.add(task)
                    task.add_done_callback(self._open.discard)
                number += 1
            begins += phase.seconds
            await self._sleep_until(begins)

    async def _drain(self) -> None:
        """Let the journeys that are under way end, unless the test is over at once."""
        longest = len(self._test.steps) * (1.5 * self._test.think_s + ANSWER_S)
        ends = asyncio.get_running_loop().time() + longest
        while self._open and not self._stop.is_set():
            left = ends - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.wait(self._open, timeout=min(left, LOOK_S))

    async def _sleep_until(self, moment: float) -> None:
        left = moment - asyncio.get_running_loop().time()
        if left > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), left)

    async def _watch(self) -> None:
        while not self._stop.is_set():
            await asyncio.sleep(LOOK_S)
            now = asyncio.get_running_loop().time() - self._start
            if why := too_many_errors(self._test, self._samples, now):
                self._end(why)
            elif now > self._test.most_seconds:
                self._end(f"{self._test.most_seconds:g} s are over (limits.seconds).")

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._stop.set()

    async def _journey(
        self, client: httpx.AsyncClient, phase: int, number: int, due: float
    ) -> None:
        loop = asyncio.get_running_loop()
        late_ms = max(0.0, loop.time() - due) * 1000
        user = {
            "{email}": self._test.email.replace("{number}", str(number % self._test.users + 1)),
            "{password}": self._password,
        }
        headers = {PHASE_HEADER: self._test.phases[phase].name.encode("ascii", "replace").decode()}
        finished = False
        try:
            for place, step in enumerate(self._test.steps):
                if place:
                    await asyncio.sleep(self._test.think_s * self._thinking.uniform(0.5, 1.5))
                if not self._may_send():
                    return
                began = loop.time() if place else due
                answer = await self._send(client, step, headers, user)
                status = 0 if answer is None else answer.status_code
                now = loop.time()
                sample = Sample(phase, step.name, status, now - self._start, (now - began) * 1000)
                self._samples.append(sample)
                if sample.failed:
                    return
                if step.takes:
                    headers["Authorization"] = f"Bearer {_taken(answer, step.takes)}"
            finished = True
        finally:
            self._arrived.append(Arrived(phase, late_ms, finished))

    def _may_send(self) -> bool:
        """Count a request that is about to be sent, unless there were as many as may be."""
        if self._sent >= self._test.most_requests:
            self._end(f"{self._sent:,} requests were sent (limits.requests).")
            return False
        self._sent += 1
        return True

    async def _send(
        self,
        client: httpx.AsyncClient,
        step: Step,
        headers: Mapping[str, str],
        user: Mapping[str, str],
    ) -> httpx.Response | None:
        """The answer; None where none came."""
        body = _filled(step.body, user)
        try:
            return await client.request(
                step.method, self._host + step.path, headers=headers, json=body
            )
        except (httpx.HTTPError, OSError):
            return None


def _filled(body: Any, user: Mapping[str, str]) -> Any:
    """The body with the user's values in its texts."""
    if isinstance(body, str):
        for name, value in user.items():
            body = body.replace(name, value)
        return body
    if isinstance(body, dict):
        return {key: _filled(value, user) for key, value in body.items()}
    return [_filled(each, user) for each in body] if isinstance(body, list) else body


def _taken(answer: httpx.Response | None, key: str) -> str:
    try:
        found = answer.json() if answer is not None else {}
    except ValueError:
        return ""
    value = found.get(key) if isinstance(found, dict) else None
    # A header takes no other characters, and a stranger's answer may hold any.
    return value if isinstance(value, str) and value.isascii() and value.isprintable() else ""
