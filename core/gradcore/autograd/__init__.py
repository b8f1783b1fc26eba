"""Differentiation under PyTorch's name ``torch.autograd``."""

from gradcore.differentiate import backward, grad
from gradcore.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from gradcore.tensor import Tensor as Variable

__all__ = [
    "Variable",
    "backward",
    "enable_grad",
    "grad",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]
