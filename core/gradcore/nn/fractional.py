"""Layers of fractional max pooling: windows of one size whose distances are drawn."""

from typing import Any

from gradcore.nn import functional as F
from gradcore.nn.catalog import module, sample
from gradcore.nn.module import Module
from gradcore.nn.pooling import _SHAPES, adapted
from gradcore.tensor import Tensor


class _FractionalMaxNd(Module):
    __constants__ = ["kernel_size", "return_indices", "output_size", "output_ratio"]

    _dims = 2

    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        output_size: int | tuple[int, ...] | None = None,
        output_ratio: float | tuple[float, ...] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if (output_size is None) == (output_ratio is None):
            raise ValueError(
                f"{name} requires specifying either an output size, or a pooling ratio"
                if output_size is None
                else "only one of output_size and output_ratio may be specified"
            )
        self.kernel_size = self._all(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else self._all(output_size)
        self.output_ratio = None if output_ratio is None else self._all(output_ratio)
        if self.output_ratio is not None and not all(0 < part < 1 for part in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {self.output_ratio})")

    def _all(self, given: Any) -> tuple[Any, ...]:
        return tuple(given) if isinstance(given, (tuple, list)) else (given,) * self._dims

    def _settings(self) -> tuple[Any, ...]:
        return (
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )


def _outputs(n: int) -> Any:
    sizes = adapted(n)

    def derive(arguments: Any, bound: Any) -> dict[str, Any]:
        if arguments["output_size"] is not None:
            return dict(sizes(arguments, bound))
        given = arguments["output_ratio"]
        ratios = given if isinstance(given, (tuple, list)) else (given,) * n
        names = "DHW"[-n:]
        return {
            f"{name}_out": int(bound[name] * part) for name, part in zip(names, ratios, strict=True)
        }

    return derive


_SUMMARY = "Keeps the largest value of windows that lie at drawn places."


@module(
    family="pooling",
    shape=_SHAPES[2],
    derive=_outputs(2),
    summary=_SUMMARY,
    samples=[
        sample(2, output_size=(3, 2), inputs=[(2, 3, 7, 6)]),
        sample((2, 3), output_ratio=0.5, inputs=[(2, 3, 8, 8)]),
        sample(2, output_size=3, inputs=[(3, 7, 7)]),
    ],
)
class FractionalMaxPool2d(_FractionalMaxNd):
    """Return the largest value of windows of (N, C, H, W) that lie at drawn places."""

    def forward(self, input: Tensor) -> Any:
        return F.fractional_max_pool2d(input, *self._settings())


@module(
    family="pooling",
    shape=_SHAPES[3],
    derive=_outputs(3),
    summary=_SUMMARY,
    samples=[sample(2, output_size=(3, 2, 2), inputs=[(2, 3, 7, 6, 5)])],
)
class FractionalMaxPool3d(_FractionalMaxNd):
    """Return the largest value of windows of (N, C, D, H, W) that lie at drawn places."""

    _dims = 3

    def forward(self, input: Tensor) -> Any:
        return F.fractional_max_pool3d(input, *self._settings())
