"""Parts of a package that are imported when a name of theirs is first asked for (PEP 562).

A script that uses two layers should not wait until a hundred are loaded: reading and running a
file costs 0.3 ms, and there are some sixty of them behind `gradcore.nn` and `gradcore.optim`.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def later(
    package: str, public: str, parts: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` of a package whose parts are imported when needed.

    Args:
        package: the package's full name, its `__name__`.
        public: what its error messages call it: `"torch.nn"`.
        parts: the names that each part gives, with blanks between. A part's own name among them,
            or no name at all, means the part itself.

    Once asked for, a name stands in the package and is found there without coming here.
    """
    home = {name: part for part, given in parts.items() for name in given.split() or [part]}

    def find(name: str) -> Any:
        part = home.get(name)
        if part is None:
            raise AttributeError(f"module {public!r} has no attribute {name!r}", name=name)
        module = importlib.import_module(f"{package}.{part}")
        found = module if name == part else getattr(module, name)
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home})

    return find, names
