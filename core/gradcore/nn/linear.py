"""Affine layers, and those that only rearrange axes."""

import math
from typing import Any

from gradcore.creation import empty
from gradcore.nn import functional as F
from gradcore.nn import init
from gradcore.nn.catalog import Derive, derive_error, module, sample
from gradcore.nn.module import Module
from gradcore.nn.parameter import Parameter
from gradcore.ops.linear import linear
from gradcore.tensor import Tensor


@module(
    family="linear",
    shape="(*) -> (*)",
    summary="Passes its input on unchanged.",
    aliases=("nothing", "pass"),
    samples=[sample(inputs=[(2, 3)]), sample(54, unused=True, inputs=[(2, 3)])],
)
class Identity(Module):
    """Pass the input on unchanged; any constructor arguments are accepted and ignored."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


@module(
    family="linear",
    shape="(*, in_features) -> (*, out_features)",
    summary="Multiplies by a weight matrix and adds a bias.",
    aliases=("fc", "dense", "fully connected", "affine"),
    samples=[
        sample(3, 4, inputs=[(2, 3)]),
        sample(3, 4, inputs=[(2, 5, 3)]),
        sample(3, 4, inputs=[(3,)]),
        sample(3, 4, bias=False, inputs=[(2, 3)]),
    ],
)
class Linear(Module):
    """Compute `y = x @ weight.T + bias`.

    Shape:      (*, in_features) -> (*, out_features)
    Attributes: weight (out_features, in_features) and bias (out_features), both drawn
        uniformly between -k and k with k = 1 / sqrt(in_features).
    """

    __constants__ = ["in_features", "out_features"]
    in_features: int
    out_features: int
    weight: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty((out_features, in_features), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        own = self._parameters
        if "weight" in own and "bias" in own:
            # The short way to the same two values: attributes of a Module are found last.
            result: Tensor = linear(input, own["weight"], own["bias"])
            return result
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class NonDynamicallyQuantizableLinear(Linear):
    """The output projection of attention: a Linear that PyTorch prints under this name."""


@module(
    family="linear",
    shape="(*, in1_features), (*, in2_features) -> (*, out_features)",
    summary="Combines two inputs through a weight for each pair of their features.",
    samples=[
        sample(3, 4, 2, inputs=[(5, 3), (5, 4)]),
        sample(3, 4, 2, bias=False, inputs=[(2, 5, 3), (2, 5, 4)]),
    ],
)
class Bilinear(Module):
    """Compute `y[k] = x1 @ weight[k] @ x2 + bias[k]`."""

    __constants__ = ["in1_features", "in2_features", "out_features"]

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        size = (out_features, in1_features, in2_features)
        self.weight = Parameter(empty(size, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.weight.size(1))
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


def _flattened(arguments: Any, bound: Any) -> dict[str, Any]:
    sizes = bound["*"]
    first, last = arguments["start_dim"], arguments["end_dim"]
    n = len(sizes)
    if not (-n <= first < n and -n <= last < n):
        raise derive_error(
            f"Flatten from axis {first} to {last} needs more axes than the {n} it got"
        )
    first, last = first % n, last % n
    inside = sizes[first : last + 1]
    if all(isinstance(size, int) for size in inside):
        joined: Any = math.prod(inside)
    else:
        joined = "*".join(str(size) for size in inside)
    return {"flat": (*sizes[:first], joined, *sizes[last + 1 :])}


_flatten_shape: Derive = _flattened


@module(
    family="shape",
    shape="(*) -> (flat)",
    derive=_flatten_shape,
    summary="Makes one axis of several: images to rows of features.",
    aliases=("reshape", "view"),
    samples=[sample(inputs=[(2, 3, 4)]), sample(0, 1, inputs=[(2, 3, 4)])],
)
class Flatten(Module):
    """Make one axis of those from `start_dim` to `end_dim`."""

    __constants__ = ["start_dim", "end_dim"]

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = input.flatten(self.start_dim, self.end_dim)
        return result

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


def _unflattened(arguments: Any, bound: Any) -> dict[str, Any]:
    sizes, dim = bound["*"], arguments["dim"]
    wanted = tuple(arguments["unflattened_size"])
    if not isinstance(dim, int) or not -len(sizes) <= dim < len(sizes):
        raise derive_error(f"Unflatten of axis {dim} needs more axes than the {len(sizes)} it got")
    dim %= len(sizes)
    size = sizes[dim]
    known = math.prod(n for n in wanted if n != -1)
    if isinstance(size, int):
        if size % known or (-1 not in wanted and size != known):
            raise derive_error(f"got an axis of {size}, Unflatten makes {wanted} of it")
        wanted = tuple(size // known if n == -1 else n for n in wanted)
    return {"split": (*sizes[:dim], *wanted, *sizes[dim + 1 :])}


@module(
    family="shape",
    shape="(*) -> (split)",
    derive=_unflattened,
    summary="Makes several axes of one.",
    samples=[sample(1, (2, 3), inputs=[(4, 6)]), sample(1, (2, -1), inputs=[(4, 6)])],
)
class Unflatten(Module):
    """Make several axes of one: the inverse of `Flatten`."""

    __constants__ = ["dim", "unflattened_size"]

    def __init__(self, dim: int | str, unflattened_size: Any) -> None:
        super().__init__()
        if not isinstance(dim, int):
            raise TypeError("Unflatten takes the number of the axis; named axes are not supported")
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(
                "unflattened_size must be a tuple of ints, but found type "
                + type(unflattened_size).__name__
            )
        for place, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, "
                    f"but found element of type {type(size).__name__} at pos {place}"
                )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = input.unflatten(self.dim, self.unflattened_size)
        return result

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
