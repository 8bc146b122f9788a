"""A balancer's file into force: write it, have nginx load it, verify it through each server.

The file is put in place whole, by a rename, after nginx has tested it. What was there is kept
beside it under its digest, so that an undo and a failed run can put it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.nginx.config import UnreadableConfig
from service.catalogue.nginx.difference import difference, servers_of
from service.catalogue.nginx.digest import NO_FILE, digest_on_disk, made_by_runbookd
from service.catalogue.nginx.target import NginxTarget
from service.catalogue.spec import Tools
from service.catalogue.steps.applying import Applied, Pending, Write, apply_once
from service.catalogue.steps.polling import poll, read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import StepFailed, TargetChanged, VendorError
from service.ports.nginx import Nginx, Place, Seen

_ILL = 500
"""The statuses from which on a server, or nginx in its place, says that it does not serve."""


class BalancerFile:
    """The steps write, reload and verify over one port."""

    def __init__(self, nginx: Nginx, tools: Tools) -> None:
        self._nginx = nginx
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, target: NginxTarget) -> Record:
        """The file, what nginx works by, and the file that the rules want. Reads only."""
        seen = self._look(place_of(target))
        text = seen.text or ""
        wanted = _rendered(target)
        return {
            "place": asdict(place_of(target)),
            "file": digest_of_file(seen),
            "ours": made_by_runbookd(text) is not None,
            "in_force": seen.in_force,
            "running": seen.running,
            "included": seen.included,
            "servers": len(_servers(text)),
            "wanted": digest_on_disk(wanted),
            "difference": difference(text, wanted),
        }

    def steps(self) -> Mapping[str, StepFunction]:
        """write, reload, verify."""
        return {"write": self._write, "reload": self._reload, "verify": self._verify}

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """Put the old file back where nginx does not serve by the new one.

        A file that is not the one of this run is a person's, or was never replaced: it is left.
        """
        change = _Change.of(plan)
        try:
            return self._made_safe(context, change)
        except VendorError as problem:
            return (
                f"How {change.place.file} and nginx were left is not known. {problem} Look at it "
                f"now: `nginx -t`, and the kept files beside {change.place.file}."
            )

    def _made_safe(self, context: StepContext, change: _Change) -> str:
        seen = self._look(change.place)
        now = digest_of_file(seen)
        if now != change.after:
            same = (
                " as before this run" if now == change.before else ", which this run has not made"
            )
            return f"{change.place.file} is {_named(now)}{same}. It was left so."
        if self._in_force(seen, change.after):
            answers = self._answers(change, len(_servers(seen.text or "")))
            if change.after == NO_FILE or answers.well:
                return f"nginx works by {change.place.file}, {_named(now)}. {answers.told}".rstrip()
        if change.before == change.after:
            return f"{change.place.file} is {_named(now)}, and nginx does not serve by it."
        return self._put_back(context, change)

    def _put_back(self, context: StepContext, change: _Change) -> str:
        place = change.place
        text = None if change.before == NO_FILE else self._nginx.kept(place, change.before)
        if text is None and change.before != NO_FILE:
            return (
                f"{place.file} is the new file, by which nginx does not serve, and the old one is "
                "not kept any more. Look at it now."
            )
        context.fence()
        self._nginx.write(place, text)
        context.fence()
        self._nginx.reload(place)
        late = StepFailed("make_safe", "nginx does not work by it yet; look at it now.")
        try:
            self._until_in_force(place, change.before, late)
        except StepFailed as problem:
            return f"The old {place.file} was put back, {_named(change.before)}; {problem.sentence}"
        return f"The old {place.file} was put back, {_named(change.before)}, and nginx works by it."

    def _write(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Put the file in its place, unless it is there."""
        change, place = _Change.of(plan), _Change.of(plan).place
        text = self._text(request, change)
        intent = context.intent("write")

        def look() -> Applied | Pending[None]:
            now = digest_of_file(self._nginx.look(place))
            if now == change.after:
                return Applied({"file": now})
            if now != change.before:
                raise TargetChanged(
                    "write",
                    f"Somebody has changed {place.file}: it was {_named(change.before)} when this "
                    f"run looked, and is {_named(now)} now. It was left so.",
                )
            return Pending(None)

        def send(_: None) -> Record:
            self._nginx.write(place, text)
            return {"file": change.after}

        write = Write("write", f"writing {place.file}", look, send)
        record = apply_once(context, intent, write, self._timings)
        return {**record, "servers": _servers(text or "")}

    def _text(self, request: Request, change: _Change) -> str | None:
        """The text that is wanted: the target's, a kept one, or the one that is there."""
        if change.after == NO_FILE:
            return None
        if isinstance(request.target, NginxTarget):
            text = _rendered(request.target)
            if digest_on_disk(text) == change.after:
                return text
        kept = self._nginx.kept(change.place, change.after)
        found = self._look(change.place) if kept is None else None
        if found is not None and digest_of_file(found) == change.after:
            kept = found.text
        if kept is None or digest_on_disk(kept) != change.after:
            raise StepFailed(
                "write",
                f"The file {change.after} is not kept beside {change.place.file} any more, so "
                "nothing was changed. Bring the rules to what you want, and apply them.",
            )
        return kept

    def _reload(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Have nginx load the file, unless it works by it."""
        change, place = _Change.of(plan), _Change.of(plan).place
        intent = context.intent("reload")

        def look() -> Applied | Pending[None]:
            seen = self._nginx.look(place)
            if (now := digest_of_file(seen)) != change.after:
                raise StepFailed(
                    "reload",
                    f"Somebody has changed {place.file} since this run wrote it: it is "
                    f"{_named(now)} now. nginx was not told to load it.",
                )
            done_already = self._in_force(seen, change.after)
            return Applied({"in_force": change.after}) if done_already else Pending(None)

        def send(_: None) -> Record:
            self._nginx.reload(place)
            return {"in_force": change.after}

        write = Write("reload", "reloading nginx", look, send)
        return apply_once(context, intent, write, self._timings)

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """nginx works by the file, and a server answers through it."""
        change, place = _Change.of(plan), _Change.of(plan).place
        late = StepFailed(
            "verify",
            f"nginx was told to load {place.file} and does not work by it after "
            f"{self._timings.reload_deadline_s:.0f} s. Its error log says why.",
        )
        self._until_in_force(place, change.after, late)
        servers = list(done["write"]["servers"])
        if not servers:
            return {"in_force": change.after, "answers": {}}
        answers = poll(
            lambda: found if (found := self._answers(change, len(servers))).well else None,
            clock=context.clock,
            timings=self._timings,
            deadline_s=self._timings.reload_deadline_s,
            late=lambda: StepFailed(
                "verify",
                f"nginx works by {place.file}, and none of its servers answers through it "
                f"({', '.join(servers)}).",
            ),
        )
        if answers.ill:
            silent = ", ".join(f"{servers[n - 1]} ({answers.by_number[n]})" for n in answers.ill)
            context.progress(f"Not every server answers: {silent}. The others take its requests.")
        said = {servers[number - 1]: status for number, status in answers.by_number.items()}
        return {"in_force": change.after, "answers": said}

    def _until_in_force(self, place: Place, digest: str, late: StepFailed) -> None:
        poll(
            lambda: self._in_force(self._nginx.look(place), digest) or None,
            clock=self._clock,
            timings=self._timings,
            deadline_s=self._timings.reload_deadline_s,
            late=lambda: late,
        )

    def _in_force(self, seen: Seen, digest: str) -> bool:
        return seen.running and (seen.in_force or NO_FILE) == digest

    def _answers(self, change: _Change, servers: int) -> _Answers:
        found: dict[int, str] = {}
        for number in range(1, servers + 1):
            try:
                found[number] = str(self._nginx.ask_server(change.place, number, change.after))
            except VendorError as problem:
                found[number] = problem.clause
        return _Answers(found)

    def _look(self, place: Place) -> Seen:
        return read(lambda: self._nginx.look(place), clock=self._clock, timings=self._timings)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a plan says to the steps: whose file, and its digest before and after."""

    place: Place
    before: str
    after: str

    @classmethod
    def of(cls, plan: Plan) -> _Change:
        return cls(Place(**plan.wanted["place"]), plan.wanted["before"], plan.wanted["after"])


@dataclass(frozen=True, slots=True)
class _Answers:
    """What each server said through nginx, counted from 1: a status, or why there is none."""

    by_number: Mapping[int, str]

    @property
    def ill(self) -> list[int]:
        """The servers that do not serve."""
        return [
            number
            for number, said in self.by_number.items()
            if not said.isdecimal() or int(said) >= _ILL
        ]

    @property
    def well(self) -> bool:
        """Whether one of them serves."""
        return len(self.ill) < len(self.by_number)

    @property
    def told(self) -> str:
        """How many serve, in a sentence; empty where there is none."""
        count = len(self.by_number)
        return f"{count - len(self.ill)} of its {count} servers answer." if count else ""


def place_of(target: NginxTarget) -> Place:
    """Where the target's file is."""
    return Place(target.name, target.file, target.main, target.check_port)


def digest_of_file(seen: Seen) -> str:
    """The digest of the file that a look has shown."""
    return NO_FILE if seen.text is None else digest_on_disk(seen.text)


def _rendered(target: NginxTarget) -> str:
    from service.catalogue.nginx.render import render  # noqa: PLC0415 - loads Jinja2

    return render(target)


def _servers(text: str) -> list[str]:
    try:
        return servers_of(text)
    except UnreadableConfig:
        return []


def _named(digest: str) -> str:
    return "not there" if digest == NO_FILE else f"file {digest}"
