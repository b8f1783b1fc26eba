"""gradcore's catalogue of Modules as the parser, the palette and the checks read it.

It is loaded on first use, so that importing this package costs neither NumPy nor gradcore.
"""

import importlib
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from gradcore.nn.catalog import ModuleEntry


@cache
def modules() -> "Mapping[str, ModuleEntry]":
    """The entries of `gradcore.nn.catalog` by class name."""
    catalog = importlib.import_module("gradcore.nn.catalog")
    return cast("Mapping[str, ModuleEntry]", catalog.all_modules())


def module_entry(dotted: str | None) -> "ModuleEntry | None":
    """The entry of a class of ``torch.nn`` by its full dotted name, or None."""
    if dotted is None:
        return None
    head, _, name = dotted.rpartition(".")
    if head != "torch.nn" and not head.startswith("torch.nn.modules"):
        return None
    return modules().get(name)
