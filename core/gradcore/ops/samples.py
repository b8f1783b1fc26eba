"""Real arguments from the samples that stand beside the operations. The tests call this."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.ops.registry import S, T, as_sample


def array_of(sample: T, generator: np.random.Generator, kind: str = "float64") -> Array:
    """Return random values in the shape, range and kind that ``sample`` describes.

    Floats keep some distance from 0 and from each other, where many functions have a kink.
    """
    if sample.values is not None:
        given = np.array(sample.values)
        return given.astype(kind) if given.dtype.kind == "f" else given
    shape = sample.shape
    if sample.kind == "bool":
        return np.asarray(generator.integers(0, 2, shape)).astype(bool)
    if sample.kind == "int":
        return np.asarray(generator.integers(int(sample.low), int(sample.high), shape))
    if sample.kind == "index":
        return np.asarray(generator.integers(0, int(sample.high), shape))
    n = max(int(np.prod(shape)), 1)
    steps = (np.arange(n) + 0.5) / n
    values = sample.low + (sample.high - sample.low) * generator.permutation(steps)
    values = values + generator.uniform(-0.1, 0.1, n) * (sample.high - sample.low) / n
    if sample.low < 0 < sample.high:
        values = np.where(np.abs(values) < 0.05, 0.05, values)
    values = values[: int(np.prod(shape))].reshape(shape)
    if sample.kind == "symmetric":
        values = values + np.swapaxes(values, -1, -2)
    if sample.kind == "positive_definite":
        values = values @ np.swapaxes(values, -1, -2) + 2 * np.eye(shape[-1])
    if sample.kind == "complex":
        paired = values + 1j * generator.permutation(values.reshape(-1)).reshape(shape)
        return np.asarray(paired, "complex64" if kind == "float32" else "complex128")
    return np.asarray(values).astype(kind)


def arguments(
    sample: Any, convert: Callable[[Array], Any], seed: int = 0, kind: str = "float64"
) -> S:
    """Return the sample call with each ``T`` replaced by ``convert(array)``.

    The same seed gives the same arrays, so that two libraries can be given the same call.
    """
    generator = np.random.default_rng(seed)

    def fill(item: Any) -> Any:
        if isinstance(item, T):
            return convert(array_of(item, generator, kind))
        if isinstance(item, list):
            return [fill(part) for part in item]
        if isinstance(item, tuple):
            return tuple(fill(part) for part in item)
        return item

    call = as_sample(sample)
    made = S(*[fill(arg) for arg in call.args])
    made.kwargs = {name: fill(value) for name, value in call.kwargs.items()}
    return made
