"""Differentiation under PyTorch's name ``torch.autograd``."""

from gradcore.autograd import function, functional
from gradcore.autograd.anomaly import detect_anomaly, set_detect_anomaly
from gradcore.autograd.check import gradcheck, gradgradcheck
from gradcore.autograd.function import Function
from gradcore.differentiate import backward, grad
from gradcore.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from gradcore.tensor import Tensor as Variable

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]
