"""What can go wrong outside, told apart by what may be done about it.

Steps of a run raise only these, because they are recorded and must come back from a record as
they were: each keeps all its facts in `args`, as plain JSON values, and `domain/error_json.py`
knows each by its name.
"""

from __future__ import annotations

from enum import StrEnum


class FailureKind(StrEnum):
    """What a failed vendor call allows next."""

    TEMPORARY = "temporary"
    """Nothing happened at the vendor; the same call may be sent again after a while."""
    PERMANENT = "permanent"
    """The vendor refused; the same call can never succeed."""
    UNKNOWN = "unknown"
    """A write whose answer never came: look at the vendor, then decide. Never repeat it blindly."""


_SHOWN = {
    "cache": "the application's cache",
    "cloudflare": "Cloudflare",
    "digitalocean": "DigitalOcean",
    "heartbeat": "the address of HEARTBEAT_URL",
    "pagerduty": "PagerDuty",
    "postgresql": "PostgreSQL",
    "prometheus": "Prometheus",
    "slack": "Slack",
    "spaces": "Spaces",
    "supabase": "Supabase",
    "valkey": "Valkey",
}


def shown_vendor(vendor: str) -> str:
    """A vendor as it writes its own name."""
    return _SHOWN.get(vendor, vendor)


class VendorError(Exception):
    """A vendor call failed.

    `vendor` and `operation` name the call. `sentence` tells a person what happened: who answered
    what to which request, in the vendor's own words. `retry_after` is for how many seconds the
    vendor asks to wait, `status` the HTTP status where there was one.
    """

    def __init__(
        self,
        vendor: str,
        operation: str,
        kind: FailureKind,
        sentence: str,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(vendor, operation, kind, sentence, retry_after, status)
        self.vendor = vendor
        self.operation = operation
        self.kind = FailureKind(kind)
        self.sentence = sentence
        self.retry_after = retry_after
        self.status = status

    def __str__(self) -> str:
        """The sentence. One of an earlier version does not say whose it is and what was asked."""
        who = shown_vendor(self.vendor)
        named = who in self.sentence
        return self.sentence if named else f"{who}: {self.operation}: {self.sentence}"

    @property
    def clause(self) -> str:
        """The same without its full stop, for brackets."""
        return str(self).rstrip(".")


class StepFailed(Exception):  # noqa: N818 - the field says "step failed"
    """A step of a run gave up. `sentence` says what was tried and how the target was left."""

    def __init__(self, step: str, sentence: str) -> None:
        super().__init__(step, sentence)
        self.step = step
        self.sentence = sentence

    def __str__(self) -> str:
        """The step and what happened in it."""
        return f"{self.step}: {self.sentence}"


class TargetChanged(StepFailed):
    """The target is no longer what the plan was made from, so the step wrote nothing.

    A run that has written nothing at all plans anew; any other run has failed.
    """


class HeldBack(StepFailed):
    """A guard holds the run right before its first write, so nothing was written.

    `until` (seconds since the epoch) is when the guard lets go, None where it does not know.
    """

    def __init__(self, step: str, sentence: str, guard: str, until: float | None) -> None:
        super().__init__(step, sentence)
        self.args = (step, sentence, guard, until)
        self.guard = guard
        self.until = until


class Cancelled(StepFailed):
    """A person has cancelled the run between two of its steps."""


class FencedOut(Exception):  # noqa: N818 - a state of this execution, not a fault
    """Another execution of this run has begun; this one must not write any more."""

    def __init__(self, run_id: str, ours: int, current: int) -> None:
        super().__init__(run_id, ours, current)
        self.run_id = run_id
        self.ours = ours
        self.current = current

    def __str__(self) -> str:
        """Which run, and which execution owns it now."""
        return f"run {self.run_id}: execution {self.ours} was replaced by {self.current}"


class Unforeseen(Exception):  # noqa: N818 - the word for what nobody has foreseen
    """A step raised something that no step may raise: a mistake of ours.

    `kind` is the name of its class, `text` what it said.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind, text)
        self.kind = kind
        self.text = text

    def __str__(self) -> str:
        """As Python shows an exception."""
        return f"{self.kind}: {self.text}"


class Told(Exception):  # noqa: N818 - it says what is done with it
    """A failure whose text is made for the person at the terminal, a sentence on each line."""


class StoreUnavailable(Told):
    """Our own database cannot be used now; nothing was kept."""


class StoreConflict(Told):
    """Another process wrote the same rows first; the transaction is to be made again."""


class StoreLost(StoreConflict):
    """The connection was closed within the transaction; nobody knows whether it was committed."""
