"""Which of Python's own functions a step may call unseen, and which have to be seen.

``captured`` finds them in the step's world, ``followed`` listens to them.
"""

import random
import sys
import types
from collections.abc import Collection
from typing import Any

from gradcore.replay.program import RefusalError
from gradcore.replay.reads import PLAIN, STILL
from gradcore.replay.slots import Place


def functions_in(module: types.ModuleType, names: Collection[str]) -> list[tuple[Place, str]]:
    """Return the functions of a module, among these names, that act on the world, or read it."""
    found: list[tuple[Place, str]] = []
    space = vars(module)
    for name in sorted(set(names) & space.keys()):
        value = space[name]
        is_still = module.__name__ == "numpy" and name not in ("random", "load")
        if isinstance(value, types.ModuleType):
            if value.__name__.startswith(module.__name__):
                found += functions_in(value, names)
        elif is_still:
            continue
        elif callable(value) and not isinstance(value, type):
            found.append((Place(space, name), f"{module.__name__}.{name}"))
        elif not isinstance(value, PLAIN):
            raise RefusalError(f"uses `{module.__name__}.{name}`, which may be another one")
    return found


def is_python(value: Any) -> bool:
    """Tell whether something is a function of Python's library that may act, or read, or draw."""
    if not isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
        return False
    top = name_of(value).partition(".")[0]
    return top == "math" or (top in sys.stdlib_module_names and top not in (*STILL, "__main__"))


def name_of(function: Any) -> str:
    """Return the name a function goes by, with its module's."""
    owner = getattr(function, "__self__", None)
    module = "random" if isinstance(owner, random.Random) else function.__module__
    return f"{module}.{function.__name__}"
