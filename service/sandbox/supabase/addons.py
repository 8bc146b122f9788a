"""Supabase's billing add-ons, by which the compute size is changed. Writes answer an empty body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, Json, as_object
from service.sandbox.supabase.common import ONE, Args, project_of, refusal, refusals
from service.sandbox.supabase.project import SMALLEST_PAID, Project
from service.sandbox.supabase.sizes import COMPUTE_SIZES, ComputeSize

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

_OTHER_ADDONS = {
    "custom_domain": ("cd_default",),
    "pitr": ("pitr_7", "pitr_14", "pitr_28"),
    "ipv4": ("ipv4_default",),
}
_OTHER_PRICES = {"cd_default": 10, "pitr_7": 100, "pitr_14": 200, "pitr_28": 400, "ipv4_default": 4}


def get_addons(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v1/projects/{ref}/billing/addons: what is billed, and what can be ordered."""
    project = project_of(cloud, args)
    selected = []
    if not project.nano:
        selected += [
            {"type": "compute_instance", "variant": _compute_json(project.ordered, project)}
        ]
    selected += [
        {"type": kind, "variant": _other_json(variant)} for kind, variant in project.addons.items()
    ]
    available: list[Json] = [
        {
            "type": "compute_instance",
            "name": "Compute instance",
            "variants": [_compute_json(variant, project) for variant in COMPUTE_SIZES],
        }
    ]
    available += [
        {"type": kind, "name": kind.replace("_", " ").title(), "variants": _others_json(variants)}
        for kind, variants in _OTHER_ADDONS.items()
    ]
    return Answer(200, {"selected_addons": selected, "available_addons": available})


def apply_addon(cloud: Cloud, call: Call, args: Args) -> Answer:
    """PATCH /v1/projects/{ref}/billing/addons: both fields are required."""
    project, body = project_of(cloud, args), as_object(call.body)
    kind, variant = body.get("addon_type"), body.get("addon_variant")
    if not isinstance(kind, str) or not isinstance(variant, str):
        raise refusal(400, "addon_type and addon_variant are required")
    if kind == "compute_instance":
        with refusals():
            project.resize(variant, call.now, *_resize_takes(cloud, project))
        takes_s = min(cloud.config.action_seconds * ANSWERED_AFTER, LONGEST_ANSWER_S)
        return Answer(200, takes_s=takes_s)
    if variant in _OTHER_ADDONS.get(kind, ()):
        project.addons[kind] = variant
    else:
        raise refusal(400, f"{variant} is not a variant of {kind}")
    return Answer(200)


def remove_addon(cloud: Cloud, call: Call, args: Args) -> Answer:
    """DELETE /v1/projects/{ref}/billing/addons/{variant}: compute goes back to the smallest."""
    project, variant = project_of(cloud, args), args["variant"]
    if variant in COMPUTE_SIZES and variant == project.ordered:
        with refusals():
            project.resize(SMALLEST_PAID, call.now, *_resize_takes(cloud, project))
        return Answer(200)
    kind = next((kind for kind, held in project.addons.items() if held == variant), None)
    if kind is None:
        raise refusal(404, f"The project has no add-on {variant}")
    del project.addons[kind]
    return Answer(200)


HOURLY = {"ci_micro": 0.01344, "ci_small": 0.0206, "ci_medium": 0.0822, "ci_large": 0.1517}
"""Dollars an hour, as the vendor documents them; of the other sizes a month has 730 hours."""
_HOURS_A_MONTH = 730
RESTART_AFTER = 36 / 120
"""The time between an order and the downtime, as a share of the downtime. On a real project, 36 s
were measured before a downtime of two minutes."""


ANSWERED_AFTER = 6 / 120
"""How long the answer to an order takes, as a share of the downtime: about 6 s were measured."""
LONGEST_ANSWER_S = 6.0


def _resize_takes(cloud: Cloud, project: Project) -> tuple[float, float]:
    """Seconds that the database is down, and seconds until it goes down."""
    seconds = cloud.config.action_seconds
    after = project.restart_after
    return seconds, seconds * RESTART_AFTER if after is None else after


def _compute_json(variant: str, project: Project) -> Json:
    """A compute size; its price by the month, or by the hour where that was ordered."""
    size: ComputeSize = COMPUTE_SIZES[variant]
    price = _price(f"${size.usd_month}/month", size.usd_month)
    if project.hourly:
        amount = HOURLY.get(variant, round(size.usd_month / _HOURS_A_MONTH, 5))
        text = f"${amount}/hour (~${size.usd_month}/month)"
        price = {"description": text, "type": "usage", "interval": "hourly", "amount": amount}
    return {"id": variant, "name": size.name, "price": price}


def _others_json(variants: tuple[str, ...]) -> list[Json]:
    return [_other_json(variant) for variant in variants]


def _other_json(variant: str) -> Json:
    usd = _OTHER_PRICES[variant]
    return {"id": variant, "name": variant, "price": _price(f"${usd}/month", usd)}


def _price(description: str, usd: float) -> Json:
    return {"description": description, "type": "fixed", "interval": "monthly", "amount": usd}


ROUTES = (
    Route("GET", f"{ONE}/billing/addons", get_addons, ("infra_add_ons_read",)),
    Route("PATCH", f"{ONE}/billing/addons", apply_addon, ("infra_add_ons_write",)),
    Route("DELETE", f"{ONE}/billing/addons/<variant>", remove_addon, ("infra_add_ons_write",)),
)
