"""Two questions to a tensor about its history, asked so that the user's code is not disturbed."""

from typing import Any


def is_leaf(tensor: Any) -> bool:
    """Tell whether a tensor is a leaf; no, where PyTorch refuses to say."""
    try:
        return bool(tensor.is_leaf)
    except RuntimeError:
        # PyTorch forbids any look at the history of a view that no_grad made and that was
        # written to since; the user's code does not look, and must not fail because we do.
        return False


def requires_grad(tensor: Any) -> bool:
    """Tell whether a tensor requires a gradient; no, where PyTorch refuses to say."""
    try:
        return bool(tensor.requires_grad)
    except RuntimeError:
        return False  # as above
