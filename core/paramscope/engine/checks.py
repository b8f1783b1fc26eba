"""What the functions of a document must return for a training step, and the errors if not.

Recorded steps call these, too: they may look at nothing but what they are given.
"""

from typing import Any


def require_pair(made: Any, filename: str) -> Any:
    """Return what ``batch()`` gave if it is a pair (x, y), else raise."""
    if not isinstance(made, (tuple, list)) or len(made) != 2:
        raise TypeError(
            f"`batch()` returned {described(made)}; it must return a pair (x, y).\n"
            f"  It is defined in {filename}.\n"
            "  Return the input and the target; several inputs go into x as a tuple."
        )
    return made


def require_loss(value: Any, is_tensor: bool, filename: str) -> None:
    """Raise if ``value``, which ``loss()`` gave, is no tensor of one value."""
    if not is_tensor:
        raise TypeError(
            f"`loss()` returned {described(value)}; it must return a tensor of one value.\n"
            f"  It is defined in {filename}.\n"
            "  Return the tensor itself, without `.item()`: backward() starts from it."
        )
    if value.numel() != 1:
        raise ValueError(
            f"`loss()` returned a tensor of shape {tuple(value.shape)}; it must hold one value.\n"
            f"  It is defined in {filename}.\n"
            "  Reduce it, for example with `.mean()`."
        )


def described(value: Any) -> str:
    """Name what a function returned in a few words."""
    if value is None:
        return "None"
    if isinstance(value, (tuple, list)):
        return f"{len(value)} values"
    return f"an object of type {type(value).__name__}"
