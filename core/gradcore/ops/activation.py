"""Activation functions of ``nn.functional``; those torch has at its top level are elsewhere.

The piecewise ones choose by ``where`` and keep the branch that is not chosen finite, so that a
second derivative does not meet ``0 * inf``.
"""

import math
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import ShapeError
from gradcore.ops.blocked import blocked_gelu, blocked_gelu_slope
from gradcore.ops.elementwise import exp, sigmoid, tanh
from gradcore.ops.registry import FUNCTIONS, S, T, operation

_ANY = (T(2, 3),)
_FUNCTIONAL = "torch.nn.functional"
_HALF_ROOT = math.sqrt(0.5)
_ROOT_2_BY_PI = math.sqrt(2.0 / math.pi)
_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def where(condition: Any, chosen: Any, other: Any) -> Any:
    """Choose by a condition, on arrays or tensors."""
    if isinstance(condition, (np.ndarray, np.bool_)):
        return np.where(condition, chosen, other)
    return FUNCTIONS["where"](condition, chosen, other)


def _below(x: Any) -> Any:
    """Return the values up to zero, so that their exponential cannot overflow."""
    return where(x < 0, x, x * 0.0)


@operation(
    "leaky_relu",
    gradient={"input": lambda g, input, negative_slope: where(input > 0, g, g * negative_slope)},
    functions=False,
    samples=[_ANY, S(T(2, 3), negative_slope=0.3)],
    parity=_FUNCTIONAL,
)
def leaky_relu(input: Array, negative_slope: float = 0.01) -> Any:
    """Return the input where it is positive, else a small multiple of it."""
    return np.where(input > 0, input, input * negative_slope)


@operation(
    "prelu",
    inputs=2,
    gradient={
        "input": lambda g, input, weight: where(input > 0, g, g * _along_channels(weight, input)),
        "weight": lambda g, input, weight_shape: _per_channel(
            where(input > 0, input * 0.0, g * input), weight_shape
        ),
    },
    functions=("prelu",),
    methods=True,
    samples=[(T(2, 3, 4), T(3)), (T(2, 3), T(1)), (T(4), T(1))],
    parity=_FUNCTIONAL,
)
def prelu(input: Array, weight: Array) -> Any:
    """Return the input where it is positive, else a learned multiple of it."""
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim != 0 and weight.shape[0] not in (1, channels):
        raise ShapeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{weight.shape[0]} and channel size = {channels}.",
            f"In `prelu` of an input of shape {input.shape}.",
            f"Set num_parameters={channels}, or 1.",
            shapes=(input.shape, weight.shape),
        )
    return np.where(input > 0, input, input * _along_channels(weight, input))


def _along_channels(weight: Any, input: Any) -> Any:
    """Give a vector of per-channel values the shape that broadcasts along axis 1."""
    dims = len(input.shape)
    if dims < 2 or len(weight.shape) == 0 or weight.shape[0] == 1:
        return weight
    return weight.reshape((1, -1) + (1,) * (dims - 2))


def _per_channel(g: Any, weight_shape: Any) -> Any:
    if len(weight_shape) == 0 or weight_shape[0] == 1:
        return g.sum().reshape(weight_shape)
    axes = (0, *range(2, len(g.shape)))
    return g.sum(axes)


@operation(
    "elu",
    gradient={
        "input": lambda g, input, alpha: where(input > 0, g, g * (alpha * exp(_below(input))))
    },
    functions=False,
    samples=[_ANY, S(T(2, 3), alpha=0.5)],
    parity=_FUNCTIONAL,
)
def elu(input: Array, alpha: float = 1.0) -> Any:
    """Return the input where positive, else ``alpha * (exp(input) - 1)``."""
    return np.where(input > 0, input, alpha * np.expm1(np.minimum(input, 0)))


@operation(
    "selu",
    gradient={
        "input": lambda g, input: where(
            input > 0, g * SELU_SCALE, g * (SELU_SCALE * SELU_ALPHA * exp(_below(input)))
        )
    },
    functions=("selu",),
    samples=[_ANY],
    parity=_FUNCTIONAL,
)
def selu(input: Array) -> Any:
    """Return the scaled ELU that keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return SELU_SCALE * np.where(input > 0, input, SELU_ALPHA * np.expm1(np.minimum(input, 0)))


@operation(
    "celu",
    gradient={"input": lambda g, input, alpha: where(input > 0, g, g * exp(_below(input) / alpha))},
    functions=("celu",),
    samples=[_ANY, S(T(2, 3), alpha=0.5)],
    parity=_FUNCTIONAL,
)
def celu(input: Array, alpha: float = 1.0) -> Any:
    """Return ELU made smooth for every ``alpha``."""
    return np.where(input > 0, input, alpha * np.expm1(np.minimum(input, 0) / alpha))


def _tanh_slope(input: Any) -> Any:
    """Return the slope of the tanh form of GELU."""
    square = input * input
    t = tanh(_ROOT_2_BY_PI * input * (1 + 0.044715 * square))
    inner = _ROOT_2_BY_PI * (1 + 3 * 0.044715 * square)
    return 0.5 * (1 + t) + 0.5 * input * (1 - t * t) * inner


@operation(
    "gelu_tanh",
    gradient={"input": lambda g, input: g * _tanh_slope(input)},
    functions=False,
    samples=[_ANY],
    parity=None,
    grad_name="Gelu",
)
def gelu_tanh(input: Array) -> Any:
    """Return GELU with a tanh in place of the normal distribution's cumulative function."""
    inner = input * input
    inner *= 0.044715 * _ROOT_2_BY_PI
    inner += _ROOT_2_BY_PI
    inner *= input
    inner = np.tanh(inner)
    inner += 1
    inner *= input
    inner *= 0.5
    return inner


def _gelu_gradient(g: Any, needs: Any, input: Any, cumulative: Any) -> Any:
    into_y, into_cumulative = g
    if isinstance(into_y, np.ndarray) and into_cumulative is None:
        return (blocked_gelu_slope(into_y, input, cumulative),)
    density = exp(input * input * -0.5) * _DENSITY
    total = None if into_y is None else into_y * (cumulative + input * density)
    if into_cumulative is not None:
        added = into_cumulative * density
        total = added if total is None else total + added
    return (total,)


@operation(
    "gelu_normal",
    outputs=("y", "cumulative"),
    visible=1,
    joint=_gelu_gradient,
    functions=False,
    samples=[_ANY, (T(2, 3, low=-6.0, high=6.0),)],
    parity=None,
    grad_name="Gelu",
)
def gelu_normal(input: Array) -> Any:
    """Return the input times the normal distribution's cumulative function at it."""
    if input.dtype == np.float32:
        return blocked_gelu(input)
    cumulative = 0.5 * (1 + FUNCTIONS["erf"](np.asarray(input * _HALF_ROOT)))
    return input * cumulative, cumulative


def gelu(input: Any, approximate: str = "none") -> Any:
    """Return the input times the normal distribution's cumulative function at it."""
    if approximate == "none":
        return gelu_normal(input)
    if approximate == "tanh":
        return gelu_tanh(input)
    raise RuntimeError("approximate argument must be either none or tanh.")


def _silu_slope(input: Any) -> Any:
    s = sigmoid(input)
    return s * (1 + input * (1 - s))


@operation(
    "silu",
    gradient={"input": lambda g, input: g * _silu_slope(input)},
    functions=False,
    samples=[_ANY],
    parity=_FUNCTIONAL,
)
def silu(input: Array) -> Any:
    """Return ``input * sigmoid(input)``."""
    return input * sigmoid(input)


@operation(
    "softplus",
    gradient={
        "input": lambda g, input, beta, threshold: where(
            input * beta > threshold, g, g * sigmoid(input * beta)
        )
    },
    functions=False,
    samples=[_ANY, S(T(2, 3), beta=2.0), S(T(2, 3), beta=1.0, threshold=0.5)],
    parity=_FUNCTIONAL,
)
def softplus(input: Array, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """Return ``log(1 + exp(beta * input)) / beta``, the input itself above the threshold."""
    scaled = input * beta
    return np.where(scaled > threshold, input, np.logaddexp(scaled, 0) / beta).astype(
        input.dtype, copy=False
    )


def _mish_slope(input: Any) -> Any:
    t = tanh(softplus(input))
    return t + input * (1 - t * t) * sigmoid(input)


@operation(
    "mish",
    gradient={"input": lambda g, input: g * _mish_slope(input)},
    functions=False,
    samples=[_ANY],
    parity=_FUNCTIONAL,
)
def mish(input: Array) -> Any:
    """Return ``input * tanh(softplus(input))``."""
    return input * np.tanh(np.logaddexp(input, 0).astype(input.dtype, copy=False))


@operation(
    "softsign",
    gradient={"input": lambda g, input: g / _square(1 + abs(input))},
    functions=False,
    samples=[_ANY],
    parity=_FUNCTIONAL,
)
def softsign(input: Array) -> Any:
    """Return ``input / (1 + |input|)``."""
    return input / (1 + np.abs(input))


def _square(x: Any) -> Any:
    return x * x


@operation(
    "logsigmoid",
    gradient={"input": lambda g, input: g * sigmoid(-input)},
    functions=False,
    samples=[_ANY],
    parity=_FUNCTIONAL,
    grad_name="LogSigmoid",
)
def logsigmoid(input: Array) -> Any:
    """Return the logarithm of the sigmoid, without overflow."""
    return -np.logaddexp(-input, 0).astype(input.dtype, copy=False)


def _inside(g: Any, input: Any, low: float, high: float) -> Any:
    return g * ((input > low) & (input < high))


@operation(
    "hardtanh",
    gradient={"input": lambda g, input, min_val, max_val: _inside(g, input, min_val, max_val)},
    functions=False,
    samples=[_ANY, S(T(2, 3), min_val=-0.5, max_val=0.25)],
    parity=_FUNCTIONAL,
)
def hardtanh(input: Array, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """Return the input limited to an interval."""
    return np.clip(input, min_val, max_val)


@operation(
    "relu6",
    gradient={"input": lambda g, input: _inside(g, input, 0, 6)},
    functions=False,
    samples=[(T(2, 3, low=-4, high=9),)],
    parity=_FUNCTIONAL,
    grad_name="Hardtanh",
)
def relu6(input: Array) -> Any:
    """Return the input limited to 0 .. 6."""
    return np.clip(input, 0, 6)


@operation(
    "hardsigmoid",
    gradient={"input": lambda g, input: _inside(g, input, -3, 3) * (1 / 6)},
    functions=False,
    samples=[(T(2, 3, low=-5, high=5),)],
    parity=_FUNCTIONAL,
)
def hardsigmoid(input: Array) -> Any:
    """Return a sigmoid made of three straight lines."""
    return np.clip(input + 3, 0, 6) / 6


@operation(
    "hardswish",
    gradient={
        "input": lambda g, input: where(
            input <= -3, g * 0.0, where(input < 3, g * (input / 3 + 0.5), g)
        )
    },
    functions=False,
    samples=[(T(2, 3, low=-5, high=5),)],
    parity=_FUNCTIONAL,
)
def hardswish(input: Array) -> Any:
    """Return the input times its hard sigmoid."""
    return input * (np.clip(input + 3, 0, 6) / 6)


@operation(
    "threshold",
    gradient={"input": lambda g, input, threshold: g * (input > threshold)},
    functions=("threshold",),
    samples=[S(T(2, 3), threshold=0.2, value=-1.0)],
    parity=_FUNCTIONAL,
)
def threshold(input: Array, threshold: float, value: float) -> Any:
    """Return the input where it is above a threshold, else a fixed value."""
    return np.where(input > threshold, input, input.dtype.type(value))


@operation(
    "softshrink",
    gradient={"input": lambda g, input, lambd: g * (abs(input) > lambd)},
    functions=False,
    samples=[_ANY, S(T(2, 3), lambd=0.2)],
    parity=_FUNCTIONAL,
)
def softshrink(input: Array, lambd: float = 0.5) -> Any:
    """Return the input moved towards zero by ``lambd``, zero if it is nearer."""
    return np.where(input > lambd, input - lambd, np.where(input < -lambd, input + lambd, 0))


@operation(
    "hardshrink",
    gradient={"input": lambda g, input, lambd: g * (abs(input) > lambd)},
    functions=("hardshrink",),
    methods=True,
    samples=[_ANY, S(T(2, 3), lambd=0.2)],
    parity=_FUNCTIONAL,
)
def hardshrink(input: Array, lambd: float = 0.5) -> Any:
    """Return the input, zero where it is within ``lambd`` of zero."""
    return np.where(np.abs(input) > lambd, input, 0)
