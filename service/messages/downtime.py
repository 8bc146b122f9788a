"""How long a change takes its target down, told before it begins: the one table of these figures.

Pure. Each figure is the vendor's own (docs/vendors.md).
"""

from __future__ import annotations

from service.domain.decisions.planning import Plan
from service.domain.rules.rules import AppTarget, DropletTarget, SupabaseTarget, Target


def downtime(target: Target, plan: Plan) -> str:
    """One sentence for the announcement of a change."""
    if isinstance(target, DropletTarget):
        disk_gb = plan.wanted.get("disk_gb")
        used = f" of its {disk_gb} GB disk that is in use" if disk_gb else " of its disk in use"
        return (
            f"Droplet {target.droplet} is switched off for it, usually for 1 to 3 minutes; the "
            f"vendor names up to 1 minute for each GB{used}."
        )
    if isinstance(target, SupabaseTarget):
        return "The database restarts for it and is away for about 2 minutes."
    if isinstance(target, AppTarget):
        return "No downtime: the app serves until its new instances do."
    raise TypeError(f"{target.name} is of an unknown kind")
