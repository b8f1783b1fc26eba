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
from gradcore.ops.choosing import at_least, at_most, choose, kept
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
        return choose(condition, chosen, other)
    return FUNCTIONS["where"](condition, chosen, other)


def _below(x: Any) -> Any:
    """Return the values up to zero, so that their exponential cannot overflow."""
    return where(x < 0, x, x * 0.0)


def leaky_slope(g: Any, input: Any, negative_slope: float) -> Any:
    """Return the gradient where the input is positive, else a multiple of it."""
    if not isinstance(g, np.ndarray) or not 0 <= negative_slope <= 1:
        return where(input > 0, g, g * negative_slope)
    # 1 or the slope.
    factor = at_least((input > 0).astype(input.dtype), negative_slope)
    factor *= g
    return factor


@operation(
    "leaky_relu",
    gradient={"input": leaky_slope},
    functions=False,
    samples=[_ANY, S(T(2, 3), negative_slope=0.3), S(T(2, 3), negative_slope=-0.3)],
    parity=_FUNCTIONAL,
)
def leaky_relu(input: Array, negative_slope: float = 0.01) -> Any:
    """Return the input where it is positive, else a small multiple of it."""
    if 0 < negative_slope <= 1:
        return np.maximum(input, input * negative_slope)
    return choose(input > 0, input, input * negative_slope)


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
    return choose(input > 0, input, input * _along_channels(weight, input))


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


def _bent(x: Any, alpha: float, rate: float, scale: float) -> Any:
    """Return ``scale * (x if x > 0 else alpha * (exp(x / rate) - 1))``."""
    low = at_most(x, 0.0)
    low = np.expm1(low if rate == 1 else low / rate)
    if alpha != 1:
        low *= alpha
    low += at_least(x, 0.0)
    if scale != 1:
        low *= scale
    return low


def _bent_slope(g: Any, x: Any, alpha: float, rate: float, scale: float) -> Any:
    """Return ``g * scale * (1 if x > 0 else alpha / rate * exp(x / rate))``."""
    factor = alpha / rate * scale
    if not isinstance(g, np.ndarray):
        return where(x > 0, g * scale, g * (factor * exp(_below(x) / rate)))
    low = at_most(x, 0.0)
    slope = np.exp(low if rate == 1 else low / rate)
    if factor != 1:
        slope *= factor
    if factor != scale:
        # Where the input is positive, the exponential is 1.
        slope += (x > 0) * x.dtype.type(scale - factor)
    slope *= g
    return slope


@operation(
    "elu",
    gradient={"input": lambda g, input, alpha: _bent_slope(g, input, alpha, 1.0, 1.0)},
    functions=False,
    samples=[_ANY, S(T(2, 3), alpha=0.5)],
    parity=_FUNCTIONAL,
)
def elu(input: Array, alpha: float = 1.0) -> Any:
    """Return the input where positive, else ``alpha * (exp(input) - 1)``."""
    return _bent(input, alpha, 1.0, 1.0)


@operation(
    "selu",
    gradient={"input": lambda g, input: _bent_slope(g, input, SELU_ALPHA, 1.0, SELU_SCALE)},
    functions=("selu",),
    samples=[_ANY],
    parity=_FUNCTIONAL,
)
def selu(input: Array) -> Any:
    """Return the scaled ELU that keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return _bent(input, SELU_ALPHA, 1.0, SELU_SCALE)


@operation(
    "celu",
    gradient={"input": lambda g, input, alpha: _bent_slope(g, input, alpha, alpha, 1.0)},
    functions=("celu",),
    samples=[_ANY, S(T(2, 3), alpha=0.5)],
    parity=_FUNCTIONAL,
)
def celu(input: Array, alpha: float = 1.0) -> Any:
    """Return ELU made smooth for every ``alpha``."""
    return _bent(input, alpha, alpha, 1.0)


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


def _silu_slope(g: Any, input: Any) -> Any:
    s = sigmoid(input)
    if not isinstance(g, np.ndarray):
        return g * (s * (1 + input * (1 - s)))
    slope = 1 - s
    slope *= input
    slope += 1
    slope *= s
    slope *= g
    return slope


@operation(
    "silu",
    gradient={"input": _silu_slope},
    functions=False,
    samples=[_ANY],
    parity=_FUNCTIONAL,
)
def silu(input: Array) -> Any:
    """Return ``input * sigmoid(input)``."""
    e = np.exp(-input)
    e += 1
    return input / e


def _softly_above(x: Any) -> Any:
    """Return what ``log(1 + exp(x))`` is more than ``max(x, 0)``."""
    size = np.abs(x)
    return np.log1p(np.exp(-size))


def _is_rounded_away(x: Any, threshold: float) -> bool:
    """Tell whether the softplus of all that is above the threshold is the value itself."""
    return bool(threshold >= 17 and x.dtype == np.float32)


def _softplus_slope(g: Any, input: Any, beta: float, threshold: float) -> Any:
    scaled = input if beta == 1 else input * beta
    slope = g * sigmoid(scaled)
    if isinstance(g, np.ndarray) and _is_rounded_away(input, threshold):
        return slope
    return where(scaled > threshold, g, slope)


@operation(
    "softplus",
    gradient={"input": _softplus_slope},
    functions=False,
    samples=[_ANY, S(T(2, 3), beta=2.0), S(T(2, 3), beta=1.0, threshold=0.5)],
    parity=_FUNCTIONAL,
)
def softplus(input: Array, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """Return ``log(1 + exp(beta * input)) / beta``, the input itself above the threshold."""
    scaled = input if beta == 1 else input * beta
    more = _softly_above(scaled)
    if not _is_rounded_away(input, threshold):
        more = choose(scaled > threshold, 0.0, more)
    if beta != 1:
        more /= beta
    more += at_least(input, 0.0) if beta > 0 else at_most(input, 0.0)
    return more


def _tanh_of_softplus(x: Any) -> tuple[Any, Any]:
    """Return ``tanh(softplus(x))`` and ``sigmoid(x)``.

    The tanh of ``log(1 + e)`` is ``n / (n + 2)`` with ``n = e (e + 2)``; from 20 on, both are 1.
    """
    e = np.exp(at_most(x, 20.0))
    n = e + 2
    n *= e
    e /= e + 1
    n /= n + 2
    return n, e


def _mish_slope(g: Any, input: Any) -> Any:
    if not isinstance(g, np.ndarray):
        t = tanh(softplus(input))
        return g * (t + input * (1 - t * t) * sigmoid(input))

    t, slope = _tanh_of_softplus(input)
    slope *= 1 - t * t
    slope *= input
    slope += t
    slope *= g
    return slope


@operation(
    "mish",
    gradient={"input": _mish_slope},
    functions=False,
    samples=[_ANY, (T(2, 3, low=-30.0, high=30.0),)],
    parity=_FUNCTIONAL,
)
def mish(input: Array) -> Any:
    """Return ``input * tanh(softplus(input))``."""
    return input * _tanh_of_softplus(input)[0]


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
    return at_most(input, 0.0) - _softly_above(input)


def inside(g: Any, input: Any, low: float, high: float) -> Any:
    """Return the gradient where the input is between two numbers, else 0."""
    return where((input > low) & (input < high), g, 0.0)


@operation(
    "hardtanh",
    gradient={"input": lambda g, input, min_val, max_val: inside(g, input, min_val, max_val)},
    functions=False,
    samples=[_ANY, S(T(2, 3), min_val=-0.5, max_val=0.25)],
    parity=_FUNCTIONAL,
)
def hardtanh(input: Array, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """Return the input limited to an interval."""
    return np.clip(input, min_val, max_val)


@operation(
    "relu6",
    gradient={"input": lambda g, input: inside(g, input, 0, 6)},
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
    gradient={"input": lambda g, input: inside(g, input, -3, 3) * (1 / 6)},
    functions=False,
    samples=[(T(2, 3, low=-5, high=5),)],
    parity=_FUNCTIONAL,
)
def hardsigmoid(input: Array) -> Any:
    """Return a sigmoid made of three straight lines."""
    return np.clip(input + 3, 0, 6) / 6


def _hardswish_slope(g: Any, input: Any) -> Any:
    if not isinstance(g, np.ndarray):
        return where(input <= -3, g * 0.0, where(input < 3, g * (input / 3 + 0.5), g))

    # Up to 3/2 at the upper limit, and 1 beyond.
    slope = np.clip(input, -3.0, 3.0)
    slope /= 3
    slope += 0.5
    slope -= (input >= 3) * input.dtype.type(0.5)
    slope *= g
    return kept(~(input <= -3), slope)


@operation(
    "hardswish",
    gradient={"input": _hardswish_slope},
    functions=False,
    samples=[(T(2, 3, low=-5, high=5),)],
    parity=_FUNCTIONAL,
)
def hardswish(input: Array) -> Any:
    """Return the input times its hard sigmoid."""
    out = np.clip(input + 3, 0, 6)
    out *= input
    out /= 6
    return out


@operation(
    "threshold",
    gradient={"input": lambda g, input, threshold: where(input > threshold, g, 0.0)},
    functions=("threshold",),
    samples=[S(T(2, 3), threshold=0.2, value=-1.0)],
    parity=_FUNCTIONAL,
)
def threshold(input: Array, threshold: float, value: float) -> Any:
    """Return the input where it is above a threshold, else a fixed value."""
    return choose(input > threshold, input, input.dtype.type(value))


@operation(
    "softshrink",
    gradient={"input": lambda g, input, lambd: where(abs(input) > lambd, g, 0.0)},
    functions=False,
    samples=[_ANY, S(T(2, 3), lambd=0.2)],
    parity=_FUNCTIONAL,
)
def softshrink(input: Array, lambd: float = 0.5) -> Any:
    """Return the input moved towards zero by ``lambd``, zero if it is nearer."""
    return input - np.clip(input, -lambd, lambd)


@operation(
    "hardshrink",
    gradient={"input": lambda g, input, lambd: where(abs(input) > lambd, g, 0.0)},
    functions=("hardshrink",),
    methods=True,
    samples=[_ANY, S(T(2, 3), lambd=0.2)],
    parity=_FUNCTIONAL,
)
def hardshrink(input: Array, lambd: float = 0.5) -> Any:
    """Return the input, zero where it is within ``lambd`` of zero."""
    return choose(np.abs(input) <= lambd, 0.0, input)
