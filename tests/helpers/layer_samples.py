"""The values of the sample inputs that the catalog of layers describes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcore.nn.catalog import Input


def values_of(spec: Input, number: int) -> NDArray[Any]:
    """Return the values of one sample input: others for each ``number``, the same every time."""
    source = np.random.default_rng(number)
    if spec.kind == "integers":
        return source.integers(0, spec.high, spec.shape)
    if spec.kind == "signs":
        return source.choice([-1.0, 1.0], spec.shape).astype(np.float32)
    values = source.standard_normal(spec.shape).astype(np.float32)
    if spec.kind == "positive":
        return np.abs(values) + np.float32(0.3)
    if spec.kind == "probability":
        return (1 / (1 + np.exp(-values))).astype(np.float32)
    if spec.kind == "distribution":
        powers = np.exp(values)
        return (powers / powers.sum(1, keepdims=True)).astype(np.float32)
    return values
