"""Names of a package that are imported when they are asked for (PEP 562).

A command that asks for one module of a package would pay for all of it: reading receipts alone takes a third of a
second to import, and most commands read none.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module


def on_demand(package: str, **modules: tuple[str, ...]) -> Callable[[str], object]:
    """The `__getattr__` of a package. modules: module → the names that it gives."""
    places = {name: module for module, names in modules.items() for name in names}

    def found(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{places[name]}"), name)

    return found
