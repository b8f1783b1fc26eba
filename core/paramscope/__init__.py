"""See which tensors train, and why the others don't: for live models, in scripts and in tests.

`census(model, optimizer)` lists every tensor of a model of PyTorch or gradcore;
`assert_trains(model, optimizer, batch, loss)` is for test suites. The window and the command
line are started by ``paramscope``.
"""

from types import ModuleType
from typing import Any

from paramscope import census

__all__ = ["assert_trains", "census"]


def assert_trains(*given: Any, **named: Any) -> Any:
    """Raise AssertionError unless everything in a live model that should train does.

    See `paramscope.check.live.assert_trains` for what it takes and returns.
    """
    from paramscope.check.live import assert_trains as run  # loads NumPy and an engine

    __tracebackhide__ = True
    return run(*given, **named)


class _CallableModule(ModuleType):
    """`paramscope.census` is a package and a function: calling it takes the census."""

    def __call__(self, model: Any, optimizer: Any = None) -> Any:
        """Take the census of a live model; see `paramscope.check.live.census`."""
        from paramscope.check.live import census as take  # loads NumPy and an engine

        return take(model, optimizer)


# The import system binds the package to the very name that is to be called.
census.__class__ = _CallableModule
