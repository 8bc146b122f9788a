"""Rule files and alerts on record for backtests, in one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from service.backtest.compare import compare
from service.backtest.installation import Assumed, Installation
from service.backtest.model import Targets
from service.backtest.pretended import VirtualClock
from service.bootstrap.backtest import thrown_away
from service.domain.alerts.alert import PayloadFormat
from service.domain.backtests.past import Past
from service.domain.backtests.tally import Comparison
from service.domain.decisions.present import State
from service.domain.rules.rules import RuleBook
from service.rulebook import load_rulebook
from tests.fakes.alerts import CPU, GRACE_S, NOW, alert, notification

MINUTE, HOUR = 60.0, 3_600.0
API = "{kind: app_platform, app: app-1, component: api, replicas: {min: 2, max: 6}, %s}"
SIZES = "sizes: [professional-xs, professional-s]"
TARGETS = f"""\
targets:
  api: {API % SIZES}
  vm: {{kind: droplet, droplet: 101, sizes: [s-1vcpu-1gb, s-1vcpu-2gb, s-2vcpu-4gb]}}
"""


def rule(name: str, alertname: str, action: str, target: str = "", **keys: str) -> str:
    """One rule of a file."""
    more = {"target": target, **keys} if target else keys
    options = "".join(f", {key.rstrip('_')}: {value}" for key, value in more.items())
    return (
        f"  - {{name: {name}, match: ['alertname=\"{alertname}\"'], action: {action}{options}}}\n"
    )


def cpu(**keys: str) -> str:
    """The rule that adds an instance."""
    return rule("cpu", CPU, "horizontal_scale", "api", **{"cooldown": "20m", **keys})


MEMORY = rule("memory", "Memory", "vertical_scale", "vm", cooldown="30m")
"""A rule that no alert of these tests asks, so that both targets are used."""


def file_of(*rules: str, more: str = "", targets: str = TARGETS) -> str:
    """A rule file."""
    return f"{targets}{more}rules:\n{''.join(rules)}{MEMORY if 'vm:' in targets else ''}"


def book_of(folder: Path, text: str) -> RuleBook:
    """The rule book of one file."""
    path = folder / "rules.yml"
    path.write_text(text)
    return load_rulebook([path], {})


def fired(
    number: int,
    after_s: float,
    lasts_s: float | None,
    repeats: int = 0,
    *,
    name: str = CPU,
    instance: str = "a",
    last_s: float = 0.0,
) -> Past:
    """An episode that begins so many seconds after NOW, with so many repeats. `lasts_s` is how long
    it fires, None where it never resolves; then the last repeat comes `last_s` after the first."""
    at = NOW + after_s
    end = None if lasts_s is None else at + lasts_s
    return Past(
        id=f"a-{number:024x}",
        alert=alert(name, instance),
        notification=notification(group={"alertname": name}, format=PayloadFormat.ALERTMANAGER),
        delivery=f"n-{number:024x}",
        credential="",
        address="",
        first_seen=at,
        last_seen=at + last_s if end is None else end,
        resolved_at=end,
        open=end is None,
        seen=1 + repeats + (end is not None),
    )


@contextmanager
def installed(
    folder: Path, text: str, known: dict[str, State] | None = None, assumed: Assumed | None = None
) -> Iterator[Installation]:
    """One rule file at work from NOW on."""
    folder.mkdir(parents=True, exist_ok=True)
    book = book_of(folder, text)
    with thrown_away(folder / "backtest.db") as engine:
        targets = Targets(book.targets, known or {}, {}, NOW)
        yield Installation(engine, book, targets, VirtualClock(NOW), GRACE_S, assumed or Assumed())


def compared(
    folder: Path,
    before: str,
    after: str,
    pasts: Sequence[Past],
    *,
    until_s: float = 24 * HOUR,
    known: dict[str, State] | None = None,
    assumed: Assumed | None = None,
) -> Comparison:
    """Two rule files on the same alerts, until so many seconds after NOW."""
    with ExitStack() as opened:
        one, other = (
            opened.enter_context(installed(folder / name, text, known, assumed))
            for name, text in (("before", before), ("after", after))
        )
        return compare(pasts, one, other, NOW + until_s)
