"""Jobs from YAML: what is done again and again, by a cron expression."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from service.catalogue.registry import ACTIONS, action_spec, kind_spec, kinds_of
from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import ActionSpec, Effect
from service.domain.jobs.cron import Cron, CronError, odd_times, read_cron
from service.domain.jobs.jobs import LATEST, Job
from service.domain.rules.rules import Origin, Target
from service.rulebook.document import Document, Place
from service.rulebook.errors import suggestion
from service.rulebook.schema import NAME_PATTERN, read_shape
from service.rulebook.substitution import Complain
from service.rulebook.windows import read_zone

KEY = "jobs"
"""Its key at the top of a file."""
_NAME = re.compile(NAME_PATTERN)
_SUCH_AS = "such as '0 9 * * mon-fri'"


class _JobShape(Shape):
    every: Text | None = None
    zone: Text | None = None
    action: Text | None = None
    target: Text | None = None
    with_: dict[str, Any] | None = Field(default=None, alias="with")
    catch_up: Literal["latest", "skip"] | None = None


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A job as far as it was read, where it is written, and how to note what is wrong with it."""

    job: Job
    origin: Origin
    place: Place
    complain: Complain
    whole: bool
    """Whether its options could be read."""


def read_jobs(raw: Mapping[str, Any], document: Document, complain: Complain) -> Iterator[ReadJob]:
    """The jobs that a file states, noting everything that is wrong with each for itself."""
    given = raw.get(KEY)
    if given is None:
        return
    if not isinstance(given, dict):
        complain((KEY,), "jobs must be a mapping of names to jobs.")
        return
    for name, body in given.items():
        place: Place = (KEY, name)
        if not _NAME.fullmatch(name):
            complain(place, "the name must be 1 to 63 of a-z, 0-9, - and _, not - or _ first.")
        elif not isinstance(body, dict):
            complain(place, f"a job is a mapping with every and action, {_SUCH_AS}.")
        else:
            origin = Origin(document.file, document.line(place))
            read = _Reader(name, body, place, complain, raw.get("zone")).job(origin)
            if read is not None:
                yield read


class _Reader:
    """Reads one job."""

    def __init__(
        self, name: str, body: Mapping[str, Any], place: Place, complain: Complain, zone: object
    ) -> None:
        self._name, self._place, self._complain = name, place, complain
        read = read_shape(_JobShape, body, place, complain)
        self._shape, self._wrong = read.shape, read.wrong
        self._zone = zone if isinstance(zone, str) else "UTC"

    def job(self, origin: Origin) -> ReadJob | None:
        """The job; None where something that it needs is missing or wrong."""
        cron, action = self._cron(), self._action()
        options = None if action is None else self._options(action)
        if cron is None or action is None:
            return None
        shape = self._shape
        job = Job(
            *(self._name, cron, action.name, shape.target, options or {}),
            catch_up=shape.catch_up or LATEST,
        )
        return ReadJob(job, origin, self._place, self._complain, whole=options is not None)

    def _cron(self) -> Cron | None:
        zone: str | None = self._zone
        if self._shape.zone is not None:
            zone = read_zone(self._shape.zone, (*self._place, "zone"), self._complain)
        if self._shape.every is None:
            if "every" not in self._wrong:
                self._note("every", f"every is missing: when it is due, {_SUCH_AS}.")
            return None
        if zone is None:
            return None
        try:
            cron = read_cron(self._shape.every, zone)
        except CronError as error:
            self._note("every", f"every: {error}")
            return None
        for time, day, state in odd_times(cron):
            said = "does not have" if state == "skipped" else "has twice"
            then = "at the moment of the change" if state == "skipped" else "the first time"
            self._complain.warn(
                (*self._place, "every"),
                f"every: the clock of {zone} {said} {time} on {day}; the job is due {then}.",
            )
        return cron

    def _action(self) -> ActionSpec | None:
        name = self._shape.action
        known = [each.name for each in ACTIONS if each.chore]
        if name is None:
            if "action" not in self._wrong:
                self._note("action", f"action is missing: one of {', '.join(known)}.")
            return None
        if name in known:
            action = action_spec(name)
            self._check_target(action)
            return action
        if name in [each.name for each in ACTIONS]:
            self._note("action", f"{name} is about alerts, and a job has none.")
        else:
            self._note("action", f"unknown action {name!r}; {suggestion(name, known)}")
        return None

    def _check_target(self, action: ActionSpec) -> None:
        changes = action.effect is Effect.CHANGES
        if changes and self._shape.target is None and "target" not in self._wrong:
            self._note("target", f"target is missing: {action.name} must know what to change.")
        if not changes and self._shape.target is not None:
            sentence = f"target is of no use to {action.name}, which changes none. Remove it."
            self._note("target", sentence)

    def _options(self, action: ActionSpec) -> dict[str, Any] | None:
        place = (*self._place, "with")
        read = read_shape(action.options, self._shape.with_ or {}, place, self._note_option)
        if read.wrong:
            return None
        options = read.shape.model_dump()
        if lacking := action.lacking(options):
            self._note_option(place, lacking)
            return None
        return options

    def _note_option(self, place: Place, sentence: str) -> None:
        self._complain(place, f"with: {sentence}")

    def _note(self, key: str, sentence: str) -> None:
        self._complain((*self._place, key), sentence)


def check_jobs(jobs: Sequence[ReadJob], targets: Mapping[str, Target]) -> None:
    """Each job has a name of its own, and its target exists and suits its action."""
    first: dict[str, ReadJob] = {}
    for read in jobs:
        earlier = first.setdefault(read.job.name, read)
        if earlier is not read:
            read.complain(read.place, f"another job has the same name at {earlier.origin}.")
        if read.job.target is not None and action_spec(read.job.action).effect is Effect.CHANGES:
            _check_suits(read, read.job.target, targets)


def _check_suits(read: ReadJob, name: str, targets: Mapping[str, Target]) -> None:
    target, action = targets.get(name), action_spec(read.job.action)
    at = (*read.place, "target")
    if target is None:
        read.complain(at, f"unknown target {name!r}; {suggestion(name, targets)}")
        return
    kinds = kinds_of(action.name)
    if target.kind not in kinds:
        read.complain(
            at,
            f"{action.name} cannot change target {name} of kind {target.kind}; it needs one of "
            f"kind {' or '.join(kinds)}.",
        )
    elif action.climbs and not target.sizes:
        read.complain(at, f"{action.name} needs a ladder, and target {name} has none.")
    elif read.whole:
        for sentence in kind_spec(target.kind).refuses(target, action.name, read.job.options):
            read.complain((*read.place, "with"), f"with: {sentence}")


def targets_of_jobs(jobs: Sequence[ReadJob]) -> set[str]:
    """The names of the targets that jobs change."""
    return {read.job.target for read in jobs if read.job.target is not None}
