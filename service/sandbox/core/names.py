"""Finds the vendors: the folders of `service.sandbox` that have a module `vendor`.

There is no other list of vendors, so a new vendor is a new folder. The folder's name is the first
part of the vendor's paths.
"""

from __future__ import annotations

import pkgutil
from importlib.util import find_spec

from service import sandbox


def vendor_names() -> tuple[str, ...]:
    """The names of all vendors, which are their folders' names."""
    packages = (found.name for found in pkgutil.iter_modules(sandbox.__path__) if found.ispkg)
    return tuple(name for name in packages if find_spec(vendor_module(name)) is not None)


def vendor_module(name: str) -> str:
    """The module with a vendor's `VENDOR`."""
    return f"{sandbox.__name__}.{name}.vendor"
