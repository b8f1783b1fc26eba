"""Differentiation under PyTorch's name ``torch.autograd``."""

from typing import TYPE_CHECKING

from gradcore import modes as grad_mode
from gradcore.differentiate import backward, grad
from gradcore.later import later
from gradcore.modes import enable_grad, inference_mode, no_grad, set_grad_enabled

if TYPE_CHECKING:
    from gradcore.autograd import function, functional, graph, variable
    from gradcore.autograd.anomaly import *
    from gradcore.autograd.check import *
    from gradcore.autograd.function import Function
    from gradcore.autograd.variable import Variable

_PARTS = {
    "anomaly": "detect_anomaly set_detect_anomaly",
    "check": "gradcheck gradgradcheck",
    "function": "Function function",
    "functional": "",
    "graph": "",
    "variable": "Variable variable",
}
"""The names of each part, which is imported when one of them is first asked for."""

__getattr__, __dir__ = later(__name__, "torch.autograd", _PARTS)

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "function",
    "functional",
    "grad",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "variable",
]
