"""The scopes that each call needs of a token: one table for errors, doctor and the documents.

The scopes are from the vendors' documents (docs/vendors.md). They were not tried on a real account.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Needed:
    """One thing that we do at a vendor, and the scopes for it.

    `kind` is the kind of target that needs it, or empty. `reads` says that it only reads, so that
    doctor may try it.
    """

    vendor: str
    kind: str
    what: str
    scopes: tuple[str, ...]
    reads: bool = False


READ_APP = Needed("digitalocean", "app_platform", "read an app", ("app:read",), reads=True)
UPDATE_APP = Needed("digitalocean", "app_platform", "change an app", ("app:update",))
READ_DROPLET = Needed("digitalocean", "droplet", "read a droplet", ("droplet:read",), reads=True)
POWER = Needed("digitalocean", "droplet", "switch a droplet off and on", ("droplet:update",))
SNAPSHOT = Needed("digitalocean", "droplet", "take a snapshot", ("droplet:update", "image:create"))
RESIZE = Needed("digitalocean", "droplet", "resize a droplet", ("droplet:update", "droplet:create"))
DELETE_SNAPSHOT = Needed("digitalocean", "droplet", "delete an old snapshot", ("image:delete",))
READ_PROJECT = Needed(
    "supabase", "supabase", "read a project and its health", ("project_admin_read",), reads=True
)
READ_COMPUTE = Needed(
    "supabase", "supabase", "read its compute size", ("infra_add_ons_read",), reads=True
)
ASK_DATABASE = Needed(
    "supabase", "supabase", "ask the database since when it runs", ("database_read",), reads=True
)
READ_POOLER = Needed("supabase", "supabase", "read its pooler", ("database_read",), reads=True)
CHANGE_POOLER = Needed("supabase", "supabase", "change its pooler", ("database_write",))
READ_REPLICAS = Needed(
    "supabase",
    "supabase",
    "list its read replicas",
    ("organization_projects_read",),
    reads=True,
)
CHANGE_REPLICAS = Needed(
    "supabase", "supabase", "set up and remove read replicas", ("infra_read_replicas_write",)
)
CHANGE_COMPUTE = Needed("supabase", "supabase", "change its compute size", ("infra_add_ons_write",))
READ_ZONE = Needed("cloudflare", "cloudflare_zone", "read a zone", ("Zone Read",), reads=True)
PURGE = Needed("cloudflare", "cloudflare_zone", "purge what is cached", ("Cache Purge",))
READ_CACHE_RULES = Needed(
    "cloudflare", "cloudflare_zone", "read its cache rules", ("Cache Settings Read",), reads=True
)
SET_CACHE_RULES = Needed(
    "cloudflare", "cloudflare_zone", "change its cache rules", ("Cache Settings Write",)
)
READ_CACHE_LEVEL = Needed(
    "cloudflare", "cloudflare_zone", "read its cache level", ("Zone Settings Read",), reads=True
)
SET_CACHE_LEVEL = Needed(
    "cloudflare", "cloudflare_zone", "change its cache level", ("Zone Settings Write",)
)
READ_CLUSTER = Needed(
    "digitalocean",
    "valkey",
    "read a cluster and reach its server",
    ("database:read", "database:view_credentials"),
    reads=True,
)
UPDATE_CLUSTER = Needed("digitalocean", "valkey", "change a cluster", ("database:update",))
READ_BILL = Needed("digitalocean", "", "read the bill", ("billing:read",), reads=True)
READ_BILLED = Needed(
    "digitalocean",
    "",
    "list all that is billed",
    (
        "droplet:read",
        "database:read",
        "block_storage:read",
        "snapshot:read",
        "reserved_ip:read",
        "load_balancer:read",
    ),
    reads=True,
)
SNAPSHOT_VOLUME = Needed(
    "digitalocean",
    "digitalocean_account",
    "take a snapshot of a volume",
    ("block_storage_snapshot:create", "block_storage:read"),
)
REMOVE = Needed(
    "digitalocean",
    "digitalocean_account",
    "delete what is unused",
    (
        "block_storage:delete",
        "block_storage_snapshot:delete",
        "image:delete",
        "reserved_ip:delete",
        "load_balancer:delete",
        "droplet:delete",
    ),
)
POST_MESSAGES = Needed("slack", "", "post and edit messages", ("chat:write",))
UPLOAD = Needed("slack", "", "show a picture in a weekly report", ("files:write",))
POST_ANYWHERE = "chat:write.public"
"""Lets a bot of Slack post in public channels that it is no member of. Nothing needs it."""
LISTS_CHANNELS = {"channels:read": "public_channel", "groups:read": "private_channel"}
"""Scopes that only doctor has use for: each lets it list the bot's channels of one kind."""

NEEDED = (
    READ_APP,
    UPDATE_APP,
    READ_DROPLET,
    POWER,
    SNAPSHOT,
    RESIZE,
    DELETE_SNAPSHOT,
    READ_PROJECT,
    READ_COMPUTE,
    ASK_DATABASE,
    CHANGE_COMPUTE,
    READ_POOLER,
    CHANGE_POOLER,
    READ_REPLICAS,
    CHANGE_REPLICAS,
    READ_ZONE,
    PURGE,
    READ_CACHE_RULES,
    SET_CACHE_RULES,
    READ_CACHE_LEVEL,
    SET_CACHE_LEVEL,
    READ_CLUSTER,
    UPDATE_CLUSTER,
    READ_BILL,
    READ_BILLED,
    SNAPSHOT_VOLUME,
    REMOVE,
    POST_MESSAGES,
    UPLOAD,
)

OF_ACTION = {"snapshot": SNAPSHOT, "resize": RESIZE}
"""What an action of a droplet needs. Every action that is not listed needs `POWER`."""


def only_writing_tells(kind: str) -> str:
    """A sentence for doctor: the scopes of a kind that it cannot try, because only a write shows
    them."""
    told = [
        f"{each.what} ({', '.join(each.scopes)})"
        for each in NEEDED
        if each.kind == kind and not each.reads
    ]
    return f"Not tried, because only a write shows it: {'; '.join(told)}." if told else ""
