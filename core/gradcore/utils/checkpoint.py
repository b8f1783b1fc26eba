"""Computing again instead of keeping: `torch.utils.checkpoint`.

Gradcore calls the function once and keeps what its gradients need, as it does for any other:
the same values and gradients, without the saving of memory.
"""

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    **kwargs: Any,
) -> Any:
    """Return what the function returns."""
    return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Sequence[Callable[..., Any]], segments: int, input: Any, **_: Any
) -> Any:
    """Call functions one after the other."""
    for function in functions:
        input = function(input)
    return input
