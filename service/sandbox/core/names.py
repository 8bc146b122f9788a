"""Which vendors there are: the folders of `service.sandbox` that hold a module `vendor`.

Nothing else lists them, so a new one is a new folder. The folder's name is the first part of the
vendor's paths.
"""

from __future__ import annotations

import pkgutil
from importlib.util import find_spec

from service import sandbox


def vendor_names() -> tuple[str, ...]:
    """The names of all vendors."""
    packages = (found.name for found in pkgutil.iter_modules(sandbox.__path__) if found.ispkg)
    return tuple(name for name in packages if find_spec(vendor_module(name)) is not None)


def vendor_module(name: str) -> str:
    """The module that holds a vendor's `VENDOR`."""
    return f"{sandbox.__name__}.{name}.vendor"
