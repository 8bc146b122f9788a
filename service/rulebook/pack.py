"""The rule pack that is installed with the service.

`packs/` links to the files in rules/, so that there is one of each in the repository and a wheel
holds them too.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def packaged(name: str) -> Path:
    """Where the pack's file of that name is."""
    return Path(str(files("service.rulebook").joinpath("packs", name)))
