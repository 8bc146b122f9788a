"""App Platform: read an app, send its whole spec back, and follow the deployment that results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from service.ports.app_platform import AppState, ComponentHealth, Deployment, InstanceSize
from service.providers.digitalocean import DigitalOceanClient, moment
from service.providers.errors import no_answer, reading
from service.providers.scopes import READ_APP, UPDATE_APP

_NEWEST = 20
"""Deployments on the one page that is read."""


class DigitalOceanApps:
    """Apps (`service.ports.app_platform.AppPlatform`). Safe for threads."""

    def __init__(self, client: DigitalOceanClient) -> None:
        self._client = client

    def get_app(self, app_id: str) -> AppState:
        """The app's spec, and the deployment that is under way if there is one."""
        call = self._client.call(f"read app {app_id}", READ_APP)
        answer = self._client.ask(call, lambda sdk: sdk.apps.get(app_id), "app")
        with reading(call):
            app = answer["app"]
            return AppState(
                app_id=str(app["id"]),
                spec=app["spec"],
                active_deployment=_id(app, "active_deployment"),
                deploying=_id(app, "in_progress_deployment") or _id(app, "pending_deployment"),
                pinned=_id(app, "pinned_deployment"),
            )

    def update_app(self, app_id: str, spec: Mapping[str, Any]) -> str:
        """Send the whole spec back without shipping new code. Returns the id of its deployment.

        Raises:
            VendorError: UNKNOWN also when the vendor accepts the spec and names no deployment. Look
                which one has appeared.
        """
        call = self._client.call(f"update app {app_id}", UPDATE_APP, repeatable=False)
        body = {"spec": dict(spec), "update_all_source_versions": False}
        answer = self._client.ask(call, lambda sdk: sdk.apps.update(app_id, body), "app")
        with reading(call):
            deployment = _id(answer["app"], "pending_deployment")
        if deployment is None:
            raise no_answer(call, "the spec was taken but no deployment of it was named")
        return deployment

    def get_deployment(self, app_id: str, deployment_id: str) -> Deployment:
        """A deployment in its present phase."""
        call = self._client.call(f"read deployment {deployment_id} of app {app_id}", READ_APP)
        answer = self._client.ask(
            call, lambda sdk: sdk.apps.get_deployment(app_id, deployment_id), "deployment"
        )
        with reading(call):
            return _deployment(answer["deployment"])

    def list_deployments(self, app_id: str) -> Sequence[Deployment]:
        """The `_NEWEST` newest deployments, newest first."""
        call = self._client.call(f"list the deployments of app {app_id}", READ_APP)
        answer = self._client.ask(
            call, lambda sdk: sdk.apps.list_deployments(app_id, per_page=_NEWEST), "deployments"
        )
        with reading(call):
            return tuple(_deployment(item) for item in answer["deployments"] or ())

    def health(self, app_id: str) -> Mapping[str, ComponentHealth]:
        """The health of each component, by name: wanted and ready replicas, CPU and memory."""
        call = self._client.call(f"read the health of app {app_id}", READ_APP)
        answer = self._client.ask(call, lambda sdk: sdk.apps.get_health(app_id), "app_health")
        with reading(call):
            found = [_component(item) for item in answer["app_health"].get("components") or ()]
        return {component.name: component for component in found}

    def instance_sizes(self) -> Sequence[InstanceSize]:
        """The sizes on sale, with their prices a month. The vendor writes these numbers as text."""
        call = self._client.call("list the instance sizes of apps", READ_APP)
        answer = self._client.ask(
            call, lambda sdk: sdk.apps.list_instance_sizes(), "instance_sizes"
        )
        with reading(call):
            return tuple(_instance_size(item) for item in answer["instance_sizes"])


def _instance_size(item: Mapping[str, Any]) -> InstanceSize:
    return InstanceSize(
        slug=str(item["slug"]),
        price_monthly=float(item["usd_per_month"]),
        dedicated=str(item.get("cpu_type")) == "DEDICATED",
        single_instance_only=bool(item.get("single_instance_only")),
    )


def _id(app: Mapping[str, Any], key: str) -> str | None:
    found = app.get(key) or {}
    return str(found["id"]) if found.get("id") else None


def _deployment(item: Mapping[str, Any]) -> Deployment:
    return Deployment(
        id=str(item["id"]),
        phase=str(item.get("phase", "UNKNOWN")),
        created_at=moment(item.get("created_at")),
        cause=str(item.get("cause") or ""),
        spec=item.get("spec") or {},
    )


def _component(item: Mapping[str, Any]) -> ComponentHealth:
    return ComponentHealth(
        name=str(item["name"]),
        desired=int(item.get("replicas_desired") or 0),
        ready=int(item.get("replicas_ready") or 0),
        cpu_percent=_percent(item.get("cpu_usage_percent")),
        memory_percent=_percent(item.get("memory_usage_percent")),
    )


def _percent(value: object) -> float | None:
    return float(value) if isinstance(value, int | float | str) else None
