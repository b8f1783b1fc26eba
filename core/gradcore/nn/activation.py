"""Activation functions as Modules."""

from typing import Any

from gradcore.creation import empty
from gradcore.nn import functional as F
from gradcore.nn import init
from gradcore.nn.catalog import derive_error, module, sample
from gradcore.nn.module import Module
from gradcore.nn.parameter import Parameter
from gradcore.tensor import Tensor

_SAME = "(*) -> (*)"
_PLAIN = [sample(inputs=[(2, 3)])]


class _Simple(Module):
    """An activation without settings."""


class _WithInplace(Module):
    """An activation that may write its result into its input."""

    __constants__ = ["inplace"]
    inplace: bool

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


_INPLACE = [sample(inputs=[(2, 3)]), sample(inplace=False, inputs=[(4,)])]


@module(
    family="activation",
    shape=_SAME,
    summary="Keeps what is positive, sets the rest to zero.",
    aliases=("rectifier",),
    samples=_INPLACE,
)
class ReLU(_WithInplace):
    """Return max(x, 0)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)


@module(family="activation", shape=_SAME, summary="ReLU that stops growing at 6.", samples=_INPLACE)
class ReLU6(_WithInplace):
    """Return the input limited to 0 .. 6."""

    def forward(self, input: Tensor) -> Tensor:
        return F.relu6(input, self.inplace)


@module(
    family="activation",
    shape=_SAME,
    summary="Like ReLU, with a small slope below zero.",
    samples=[sample(inputs=[(2, 3)]), sample(0.2, inputs=[(2, 3)])],
)
class LeakyReLU(Module):
    """Return x where positive, else `negative_slope * x`."""

    __constants__ = ["inplace", "negative_slope"]

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


def _channels_fit(arguments: Any, bound: Any) -> dict[str, Any]:
    sizes, wanted = bound["*"], arguments["num_parameters"]
    if wanted != 1 and len(sizes) > 1 and isinstance(sizes[1], int) and sizes[1] != wanted:
        raise derive_error(
            f"got {sizes[1]} channels, PReLU has {wanted} slopes",
            f"Set num_parameters={sizes[1]}, or 1.",
            repair={"num_parameters": sizes[1]},
        )
    return {}


@module(
    family="activation",
    shape=_SAME,
    derive=_channels_fit,
    summary="Like ReLU, with a slope below zero that is learned.",
    samples=[sample(inputs=[(2, 3)]), sample(3, init=0.1, inputs=[(2, 3, 4)])],
)
class PReLU(Module):
    """Return x where positive, else `weight * x`, one weight for all or for each channel."""

    __constants__ = ["num_parameters"]

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every slope to `init`."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


@module(
    family="activation",
    shape=_SAME,
    summary="Leaky ReLU with a slope drawn anew while training.",
    samples=[],
)
class RReLU(Module):
    """Return x where positive, else a random multiple of it."""

    __constants__ = ["lower", "upper", "inplace"]

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False
    ) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        extra = ", inplace=True" if self.inplace else ""
        return f"lower={self.lower}, upper={self.upper}{extra}"


class _WithAlpha(Module):
    """An exponential activation with its lower limit."""

    __constants__ = ["alpha", "inplace"]

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


_ALPHA = [sample(inputs=[(2, 3)]), sample(0.5, inputs=[(2, 3)])]


@module(
    family="activation",
    shape=_SAME,
    summary="Like ReLU, going smoothly to -alpha.",
    samples=_ALPHA,
)
class ELU(_WithAlpha):
    """Return x where positive, else `alpha * (exp(x) - 1)`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)


@module(family="activation", shape=_SAME, summary="ELU, smooth for every alpha.", samples=_ALPHA)
class CELU(_WithAlpha):
    """Return `max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)


@module(
    family="activation",
    shape=_SAME,
    summary="ELU scaled so that mean and variance keep themselves.",
    samples=_INPLACE,
)
class SELU(_WithInplace):
    """Return the scaled ELU of Klambauer et al. 2017."""

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


@module(
    family="activation",
    shape=_SAME,
    summary="A smooth ReLU: x times the normal distribution at x.",
    samples=[sample(inputs=[(2, 3)]), sample(approximate="tanh", inputs=[(2, 3)])],
)
class GELU(Module):
    """Return x times the normal distribution's cumulative function at x."""

    __constants__ = ["approximate"]

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


@module(
    family="activation",
    shape=_SAME,
    summary="x times sigmoid(x).",
    aliases=("swish",),
    samples=_INPLACE,
)
class SiLU(_WithInplace):
    """Return `x * sigmoid(x)`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)


@module(family="activation", shape=_SAME, summary="x times tanh(softplus(x)).", samples=_INPLACE)
class Mish(_WithInplace):
    """Return `x * tanh(softplus(x))`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)


@module(family="activation", shape=_SAME, summary="SiLU of straight pieces.", samples=_INPLACE)
class Hardswish(_WithInplace):
    """Return the input times its hard sigmoid."""

    def extra_repr(self) -> str:
        return ""

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)


@module(family="activation", shape=_SAME, summary="Sigmoid of straight pieces.", samples=_INPLACE)
class Hardsigmoid(_WithInplace):
    """Return a sigmoid made of three straight lines."""

    def extra_repr(self) -> str:
        return ""

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)


@module(family="activation", shape=_SAME, summary="Squeezes into (0, 1).", samples=_PLAIN)
class Sigmoid(_Simple):
    """Return `1 / (1 + exp(-x))`."""

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = input.sigmoid()
        return result


@module(family="activation", shape=_SAME, summary="Squeezes into (-1, 1).", samples=_PLAIN)
class Tanh(_Simple):
    """Return the hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = input.tanh()
        return result


@module(
    family="activation",
    shape=_SAME,
    summary="A smooth ReLU: log(1 + exp(x)).",
    samples=[sample(inputs=[(2, 3)]), sample(2.0, 0.5, inputs=[(2, 3)])],
)
class Softplus(Module):
    """Return `log(1 + exp(beta * x)) / beta`."""

    __constants__ = ["beta", "threshold"]

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


@module(family="activation", shape=_SAME, summary="x / (1 + |x|).", samples=_PLAIN)
class Softsign(_Simple):
    """Return `x / (1 + |x|)`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


@module(family="activation", shape=_SAME, summary="x - tanh(x).", samples=_PLAIN)
class Tanhshrink(_Simple):
    """Return `x - tanh(x)`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


@module(family="activation", shape=_SAME, summary="Logarithm of the sigmoid.", samples=_PLAIN)
class LogSigmoid(_Simple):
    """Return `log(sigmoid(x))`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class _WithLambda(Module):
    __constants__ = ["lambd"]

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return str(self.lambd)


@module(
    family="activation",
    shape=_SAME,
    summary="Moves values towards zero.",
    samples=[sample(inputs=[(2, 3)]), sample(0.2, inputs=[(2, 3)])],
)
class Softshrink(_WithLambda):
    """Return x moved towards zero by `lambd`, zero where it is nearer."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)


@module(
    family="activation",
    shape=_SAME,
    summary="Sets values near zero to zero.",
    samples=[sample(inputs=[(2, 3)]), sample(0.2, inputs=[(2, 3)])],
)
class Hardshrink(_WithLambda):
    """Return x, zero where it is within `lambd` of zero."""

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)


@module(
    family="activation",
    shape=_SAME,
    summary="Limits to an interval.",
    aliases=("clip", "clamp"),
    samples=[sample(inputs=[(2, 3)]), sample(-0.3, 0.4, inputs=[(2, 3)])],
)
class Hardtanh(Module):
    """Return x limited to `min_val` .. `max_val`."""

    __constants__ = ["min_val", "max_val", "inplace"]

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if max_val <= min_val:
            raise AssertionError("max_val must be larger than min_val")
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        extra = ", inplace=True" if self.inplace else ""
        return f"min_val={self.min_val}, max_val={self.max_val}{extra}"


@module(
    family="activation",
    shape=_SAME,
    summary="Replaces values up to a threshold.",
    samples=[sample(0.1, 2.0, inputs=[(2, 3)])],
)
class Threshold(Module):
    """Return x where it is above `threshold`, else `value`."""

    __constants__ = ["threshold", "value", "inplace"]

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        extra = ", inplace=True" if self.inplace else ""
        return f"threshold={self.threshold}, value={self.value}{extra}"
