"""Whether a resolve ends the episode that it is about.

The fingerprint of an alert is no secret. So a resolve counts only when its sender may earn what the
alert earned, and says the alert's labels too.
"""

from __future__ import annotations

from collections.abc import Collection

from service.domain.decisions.decision import Check
from service.domain.decisions.guards import LABELS, SCOPE
from service.domain.rules.scopes import Scope


def refused_resolve(
    scope: Scope, credential: str, rules: Collection[str], *, same_labels: bool
) -> Check | None:
    """Why a resolve ends nothing; None where it ends the episode.

    `rules` are those by which the open episode was decided on, and `same_labels` is whether the
    resolve has the labels with which the alert fired.
    """
    if not scope.may_resolve:
        return _refused(SCOPE, f"the credential {credential} may not resolve alerts")
    if scope.rules is not None and scope.rules.isdisjoint(rules):
        return _refused(SCOPE, f"the credential {credential} may earn no rule of this alert")
    if not same_labels:
        return _refused(LABELS, "its labels are not those with which the alert fired")
    return None


def _refused(guard: str, why: str) -> Check:
    return Check(guard, passed=False, saw=f"{why}, so this resolve ends nothing")
